import { concatBytes } from '../../../shared/formats.ts';
import type { JobId } from '../../../shared/model.ts';
import { npyHeader } from '../../common/tensors/npy.ts';
import type { MatmulJob, MatmulParams } from '../params.ts';
import { prepare } from '../prepare.ts';

/** Small products of every kind, for tests that compute or check them. */

export interface TestProduct {
  readonly name: string;
  readonly job: MatmulJob;
  readonly inputs: Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
}

export function arrayOf(shape: readonly number[], type: 'f32' | 'f16' | 'i8' | 'i32', seed: number): Uint8Array<ArrayBuffer> {
  const size = shape.reduce((product, side) => product * side, 1);
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const arrays = { f32: Float32Array, f16: Float16Array, i8: Int8Array, i32: Int32Array };
  const whole = type === 'i8' ? 256 : 2000;
  const numbers = new arrays[type](size);
  for (let at = 0; at < size; at++) numbers[at] = type === 'f32' || type === 'f16' ? 2 * next() - 1 : Math.floor(next() * whole) - whole / 2;
  return concatBytes(npyHeader(type, shape), new Uint8Array(numbers.buffer as ArrayBuffer));
}

const cases: readonly { readonly name: string; readonly params: MatmulParams; readonly files: Readonly<Record<string, Uint8Array>> }[] = [
  { name: 'floats', params: { a: 'file', b: 'file' }, files: { matrixA: arrayOf([37, 45], 'f32', 1), matrixB: arrayOf([45, 51], 'f32', 2) } },
  {
    name: 'floats, transposed, scaled, with an addend and a bias',
    params: { a: 'file', b: 'file', transposeA: 'yes', transposeB: 'yes', alpha: -0.5, beta: 3 },
    files: {
      matrixA: arrayOf([45, 37], 'f32', 3),
      matrixB: arrayOf([51, 45], 'f32', 4),
      addend: arrayOf([37, 51], 'f32', 5),
      bias: arrayOf([51], 'f32', 6),
    },
  },
  {
    name: 'halves, a batch with one matrix for all',
    params: { a: 'file', b: 'file', transposeB: 'yes' },
    files: { matrixA: arrayOf([3, 19, 33], 'f16', 7), matrixB: arrayOf([27, 33], 'f16', 8), addend: arrayOf([3, 19, 27], 'f32', 9) },
  },
  {
    name: 'bytes',
    params: { a: 'file', b: 'file' },
    files: { matrixA: arrayOf([35, 70], 'i8', 10), matrixB: arrayOf([70, 29], 'i8', 11), addend: arrayOf([35, 29], 'i32', 12) },
  },
  {
    name: 'whole numbers of 32 bits, in batches',
    params: { a: 'file', b: 'file' },
    files: { matrixA: arrayOf([2, 18, 20], 'i32', 13), matrixB: arrayOf([2, 20, 22], 'i32', 14), bias: arrayOf([22], 'i32', 15) },
  },
  { name: 'random floats', params: { a: 'seed', b: 'seed', rows: 40, inner: 33, columns: 44, transposeA: 'yes' }, files: {} },
  { name: 'random halves', params: { a: 'seed', b: 'seed', numbers: 'f16', rows: 40, inner: 35, columns: 41 }, files: {} },
  { name: 'random bytes', params: { a: 'seed', b: 'seed', numbers: 'i8', rows: 39, inner: 37, columns: 43, transposeB: 'yes' }, files: {} },
  { name: 'sums of rows', params: { a: 'seed', b: 'seed', numbers: 'i8', rows: 40, inner: 33, columns: 300, output: 'rowSums' }, files: {} },
  { name: 'one number', params: { a: 'file', b: 'file' }, files: { matrixA: arrayOf([1, 1], 'f32', 16), matrixB: arrayOf([1, 1], 'f32', 17) } },
];

export const testProducts = (): Promise<TestProduct[]> =>
  Promise.all(
    cases.map(async ({ name, params, files }) => {
      const { prepared, inputs } = await prepare(params, files);
      const job: MatmulJob = { id: 'j_product' as JobId, seed: 1, params, prepared };
      return { name, job, inputs: inputs as Record<string, Uint8Array<ArrayBuffer>> };
    }),
  );
