import { concatBytes, decodeScene, radiancePart, type SceneSection, sceneSections } from '../../shared/formats.ts';
import { type ElementRef, fullMask, hasPart, type PartMask, type TileRef } from '../../shared/model.ts';
import type { PartialResult, Runner, SlicePolicy, WorkloadRun } from '../../shared/workload.ts';
import { requireStorageBuffers, uploadStorage, uploadUniform } from '../common/buffers.ts';
import { lossOf } from '../common/device.ts';
import pcg from '../common/pcg.wgsl?raw';
import { checked } from '../common/scopes.ts';
import { SliceController, unlessAborted } from '../common/slices.ts';
import pathtrace from './pathtrace.wgsl?raw';
import scatter from './scatter.wgsl?raw';
import scene from './scene.wgsl?raw';
import { partSamples, placeOf, type RenderJob, type RenderParams, type RenderPrepared, sampleRange, spec, tileRect } from './spec.ts';
import surface from './surface.wgsl?raw';
import traverse from './traverse.wgsl?raw';

/** WGSL has no imports: the kernel is the concatenation of its files. */
export const kernelSource = [pcg, scene, traverse, surface, scatter, pathtrace].join('\n');

/** Storage bindings of group 0, in order. The sRGB table travels in the uniform block: WebGPU guarantees eight storage buffers. */
const boundSections: readonly SceneSection[] = ['nodes', 'triangles', 'attributes', 'materials', 'lights', 'textures', 'texels'];

const WORKGROUP = 64;
/** 1024 paths take 10 ms in software on two cores, and far less than any watchdog's patience on the slowest GPU. */
const FIRST_SLICE = 16 * WORKGROUP;
/** Workgroups in one dimension of a dispatch that every device allows. */
const LARGEST_SLICE = 65535 * WORKGROUP;

/** `Slice` of scene.wgsl: 8 words, then slots of two words for the elements of audits. 8 KiB; compatibility mode grants uniforms 16. */
const SLICE_HEAD_WORDS = 8;
const FIRST_PATH_BYTE = 16;
const SLOTS = 1024;
const SLOT_WORDS = 2;

/** `Job` of scene.wgsl: 24 words, then the sRGB table. */
function jobUniform(job: RenderJob, lights: number, srgb: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { params, prepared } = job;
  const floats = new Float32Array(24 + 256);
  const words = new Uint32Array(floats.buffer);
  floats.set(prepared.camera.origin, 0);
  floats.set(prepared.camera.corner, 4);
  floats.set(prepared.camera.right, 8);
  floats.set(prepared.camera.down, 12);
  floats.set(prepared.sky, 16);
  words[3] = job.seed;
  words[7] = params.bounces;
  words[11] = lights;
  floats[15] = 2 ** -(prepared.quantumLog2 + radiancePart.stepLog2);
  words[19] = params.width;
  floats[20] = 1 / params.width;
  floats[21] = 1 / params.height;
  const bytes = new Uint8Array(floats.buffer);
  bytes.set(srgb, 24 * 4);
  return bytes;
}

export const open: WorkloadRun<RenderParams, RenderPrepared>['open'] = async (device, job, inputs) => {
  const packed = inputs.scene;
  if (!packed) throw new Error('The job has no input named scene.');
  const sections = decodeScene(packed);
  requireStorageBuffers(device, boundSections.length + 1);
  const module = device.createShaderModule({ label: 'render', code: kernelSource });
  const pipeline = await device.createComputePipelineAsync({ label: 'render', layout: 'auto', compute: { module, entryPoint: 'main' } });
  const buffers: GPUBuffer[] = [];
  try {
    const sceneGroup = await checked(device, () => {
      for (const name of boundSections) buffers.push(uploadStorage(device, `scene ${name}`, sections[name], sceneSections[name].stride));
      buffers.push(uploadUniform(device, 'job', jobUniform(job, sections.lights.byteLength / sceneSections.lights.stride, sections.srgb)));
      const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
      return device.createBindGroup({ label: 'scene', layout: pipeline.getBindGroupLayout(0), entries });
    });
    return new RenderRunner(device, job, { pipeline, sceneGroup }, buffers);
  } catch (error) {
    for (const buffer of buffers) buffer.destroy();
    throw error;
  }
};

/** What every dispatch of a job shares. */
interface Kernel {
  readonly pipeline: GPUComputePipeline;
  readonly sceneGroup: GPUBindGroup;
}

class RenderRunner implements Runner {
  readonly #device: GPUDevice;
  readonly #job: RenderJob;
  readonly #kernel: Kernel;
  readonly #buffers: readonly GPUBuffer[];
  readonly #loss: Promise<never>;
  /** Kept between tiles, so that only the first one starts small. */
  readonly #controller = new SliceController(FIRST_SLICE, WORKGROUP, LARGEST_SLICE);

  constructor(device: GPUDevice, job: RenderJob, kernel: Kernel, buffers: readonly GPUBuffer[]) {
    this.#device = device;
    this.#job = job;
    this.#kernel = kernel;
    this.#buffers = buffers;
    this.#loss = lossOf(device);
  }

  run(tile: TileRef, parts: PartMask, policy: SlicePolicy, signal: AbortSignal): AsyncGenerator<PartialResult> {
    return this.#trace(tileWork(this.#job, tile), parts, policy, signal);
  }

  async recompute(elements: readonly ElementRef[], policy: SlicePolicy, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const sums: Uint8Array[] = [];
    for (let first = 0; first < elements.length; first += SLOTS) {
      const work = scatteredWork(this.#job, elements.slice(first, first + SLOTS));
      for await (const { bytes } of this.#trace(work, fullMask(1), policy, signal)) sums.push(bytes);
    }
    return concatBytes(...sums);
  }

  async *#trace(work: Work, wanted: PartMask, policy: SlicePolicy, signal: AbortSignal): AsyncGenerator<PartialResult> {
    const sums = await checked(this.#device, () => new Sums(this.#device, this.#kernel, work));
    try {
      for (const { first, end } of joined(work.parts.filter((_, part) => hasPart(wanted, part)))) {
        for (let at = first; at < end; ) {
          signal.throwIfAborted();
          const next = Math.min(end, at + this.#controller.work);
          const started = performance.now();
          sums.submit(at, next);
          const finished = await Promise.race([sums.settled(), this.#loss]);
          const measuredMs = performance.now() - started;
          this.#controller.report(next - at, measuredMs, policy.budgetMs());
          yield* finished;
          await unlessAborted(policy.between(measuredMs), signal);
          at = next;
        }
      }
    } finally {
      sums.dispose();
    }
  }

  dispose(): void {
    for (const buffer of this.#buffers) buffer.destroy();
  }
}

/** Numbers of paths: [first, end). */
interface PathRange {
  readonly first: number;
  readonly end: number;
}

/** What the kernel traces in slices: `Slice` of scene.wgsl, and how its paths fall into separate sums. */
interface Work {
  /** Words of `Slice`; every slice of the work sets its own range of paths. */
  readonly slice: Uint32Array<ArrayBuffer>;
  /** Part i is read back when the last of its paths is traced: `partBytes` of sums from i x `partBytes`. */
  readonly parts: readonly PathRange[];
  readonly partBytes: number;
}

/** A tile and pass, in parts as the job has them. */
function tileWork(job: RenderJob, tile: TileRef): Work {
  const rect = tileRect(job.params, tile.tile);
  const pixels = rect.width * rect.height;
  const passFirst = sampleRange(job.params, tile.pass, 0).first;
  const parts = Array.from({ length: spec.parts(job, tile) }, (_, part) => {
    const { first, end } = sampleRange(job.params, tile.pass, part);
    return { first: (first - passFirst) * pixels, end: (end - passFirst) * pixels };
  });
  const slice = Uint32Array.of(rect.x, rect.y, rect.width, pixels, 0, 0, passFirst, partSamples(job.params.samples));
  return { slice, parts, partBytes: pixels * spec.elementWords * 4 };
}

/** At most `SLOTS` elements of any tiles, as one part. Throws a `RangeError` for an element that the job does not have. */
function scatteredWork(job: RenderJob, elements: readonly ElementRef[]): Work {
  const samples = partSamples(job.params.samples);
  const slice = new Uint32Array(SLICE_HEAD_WORDS + SLOTS * SLOT_WORDS);
  slice[7] = samples;
  for (const [slot, element] of elements.entries()) slice.set(slotOf(job, element), SLICE_HEAD_WORDS + slot * SLOT_WORDS);
  return { slice, parts: [{ first: 0, end: elements.length * samples }], partBytes: elements.length * spec.elementWords * 4 };
}

function slotOf(job: RenderJob, at: ElementRef): [number, number] {
  const { x, y, first, end } = placeOf(job, at);
  return [x | (y << 16), first | ((end - first) << 16)];
}

/** Ascending ranges, neighbours in one piece: a slice may span parts, because one of them alone is too little for a large GPU. */
function joined(ranges: readonly PathRange[]): PathRange[] {
  const pieces: PathRange[] = [];
  for (const { first, end } of ranges) {
    const last = pieces.at(-1);
    if (last?.end === first) pieces.splice(-1, 1, { first: last.first, end });
    else pieces.push({ first, end });
  }
  return pieces;
}

/** The sums of one work on the GPU, and the way of finished parts back. */
class Sums {
  readonly #device: GPUDevice;
  readonly #kernel: Kernel;
  readonly #work: Work;
  readonly #sums: GPUBuffer;
  readonly #staging: GPUBuffer;
  readonly #slice: GPUBuffer;
  readonly #group: GPUBindGroup;
  /** Parts that the submitted slice finishes. */
  #finishing: number[] = [];

  constructor(device: GPUDevice, kernel: Kernel, work: Work) {
    this.#device = device;
    this.#kernel = kernel;
    this.#work = work;
    const size = work.partBytes * work.parts.length;
    // New buffers hold zeros.
    this.#sums = device.createBuffer({ label: 'sums', size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
    this.#staging = device.createBuffer({ label: 'finished parts', size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const sliceBytes = (SLICE_HEAD_WORDS + SLOTS * SLOT_WORDS) * 4;
    this.#slice = device.createBuffer({ label: 'slice', size: sliceBytes, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(this.#slice, 0, work.slice);
    this.#group = device.createBindGroup({
      label: 'slice',
      layout: kernel.pipeline.getBindGroupLayout(1),
      entries: [
        { binding: 0, resource: { buffer: this.#slice } },
        { binding: 1, resource: { buffer: this.#sums } },
      ],
    });
  }

  /** Submits paths [first, end) of the work and, behind them, copies of the parts that end with them. */
  submit(first: number, end: number): void {
    const { parts, partBytes } = this.#work;
    this.#device.queue.writeBuffer(this.#slice, FIRST_PATH_BYTE, Uint32Array.of(first, end));
    const encoder = this.#device.createCommandEncoder({ label: 'render slice' });
    const pass = encoder.beginComputePass({ label: 'render slice' });
    pass.setPipeline(this.#kernel.pipeline);
    pass.setBindGroup(0, this.#kernel.sceneGroup);
    pass.setBindGroup(1, this.#group);
    pass.dispatchWorkgroups(Math.ceil((end - first) / WORKGROUP));
    pass.end();
    this.#finishing = [...parts.keys()].filter((part) => parts[part]!.end > first && parts[part]!.end <= end);
    for (const part of this.#finishing) encoder.copyBufferToBuffer(this.#sums, part * partBytes, this.#staging, part * partBytes, partBytes);
    this.#device.queue.submit([encoder.finish()]);
  }

  /** Waits for the submitted slice and returns the parts that it finished. */
  async settled(): Promise<PartialResult[]> {
    if (this.#finishing.length === 0) {
      await this.#device.queue.onSubmittedWorkDone();
      return [];
    }
    await this.#staging.mapAsync(GPUMapMode.READ);
    const mapped = new Uint8Array(this.#staging.getMappedRange());
    const { partBytes } = this.#work;
    const finished = this.#finishing.map((part) => ({ part, bytes: mapped.slice(part * partBytes, (part + 1) * partBytes) }));
    this.#staging.unmap();
    return finished;
  }

  dispose(): void {
    this.#sums.destroy();
    this.#staging.destroy();
    this.#slice.destroy();
  }
}
