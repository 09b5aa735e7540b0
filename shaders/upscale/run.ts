import { concatBytes } from '../../shared/formats.ts';
import { type ElementRef, hasPart, type PartMask, type TileRef } from '../../shared/model.ts';
import type { AuditedRunner, PartialResult, SlicePolicy, WorkloadRun } from '../../shared/workload.ts';
import { requireStorageBuffers } from '../common/buffers.ts';
import { lossOf } from '../common/device.ts';
import { inSlices, SliceController } from '../common/slices.ts';
import type { Memory } from './convolve.ts';
import { PATCH, patchRect, tileRect } from './grid.ts';
import { type Kernels, makeKernels } from './kernels.ts';
import type { Scale } from './network.ts';
import { scaleOf, type UpscaleJob, type UpscaleParams, type UpscalePrepared } from './params.ts';
import { SLICE_UNITS_MIN, type Windows, windowOf } from './plan.ts';
import { decodeWeights } from './weights.ts';
import { Workspace } from './workspace.ts';

/** Of the kernels: corners, weights, output, two inputs, residual. */
const STORAGE_BUFFERS = 6;

const SLICE_UNITS_MAX = 2 ** 30;

/** Elements that are recomputed together: their planes take 75 MB, and little of the time goes into starting kernels. */
const PATCHES_MAX = 64;

type Open = WorkloadRun<UpscaleParams, UpscalePrepared, AuditedRunner>['open'];

/** With kernels that read as is said. */
export async function openWith(memory: Memory, device: GPUDevice, job: UpscaleJob, { image, weights }: Parameters<Open>[2]): Promise<AuditedRunner> {
  if (!image) throw new Error('The job has no input named image.');
  if (!weights) throw new Error('The job has no input named weights.');
  requireStorageBuffers(device, STORAGE_BUFFERS);
  const scale = scaleOf(job.params);
  return new UpscaleRunner(device, job, scale, await makeKernels(device, memory, scale, decodeWeights(scale, weights), image));
}

// Not every browser says what its devices come from: then it is a GPU.
export const open: Open = (device, job, inputs) => openWith(device.adapterInfo?.isFallbackAdapter ? 'direct' : 'shared', device, job, inputs);

class UpscaleRunner implements AuditedRunner {
  readonly #device: GPUDevice;
  readonly #job: UpscaleJob;
  readonly #scale: Scale;
  readonly #kernels: Kernels;
  readonly #loss: Promise<never>;
  /** Kept between tiles, so that only the first one starts small: a hundredth of a second in software on two cores. */
  readonly #controller = new SliceController(SLICE_UNITS_MIN, SLICE_UNITS_MIN, SLICE_UNITS_MAX);

  constructor(device: GPUDevice, job: UpscaleJob, scale: Scale, kernels: Kernels) {
    this.#device = device;
    this.#job = job;
    this.#scale = scale;
    this.#kernels = kernels;
    this.#loss = lossOf(device);
  }

  async *run({ tile }: TileRef, parts: PartMask, policy: SlicePolicy, signal: AbortSignal): AsyncGenerator<PartialResult> {
    if (hasPart(parts, 0)) yield { part: 0, bytes: await this.#compute(windowOf(tileRect(this.#job, tile)), policy, signal) };
  }

  async recompute(elements: readonly ElementRef[], policy: SlicePolicy, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const corners = elements.map((element) => patchRect(this.#job, element));
    const pieces: Uint8Array[] = [];
    for (let first = 0; first < corners.length; first += PATCHES_MAX)
      pieces.push(await this.#compute({ width: PATCH, height: PATCH, corners: corners.slice(first, first + PATCHES_MAX) }, policy, signal));
    return concatBytes(...pieces);
  }

  /** The words of all patches of these windows. */
  async #compute(windows: Windows, policy: SlicePolicy, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const workspace = await Workspace.make(this.#device, this.#kernels, this.#scale, this.#job, windows);
    try {
      const submit = (slice: { first: number; end: number }): Promise<Uint8Array<ArrayBuffer> | null> => Promise.race([workspace.submit(slice), this.#loss]);
      let words: Uint8Array<ArrayBuffer> | null = null;
      for await (const finished of inSlices([{ first: 0, end: workspace.units }], { controller: this.#controller, policy, signal, submit }))
        words = finished ?? words;
      return words!;
    } finally {
      workspace.dispose();
    }
  }

  dispose(): void {
    for (const buffer of this.#kernels.constants) buffer.destroy();
  }
}
