import type { JobContext } from '../../../shared/model.ts';
import type { JobView } from '../../../shared/schemas.ts';
import type { WorkloadSpec } from '../../../shared/workload.ts';
import { outputUrl } from '../../net/api.ts';

/** What browsers draw in an <img>. */
const drawable = ['image/png', 'image/jpeg', 'image/webp', 'image/avif'];

/** Address of a finished job's picture: one file in place of thousands of results. Null while there is none. */
export function pictureUrl(job: JobContext & Pick<JobView, 'status' | 'extensions' | 'deletedMs'>, spec: WorkloadSpec): string | null {
  const isThere = job.status === 'done' && job.deletedMs === null;
  const output = isThere ? spec.outputs(job).find(({ mediaType }) => drawable.includes(mediaType)) : undefined;
  return output ? outputUrl(job.id, output.id, job.extensions) : null;
}
