import { workload } from '../../shaders/registry.ts';
import { encodeResult } from '../../shared/formats.ts';
import { type JobContext, type JobId, maskOf, type TileRef } from '../../shared/model.ts';
import type { LiveJob } from '../ui/mosaic/live-job.svelte.ts';
import type { FactListener } from './contributor.svelte.ts';

/** Draws this browser's own work into a job's live picture: running outline, parts as they finish, own tiles. */
export function drawFacts(live: LiveJob): FactListener {
  const isShown = (job: JobId): boolean => job === live.id;
  let running: TileRef | null = null;
  const run = (at: TileRef | null): void => {
    running = at;
    live.mosaic?.outlines.markRunning(at);
  };
  return {
    tile({ step, job, at }) {
      if (!isShown(job.id)) return;
      if (step === 'begun') {
        live.follow(at);
        run(at);
      }
      // The next tile begins before the last one is handed in, so its outline stays.
      else if (running?.tile === at.tile && running.pass === at.pass) run(null);
      if (step === 'accepted') live.mosaic?.outlines.markOwn(at);
      // Parts were painted before they were checked: begin again from what is accepted.
      if (step === 'refuted' || step === 'discarded') void live.rebuild();
    },
    part({ job, at, part, bytes }) {
      const spec = workload(job.workload)?.spec;
      const context: JobContext = { id: job.id, seed: job.seed, params: job.params, prepared: job.prepared };
      // Layers that nobody looks at would only take memory.
      if (isShown(job.id) && spec && live.mosaic?.shows(at))
        void live.mosaic.add(at, maskOf([part]), encodeResult([{ part, bytes }], spec.elements(context, at), spec.elementWords(context, at)));
    },
  };
}
