import { decodeScene, radiancePart, type SceneSection, sceneSections } from '../../shared/formats.ts';
import { hasPart, type PartMask, type TileRef } from '../../shared/model.ts';
import type { PartialResult, Runner, SlicePolicy, WorkloadRun } from '../../shared/workload.ts';
import { requireStorageBuffers, uploadStorage, uploadUniform } from '../common/buffers.ts';
import { lossOf } from '../common/device.ts';
import pcg from '../common/pcg.wgsl?raw';
import { checked } from '../common/scopes.ts';
import { SliceController, unlessAborted } from '../common/slices.ts';
import pathtrace from './pathtrace.wgsl?raw';
import scatter from './scatter.wgsl?raw';
import scene from './scene.wgsl?raw';
import { partSamples, type RenderJob, type RenderParams, type RenderPrepared, sampleRange, spec, tileRect } from './spec.ts';
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
    return new RenderRunner(device, job, pipeline, sceneGroup, buffers);
  } catch (error) {
    for (const buffer of buffers) buffer.destroy();
    throw error;
  }
};

class RenderRunner implements Runner {
  readonly #device: GPUDevice;
  readonly #job: RenderJob;
  readonly #pipeline: GPUComputePipeline;
  readonly #sceneGroup: GPUBindGroup;
  readonly #buffers: readonly GPUBuffer[];
  readonly #loss: Promise<never>;
  /** Kept between tiles, so that only the first one starts small. */
  readonly #controller = new SliceController(FIRST_SLICE, WORKGROUP, LARGEST_SLICE);

  constructor(device: GPUDevice, job: RenderJob, pipeline: GPUComputePipeline, sceneGroup: GPUBindGroup, buffers: readonly GPUBuffer[]) {
    this.#device = device;
    this.#job = job;
    this.#pipeline = pipeline;
    this.#sceneGroup = sceneGroup;
    this.#buffers = buffers;
    this.#loss = lossOf(device);
  }

  async *run(tile: TileRef, parts: PartMask, policy: SlicePolicy, signal: AbortSignal): AsyncGenerator<PartialResult> {
    const sums = await checked(this.#device, () => new TileSums(this.#device, this.#job, tile, this.#pipeline));
    try {
      for (const { first, end } of pathRanges(this.#job, tile, parts)) {
        for (let at = first; at < end; ) {
          signal.throwIfAborted();
          const next = Math.min(end, at + this.#controller.work);
          const started = performance.now();
          sums.submit(this.#sceneGroup, at, next);
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

/** Paths of a part: its samples times the pixels of the tile. */
function partPaths(job: RenderJob, tile: TileRef, part: number): { first: number; end: number } {
  const pixels = spec.elements(job, tile);
  const passFirst = sampleRange(job.params, tile.pass, 0).first;
  const { first, end } = sampleRange(job.params, tile.pass, part);
  return { first: (first - passFirst) * pixels, end: (end - passFirst) * pixels };
}

/** The paths of neighbouring parts in one piece: a slice may span parts, because one of them alone is too little for a large GPU. */
function pathRanges(job: RenderJob, tile: TileRef, parts: PartMask): { first: number; end: number }[] {
  const ranges: { first: number; end: number }[] = [];
  for (let part = 0; part < spec.parts(job, tile); part++) {
    if (!hasPart(parts, part)) continue;
    const { first, end } = partPaths(job, tile, part);
    const last = ranges.at(-1);
    if (last?.end === first) last.end = end;
    else ranges.push({ first, end });
  }
  return ranges;
}

/** The sums of one tile on the GPU, and the way of finished parts back. */
class TileSums {
  readonly #device: GPUDevice;
  readonly #job: RenderJob;
  readonly #tile: TileRef;
  readonly #pipeline: GPUComputePipeline;
  readonly #partBytes: number;
  readonly #sums: GPUBuffer;
  readonly #staging: GPUBuffer;
  readonly #slice: GPUBuffer;
  readonly #group: GPUBindGroup;
  /** Parts that the submitted slice finishes. */
  #finishing: number[] = [];

  constructor(device: GPUDevice, job: RenderJob, tile: TileRef, pipeline: GPUComputePipeline) {
    this.#device = device;
    this.#job = job;
    this.#tile = tile;
    this.#pipeline = pipeline;
    this.#partBytes = spec.partBytes(job, tile);
    const size = this.#partBytes * spec.parts(job, tile);
    // New buffers hold zeros.
    this.#sums = device.createBuffer({ label: 'sums', size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
    this.#staging = device.createBuffer({ label: 'finished parts', size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    this.#slice = device.createBuffer({ label: 'slice', size: 32, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    this.#group = device.createBindGroup({
      label: 'slice',
      layout: pipeline.getBindGroupLayout(1),
      entries: [
        { binding: 0, resource: { buffer: this.#slice } },
        { binding: 1, resource: { buffer: this.#sums } },
      ],
    });
  }

  /** Submits paths [first, end) of the tile and, behind them, copies of the parts that end with them. */
  submit(sceneGroup: GPUBindGroup, first: number, end: number): void {
    const { params } = this.#job;
    const rect = tileRect(params, this.#tile.tile);
    const pixels = rect.width * rect.height;
    const firstSample = sampleRange(params, this.#tile.pass, 0).first;
    const slice = Uint32Array.of(rect.x, rect.y, rect.width, pixels, first, end, firstSample, partSamples(params.samples));
    this.#device.queue.writeBuffer(this.#slice, 0, slice);
    const encoder = this.#device.createCommandEncoder({ label: 'render slice' });
    const pass = encoder.beginComputePass({ label: 'render slice' });
    pass.setPipeline(this.#pipeline);
    pass.setBindGroup(0, sceneGroup);
    pass.setBindGroup(1, this.#group);
    pass.dispatchWorkgroups(Math.ceil((end - first) / WORKGROUP));
    pass.end();
    this.#finishing = [];
    for (let part = 0; part < spec.parts(this.#job, this.#tile); part++) {
      const paths = partPaths(this.#job, this.#tile, part);
      if (paths.end <= first || paths.end > end) continue;
      this.#finishing.push(part);
      encoder.copyBufferToBuffer(this.#sums, part * this.#partBytes, this.#staging, part * this.#partBytes, this.#partBytes);
    }
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
    const finished = this.#finishing.map((part) => ({ part, bytes: mapped.slice(part * this.#partBytes, (part + 1) * this.#partBytes) }));
    this.#staging.unmap();
    return finished;
  }

  dispose(): void {
    this.#sums.destroy();
    this.#staging.destroy();
    this.#slice.destroy();
  }
}
