import { type Static, Type } from 'typebox';
import { radiancePart } from '../../shared/formats.ts';
import type { ElementRef, JobContext, MicroUnits, TileRef } from '../../shared/model.ts';
import type { TileGrid, WorkloadSpec } from '../../shared/workload.ts';

export const params = Type.Object(
  {
    /** `file`: the uploaded .glb. Anything else is built in. */
    scene: Type.Union([Type.Literal('file'), Type.Literal('cornell')]),
    width: Type.Integer({ minimum: 16, maximum: 8192 }),
    height: Type.Integer({ minimum: 16, maximum: 8192 }),
    /** Paths per pixel. */
    samples: Type.Integer({ minimum: 1, maximum: 65536 }),
    /** Most surfaces a path may hit after the camera's first; 0 shows emission and direct light only. */
    bounces: Type.Integer({ minimum: 0, maximum: 32 }),
    /** `auto`: the file's own emissive surfaces, or a white sky where it has none. `sky`: both. `scene`: never a sky. */
    lighting: Type.Union([Type.Literal('auto'), Type.Literal('scene'), Type.Literal('sky')]),
  },
  { additionalProperties: false },
);
export type RenderParams = Static<typeof params>;

/** Small facts about a prepared scene that every face needs; the packed scene itself is the input blob `scene`. */
export interface RenderPrepared {
  readonly triangles: number;
  readonly lights: number;
  /** Linear radiance of rays that leave the scene. */
  readonly sky: readonly [number, number, number];
  /**
   * Pinhole camera, f32 values. The ray through the image point (x, y), both in [0, 1) from the top left, has direction
   * normalize(corner + x * right + y * down).
   */
  readonly camera: {
    readonly origin: readonly [number, number, number];
    readonly corner: readonly [number, number, number];
    readonly right: readonly [number, number, number];
    readonly down: readonly [number, number, number];
  };
  /** Radiance sums are kept in steps of 2^(quantumLog2 - 12): the scene's exposure as a power of two. */
  readonly quantumLog2: number;
  /** Mean traversal steps (node visits + triangle tests + 8 per surface hit) of one path, per cell, rows from the top. */
  readonly cost: { readonly columns: number; readonly rows: number; readonly steps: readonly number[] };
  /** Traversal steps per millisecond of the CPU reference on the coordinator that prepared this, for the audit budget. */
  readonly cpuStepsPerMs: number;
}

export type RenderJob = JobContext<RenderParams, RenderPrepared>;

/**
 * The reference GPU: NVIDIA H100 through Dawn on Vulkan. A draft kernel traced 200 M paths/s of the Cornell box there, at 84 steps
 * a path (measured with the reference: 256 x 256, 5 bounces), so one work unit (a second of it) is 1.68e10 steps, and a micro-unit 16,800.
 */
const STEPS_PER_MICRO_UNIT = 16_800;

const PARTS_PER_PASS = 4;

/** Samples of one part: few parts keep uploads small, small parts keep audits cheap (one element is one pixel of one part). */
export function partSamples(samples: number): number {
  if (samples <= 64) return Math.min(16, samples);
  return samples <= 512 ? 32 : 64;
}

/** Edge of the square tiles in pixels: the largest of 64, 32, 16 that still gives at least 16 tiles, so that several contributors share small pictures. */
export function tileEdge({ width, height }: RenderParams): number {
  for (const edge of [64, 32]) if (Math.ceil(width / edge) * Math.ceil(height / edge) >= 16) return edge;
  return 16;
}

const passSamples = (p: RenderParams): number => partSamples(p.samples) * PARTS_PER_PASS;

/** The sample range [first, end) of one part. The last part of a job may be shorter. */
export function sampleRange(p: RenderParams, pass: number, part: number): { first: number; end: number } {
  const first = pass * passSamples(p) + part * partSamples(p.samples);
  return { first, end: Math.min(first + partSamples(p.samples), p.samples) };
}

export function tileRect(p: RenderParams, tile: number): { x: number; y: number; width: number; height: number } {
  const edge = tileEdge(p);
  const columns = Math.ceil(p.width / edge);
  const x = (tile % columns) * edge;
  const y = Math.floor(tile / columns) * edge;
  return { x, y, width: Math.min(edge, p.width - x), height: Math.min(edge, p.height - y) };
}

/** Mean steps of one path inside a tile, from the cost map. */
function stepsPerPath(job: RenderJob, tile: number): number {
  const { columns, rows, steps } = job.prepared.cost;
  const rect = tileRect(job.params, tile);
  const cell = (at: number, size: number, count: number): number => Math.min(count - 1, Math.floor((at / size) * count));
  const [x0, x1] = [cell(rect.x, job.params.width, columns), cell(rect.x + rect.width - 1, job.params.width, columns)];
  const [y0, y1] = [cell(rect.y, job.params.height, rows), cell(rect.y + rect.height - 1, job.params.height, rows)];
  let sum = 0;
  for (let y = y0; y <= y1; y++) for (let x = x0; x <= x1; x++) sum += steps[y * columns + x] ?? 0;
  return sum / ((x1 - x0 + 1) * (y1 - y0 + 1));
}

function pixels(job: RenderJob, { tile }: TileRef): number {
  const rect = tileRect(job.params, tile);
  return rect.width * rect.height;
}

export const spec: WorkloadSpec<typeof params, RenderPrepared> = {
  id: 'render',
  version: 2,
  title: 'Render a picture',
  summary: 'Traces light paths through a 3D scene and adds them up, tile by tile.',
  params,
  defaults: { scene: 'file', width: 960, height: 540, samples: 128, bounces: 5, lighting: 'auto' },
  fields: [
    {
      kind: 'choice',
      name: 'scene',
      label: 'Scene',
      help: 'Your own file, or the classic test box.',
      options: [
        { value: 'file', label: 'My .glb file' },
        { value: 'cornell', label: 'Cornell box' },
      ],
    },
    {
      kind: 'file',
      name: 'model',
      label: 'glTF file',
      help: 'One self-contained .glb: triangles, base colour, textures, metallic-roughness, emission, camera.',
      accept: '.glb,model/gltf-binary',
      required: false,
    },
    { kind: 'integer', name: 'width', label: 'Width', help: '16 to 8192.', unit: 'px' },
    { kind: 'integer', name: 'height', label: 'Height', help: '16 to 8192.', unit: 'px' },
    { kind: 'integer', name: 'samples', label: 'Samples', help: 'Paths per pixel. Four times as many halve the noise.' },
    { kind: 'integer', name: 'bounces', label: 'Bounces', help: 'How often light may be reflected on its way.', advanced: true },
    {
      kind: 'choice',
      name: 'lighting',
      label: 'Light',
      help: 'Automatic uses the emissive surfaces of the file, or a white sky where there are none.',
      advanced: true,
      options: [
        { value: 'auto', label: 'Automatic' },
        { value: 'scene', label: 'Only the file’s own' },
        { value: 'sky', label: 'Add a white sky' },
      ],
    },
  ],
  outputs: [
    { id: 'png', title: 'PNG, 8 bit sRGB', mediaType: 'image/png', extension: 'png' },
    { id: 'exr', title: 'EXR, linear', mediaType: 'image/x-exr', extension: 'exr' },
  ],
  // Measured, README.md: "What wrong means".
  tolerance: { unit: 'steps of the radiance sum, or 1/1024 of it where that is more', allowed: 1, honestMissRate: 0.006, unexplainedRate: 1e-4 },
  split(p): TileGrid {
    const edge = tileEdge(p);
    return { passes: Math.ceil(p.samples / passSamples(p)), tiles: Math.ceil(p.width / edge) * Math.ceil(p.height / edge) };
  },
  parts(job, { pass }) {
    const left = job.params.samples - pass * passSamples(job.params);
    return Math.min(PARTS_PER_PASS, Math.ceil(left / partSamples(job.params.samples)));
  },
  elementWords: radiancePart.pixelBytes / 4,
  elements: pixels,
  work(job, at) {
    return Math.max(1, Math.ceil((pixels(job, at) * partSamples(job.params.samples) * stepsPerPath(job, at.tile)) / STEPS_PER_MICRO_UNIT)) as MicroUnits;
  },
  auditMs: (job, { tile }) => (partSamples(job.params.samples) * stepsPerPath(job, tile)) / job.prepared.cpuStepsPerMs,
  region: (job, { tile }) => tileRect(job.params, tile),
  picture: (job) => ({ width: job.params.width, height: job.params.height }),
};

/** Pixel and sample range [first, end) of an element. Throws `RangeError` for one that the job does not have. */
export function placeOf(job: RenderJob, element: ElementRef): { x: number; y: number; first: number; end: number } {
  const { passes, tiles } = spec.split(job.params, job.prepared);
  const below = (value: number, bound: number): boolean => Number.isInteger(value) && value >= 0 && value < bound;
  const inJob = below(element.pass, passes) && below(element.tile, tiles);
  if (!inJob || !below(element.part, spec.parts(job, element)) || !below(element.element, spec.elements(job, element))) {
    const { pass, tile, part, element: index } = element;
    throw new RangeError(`the job has no element ${index} of part ${part}, tile ${tile}, pass ${pass}`);
  }
  const rect = tileRect(job.params, element.tile);
  const x = rect.x + (element.element % rect.width);
  const y = rect.y + Math.floor(element.element / rect.width);
  return { x, y, ...sampleRange(job.params, element.pass, element.part) };
}
