import { InputError } from '../../shared/workload.ts';
import { productLimits } from './limits.ts';
import { denseSource, rowReader, type Source } from './source.ts';

/**
 * Sums and products with vectors are linear: C V = A (B V), and 1 C = (1 A) B. So a reduced output is a product of its own, of one narrow
 * matrix, which is made here once in f64, and the whole C never is.
 */

function requireMacs(field: string, macs: number): void {
  if (macs > productLimits.reduceMacsMax)
    throw new InputError(field, `Making this output small takes ${macs} multiplications here.`, `at most ${productLimits.reduceMacsMax}`);
}

/** Whole numbers stay whole where 32 bits hold them. */
function numbersOf(values: Float64Array, whole: boolean): Float64Array | Int32Array {
  return whole && values.every((value) => Math.abs(value) < 2 ** 31) ? Int32Array.from(values) : values;
}

function sourceOf(field: string, { batches }: Pick<Source, 'batches'>, rows: number, columns: number, values: Float64Array, whole: boolean): Source {
  return denseSource(field, { rows, columns, batches, steps: { row: columns, column: 1, batch: rows * columns } }, numbersOf(values, whole));
}

/** `matrix` times the columns of `vectors`; null stands for a column of ones. */
export function timesVectors(matrix: Source, vectors: Source | null): Source {
  const { rows, columns, field } = matrix;
  const count = vectors?.columns ?? 1;
  const batches = matrix.batches ?? 1;
  requireMacs(field, batches * rows * columns * count);
  const columnsOf = Array.from({ length: count }, () => new Float64Array(columns).fill(1));
  if (vectors) {
    const read = rowReader(vectors);
    const row = new Float64Array(count);
    for (let at = 0; at < columns; at++) {
      read(0, at, row);
      for (let vector = 0; vector < count; vector++) columnsOf[vector]![at] = row[vector]!;
    }
  }
  const out = new Float64Array(batches * rows * count);
  const read = rowReader(matrix);
  const line = new Float64Array(columns);
  for (let row = 0; row < batches * rows; row++) {
    read(Math.floor(row / rows), row % rows, line);
    for (let vector = 0; vector < count; vector++) out[row * count + vector] = dot(line, columnsOf[vector]!);
  }
  return sourceOf(field, matrix, rows, count, out, matrix.whole && (vectors?.whole ?? true));
}

/** One row, the sum of all rows. */
export function sumOfRows(matrix: Source): Source {
  const { rows, columns, field } = matrix;
  const batches = matrix.batches ?? 1;
  requireMacs(field, batches * rows * columns);
  const out = new Float64Array(batches * columns);
  const read = rowReader(matrix);
  const line = new Float64Array(columns);
  for (let row = 0; row < batches * rows; row++) {
    read(Math.floor(row / rows), row % rows, line);
    const first = Math.floor(row / rows) * columns;
    for (let column = 0; column < columns; column++) out[first + column]! += line[column]!;
  }
  return sourceOf(field, matrix, 1, columns, out, matrix.whole);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += a[at]! * b[at]!;
  return sum;
}
