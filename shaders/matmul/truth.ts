import type { Operand } from './freivalds/operand.ts';
import type { Block } from './grid.ts';
import { type Inputs, termsOf } from './operand.ts';
import { type MatmulJob, settingsOf } from './params.ts';

/** Blocks of a product on the CPU, in f64 or exactly, rounded once. Slow; for references and tests. */

export function truthOf(job: MatmulJob, inputs: Inputs, block: Block): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  const { prepared, params } = job;
  const { rows, columns } = block;
  const { alpha, beta } = settingsOf(params);
  const { a, b, addend, bias } = termsOf(job, inputs, block.batch);
  const out = prepared.exact ? new Int32Array(rows * columns) : new Float32Array(rows * columns);
  const [left, right] = [innerLines(a, 'rows', block.row, rows), innerLines(b, 'columns', block.column, columns)];
  const added = addend && addedOf(addend, block);
  const { k } = prepared;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let at = 0; at < k; at++) sum += left[y * k + at]! * right[x * k + at]!;
      out[y * columns + x] = alpha * sum + (added ? beta * added[y * columns + x]! : 0) + (bias?.[block.column + x] ?? 0);
    }
  }
  return out;
}

const arrayOf = ({ type }: Operand, length: number): Float32Array | Int8Array | Int32Array =>
  type === 'f32' ? new Float32Array(length) : type === 'i8' ? new Int8Array(length) : new Int32Array(length);

function addedOf(addend: Operand, { row, column, rows, columns }: Block): Float32Array | Int8Array | Int32Array {
  const into = arrayOf(addend, rows * columns);
  addend.read({ first: row, count: rows }, { first: column, count: columns }, into);
  return into;
}

/** Rows of A or columns of B, [first, first + count), each with its inner index running. */
function innerLines(operand: Operand, which: 'rows' | 'columns', first: number, count: number): Float64Array {
  const k = which === 'rows' ? operand.columns : operand.rows;
  const into = arrayOf(operand, count * k);
  if (operand.lines === which) {
    operand.read({ first, count }, { first: 0, count: k }, into);
    return Float64Array.from(into);
  }
  operand.read({ first: 0, count: k }, { first, count }, into);
  return Float64Array.from({ length: count * k }, (_, at) => into[(at % k) * count + Math.floor(at / k)]!);
}
