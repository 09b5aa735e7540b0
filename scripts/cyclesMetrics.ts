/** How far apart two renderings of one scene are: whether they differ in the mean, not how noisy they are. */

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Linear, 3 a pixel, rows from the top. */
  readonly rgb: Float32Array;
}

/** Edge of the squares of pixels whose means are compared: noise falls to an eighth, bias stays. */
export const CELL_PIXELS = 8;

/** Cells that are darker than this share of the picture's mean in both do not count: they would be equal for nothing. */
const DARK = 0.01;

/** Means of cells, 3 each, rows from the top; cells at the right and lower edge may be smaller. */
export function cellMeans({ width, height, rgb }: Picture): Float64Array {
  const columns = Math.ceil(width / CELL_PIXELS);
  const rows = Math.ceil(height / CELL_PIXELS);
  const sums = new Float64Array(columns * rows * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [column, row] = [Math.floor(x / CELL_PIXELS), Math.floor(y / CELL_PIXELS)];
      const pixels = Math.min(CELL_PIXELS, width - column * CELL_PIXELS) * Math.min(CELL_PIXELS, height - row * CELL_PIXELS);
      for (let channel = 0; channel < 3; channel++) sums[(row * columns + column) * 3 + channel]! += rgb[(y * width + x) * 3 + channel]! / pixels;
    }
  return sums;
}

const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Relative difference of every cell and channel that counts: |a - b| over b, or over a hundredth of the mean where b is darker. */
function differences(a: Picture, b: Picture): number[] {
  if (a.width !== b.width || a.height !== b.height) throw new RangeError(`pictures of ${a.width} x ${a.height} and ${b.width} x ${b.height} pixels`);
  const [cells, reference] = [cellMeans(a), cellMeans(b)];
  const floor = DARK * mean(reference);
  if (!(floor > 0)) throw new RangeError('the reference is black');
  const found: number[] = [];
  reference.forEach((value, at) => {
    if (Math.max(value, cells[at]!) > floor) found.push(Math.abs(cells[at]! - value) / Math.max(value, floor));
  });
  return found;
}

/** Mean relative error of `a` against the reference `b`. Throws `RangeError` for pictures that cannot be compared. */
export function relativeError(a: Picture, b: Picture): number {
  const found = differences(a, b);
  return found.reduce((sum, value) => sum + value, 0) / found.length;
}

/** The cell that is furthest off. */
export const worstCell = (a: Picture, b: Picture): number => Math.max(...differences(a, b));

export function average(a: Picture, b: Picture): Picture {
  return { ...a, rgb: a.rgb.map((value, at) => (value + b.rgb[at]!) / 2) };
}

/**
 * What `relativeError` of the means of two halves would be if both renderers were right: the halves of one are twice as far apart as their
 * mean is from the truth, on average, and the noises of two renderers add up as squares.
 */
export const noiseOf = (ours: readonly [Picture, Picture], reference: readonly [Picture, Picture]): number =>
  Math.hypot(relativeError(...ours) / 2, relativeError(...reference) / 2);

/** sRGB bytes; linear `white` becomes 255. */
const encode = (value: number, white: number): number => {
  const v = Math.min(1, Math.max(0, value / white));
  return Math.round(255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055));
};

/** As sRGB bytes; linear 1 becomes 255. */
export const srgbOf = ({ rgb }: Picture): Uint8Array => Uint8Array.from(rgb, (value) => encode(value, 1));

const DIFFERENCE_GAIN = 10;
/** Share of the reference's values that are not overexposed. */
const WHITE_SHARE = 0.97;

/** Three pictures beside each other, as sRGB bytes: ours, the reference, and ten times their difference, all exposed alike. */
export function sideBySide(a: Picture, b: Picture): { width: number; height: number; bytes: Uint8Array } {
  const { width, height } = b;
  const white = b.rgb.toSorted()[Math.floor(b.rgb.length * WHITE_SHARE)]! || 1;
  const bytes = new Uint8Array(width * 3 * height * 3);
  const put = (panel: number, x: number, y: number, channel: number, value: number): void => {
    bytes[(y * width * 3 + panel * width + x) * 3 + channel] = encode(value, white);
  };
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let channel = 0; channel < 3; channel++) {
        const at = (y * width + x) * 3 + channel;
        put(0, x, y, channel, a.rgb[at]!);
        put(1, x, y, channel, b.rgb[at]!);
        put(2, x, y, channel, DIFFERENCE_GAIN * Math.abs(a.rgb[at]! - b.rgb[at]!));
      }
  return { width: width * 3, height, bytes };
}
