import { Rng, seedOf } from '../../../../shared/rng.ts';
import { tileEdge } from '../../grid.ts';
import { luminance } from '../../packMath.ts';
import type { RenderJob } from '../../params.ts';
import { loadScene, type Scene, tracePath } from '../../reference.ts';
import { objectMissing } from './lies.ts';
import { jobOf, type Picture, preparePictures } from './pictures.ts';

/**
 * What could be told if seeds differed: two renderings of a tile then share no path, and only their statistics can be compared. For
 * every lie, how well sums and squares tell it from an honest result, as the area under the ROC curve; README.md has the table.
 *
 * Tiles are drawn, not traced: from a bank of paths of some pixels of the picture come as many sums of n samples as a tile has pixels.
 * `node shaders/render/testing/comparator/otherSeeds.ts` prints the table.
 */

const SIZES = [64, 128, 256, 512, 1024] as const;
const SAMPLES = [16, 64, 256] as const;
/** Pixels of the bank, each with its eight neighbours, and paths of each. */
const BANK_PIXELS = 48;
const BANK_PATHS = 256;
/** Sums drawn of every pixel for every number of samples. */
const POOL = 128;
const TRIALS = 60;
/** Of so many objects that one is left out that changes the fewest pixels of the bank by a tenth, but this many at least; by this many paths of each. */
const OBJECTS_TRIED = 8;
const CHANGED_MIN = 2;
const LOOKED_AT = 32;

export const statistics = ['means', 'spread'] as const;
const claimants = ['halfSamples', 'blur', 'missingObject', 'brighter'] as const;
type Claimant = (typeof claimants)[number];

/** Luminance of n samples of one pixel: their sum and the sum of their squares. */
interface Moments {
  readonly sum: number;
  readonly squares: number;
}
type Pool = readonly Moments[];

/** Luminances of some paths through a pixel. */
function bankOf(scene: Scene, job: RenderJob, x: number, y: number, paths: number): Float64Array {
  return Float64Array.from({ length: paths }, (_, sample) => {
    const { r, g, b } = tracePath(scene, job, x, y, sample);
    return luminance([r, g, b]);
  });
}

function momentsOf(bank: Float64Array, samples: number, rng: Rng): Moments {
  let [sum, squares] = [0, 0];
  for (let sample = 0; sample < samples; sample++) {
    const value = bank[rng.below(BANK_PATHS)]!;
    sum += value;
    squares += value * value;
  }
  return { sum, squares };
}

function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]!;
  return sum / values.length;
}

const scaled = ({ sum, squares }: Moments, factor: number): Moments => ({ sum: sum * factor, squares: squares * factor * factor });

interface Pixel {
  /** Three rows of three; the pixel itself in the middle. */
  readonly around: readonly Float64Array[];
  readonly without: Float64Array;
}

/** Random pixels of a picture, with their neighbours and as they are without the object that shows least. */
function pixelsOf(picture: Picture): Pixel[] {
  const job = jobOf(picture, BANK_PATHS, 1);
  const scene = loadScene(picture.packed);
  const rng = new Rng(seedOf(picture.size, 7));
  const places = Array.from({ length: BANK_PIXELS }, () => ({ x: 1 + rng.below(picture.size - 2), y: 1 + rng.below(picture.size - 2) }));
  const means = (of: Scene): number[] => places.map(({ x, y }) => bankOf(of, job, x, y, LOOKED_AT).reduce((sum, value) => sum + value, 0));
  const usual = means(scene);
  const candidates = Array.from({ length: OBJECTS_TRIED }, (_, seed) => {
    const lacking = objectMissing(picture.packed, seed);
    const changed = means(lacking).filter((mean, index) => Math.abs(mean - usual[index]!) > 0.1 * usual[index]!).length;
    return { lacking, changed };
  });
  const [least] = candidates.filter(({ changed }) => changed >= CHANGED_MIN).sort((a, b) => a.changed - b.changed);
  if (!least) throw new Error(`no object of ${picture.scene} shows at ${picture.size}`);
  const offsets = [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => ({ dx, dy })));
  return places.map(({ x, y }) => ({
    around: offsets.map(({ dx, dy }) => bankOf(scene, job, x + dx, y + dy, BANK_PATHS)),
    without: bankOf(least.lacking, job, x, y, BANK_PATHS),
  }));
}

/** One pixel of a tile, as its checker finds it and as others claim it. */
interface Pools {
  readonly checker: Pool;
  readonly honest: Pool;
  readonly claimed: Readonly<Record<Claimant, Pool>>;
}

function poolsOf({ around, without }: Pixel, samples: number, rng: Rng): Pools {
  const here = around[4]!;
  /** Every sample of a pool is shifted so that its mean is exactly the bank's: as it fell out, it would stay in all trials. */
  const pool = (mean: number, make: () => Moments): Pool => {
    const drawn = Array.from({ length: POOL }, make);
    const by = samples * mean - drawn.reduce((total, { sum }) => total + sum, 0) / POOL;
    return drawn.map(({ sum, squares }) => ({ sum: sum + by, squares: squares + (2 * sum * by + by * by) / samples }));
  };
  const honest = (): Moments => momentsOf(here, samples, rng);
  const half = (): Moments => {
    const { sum, squares } = momentsOf(here, samples / 2, rng);
    return { sum: 2 * sum, squares: 2 * squares };
  };
  const blurred = (): Moments => {
    const nine = around.map((bank) => momentsOf(bank, samples, rng));
    return { sum: meanOf(nine.map(({ sum }) => sum)), squares: meanOf(nine.map(({ squares }) => squares)) };
  };
  const mean = meanOf(here);
  return {
    checker: pool(mean, honest),
    honest: pool(mean, honest),
    claimed: {
      halfSamples: pool(mean, half),
      blur: pool(meanOf(around.map(meanOf)), blurred),
      missingObject: pool(meanOf(without), () => momentsOf(without, samples, rng)),
      brighter: pool(mean, honest).map((moments) => scaled(moments, 1.02)),
    },
  };
}

/** `means`: how far apart the tiles' means are in their standard error. `spread`: mean square of the pixels' differences in theirs, which is 1 for honest ones of many samples. */
function compare(
  tile: readonly Pools[],
  claimOf: (pixel: Pools) => Pool,
  samples: number,
  pixels: number,
  rng: Rng,
): Readonly<Record<(typeof statistics)[number], number>> {
  let [difference, variance, squares, counted] = [0, 0, 0, 0];
  const varianceOf = ({ sum, squares }: Moments): number => Math.max(0, squares - (sum * sum) / samples) * (samples / (samples - 1));
  for (let index = 0; index < pixels; index++) {
    const pixel = tile[rng.below(tile.length)]!;
    const [a, b] = [pixel.checker[rng.below(POOL)]!, claimOf(pixel)[rng.below(POOL)]!];
    const both = varianceOf(a) + varianceOf(b);
    difference += a.sum - b.sum;
    variance += both;
    if (both === 0) continue;
    squares += (a.sum - b.sum) ** 2 / both;
    counted++;
  }
  return { means: variance === 0 ? 0 : Math.abs(difference) / Math.sqrt(variance), spread: counted === 0 ? 1 : squares / counted };
}

/** Chance that a lie's value is above an honest one's; ties count half. Mann & Whitney, 1947. */
export function areaUnderCurve(honest: readonly number[], lying: readonly number[]): number {
  let above = 0;
  for (const lie of lying) for (const truth of honest) above += lie > truth ? 1 : lie === truth ? 0.5 : 0;
  return above / (honest.length * lying.length);
}

export interface Told {
  readonly scene: string;
  readonly size: number;
  readonly samples: number;
  readonly lie: Claimant;
  /** Area under the curve, by statistic. */
  readonly area: Readonly<Record<(typeof statistics)[number], number>>;
}

/** Every lie, by samples, for tiles of one picture. Spread is judged by how far it is from what honest tiles have, either way. */
export function otherSeeds(picture: Picture): Told[] {
  const pixels = pixelsOf(picture);
  const count = tileEdge(picture.params) ** 2;
  return SAMPLES.flatMap((samples) => {
    const rng = new Rng(seedOf(picture.size, samples));
    const tile = pixels.map((pixel) => poolsOf(pixel, samples, rng));
    const trials = (claimOf: (pixel: Pools) => Pool) => Array.from({ length: TRIALS }, () => compare(tile, claimOf, samples, count, rng));
    const usual = trials(({ honest }) => honest)
      .map(({ spread }) => spread)
      .sort((a, b) => a - b)[TRIALS >> 1]!;
    const honest = trials(({ honest: pool }) => pool);
    return claimants.map((lie) => {
      const lying = trials(({ claimed }) => claimed[lie]);
      const off = ({ spread }: { spread: number }): number => Math.abs(spread - usual);
      const area = {
        means: areaUnderCurve(
          honest.map(({ means }) => means),
          lying.map(({ means }) => means),
        ),
        spread: areaUnderCurve(honest.map(off), lying.map(off)),
      };
      return { scene: picture.scene, size: picture.size, samples, lie, area };
    });
  });
}

/** Rows of lie and size, columns of samples: the mean over the scenes, `means` / `spread`. */
function table(told: readonly Told[]): string {
  const cell = (lie: Claimant, size: number, samples: number): string => {
    const mine = told.filter((each) => each.lie === lie && each.size === size && each.samples === samples);
    return statistics.map((name) => (mine.reduce((sum, { area }) => sum + area[name], 0) / mine.length).toFixed(2)).join(' / ');
  };
  const rows = claimants.flatMap((lie) => SIZES.map((size) => `| ${lie} | ${size} | ${SAMPLES.map((samples) => cell(lie, size, samples)).join(' | ')} |`));
  return [`| lie | size | ${SAMPLES.map((samples) => `${samples} samples`).join(' | ')} |`, '|---|---|---|---|---|', ...rows].join('\n');
}

if (import.meta.main) console.log(table((await preparePictures(SIZES)).flatMap(otherSeeds)));
