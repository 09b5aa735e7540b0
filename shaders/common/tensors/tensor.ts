import { InputError } from '../../../shared/workload.ts';

/** A tensor as it lies in a file. */

export type TensorType = 'f16' | 'f32' | 'f64' | 'i8' | 'u8' | 'i32' | 'i64';

/** f16 comes widened: nothing but its type remembers it. */
export type TensorData = Float32Array | Float64Array | Int8Array | Uint8Array | Int32Array | BigInt64Array;

export interface Tensor {
  readonly type: TensorType;
  readonly shape: readonly number[];
  /** The first index runs fastest, in place of the last. */
  readonly fortran: boolean;
  readonly data: TensorData;
}

export const typeBytes: Readonly<Record<TensorType, number>> = { f16: 2, f32: 4, f64: 8, i8: 1, u8: 1, i32: 4, i64: 8 };

/** Numbers of a shape. Throws `InputError` when no memory could hold them. */
export function sizeOf(field: string, shape: readonly number[]): number {
  const size = shape.reduce((product, side) => product * side, 1);
  if (![size, ...shape].every(Number.isSafeInteger)) throw new InputError(field, `A tensor of ${shape.join(' x ')} is too large.`, 'fewer numbers');
  return size;
}

/** Numbers of a type from little-endian bytes, aligned; they share the bytes' memory where they can. */
export function numbersOf(type: TensorType, bytes: Uint8Array): TensorData {
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % typeBytes[type] === 0 ? bytes : new Uint8Array(bytes);
  const length = byteLength / typeBytes[type];
  if (type === 'f16') return Float32Array.from(new Float16Array(buffer, byteOffset, length));
  if (type === 'f32') return new Float32Array(buffer, byteOffset, length);
  if (type === 'f64') return new Float64Array(buffer, byteOffset, length);
  if (type === 'i8') return new Int8Array(buffer, byteOffset, length);
  if (type === 'u8') return new Uint8Array(buffer, byteOffset, length);
  if (type === 'i32') return new Int32Array(buffer, byteOffset, length);
  return new BigInt64Array(buffer, byteOffset, length);
}
