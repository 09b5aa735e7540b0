import type { Matrix } from './mesh.ts';

/** Plain affine 4x4 matrices, column-major with the last row 0 0 0 1. */

export function multiply(a: Matrix, b: Matrix): Matrix {
  const out = new Float64Array(16);
  for (let column = 0; column < 4; column++)
    for (let row = 0; row < 4; row++) for (let k = 0; k < 4; k++) out[column * 4 + row]! += a[k * 4 + row]! * b[column * 4 + k]!;
  return out;
}

/** Scaled, then turned by a quaternion, then moved. A quaternion that is not quite of length 1 is taken as if it were. */
export function compose(translation: ArrayLike<number>, rotation: ArrayLike<number>, scale: ArrayLike<number>): Matrix {
  const [x, y, z, w] = [rotation[0]!, rotation[1]!, rotation[2]!, rotation[3]!];
  const [sx, sy, sz] = [scale[0]!, scale[1]!, scale[2]!];
  const s = 2 / (x * x + y * y + z * z + w * w || 1);
  const out = new Float64Array(16);
  out[0] = (1 - s * (y * y + z * z)) * sx;
  out[1] = s * (x * y + z * w) * sx;
  out[2] = s * (x * z - y * w) * sx;
  out[4] = s * (x * y - z * w) * sy;
  out[5] = (1 - s * (x * x + z * z)) * sy;
  out[6] = s * (y * z + x * w) * sy;
  out[8] = s * (x * z + y * w) * sz;
  out[9] = s * (y * z - x * w) * sz;
  out[10] = (1 - s * (x * x + y * y)) * sz;
  out[12] = translation[0]!;
  out[13] = translation[1]!;
  out[14] = translation[2]!;
  out[15] = 1;
  return out;
}

/** Cofactors of the upper 3x3, row by row, and its determinant. */
export function cofactors(m: Matrix): { rows: Float64Array; determinant: number } {
  const at = (row: number, column: number): number => m[(column % 3) * 4 + (row % 3)]!;
  const rows = new Float64Array(9);
  for (let row = 0; row < 3; row++)
    for (let column = 0; column < 3; column++)
      rows[row * 3 + column] = at(row + 1, column + 1) * at(row + 2, column + 2) - at(row + 1, column + 2) * at(row + 2, column + 1);
  return { rows, determinant: at(0, 0) * rows[0]! + at(0, 1) * rows[1]! + at(0, 2) * rows[2]! };
}

/** Largest absolute value in the upper 3x3. */
export function sizeOf(m: Matrix): number {
  let largest = 0;
  for (let column = 0; column < 3; column++) for (let row = 0; row < 3; row++) largest = Math.max(largest, Math.abs(m[column * 4 + row]!));
  return largest;
}

/** The size of a matrix times that of its inverse, roughly its condition number, may be no more: f32 has 24 bits to invert it with. */
const CONDITION_MAX = 1e6;
/** The squares of a matrix and of its inverse must be f32 numbers. */
const SIZE_MAX = 1e12;

/** The kernel can invert it in f32. */
export function isInvertible(m: Matrix): boolean {
  const { rows, determinant } = cofactors(m);
  const size = sizeOf(m);
  const inverseSize = rows.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) / Math.abs(determinant);
  // False for NaN and for a determinant of 0.
  return size * inverseSize <= CONDITION_MAX && size <= SIZE_MAX && inverseSize <= SIZE_MAX;
}

export const isIdentity = (m: Matrix): boolean => m.every((value, index) => value === (index % 5 === 0 ? 1 : 0));

/** Whether left and right are exchanged. */
export const isMirrored = (m: Matrix): boolean => cofactors(m).determinant < 0;

/** Null where the matrix flattens space, or so nearly that f32 could not tell. */
export function invert(m: Matrix): Matrix | null {
  if (!isInvertible(m)) return null;
  const { rows, determinant } = cofactors(m);
  const out = new Float64Array(16);
  for (let row = 0; row < 3; row++) for (let column = 0; column < 3; column++) out[column * 4 + row] = rows[column * 3 + row]! / determinant;
  for (let row = 0; row < 3; row++) out[12 + row] = -(out[row]! * m[12]! + out[4 + row]! * m[13]! + out[8 + row]! * m[14]!);
  out[15] = 1;
  return out;
}
