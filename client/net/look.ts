import { SECOND_MS } from '../../shared/limits.ts';
import type { JobId } from '../../shared/model.ts';
import type { JobView } from '../../shared/schemas.ts';
import { api } from './api.ts';
import type { JobListener } from './live.ts';

const LOOK_EVERY_MS = 4 * SECOND_MS;

/**
 * Looks at a job every few seconds over plain HTTP until it has ended, in place of `watchJob` where a picture only illustrates: no socket, and none of
 * its 16 kB of code. A hidden page does not look. Who has which lease is not told this way.
 */
export function lookAtJob(id: JobId, listener: JobListener): () => void {
  let accepted: number | null = null;
  let closed = false;
  let timer: ReturnType<typeof setTimeout>;

  const look = async (): Promise<void> => {
    let job: JobView | null = null;
    try {
      if (document.visibilityState === 'visible') job = await api.job(id);
      if (job && job.parts.accepted !== accepted) {
        const results = await api.results(id);
        if (closed) return;
        accepted = job.parts.accepted;
        // To the listener a look is a connection after a gap: what is not accepted any more was taken back meanwhile.
        listener.connected(false);
        listener.connected(true);
        listener.snapshot(job, results);
      }
    } catch {
      if (!closed) listener.connected(false);
    }
    if (!closed && job?.status !== 'done' && job?.status !== 'cancelled') timer = setTimeout(() => void look(), LOOK_EVERY_MS);
  };
  listener.connected(true);
  timer = setTimeout(() => void look(), LOOK_EVERY_MS);
  return () => {
    closed = true;
    clearTimeout(timer);
  };
}
