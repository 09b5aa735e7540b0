import { countParts, type ElementRef, type PartMask, type TileRef } from '../../shared/model.ts';
import type { PartialResult } from '../../shared/workload.ts';
import { type Clock, unlessAborted } from './clock.ts';
import { DeviceLost, GpuError } from './device.ts';
import type { OpenJob } from './jobs.ts';
import type { Pace } from './pace.ts';

/** A kernel stops within a slice; one that has not by then hangs in the driver. */
const SETTLE_MS_MAX = 5000;

interface Run {
  readonly job: OpenJob;
  readonly pace: Pace;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Runs the kernel over some parts of a tile and passes each on as it finishes, until all are or `finished` says that it is
 * enough. Rejects with the signal's reason, at the latest when the kernel has let go of the device, because the next run uses
 * the same buffers. Throws `GpuError` when it never does, and whatever the kernel throws.
 */
export async function runParts(
  run: Run & { readonly at: TileRef; readonly parts: PartMask },
  finished: (part: PartialResult) => 'more' | 'enough',
): Promise<void> {
  const { job, at, parts, pace, signal } = run;
  const iterator = job.runner.run(at, parts, pace.policy(signal), signal)[Symbol.asyncIterator]();
  for (let left = countParts(parts); ; left--) {
    const step = await untilLetGo(iterator.next(), run);
    if (step.done) {
      if (left !== 0) throw new Error(`the kernel left out ${left} of ${countParts(parts)} parts`);
      return;
    }
    if (finished(step.value) === 'more') continue;
    await iterator.return?.();
    return;
  }
}

/** Recomputes single elements: `elementWords` u32 for each, in order. Rejects and throws as `runParts` does. */
export async function recompute(run: Run & { readonly elements: readonly ElementRef[] }): Promise<Uint8Array<ArrayBuffer>> {
  const { job, elements, pace, signal } = run;
  const { runner, context, entry } = job;
  if (!runner.recompute) throw new Error(`${entry.spec.id} is not audited`);
  const values = await untilLetGo(runner.recompute(elements, pace.policy(signal), signal), run);
  const wanted = elements.reduce((sum, element) => sum + entry.spec.elementWords(context, element) * 4, 0);
  if (values.byteLength !== wanted) throw new Error(`the kernel recomputed ${values.byteLength} bytes, expected ${wanted}`);
  return values;
}

async function untilLetGo<T>(step: Promise<T>, { signal, clock }: Run): Promise<T> {
  try {
    return await unlessAborted(step, signal);
  } catch (error) {
    // What ran on a lost device has nothing to let go of.
    if (signal.aborted && !(signal.reason instanceof DeviceLost)) await settled(step, clock);
    throw error;
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
