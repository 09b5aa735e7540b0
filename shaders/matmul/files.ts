import { InputError } from '../../shared/workload.ts';
import { isNpy, readNpy } from '../common/tensors/npy.ts';
import { readSafetensor } from '../common/tensors/safetensors.ts';
import type { Tensor } from '../common/tensors/tensor.ts';
import { denseSource, type Numbers, type Source } from './source.ts';

/** Matrices in uploaded files. Everything wrong is an `InputError` of the field. */

function numbersOf(field: string, { data }: Tensor): Numbers {
  if (data instanceof BigInt64Array) throw new InputError(field, 'It has whole numbers of 64 bits.', 'int8, int32 or floats');
  return data;
}

function requireFull(field: string, { shape }: Tensor): void {
  if (shape.includes(0)) throw new InputError(field, `It is empty: ${shape.join(' x ')}.`, 'at least one number');
}

/** A matrix, or several of one size: the last two of two or three dimensions. `name`: of a tensor in a .safetensors file, or empty. */
export function readMatrix(field: string, bytes: Uint8Array, name: string): Source {
  const tensor = isNpy(bytes) ? readNpy(field, bytes) : readSafetensor(field, bytes, name, 2);
  const { shape, fortran, type } = tensor;
  if (shape.length !== 2 && shape.length !== 3) throw new InputError(field, `It has ${shape.length} dimensions.`, 'two, or three for a batch');
  requireFull(field, tensor);
  const [batches, rows, columns] = shape.length === 3 ? [shape[0]!, shape[1]!, shape[2]!] : [null, shape[0]!, shape[1]!];
  const outer = fortran ? { batch: 1, row: batches ?? 1, column: (batches ?? 1) * rows } : { batch: rows * columns, row: columns, column: 1 };
  return denseSource(field, { rows, columns, batches, steps: outer }, numbersOf(field, tensor), type === 'f16');
}

/** One row of numbers. */
export function readVector(field: string, bytes: Uint8Array): Source {
  const tensor = readNpy(field, bytes);
  const { shape, type } = tensor;
  if (shape.filter((side) => side !== 1).length > 1) throw new InputError(field, `It is ${shape.join(' x ')}.`, 'one number for every column');
  requireFull(field, tensor);
  const numbers = numbersOf(field, tensor);
  return denseSource(field, { rows: 1, columns: numbers.length, batches: null, steps: { batch: 0, row: 0, column: 1 } }, numbers, type === 'f16');
}
