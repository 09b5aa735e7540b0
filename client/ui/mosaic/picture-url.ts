import type { JobView } from '../../../shared/schemas.ts';
import type { WorkloadSpec } from '../../../shared/workload.ts';
import { outputUrl } from '../../net/api.ts';

/** What browsers draw in an <img>. */
const drawable = ['image/png', 'image/jpeg', 'image/webp', 'image/avif'];

/** Address of a finished job's picture: one file in place of thousands of results. Null while there is none. */
export function pictureUrl(job: JobView, spec: WorkloadSpec): string | null {
  const output = job.status === 'done' ? spec.outputs.find(({ mediaType }) => drawable.includes(mediaType)) : undefined;
  return output ? outputUrl(job.id, output.id) : null;
}
