import type { ElementRef, TileRef } from '../../shared/model.ts';
import type { TileGrid } from '../../shared/workload.ts';
import { defaults, type RenderJob, type RenderParams, settingsOf } from './params.ts';

/**
 * How a job falls apart: frames into square tiles, samples into passes of parts. Behind the passes of light comes one of features where
 * layers were ordered. Its elements are two a pixel: all pixels' albedo and depth, then all pixels' normal and coverage.
 *
 * A finished job that is extended keeps all that. What it has more samples of comes in passes of its own behind the others, one stage after the
 * other, from the sample on with which the stage before ended: a shorter last part stays what it is. A sample is the same whatever part it is in and
 * sums are of integers, so a pixel's light is bit for bit what it would be, had all samples been ordered at once.
 */

const PARTS_PER_PASS = 4;
/** Camera rays of a pixel whose features are averaged. */
const FEATURE_SAMPLES_MAX = 16;

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

/** Passes of samples that were ordered together. */
interface Stage {
  readonly firstPass: number;
  readonly passes: number;
  /** Samples [first, end). */
  readonly first: number;
  readonly end: number;
  /** Samples of a part, but for the last. */
  readonly part: number;
}

const hasFeatures = ({ layers }: RenderParams): boolean => (layers ?? defaults.layers) === 'all';

/** Parameters of a job are one object for as long as it is open, and every element asks for its stage. */
const stages = new WeakMap<RenderParams, readonly Stage[]>();

function stagesOf(p: RenderParams): readonly Stage[] {
  const known = stages.get(p);
  if (known) return known;
  let [firstPass, first] = [0, 0];
  const made = [...(p.stages ?? []), p.samples].map((end, index): Stage => {
    const part = partSamples(end);
    const stage = { firstPass, passes: Math.ceil((end - first) / (part * PARTS_PER_PASS)), first, end, part };
    firstPass += stage.passes + (index === 0 && hasFeatures(p) ? 1 : 0);
    first = end;
    return stage;
  });
  stages.set(p, made);
  return made;
}

/** Throws `RangeError` for a pass that traces no light. */
function stageOf(p: RenderParams, pass: number): Stage {
  const stage = stagesOf(p).find(({ firstPass, passes }) => pass >= firstPass && pass < firstPass + passes);
  if (!stage) throw new RangeError(`the job has no pass ${pass} of light`);
  return stage;
}

/** Passes that trace light, in the order of their samples. */
export const lightPasses = (p: RenderParams): readonly number[] =>
  stagesOf(p).flatMap(({ firstPass, passes }) => Array.from({ length: passes }, (_, index) => firstPass + index));

/** The one that traces features, if there is one, lies behind the passes that were ordered first. */
export const isFeaturePass = (p: RenderParams, pass: number): boolean => hasFeatures(p) && pass === stagesOf(p)[0]!.passes;

/** After how many passes of light a pixel has that many samples: a fraction, also of more than there are. */
export function passesOfSamples(p: RenderParams, samples: number): number {
  const all = stagesOf(p);
  let before = 0;
  for (const stage of all) {
    const { passes, first, end, part } = stage;
    if (samples <= end || stage === all.at(-1)) return before + (samples - first) / (part * PARTS_PER_PASS);
    before += passes;
  }
  throw new Error('unreachable');
}

const tilesPerFrame = (p: RenderParams): number => {
  const edge = tileEdge(p);
  return Math.ceil(p.width / edge) * Math.ceil(p.height / edge);
};

export function gridOf(p: RenderParams): TileGrid {
  const light = stagesOf(p).reduce((sum, { passes }) => sum + passes, 0);
  return { passes: light + (hasFeatures(p) ? 1 : 0), tiles: tilesPerFrame(p) * settingsOf(p).frames };
}

/** Samples of every part of a pass but the last of a stage, which may have fewer. */
export const samplesOfParts = (p: RenderParams, pass: number): number =>
  isFeaturePass(p, pass) ? Math.min(FEATURE_SAMPLES_MAX, stagesOf(p)[0]!.end) : stageOf(p, pass).part;

const firstOf = ({ firstPass, first, part }: Stage, pass: number): number => first + (pass - firstPass) * part * PARTS_PER_PASS;

export function partsIn(p: RenderParams, pass: number): number {
  if (isFeaturePass(p, pass)) return 1;
  const stage = stageOf(p, pass);
  return Math.min(PARTS_PER_PASS, Math.ceil((stage.end - firstOf(stage, pass)) / stage.part));
}

/** The sample range [first, end) of one part. The last part of a stage may be shorter. */
export function sampleRange(p: RenderParams, pass: number, part: number): { first: number; end: number } {
  if (isFeaturePass(p, pass)) return { first: 0, end: samplesOfParts(p, pass) };
  const stage = stageOf(p, pass);
  const first = firstOf(stage, pass) + part * stage.part;
  return { first, end: Math.min(first + stage.part, stage.end) };
}

export interface TileRect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly frame: number;
}

export function tileRect(p: RenderParams, tile: number): TileRect {
  const edge = tileEdge(p);
  const columns = Math.ceil(p.width / edge);
  const perFrame = tilesPerFrame(p);
  const place = tile % perFrame;
  const x = (place % columns) * edge;
  const y = Math.floor(place / columns) * edge;
  return { x, y, width: Math.min(edge, p.width - x), height: Math.min(edge, p.height - y), frame: Math.floor(tile / perFrame) };
}

/** Tiles of a frame that have a pixel in common with a region of it. */
export function* tilesIn(p: RenderParams, frame: number, region: { x: number; y: number; width: number; height: number }): Generator<number> {
  const edge = tileEdge(p);
  const columns = Math.ceil(p.width / edge);
  const [left, right] = [Math.floor(region.x / edge), Math.min(columns, Math.ceil((region.x + region.width) / edge))];
  const [top, bottom] = [Math.floor(region.y / edge), Math.min(Math.ceil(p.height / edge), Math.ceil((region.y + region.height) / edge))];
  for (let row = top; row < bottom; row++) for (let column = left; column < right; column++) yield frame * tilesPerFrame(p) + row * columns + column;
}

export function pixelsOf(p: RenderParams, tile: number): number {
  const rect = tileRect(p, tile);
  return rect.width * rect.height;
}

export const elementsOf = (p: RenderParams, { pass, tile }: TileRef): number => pixelsOf(p, tile) * (isFeaturePass(p, pass) ? 2 : 1);

/** What an element sums: light, or of the first surfaces seen albedo and depth, or normal and coverage. */
export type ElementKind = 'light' | 'albedo' | 'normal';

export interface Place {
  readonly kind: ElementKind;
  readonly frame: number;
  readonly x: number;
  readonly y: number;
  /** Samples [first, end). */
  readonly first: number;
  readonly end: number;
}

/** Throws `RangeError` for an element that the job does not have. */
export function placeOf({ params }: RenderJob, element: ElementRef): Place {
  const { passes, tiles } = gridOf(params);
  const below = (value: number, bound: number): boolean => Number.isInteger(value) && value >= 0 && value < bound;
  const inJob = below(element.pass, passes) && below(element.tile, tiles);
  if (!inJob || !below(element.part, partsIn(params, element.pass)) || !below(element.element, elementsOf(params, element))) {
    const { pass, tile, part, element: index } = element;
    throw new RangeError(`the job has no element ${index} of part ${part}, tile ${tile}, pass ${pass}`);
  }
  const rect = tileRect(params, element.tile);
  const pixels = rect.width * rect.height;
  const pixel = element.element % pixels;
  const features = element.element < pixels ? 'albedo' : 'normal';
  return {
    kind: isFeaturePass(params, element.pass) ? features : 'light',
    frame: rect.frame,
    x: rect.x + (pixel % rect.width),
    y: rect.y + Math.floor(pixel / rect.width),
    ...sampleRange(params, element.pass, element.part),
  };
}
