import { requireBinding } from '../common/buffers.ts';
import { checked } from '../common/scopes.ts';
import type { WorkRange } from '../common/slices.ts';
import type { Kernels } from './kernels.ts';
import type { Scale } from './network.ts';
import type { UpscaleJob } from './params.ts';
import { blocksIn, type Plane, type Schedule, type Slot, scheduleOf, slotBytes, unitsIn, type Windows, wordsOf } from './plan.ts';

/** WebGPU's default `minUniformBufferOffsetAlignment`. */
const UNIFORM_STRIDE_BYTES = 256;
/** `Work` of window.wgsl. */
const WORK_BYTES = 60;

/** The planes of some windows on the GPU, and the way of their pixels back. */
export class Workspace {
  /** Slices are ranges of [0, units). */
  readonly units: number;
  readonly #device: GPUDevice;
  readonly #kernels: Kernels;
  readonly #job: UpscaleJob;
  readonly #windows: Windows;
  readonly #schedules: readonly Schedule[];
  readonly #buffers: GPUBuffer[] = [];
  readonly #uniform: GPUBuffer;
  readonly #words: GPUBuffer;
  readonly #groups: readonly GPUBindGroup[];

  private constructor(device: GPUDevice, kernels: Kernels, scale: Scale, job: UpscaleJob, windows: Windows) {
    this.#device = device;
    this.#kernels = kernels;
    this.#job = job;
    this.#windows = windows;
    this.#schedules = scheduleOf(scale, windows);
    this.units = unitsIn(this.#schedules);
    this.#uniform = this.#make('work', this.#schedules.length * UNIFORM_STRIDE_BYTES, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
    this.#words = this.#make('pixels', wordsOf(scale, windows) * 4, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC);
    const corners = this.#make('corners', windows.corners.length * 8, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST);
    device.queue.writeBuffer(corners, 0, new Uint32Array(windows.corners.flatMap(({ x, y }) => [x, y])));
    const slots = new Map<Slot, GPUBuffer>();
    for (const [slot, bytes] of slotBytes(scale, windows)) slots.set(slot, this.#make(`plane ${slot}`, bytes, GPUBufferUsage.STORAGE));
    this.#groups = this.#groupsOf(corners, slots);
  }

  /** Throws what the GPU reports: mostly that it has not the memory. */
  static async make(device: GPUDevice, kernels: Kernels, scale: Scale, job: UpscaleJob, windows: Windows): Promise<Workspace> {
    let made: Workspace | null = null;
    try {
      return await checked(device, () => {
        made = new Workspace(device, kernels, scale, job, windows);
        return made;
      });
    } catch (error) {
      (made as Workspace | null)?.dispose();
      throw error;
    }
  }

  #make(label: string, size: number, usage: number): GPUBuffer {
    if (usage & GPUBufferUsage.STORAGE) requireBinding(this.#device, label, size);
    const buffer = this.#device.createBuffer({ label, size, usage });
    this.#buffers.push(buffer);
    return buffer;
  }

  #groupsOf(corners: GPUBuffer, slots: ReadonlyMap<Slot, GPUBuffer>): GPUBindGroup[] {
    const { stages, layout, constants } = this.#kernels;
    const inSlot = (plane: Plane | null, unused: GPUBuffer): GPUBuffer => (plane ? slots.get(plane.slot)! : unused);
    const group = (at: number, output: GPUBuffer, read: readonly (Plane | null)[]): GPUBindGroup => {
      const own = constants[at]!;
      const buffers = [corners, own, output, ...read.map((plane) => inSlot(plane, own))];
      const entries = buffers.map((buffer, index) => ({ binding: index + 1, resource: { buffer } }));
      const work = { binding: 0, resource: { buffer: this.#uniform, size: WORK_BYTES } };
      return this.#device.createBindGroup({ label: 'upscale', layout, entries: [work, ...entries] });
    };
    const last = stages.at(-1)!.output;
    return [
      group(0, slots.get('image')!, [null, null, null]),
      ...stages.map(({ first, second, residual, output }, at) => group(at + 1, slots.get(output.slot)!, [first, second, residual])),
      group(stages.length + 1, this.#words, [last, null, null]),
    ];
  }

  /** Submits the work of a range of units and, behind the last, a copy of the pixels. Returns them once they are there: null before. */
  async submit(range: WorkRange): Promise<Uint8Array<ArrayBuffer> | null> {
    const device = this.#device;
    const encoder = device.createCommandEncoder({ label: 'upscale slice' });
    const pass = encoder.beginComputePass({ label: 'upscale slice' });
    const { prepared } = this.#job;
    const { width, height, corners } = this.#windows;
    for (const [at, schedule] of this.#schedules.entries()) {
      const { first, count } = blocksIn(schedule, range.first, range.end);
      if (count === 0) continue;
      // Each stage has a place of its own: it is there once in a slice.
      const offset = at * UNIFORM_STRIDE_BYTES;
      const head = [first, corners.length, width, height, prepared.width, prepared.height];
      device.queue.writeBuffer(this.#uniform, offset, Uint32Array.from([...head, ...this.#convolution(at)]));
      pass.setPipeline(this.#kernels.pipelines[at]!);
      pass.setBindGroup(0, this.#groups[at]!, [offset]);
      pass.dispatchWorkgroups(count);
    }
    pass.end();
    if (range.end < this.units) {
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      return null;
    }
    const { size } = this.#words;
    const staging = device.createBuffer({ label: 'finished pixels', size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    encoder.copyBufferToBuffer(this.#words, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(GPUMapMode.READ);
      return new Uint8Array(staging.getMappedRange().slice(0));
    } finally {
      staging.destroy();
    }
  }

  /** The words of `Work` about a stage; the first and the last kernel have no use for them. */
  #convolution(at: number): readonly number[] {
    const stage = this.#kernels.stages[at - 1];
    if (!stage) return Array.from({ length: 9 }, () => 0);
    const { layer, first, second, residual, output, relu } = stage;
    const margins = [first, second ?? output, residual ?? output].map(({ margin }) => margin);
    return [layer.edge, first.vec4s, second?.vec4s ?? 0, output.margin, ...margins, residual ? 1 : 0, relu ? 1 : 0];
  }

  dispose(): void {
    for (const buffer of this.#buffers) buffer.destroy();
  }
}
