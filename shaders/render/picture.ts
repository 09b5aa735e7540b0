import { decodeResult, radiancePart } from '../../shared/formats.ts';
import { type PartMask, partsOf, type TileRef } from '../../shared/model.ts';
import type { TileGrid } from '../../shared/workload.ts';
import { type RenderJob, sampleRange, spec, tileRect } from './spec.ts';

interface TileSum {
  /** Three sums a pixel in radiance steps. A result's stay below 2^40; f64 holds those of 2^13 results exactly, and no tile has more. */
  readonly sums: Float64Array;
  samples: number;
}

/**
 * Adds accepted results up to a picture of linear radiance. The order does not matter, and none counts twice. Only sums are kept, 24
 * bytes a pixel: a result can be neither taken out again nor taken apart.
 */
export class Picture {
  readonly width: number;
  readonly height: number;
  readonly #job: RenderJob;
  readonly #grid: TileGrid;
  readonly #radiancePerStep: number;
  readonly #tiles = new Map<number, TileSum>();
  /** Parts that are in, by pass x tiles + tile. */
  readonly #added = new Map<number, number>();

  constructor(job: RenderJob) {
    this.#job = job;
    this.#grid = spec.split(job.params, job.prepared);
    this.width = job.params.width;
    this.height = job.params.height;
    this.#radiancePerStep = 2 ** (job.prepared.quantumLog2 + radiancePart.stepLog2);
  }

  /**
   * Adds a result, the total of `parts`; nothing when all of them are in. Throws `FormatError` when it is damaged or names other parts,
   * `RangeError` when some of them are in and others are not.
   */
  add(tile: TileRef, parts: PartMask, result: Uint8Array): void {
    const elements = spec.elements(this.#job, tile);
    const total = decodeResult(result, parts, elements, spec.elementWords);
    const key = tile.pass * this.#grid.tiles + tile.tile;
    const before = this.#added.get(key) ?? 0;
    const known = before & parts;
    if (known === parts) return;
    if (known !== 0) throw new RangeError(`some parts of pass ${tile.pass} of tile ${tile.tile} are in the picture already`);
    const sum = this.#tiles.get(tile.tile) ?? { sums: new Float64Array(elements * 3), samples: 0 };
    for (let pixel = 0; pixel < elements; pixel++)
      for (let channel = 0; channel < 3; channel++) sum.sums[pixel * 3 + channel] = sum.sums[pixel * 3 + channel]! + total(pixel * spec.elementWords + channel);
    for (const part of partsOf(parts)) {
      const { first, end } = sampleRange(this.#job.params, tile.pass, part);
      sum.samples += end - first;
    }
    this.#tiles.set(tile.tile, sum);
    this.#added.set(key, before | parts);
  }

  /** Whether every tile has at least one sample. */
  get covered(): boolean {
    return this.#tiles.size === this.#grid.tiles;
  }

  /**
   * Calls `visit` for every pixel of a region that has samples: its index in the region, rows from the top, and mean linear radiance.
   * The region lies inside the picture.
   */
  eachPixel(x: number, y: number, width: number, height: number, visit: (index: number, r: number, g: number, b: number) => void): void {
    for (const [tile, { sums, samples }] of this.#tiles) {
      const rect = tileRect(this.#job.params, tile);
      const toRadiance = this.#radiancePerStep / samples;
      const [left, right] = [Math.max(x, rect.x), Math.min(x + width, rect.x + rect.width)];
      for (let row = Math.max(y, rect.y); row < Math.min(y + height, rect.y + rect.height); row++) {
        for (let column = left; column < right; column++) {
          const at = ((row - rect.y) * rect.width + column - rect.x) * 3;
          visit((row - y) * width + column - x, sums[at]! * toRadiance, sums[at + 1]! * toRadiance, sums[at + 2]! * toRadiance);
        }
      }
    }
  }

  /** Straight-alpha sRGB bytes of a region, four a pixel. Pixels without samples are transparent. */
  srgb(x: number, y: number, width: number, height: number): Uint8ClampedArray<ArrayBuffer> {
    const pixels = new Uint8ClampedArray(width * height * 4);
    this.eachPixel(x, y, width, height, (index, r, g, b) => {
      pixels[index * 4] = encodeSrgb(r);
      pixels[index * 4 + 1] = encodeSrgb(g);
      pixels[index * 4 + 2] = encodeSrgb(b);
      pixels[index * 4 + 3] = 255;
    });
    return pixels;
  }
}

/** Linear radiance, 1 is white, to an sRGB byte (IEC 61966-2-1). What is brighter is clipped: there is no tone mapping. */
export function encodeSrgb(linear: number): number {
  const value = Math.min(Math.max(linear, 0), 1);
  return Math.round(255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055));
}
