import type { ElementRef, TileRef } from '../../shared/model.ts';
import type { TileGrid } from '../../shared/workload.ts';
import { type RenderJob, type RenderParams, settingsOf } from './params.ts';

/**
 * How a job falls apart: frames into square tiles, samples into passes of parts. Behind the passes of light comes one of features where
 * layers were ordered. Its elements are two a pixel: all pixels' albedo and depth, then all pixels' normal and coverage.
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

const passSamples = (p: RenderParams): number => partSamples(p.samples) * PARTS_PER_PASS;

/** Passes that trace light; the one behind them, if there is one, traces features. */
export const lightPasses = (p: RenderParams): number => Math.ceil(p.samples / passSamples(p));

export const isFeaturePass = (p: RenderParams, pass: number): boolean => pass >= lightPasses(p);

const tilesPerFrame = (p: RenderParams): number => {
  const edge = tileEdge(p);
  return Math.ceil(p.width / edge) * Math.ceil(p.height / edge);
};

export function gridOf(p: RenderParams): TileGrid {
  const { frames, layers } = settingsOf(p);
  return { passes: lightPasses(p) + (layers === 'all' ? 1 : 0), tiles: tilesPerFrame(p) * frames };
}

/** Samples of every part of a pass but the last of a job, which may have fewer. */
export const samplesOfParts = (p: RenderParams, pass: number): number =>
  isFeaturePass(p, pass) ? Math.min(FEATURE_SAMPLES_MAX, p.samples) : partSamples(p.samples);

export function partsIn(p: RenderParams, pass: number): number {
  if (isFeaturePass(p, pass)) return 1;
  return Math.min(PARTS_PER_PASS, Math.ceil((p.samples - pass * passSamples(p)) / partSamples(p.samples)));
}

/** The sample range [first, end) of one part. The last part of a job may be shorter. */
export function sampleRange(p: RenderParams, pass: number, part: number): { first: number; end: number } {
  if (isFeaturePass(p, pass)) return { first: 0, end: samplesOfParts(p, pass) };
  const first = pass * passSamples(p) + part * partSamples(p.samples);
  return { first, end: Math.min(first + partSamples(p.samples), p.samples) };
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
