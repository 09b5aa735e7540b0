import { draw, purposes } from './draws.ts';
import { paddedBytes, type Space } from './kernels.ts';
import type { Operand, Span } from './operand.ts';
import type { Reader, Tile } from './tiles.ts';

/** Groups of columns with factors of their own: 16 signs and 8 angles are fresh in every block. */
export const GROUPS_MAX = 8;
/** Secret vectors: a sign, and that sign times two numbers in [-1, 1). */
export const BASES = 3;
/** How far the two numbers move an entry of r from 1: its amount is within 1 +- SPREAD sqrt(2). */
const SPREAD = 0.35;

/** Rows of op(B) whose squares lie further apart than this need f64 throughout. */
const RANGE_MAX = 2 ** 80;

/** Of some columns of C, kept for the life of the job. Pointers into the kernels' memory. */
export interface FloatPanel {
  readonly groups: readonly Span[];
  /** The bases, `stride` bytes apart. */
  readonly bases: number;
  readonly stride: number;
  /** op(B) times each group's bases: f64, `innerStride` bytes apart. */
  readonly products: number;
  readonly innerStride: number;
  /** Sums of squares of op(B)'s rows in f64, and times `scale` squared in f32. */
  readonly squares: number;
  readonly scaledSquares: number;
  /** A power of two that brings op(B) r near 1. Null: no power of two brings all of it into the range of f32. */
  readonly scale: number | null;
}

/** Two random vectors of the panel's columns and op(B) times them, in f64. */
export interface FloatVectors {
  readonly r: readonly [number, number];
  readonly br: readonly [number, number];
}

/** `unseen`: what is added to the square of each row of op(B) that is not zero. */
export function createPanel(space: Space, reader: Reader, b: Operand, columns: Span, jobKey: Uint8Array, unseen: number): FloatPanel {
  // Multiples of eight, so that what `combine` rounds up to stays in the group.
  const width = 8 * Math.ceil(columns.count / (8 * GROUPS_MAX));
  const groups: Span[] = [];
  for (let first = 0; first < columns.count; first += width) groups.push({ first, count: Math.min(width, columns.count - first) });
  const [stride, innerStride] = [paddedBytes(columns.count), paddedBytes(b.rows)];
  const bases = space.take((BASES + 1) * stride);
  const products = space.take(groups.length * BASES * innerStride);
  const squares = space.takeVector(b.rows);
  const scaledSquares = space.take(innerStride / 2);
  drawBases(space, bases, stride, columns, jobKey);
  const panel = { groups, bases, stride, products, innerStride, squares, scaledSquares };
  multiplyBases(space, reader, b, columns, panel);
  return { ...panel, scale: scaleSquares(space, squares, scaledSquares, b.rows, unseen) };
}

function drawBases(space: Space, bases: number, stride: number, { first, count }: Span, jobKey: Uint8Array): void {
  const drawn = new Int32Array(draw(jobKey, purposes.floatBases, first, count, count * 12));
  const [signs, ones, twos] = [0, 1, 2].map((base) => space.f64(bases + base * stride, count)) as [Float64Array, Float64Array, Float64Array];
  for (let j = 0; j < count; j++) {
    signs[j] = drawn[3 * j]! < 0 ? -1 : 1;
    ones[j] = signs[j]! * drawn[3 * j + 1]! * 2 ** -31;
    twos[j] = signs[j]! * drawn[3 * j + 2]! * 2 ** -31;
  }
  // Weights of the squares.
  space.f64(bases + BASES * stride, count).fill(1);
}

type Unscaled = Omit<FloatPanel, 'scale'>;

function multiplyBases(space: Space, reader: Reader, b: Operand, columns: Span, { groups, bases, stride, products, innerStride, squares }: Unscaled): void {
  const { kernels } = space;
  const visit = ({ x, lines, span }: Tile): void => {
    const [row, column] = b.lines === 'rows' ? [lines, span] : [span, lines];
    const start = column.first - columns.first;
    for (const [g, group] of groups.entries()) {
      const from = Math.max(group.first, start);
      const count = Math.min(group.first + group.count, start + column.count) - from;
      if (count <= 0) continue;
      const at = (base: number): number => bases + base * stride + 8 * from;
      const out = (base: number): number => products + (g * BASES + base) * innerStride + 8 * row.first;
      const call = (u: number, v: number, w: number, yu: number, yv: number, q: number): void =>
        b.lines === 'rows'
          ? kernels.dots(x + 4 * (from - start), span.count * 4, lines.count, count, u, v, w, yu, yv, q)
          : kernels.axpys(x + 4 * (from - start) * span.count, span.count * 4, count, span.count, u, v, w, yu, yv, q);
      call(at(0), at(1), at(BASES), out(0), out(1), squares + 8 * row.first);
      call(at(2), at(2), at(2), out(2), reader.nowhere, reader.nowhere);
    }
  };
  reader.each(b, { first: 0, count: b.rows }, columns, visit);
}

/** Writes the squares in f32 too, and gives their scale. */
function scaleSquares(space: Space, squares: number, scaledSquares: number, rows: number, unseen: number): number | null {
  const sums = space.f64(squares, rows);
  let [least, most] = [Infinity, 0];
  for (let k = 0; k < rows; k++) {
    if (sums[k] === 0) continue;
    sums[k]! += unseen;
    least = Math.min(least, sums[k]!);
    most = Math.max(most, sums[k]!);
  }
  if (most > least * RANGE_MAX) return null;
  const scale = most === 0 ? 1 : 2 ** -Math.ceil(Math.log2(most) / 2);
  const scaled = space.f32(scaledSquares, rows);
  for (let k = 0; k < rows; k++) scaled[k] = sums[k]! * scale ** 2;
  return scale;
}

/** Fills r, twice, and op(B) r: each group's bases with a fresh sign, and a fresh angle between the two numbers. */
export function drawVectors(
  space: Space,
  panel: FloatPanel,
  columns: Span,
  inner: number,
  resultKey: Uint8Array,
  factorsAt: number,
  { r, br }: FloatVectors,
): void {
  const { groups, bases, stride, products, innerStride } = panel;
  const { kernels } = space;
  const drawn = new Uint32Array(draw(resultKey, purposes.floatFactors, columns.first, columns.count, groups.length * 8));
  const count = groups.length * BASES;
  const factors = space.f64(factorsAt, 2 * count);
  for (let g = 0; g < groups.length; g++) {
    const angle = drawn[2 * g]! * 2 ** -32 * 2 * Math.PI;
    const [x, y] = [SPREAD * Math.cos(angle), SPREAD * Math.sin(angle)];
    const [s, t] = [drawn[2 * g + 1]! & 1 ? 1 : -1, drawn[2 * g + 1]! & 2 ? 1 : -1];
    factors.set([s, s * x, s * y], g * BASES);
    factors.set([t, -t * y, t * x], count + g * BASES);
  }
  for (const which of [0, 1] as const) {
    const from = factorsAt + 8 * which * count;
    for (const [g, group] of groups.entries())
      kernels.combine(bases + 8 * group.first, stride, BASES, from + 8 * BASES * g, group.count, r[which] + 8 * group.first);
    kernels.combine(products, innerStride, count, from, inner, br[which]);
  }
}
