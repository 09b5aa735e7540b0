import { encodeResult } from '../../shared/formats.ts';
import { type JobId, maskOf } from '../../shared/model.ts';
import type { LiveJob } from '../ui/mosaic/live-job.svelte.ts';
import type { FactListener } from './contributor.svelte.ts';

/** Draws this browser's own work into a job's live picture: running outline, parts as they finish, own tiles. */
export function drawFacts(live: LiveJob): FactListener {
  const isShown = (job: JobId): boolean => job === live.id;
  return {
    tile({ step, job, at }) {
      if (!isShown(job.id) || !live.mosaic) return;
      if (step === 'begun') live.mosaic.outlines.markRunning(at);
      else if (step === 'accepted') live.mosaic.outlines.markOwn(at);
      // Parts were painted before they were checked: begin again from what is accepted.
      else if (step === 'refuted') void live.rebuild();
    },
    part({ job, at, part, bytes }) {
      if (isShown(job.id)) void live.mosaic?.add(at, maskOf([part]), encodeResult([{ part, bytes }], bytes.byteLength));
    },
  };
}
