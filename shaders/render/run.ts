import { ALBEDO_EDGE, concatBytes, decodeScene, hasFeature, radiancePart, type SceneSection, sceneSections, TEXEL_ROW } from '../../shared/formats.ts';
import { type ElementRef, fullMask, hasPart, type PartMask, type TileRef } from '../../shared/model.ts';
import type { AuditedRunner, PartialResult, SlicePolicy, WorkloadRun } from '../../shared/workload.ts';
import { requireStorageBuffers, uploadStorage, uploadUniform } from '../common/buffers.ts';
import { lossOf } from '../common/device.ts';
import numbers from '../common/numbers.wgsl?raw';
import pcg from '../common/pcg.wgsl?raw';
import { checked } from '../common/scopes.ts';
import { inSlices, SliceController, type WorkRange } from '../common/slices.ts';
import { uploadTable, uploadTexels } from '../common/textures.ts';
import { type ElementKind, elementsOf, isFeaturePass, partsIn, pixelsOf, placeOf, sampleRange, samplesOfParts, tileRect } from './grid.ts';
import lights from './lights.wgsl?raw';
import { type RenderJob, type RenderParams, type RenderPrepared, settingsOf } from './params.ts';
import pathtrace from './pathtrace.wgsl?raw';
import scatter from './scatter.wgsl?raw';
import scene from './scene.wgsl?raw';
import { SLICE_HEAD_WORDS, SLOT_WORDS, SLOTS, type SliceKind, sliceHead } from './slice.ts';
import { ELEMENT_WORDS } from './spec.ts';
import surface from './surface.wgsl?raw';
import traverse from './traverse.wgsl?raw';

/** WGSL has no imports: the kernel is the concatenation of its files. */
export const kernelSource = [pcg, numbers, scene, traverse, surface, scatter, lights, pathtrace].join('\n');

/** Overrides of scene.wgsl, and the features of a scene that they stand for. */
const overrides = {
  TEXTURES: 'textures',
  INSTANCES: 'instances',
  COVERAGE: 'coverage',
  GLASS: 'glass',
  CLEARCOAT: 'clearcoat',
  NORMAL_MAPS: 'normalMaps',
  VERTEX_COLORS: 'vertexColors',
  ENVIRONMENT: 'environment',
  BARE_LIGHTS: 'bareLights',
} as const;

/** Values of the kernel's overrides for a packed scene. */
export const constantsOf = (packed: Uint8Array): Record<string, number> =>
  Object.fromEntries(Object.entries(overrides).map(([name, feature]) => [name, hasFeature(packed, feature) ? 1 : 0]));

/** Storage bindings of group 0, in order. Eight with the sums are what WebGPU guarantees: texels and tables are textures. */
const boundSections: readonly SceneSection[] = ['nodes', 'triangles', 'attributes', 'materials', 'lights', 'textures', 'instances'];

const WORKGROUP = 64;
/** 1024 paths take 10 ms in software on two cores, and far less than any watchdog's patience on the slowest GPU. */
const FIRST_SLICE = 16 * WORKGROUP;
/** Workgroups in one dimension of a dispatch that every device allows. */
const LARGEST_SLICE = 65535 * WORKGROUP;

/** Where `Slice` of scene.wgsl has its range of paths. */
const RANGE_BYTE = 36 * 4;
/** Surfaces that a path meets before it may end by chance; ROULETTE_DEPTH of reference.ts. */
const ROULETTE_DEPTH = 3;

const JOB_WORDS = 12;

/** `Job` of scene.wgsl: 12 words, then the sRGB table. */
function jobUniform(job: RenderJob, environmentTexels: number, srgb: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { params, prepared } = job;
  const floats = new Float32Array(JOB_WORDS + 256);
  const words = new Uint32Array(floats.buffer);
  floats[0] = 1 / params.width;
  floats[1] = 1 / params.height;
  words[2] = params.width;
  words[3] = job.seed;
  floats.set(prepared.sky, 4);
  words[7] = params.bounces;
  floats[8] = 2 ** -(prepared.quantumLog2 + radiancePart.stepLog2);
  floats[9] = 2 ** -(prepared.depthLog2 + radiancePart.stepLog2);
  words[10] = settingsOf(params).roulette ? ROULETTE_DEPTH : 0xffffffff;
  words[11] = Math.round(Math.sqrt(environmentTexels));
  const bytes = new Uint8Array(floats.buffer);
  bytes.set(srgb, JOB_WORDS * 4);
  return bytes;
}

export const open: WorkloadRun<RenderParams, RenderPrepared, AuditedRunner>['open'] = async (device, job, inputs) => {
  const packed = inputs.scene;
  if (!packed) throw new Error('The job has no input named scene.');
  const sections = decodeScene(packed);
  requireStorageBuffers(device, boundSections.length + 1);
  const module = device.createShaderModule({ label: 'render', code: kernelSource });
  const compute = { module, entryPoint: 'main', constants: constantsOf(packed) };
  const pipeline = await device.createComputePipelineAsync({ label: 'render', layout: layoutOf(device), compute });
  const resources: (GPUBuffer | GPUTexture)[] = [];
  const keep = <T extends GPUBuffer | GPUTexture>(resource: T): T => {
    resources.push(resource);
    return resource;
  };
  const words = (bytes: Uint8Array<ArrayBuffer>): number => bytes.byteLength / 4;
  try {
    const sceneGroup = await checked(device, () => {
      const entries: GPUBindingResource[] = boundSections.map((name) => ({
        buffer: keep(uploadStorage(device, `scene ${name}`, sections[name], sceneSections[name].stride)),
      }));
      const edge = Math.max(1, Math.round(Math.sqrt(words(sections.environment))));
      entries.push(
        { buffer: keep(uploadUniform(device, 'job', jobUniform(job, words(sections.environment), sections.srgb))) },
        keep(uploadTexels(device, 'texels', sections.texels, TEXEL_ROW)).createView({ dimension: '2d-array' }),
        keep(uploadTable(device, 'tables', 'rg32float', sections.tables, ALBEDO_EDGE)).createView(),
        keep(uploadTable(device, 'environment', 'r32uint', sections.environment, edge)).createView(),
        keep(uploadTable(device, 'environmentCdf', 'r32float', sections.environmentCdf, edge)).createView(),
      );
      return device.createBindGroup({
        label: 'scene',
        layout: pipeline.getBindGroupLayout(0),
        entries: entries.map((resource, binding) => ({ binding, resource })),
      });
    });
    const frames = new Uint32Array(sections.frames.buffer, sections.frames.byteOffset, words(sections.frames));
    return new RenderRunner(device, job, { pipeline, sceneGroup, frames }, resources);
  } catch (error) {
    for (const resource of resources) resource.destroy();
    throw error;
  }
};

/** Explicit, because a layout made from the kernel leaves out what its overrides leave out. */
function layoutOf(device: GPUDevice): GPUPipelineLayout {
  const visibility = GPUShaderStage.COMPUTE;
  const storage = (binding: number): GPUBindGroupLayoutEntry => ({ binding, visibility, buffer: { type: 'read-only-storage' } });
  const texture = (binding: number, sampleType: GPUTextureSampleType, viewDimension: GPUTextureViewDimension = '2d'): GPUBindGroupLayoutEntry => ({
    binding,
    visibility,
    texture: { sampleType, viewDimension },
  });
  const sceneLayout = device.createBindGroupLayout({
    label: 'scene',
    entries: [
      ...boundSections.map((_, binding) => storage(binding)),
      { binding: 7, visibility, buffer: { type: 'uniform' } },
      texture(8, 'uint', '2d-array'),
      texture(9, 'unfilterable-float'),
      texture(10, 'uint'),
      texture(11, 'unfilterable-float'),
    ],
  });
  const sliceLayout = device.createBindGroupLayout({
    label: 'slice',
    entries: [
      { binding: 0, visibility, buffer: { type: 'uniform' } },
      { binding: 1, visibility, buffer: { type: 'storage' } },
    ],
  });
  return device.createPipelineLayout({ label: 'render', bindGroupLayouts: [sceneLayout, sliceLayout] });
}

/** What every dispatch of a job shares. */
interface Kernel {
  readonly pipeline: GPUComputePipeline;
  readonly sceneGroup: GPUBindGroup;
  /** Section `frames` of the scene. */
  readonly frames: Uint32Array;
}

class RenderRunner implements AuditedRunner {
  readonly #device: GPUDevice;
  readonly #job: RenderJob;
  readonly #kernel: Kernel;
  readonly #resources: readonly (GPUBuffer | GPUTexture)[];
  readonly #loss: Promise<never>;
  /** Kept between tiles, so that only the first one starts small. */
  readonly #controller = new SliceController(FIRST_SLICE, WORKGROUP, LARGEST_SLICE);

  constructor(device: GPUDevice, job: RenderJob, kernel: Kernel, resources: readonly (GPUBuffer | GPUTexture)[]) {
    this.#device = device;
    this.#job = job;
    this.#kernel = kernel;
    this.#resources = resources;
    this.#loss = lossOf(device);
  }

  run(tile: TileRef, parts: PartMask, policy: SlicePolicy, signal: AbortSignal): AsyncGenerator<PartialResult> {
    return this.#trace(tileWork(this.#job, this.#kernel.frames, tile), parts, policy, signal);
  }

  async recompute(elements: readonly ElementRef[], policy: SlicePolicy, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const out = new Uint8Array(elements.length * ELEMENT_BYTES);
    for (const { kind, frame, indices } of groupsOf(this.#job, elements)) {
      for (let first = 0; first < indices.length; first += SLOTS) {
        const some = indices.slice(first, first + SLOTS);
        const work = scatteredWork(
          this.#job,
          this.#kernel.frames,
          kind,
          frame,
          some.map((index) => elements[index]!),
        );
        const sums: Uint8Array[] = [];
        for await (const { bytes } of this.#trace(work, fullMask(1), policy, signal)) sums.push(bytes);
        const all = concatBytes(...sums);
        for (const [place, index] of some.entries()) out.set(all.subarray(place * ELEMENT_BYTES, (place + 1) * ELEMENT_BYTES), index * ELEMENT_BYTES);
      }
    }
    return out;
  }

  async *#trace(work: Work, wanted: PartMask, policy: SlicePolicy, signal: AbortSignal): AsyncGenerator<PartialResult> {
    const sums = await checked(this.#device, () => new Sums(this.#device, this.#kernel, work));
    const submit = (slice: WorkRange): Promise<PartialResult[]> => Promise.race([sums.submit(slice), this.#loss]);
    try {
      const ranges = joined(work.parts.filter((_, part) => hasPart(wanted, part)));
      for await (const finished of inSlices(ranges, { controller: this.#controller, policy, signal, submit })) yield* finished;
    } finally {
      sums.dispose();
    }
  }

  dispose(): void {
    for (const resource of this.#resources) resource.destroy();
  }
}

/** What the kernel traces in slices: `Slice` of scene.wgsl, and how its paths fall into separate sums. */
interface Work {
  /** Words of `Slice`; every slice of the work sets its own range of paths. */
  readonly slice: Uint32Array<ArrayBuffer>;
  /** Part i is read back when the last of its paths is traced: `partBytes` of sums from i x `partBytes`. */
  readonly parts: readonly WorkRange[];
  readonly partBytes: number;
}

const ELEMENT_BYTES = ELEMENT_WORDS * 4;

/** A tile and pass, in parts as the job has them. */
function tileWork(job: RenderJob, frames: Uint32Array, tile: TileRef): Work {
  const { params } = job;
  const rect = tileRect(params, tile.tile);
  const pixels = pixelsOf(params, tile.tile);
  const passFirst = sampleRange(params, tile.pass, 0).first;
  const parts = Array.from({ length: partsIn(params, tile.pass) }, (_, part) => {
    const { first, end } = sampleRange(params, tile.pass, part);
    return { first: (first - passFirst) * pixels, end: (end - passFirst) * pixels };
  });
  const slice = sliceHead(job, frames, rect.frame, isFeaturePass(params, tile.pass) ? 'features' : 'light', {
    ...rect,
    firstSample: passFirst,
    partSamples: samplesOfParts(params, tile.pass),
  });
  return { slice, parts, partBytes: elementsOf(params, tile) * ELEMENT_BYTES };
}

/** Elements that one dispatch can trace: of one kind, seen by one camera, with as many samples at most. */
interface Group {
  readonly kind: ElementKind;
  readonly frame: number;
  readonly indices: number[];
}

/** Throws a `RangeError` for an element that the job does not have. */
function groupsOf(job: RenderJob, elements: readonly ElementRef[]): Group[] {
  const groups = new Map<string, Group>();
  for (const [index, element] of elements.entries()) {
    const { kind, frame } = placeOf(job, element);
    const key = `${kind}/${frame}`;
    const group = groups.get(key) ?? { kind, frame, indices: [] };
    group.indices.push(index);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** At most `SLOTS` elements of one group, as one part. */
function scatteredWork(job: RenderJob, frames: Uint32Array, kind: SliceKind, frame: number, elements: readonly ElementRef[]): Work {
  // Parts of an extended job may have more samples than those of before.
  const samples = Math.max(...elements.map(({ pass }) => samplesOfParts(job.params, pass)));
  const head = sliceHead(job, frames, frame, kind, { x: 0, y: 0, width: 0, height: 0, firstSample: 0, partSamples: samples });
  const slice = new Uint32Array(SLICE_HEAD_WORDS + SLOTS * SLOT_WORDS);
  slice.set(head);
  for (const [slot, element] of elements.entries()) slice.set(slotOf(job, element), SLICE_HEAD_WORDS + slot * SLOT_WORDS);
  return { slice, parts: [{ first: 0, end: elements.length * samples }], partBytes: elements.length * ELEMENT_BYTES };
}

function slotOf(job: RenderJob, at: ElementRef): [number, number] {
  const { x, y, first, end } = placeOf(job, at);
  return [x | (y << 16), first | ((end - first) << 16)];
}

/** Ascending ranges, neighbours in one piece: a slice may span parts, because one of them alone is too little for a large GPU. */
function joined(ranges: readonly WorkRange[]): WorkRange[] {
  const pieces: WorkRange[] = [];
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
  readonly #slice: GPUBuffer;
  readonly #group: GPUBindGroup;

  constructor(device: GPUDevice, kernel: Kernel, work: Work) {
    this.#device = device;
    this.#kernel = kernel;
    this.#work = work;
    const size = work.partBytes * work.parts.length;
    // New buffers hold zeros.
    this.#sums = device.createBuffer({ label: 'sums', size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
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

  /** Submits paths of the work and, behind them, copies of the parts that end with them. Returns those parts once they are done. */
  async submit({ first, end }: WorkRange): Promise<PartialResult[]> {
    const { parts, partBytes } = this.#work;
    const device = this.#device;
    device.queue.writeBuffer(this.#slice, RANGE_BYTE, Uint32Array.of(first, end));
    const encoder = device.createCommandEncoder({ label: 'render slice' });
    const pass = encoder.beginComputePass({ label: 'render slice' });
    pass.setPipeline(this.#kernel.pipeline);
    pass.setBindGroup(0, this.#kernel.sceneGroup);
    pass.setBindGroup(1, this.#group);
    pass.dispatchWorkgroups(Math.ceil((end - first) / WORKGROUP));
    pass.end();
    const finishing = [...parts.keys()].filter((part) => parts[part]!.end > first && parts[part]!.end <= end);
    if (finishing.length === 0) {
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      return [];
    }
    // Of its own: the next slice is handed in while this one is read back.
    const staging = device.createBuffer({
      label: 'finished parts',
      size: finishing.length * partBytes,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    for (const [place, part] of finishing.entries()) encoder.copyBufferToBuffer(this.#sums, part * partBytes, staging, place * partBytes, partBytes);
    device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(GPUMapMode.READ);
      const mapped = staging.getMappedRange();
      return finishing.map((part, place) => ({ part, bytes: new Uint8Array(mapped.slice(place * partBytes, (place + 1) * partBytes)) }));
    } finally {
      staging.destroy();
    }
  }

  dispose(): void {
    this.#sums.destroy();
    this.#slice.destroy();
  }
}
