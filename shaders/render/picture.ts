import { decodeResult, radiancePart } from '../../shared/formats.ts';
import { type PartMask, partsOf, type TileRef } from '../../shared/model.ts';
import { elementsOf, gridOf, isFeaturePass, pixelsOf, sampleRange, type TileRect, tileRect, tilesIn } from './grid.ts';
import type { RenderJob } from './params.ts';

/** Words of an element. */
const WORDS = radiancePart.pixelBytes / 4;
/** Features are summed in steps of this. */
const FEATURE_STEP = 2 ** radiancePart.stepLog2;
/** Words that a pixel's features take: two elements. */
const FEATURE_WORDS = 2 * WORDS;

interface TileSum {
  readonly rect: TileRect;
  /** Three sums a pixel in radiance steps. A result's stay below 2^40; f64 holds those of 2^13 results exactly, and no tile has more. */
  readonly light: Float64Array;
  samples: number;
  /** Eight sums a pixel: albedo and depth, normal and coverage. A feature pass has one part, so they are its words. */
  features: Uint32Array | null;
  featureSamples: number;
}

/** What a pixel's camera rays met first, as means over its samples. */
export interface Features {
  /** Share of the light that is reflected, 0 to 1. */
  readonly albedo: readonly [number, number, number];
  /** Mean of the unit normals of what was hit, in world space; 0 where nothing was. */
  readonly normal: readonly [number, number, number];
  /** Metres along the ray to what was hit; Infinity where nothing was. */
  readonly depth: number;
}

/**
 * Adds accepted results up to one frame, or some of its tiles: linear radiance, and features where they come. The order does not
 * matter, and none counts twice. Only sums are kept, 24 bytes a pixel and 32 for features: a result can be neither taken out again nor
 * taken apart.
 */
export class Picture {
  readonly frame: number;
  readonly #job: RenderJob;
  readonly #radiancePerStep: number;
  readonly #metresPerStep: number;
  readonly #tiles = new Map<number, TileSum>();
  /** Parts that are in, by running number: pass x tiles + tile. */
  readonly #added = new Map<number, number>();
  readonly #tilesTotal: number;

  constructor(job: RenderJob, frame: number) {
    this.#job = job;
    this.frame = frame;
    this.#tilesTotal = gridOf(job.params).tiles;
    this.#radiancePerStep = 2 ** (job.prepared.quantumLog2 + radiancePart.stepLog2);
    this.#metresPerStep = 2 ** job.prepared.depthLog2 * FEATURE_STEP;
  }

  /**
   * Adds a result, the total of `parts`; nothing when all of them are in. Throws `FormatError` when it is damaged or names other parts,
   * `RangeError` when some of them are in and others are not, or it is of another frame.
   */
  add(tile: TileRef, parts: PartMask, result: Uint8Array): void {
    const { params } = this.#job;
    const rect = tileRect(params, tile.tile);
    if (rect.frame !== this.frame) throw new RangeError(`tile ${tile.tile} is of frame ${rect.frame}, not ${this.frame}`);
    const elements = elementsOf(params, tile);
    const total = decodeResult(result, parts, elements, WORDS);
    const key = tile.pass * this.#tilesTotal + tile.tile;
    const before = this.#added.get(key) ?? 0;
    const known = before & parts;
    if (known === parts) return;
    if (known !== 0) throw new RangeError(`some parts of pass ${tile.pass} of tile ${tile.tile} are in the picture already`);
    const pixels = pixelsOf(params, tile.tile);
    const sum = this.#tiles.get(tile.tile) ?? { rect, light: new Float64Array(pixels * 3), samples: 0, features: null, featureSamples: 0 };
    let samples = 0;
    for (const part of partsOf(parts)) {
      const { first, end } = sampleRange(params, tile.pass, part);
      samples += end - first;
    }
    if (isFeaturePass(params, tile.pass)) {
      sum.features = Uint32Array.from({ length: pixels * FEATURE_WORDS }, (_, at) => total(at));
      sum.featureSamples = samples;
    } else {
      for (let pixel = 0; pixel < pixels; pixel++)
        for (let channel = 0; channel < 3; channel++) sum.light[pixel * 3 + channel] = sum.light[pixel * 3 + channel]! + total(pixel * WORDS + channel);
      sum.samples += samples;
    }
    this.#tiles.set(tile.tile, sum);
    this.#added.set(key, before | parts);
  }

  /**
   * Calls `visit` for every pixel of a region that has samples: its index in the region, rows from the top, mean linear radiance (the
   * same array every time, which `visit` may write to), and the number of samples. The region lies inside the picture.
   */
  eachPixel(x: number, y: number, width: number, height: number, visit: (index: number, rgb: Float64Array, samples: number) => void): void {
    const rgb = new Float64Array(3);
    for (const { rect, light, samples } of this.#tilesIn({ x, y, width, height })) {
      if (samples === 0) continue;
      const toRadiance = this.#radiancePerStep / samples;
      eachIn(rect, { x, y, width, height }, (index, pixel) => {
        for (let channel = 0; channel < 3; channel++) rgb[channel] = light[pixel * 3 + channel]! * toRadiance;
        visit(index, rgb, samples);
      });
    }
  }

  *#tilesIn(region: { x: number; y: number; width: number; height: number }): Generator<TileSum> {
    for (const tile of tilesIn(this.#job.params, this.frame, region)) {
      const sum = this.#tiles.get(tile);
      if (sum) yield sum;
    }
  }

  /** The same for pixels whose features are there. */
  eachFeature(x: number, y: number, width: number, height: number, visit: (index: number, features: Features) => void): void {
    for (const { rect, features, featureSamples } of this.#tilesIn({ x, y, width, height })) {
      if (!features) continue;
      const pixels = rect.width * rect.height;
      const toAlbedo = FEATURE_STEP / featureSamples;
      eachIn(rect, { x, y, width, height }, (index, pixel) => {
        const [first, second] = [pixel * WORDS, (pixels + pixel) * WORDS];
        // Misses add nothing to depth and normal, so these are means over the hits alone.
        const hits = features[second + 3]! * FEATURE_STEP;
        const normal = (axis: number): number => (hits > 0 ? ((features[second + axis]! * FEATURE_STEP) / hits) * 2 - 1 : 0);
        visit(index, {
          albedo: [features[first]! * toAlbedo, features[first + 1]! * toAlbedo, features[first + 2]! * toAlbedo],
          normal: [normal(0), normal(1), normal(2)],
          depth: hits > 0 ? (features[first + 3]! * this.#metresPerStep) / hits : Infinity,
        });
      });
    }
  }
}

/** Calls `visit` for every pixel that a tile and a region share, with its index in either. */
function eachIn(tile: TileRect, region: { x: number; y: number; width: number; height: number }, visit: (inRegion: number, inTile: number) => void): void {
  const left = Math.max(region.x, tile.x);
  const right = Math.min(region.x + region.width, tile.x + tile.width);
  const bottom = Math.min(region.y + region.height, tile.y + tile.height);
  for (let row = Math.max(region.y, tile.y); row < bottom; row++)
    for (let column = left; column < right; column++) visit((row - region.y) * region.width + column - region.x, (row - tile.y) * tile.width + column - tile.x);
}
