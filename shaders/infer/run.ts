import { MIB } from '../../shared/limits.ts';
import { type ElementRef, hasPart, type PartMask, type TileRef } from '../../shared/model.ts';
import type { AuditedRunner, PartialResult, SlicePolicy, WorkloadRun } from '../../shared/workload.ts';
import { unlessAborted } from '../common/slices.ts';
import { Feeder } from './feeds.ts';
import { groupAt, inputsOf, piecesOf, placeOf } from './grid.ts';
import { GroupSize } from './groupSize.ts';
import { GpuSession } from './ort.ts';
import { wordsOfOutput } from './outcome.ts';
import type { InferJob, InferParams, InferPrepared } from './params.ts';

/** Beside the tensors of one input, what a GPU needs for its kernels and for buffers that wait to be used again. */
const MEMORY_FACTOR = 2;

const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;

/** Most inputs in one call whose tensors fit this device. Throws, with the numbers, when those of one do not. */
function fitting(device: GPUDevice, { memory, batchMax }: InferPrepared): number {
  const allowed = Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize);
  const largest = Math.max(memory.largest, memory.largestWeight);
  if (largest > allowed) throw new Error(`The model has a tensor of ${mib(largest)}; this GPU allows ${mib(allowed)}.`);
  let most = batchMax;
  while (most > 1 && most * memory.largest > allowed / MEMORY_FACTOR) most /= 2;
  return most;
}

export const open: WorkloadRun<InferParams, InferPrepared, AuditedRunner>['open'] = async (device, job, inputs) => {
  const { model, batch } = inputs;
  if (!model) throw new Error('The job has no input named model.');
  const size = new GroupSize(fitting(device, job.prepared));
  const feeder = new Feeder(job.params, job.prepared, batch);
  const session = await GpuSession.open(device, model);
  try {
    // Compiles the kernels, so that the first slice is short.
    await session.run(feeder.feed([0]), job.prepared.output.name);
    return new InferRunner(job, feeder, session, size);
  } catch (error) {
    session.release();
    throw error;
  }
};

class InferRunner implements AuditedRunner {
  readonly #job: InferJob;
  readonly #feeder: Feeder;
  readonly #session: GpuSession;
  /** Kept between tiles, so that only the first one starts small. */
  readonly #size: GroupSize;

  constructor(job: InferJob, feeder: Feeder, session: GpuSession, size: GroupSize) {
    this.#job = job;
    this.#feeder = feeder;
    this.#session = session;
    this.#size = size;
  }

  async *run(tile: TileRef, parts: PartMask, policy: SlicePolicy, signal: AbortSignal): AsyncGenerator<PartialResult> {
    if (!hasPart(parts, 0)) return;
    const { pieces, words } = piecesOf(this.#job);
    const { first, end } = inputsOf(this.#job.prepared, tile);
    const out = new Uint32Array((end - first) * pieces * words);
    for (let next = first; next < end; ) {
      const size = groupAt(first, next, end, this.#size.size);
      const group = Array.from({ length: size }, (_, index) => next + index);
      for (const [index, made] of (await this.#slice(group, policy, signal)).entries()) out.set(made, (next - first + index) * pieces * words);
      next += size;
    }
    yield { part: 0, bytes: new Uint8Array(out.buffer) };
  }

  /** One input at a time: whose neighbours it has says nothing about it. */
  async recompute(elements: readonly ElementRef[], policy: SlicePolicy, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const { words } = piecesOf(this.#job);
    const places = elements.map((element) => placeOf(this.#job, element));
    const out = new Uint32Array(elements.length * words);
    for (const input of new Set(places.map((place) => place.input))) {
      const [made] = await this.#slice([input], policy, signal);
      for (const [index, place] of places.entries())
        if (place.input === input) out.set(made!.subarray(place.piece * words, (place.piece + 1) * words), index * words);
    }
    return new Uint8Array(out.buffer);
  }

  /** Inputs in one call of the model; what becomes of each, in words. */
  async #slice(inputs: readonly number[], policy: SlicePolicy, signal: AbortSignal): Promise<Uint32Array[]> {
    signal.throwIfAborted();
    const feeds = this.#feeder.feed(inputs);
    const startMs = performance.now();
    const output = await this.#session.run(feeds, this.#job.prepared.output.name);
    const measuredMs = performance.now() - startMs;
    this.#size.report(inputs.length, measuredMs, policy.budgetMs());
    const each = output.length / inputs.length;
    const made = inputs.map((_, index) => wordsOfOutput(this.#job, output.subarray(index * each, (index + 1) * each)));
    await unlessAborted(policy.between(measuredMs, 0), signal);
    return made;
  }

  dispose(): void {
    this.#session.release();
  }
}
