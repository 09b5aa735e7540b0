import { countParts, type PartMask, type TileRef } from '../../shared/model.ts';
import type { PartialResult } from '../../shared/workload.ts';
import { type Clock, unlessAborted } from './clock.ts';
import { DeviceLost, GpuError } from './device.ts';
import type { OpenJob } from './jobs.ts';
import type { Pace } from './pace.ts';

/** A kernel stops within a slice; one that has not by then hangs in the driver. */
const SETTLE_MS_MAX = 5000;

export interface PartsRun {
  readonly job: OpenJob;
  readonly at: TileRef;
  readonly parts: PartMask;
  readonly pace: Pace;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Runs the kernel over some parts of a tile and passes each on as it finishes. Rejects with the signal's reason, at the
 * latest when the kernel has let go of the device, because the next run uses the same buffers. Throws `GpuError` when it
 * never does, and whatever the kernel throws.
 */
export async function runParts({ job, at, parts, pace, clock, signal }: PartsRun, finished: (part: PartialResult, partBytes: number) => void): Promise<void> {
  const partBytes = job.entry.spec.partBytes(job.context, at);
  const iterator = job.runner.run(at, parts, pace.policy(signal), signal)[Symbol.asyncIterator]();
  for (let left = countParts(parts); ; left--) {
    const next = iterator.next();
    const step = await unlessAborted(next, signal).catch(async (error) => {
      // What ran on a lost device has nothing to let go of.
      if (signal.aborted && !(signal.reason instanceof DeviceLost)) await settled(next, clock);
      throw error;
    });
    if (step.done) {
      if (left !== 0) throw new Error(`the kernel left out ${left} of ${countParts(parts)} parts`);
      return;
    }
    finished(step.value, partBytes);
  }
}

async function settled(step: Promise<unknown>, clock: Clock): Promise<void> {
  const over = new AbortController();
  const ends = step.then(
    () => true,
    () => true,
  );
  const hangs = clock.sleep(SETTLE_MS_MAX, over.signal).then(
    () => false,
    () => true,
  );
  const isSettled = await Promise.race([ends, hangs]);
  over.abort(new Error('the kernel has ended'));
  if (!isSettled) throw new GpuError('The GPU does not answer any more. Restart the browser.');
}
