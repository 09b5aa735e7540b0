import { PATCH, type Rect } from './grid.ts';
import { type Layer, layersOf, MARGIN, OUTPUT_LAYER, type Scale } from './network.ts';

/**
 * How the kernels run through the network: stages, each of which reads planes and writes one. Planes share the memory of slots once nothing reads them
 * any more. In a plane lie all windows, one behind the other, each with the plane's margin, four channels together.
 */

export type Slot = 'image' | 'a' | 'b' | 'c' | 'd' | 'growth';

export interface Plane {
  /** Of channels. */
  readonly vec4s: number;
  readonly margin: number;
  readonly slot: Slot;
}

export interface Stage {
  readonly layer: Layer;
  readonly first: Plane;
  readonly second: Plane | null;
  readonly residual: Plane | null;
  readonly output: Plane;
  readonly relu: boolean;
}

/** `-> slot`: of each convolution but the last, what it reads, adds and writes. Read with the formulas of `network.ts`. */
const ways: readonly { name: string; reads: readonly string[]; adds?: string; slot: Slot; relu?: true }[] = [
  { name: 'F_m1', reads: ['image'], slot: 'a' },
  { name: 'F_0', reads: ['F_m1'], slot: 'b' },
  { name: 'F_1_1', reads: ['F_0'], slot: 'growth', relu: true },
  { name: 'LFF_1', reads: ['F_0', 'F_1_1'], adds: 'F_0', slot: 'c' },
  { name: 'F_2_1', reads: ['LFF_1'], slot: 'growth', relu: true },
  { name: 'LFF_2', reads: ['LFF_1', 'F_2_1'], adds: 'LFF_1', slot: 'b' },
  { name: 'GFF_1', reads: ['LFF_1', 'LFF_2'], slot: 'd' },
  { name: 'GFF_2', reads: ['GFF_1'], adds: 'F_m1', slot: 'b' },
  { name: 'UPN1', reads: ['GFF_2'], slot: 'c', relu: true },
  { name: 'UPN2', reads: ['UPN1'], slot: 'd', relu: true },
  { name: 'UPN3', reads: ['UPN2'], slot: 'a' },
];

export const imagePlane: Plane = { vec4s: 1, margin: MARGIN, slot: 'image' };

/** The convolutions in their order, without the last one, which reads what the last of these writes. */
export function stagesOf(scale: Scale): readonly Stage[] {
  const planes = new Map<string, Plane>([['image', imagePlane]]);
  const layers = new Map(layersOf(scale).map((layer) => [layer.name, layer]));
  return ways.map(({ name, reads: [first, second], adds, slot, relu = false }) => {
    const layer = layers.get(name)!;
    const output = { vec4s: Math.ceil(layer.to / 4), margin: layer.margin, slot };
    const stage = {
      layer,
      first: planes.get(first!)!,
      second: second === undefined ? null : planes.get(second)!,
      residual: adds === undefined ? null : planes.get(adds)!,
      output,
      relu,
    };
    planes.set(name, output);
    return stage;
  });
}

/** Windows of one size that are computed together. */
export interface Windows {
  /** In input pixels. */
  readonly width: number;
  readonly height: number;
  readonly corners: readonly { readonly x: number; readonly y: number }[];
}

/** The one window of a tile. */
export const windowOf = ({ x, y, width, height }: Rect): Windows => ({ width, height, corners: [{ x, y }] });

const pixelsWith = ({ width, height, corners }: Windows, margin: number): number => corners.length * (width + 2 * margin) * (height + 2 * margin);

/** Bytes of each slot, for all planes that lie in it. */
export function slotBytes(scale: Scale, windows: Windows): ReadonlyMap<Slot, number> {
  const bytes = new Map<Slot, number>();
  for (const { vec4s, margin, slot } of [imagePlane, ...stagesOf(scale).map(({ output }) => output)])
    bytes.set(slot, Math.max(bytes.get(slot) ?? 0, vec4s * 16 * pixelsWith(windows, margin)));
  return bytes;
}

/** Words of the patches of all windows. */
export const wordsOf = (scale: Scale, { width, height, corners }: Windows): number =>
  corners.length * Math.ceil(width / PATCH) * Math.ceil(height / PATCH) * (PATCH * scale) ** 2;

/** Rows of the matrix, or output pixels, in a workgroup. */
export const BLOCK_PIXELS = 128;

/** Constants in front of a kernel: compilers see sizes of arrays and loops. */
export const header = (constants: Readonly<Record<string, number>>): string =>
  Object.entries({ PIXELS: BLOCK_PIXELS, PATCH, ...constants })
    .map(([name, value]) => `const ${name} = ${value}u;`)
    .join('\n');

/** What a slice counts: about as many multiplications and additions. */
const UNIT_MACS = 1e6;

/** Of a slice: more than a workgroup of any layer takes, so that every slice has one. */
export const SLICE_UNITS_MIN = 16;

/** A stage's workgroups in the order of work: its first unit, and how many units each of them takes. */
export interface Schedule {
  readonly firstUnit: number;
  readonly blocks: number;
  readonly unitsPerBlock: number;
}

const unitsOf = (macs: number): number => Math.max(1, Math.round(macs / UNIT_MACS));

/** Of reading the image, every stage, and the last layer: which workgroups are whose units. */
export function scheduleOf(scale: Scale, windows: Windows): readonly Schedule[] {
  const [last] = layersOf(scale).filter(({ name }) => name === OUTPUT_LAYER);
  const macs = (layer: Layer): number => BLOCK_PIXELS * layer.edge ** 2 * layer.from * layer.to;
  const stages = [
    { pixels: pixelsWith(windows, MARGIN), macs: 0 },
    ...stagesOf(scale).map(({ layer }) => ({ pixels: pixelsWith(windows, layer.margin), macs: macs(layer) })),
    { pixels: wordsOf(scale, windows), macs: macs(last!) },
  ];
  let firstUnit = 0;
  return stages.map((stage) => {
    const schedule = { firstUnit, blocks: Math.ceil(stage.pixels / BLOCK_PIXELS), unitsPerBlock: unitsOf(stage.macs) };
    firstUnit += schedule.blocks * schedule.unitsPerBlock;
    return schedule;
  });
}

export const unitsIn = (schedules: readonly Schedule[]): number => schedules.reduce((sum, { blocks, unitsPerBlock }) => sum + blocks * unitsPerBlock, 0);

/** The workgroups of a stage that begin in a range of units: every one begins in one of the ranges that make up the whole. */
export function blocksIn({ firstUnit, blocks, unitsPerBlock }: Schedule, first: number, end: number): { readonly first: number; readonly count: number } {
  const at = (unit: number): number => Math.min(blocks, Math.max(0, Math.ceil((unit - firstUnit) / unitsPerBlock)));
  return { first: at(first), count: at(end) - at(first) };
}
