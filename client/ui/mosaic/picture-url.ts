import type { JobContext, JobStatus } from '../../../shared/model.ts';
import type { WorkloadSpec } from '../../../shared/workload.ts';
import { outputUrl } from '../../net/api.ts';

/** What browsers draw in an <img>. */
const drawable = ['image/png', 'image/jpeg', 'image/webp', 'image/avif'];

/** Address of a finished job's picture: one file in place of thousands of results. Null while there is none. */
export function pictureUrl(job: JobContext, status: JobStatus, spec: WorkloadSpec): string | null {
  const output = status === 'done' ? spec.outputs(job).find(({ mediaType }) => drawable.includes(mediaType)) : undefined;
  return output ? outputUrl(job.id, output.id) : null;
}
