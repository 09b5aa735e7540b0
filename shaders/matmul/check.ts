import type { PartialResult, VerifyCheck } from '../../shared/workload.ts';
import { createChecker } from './freivalds/freivalds.ts';
import type { Operand, Span } from './freivalds/operand.ts';
import type { Checker } from './freivalds/product.ts';
import { type Block, blockOf } from './grid.ts';
import { operandOf } from './operand.ts';
import { type MatmulJob, type MatmulParams, type MatmulPrepared, type Matrix, settingsOf, wordBytes } from './params.ts';
import { entriesOf } from './view.ts';

/** Products are verified by Freivalds' algorithm, all of them and none twice: freivalds/README.md. */

type Inputs = Readonly<Record<string, Uint8Array>>;

/** A job's inputs, and what verifying blocks of one product of it has found out: of a batch they come one after the other. */
interface Loaded {
  readonly inputs: Inputs;
  known: { readonly batch: number; readonly checker: Checker } | null;
}

type Check = VerifyCheck<MatmulParams, MatmulPrepared, Loaded>;

/** Throws when an input is missing or has another size. */
export const load: Check['load'] = (job, inputs) => {
  termsOf(job, inputs, 0);
  return { inputs, known: null };
};

interface Terms {
  readonly a: Operand;
  readonly b: Operand;
  readonly addend: Operand | null;
  readonly bias: Float32Array | Int32Array | null;
}

function termsOf({ prepared }: MatmulJob, inputs: Inputs, batch: number): Terms {
  const { a, b, m, n, exact, addend, bias } = prepared;
  const added: Matrix | null = addend && {
    type: exact ? 'i32' : 'f32',
    along: 'inner',
    lines: m,
    length: n,
    batches: addend.batches,
    seed: null,
    peak: addend.peak,
    rms: 0,
  };
  return {
    a: operandOf(a, 'a', inputs.a, batch),
    b: operandOf(b, 'b', inputs.b, batch),
    addend: added && operandOf(added, 'a', inputs.addend, batch),
    bias: bias && numbersOf(inputs.bias, n, exact),
  };
}

function numbersOf(bytes: Uint8Array | undefined, count: number, exact: boolean): Float32Array | Int32Array {
  if (bytes?.byteLength !== count * wordBytes) throw new Error(`the bias has ${bytes?.byteLength ?? 'no'} bytes, expected ${count * wordBytes}`);
  return exact ? new Int32Array(bytes.buffer, bytes.byteOffset, count) : new Float32Array(bytes.buffer, bytes.byteOffset, count);
}

function checkerOf(loaded: Loaded, job: MatmulJob, batch: number, jobKey: Uint8Array): Checker {
  if (loaded.known?.batch === batch) return loaded.known.checker;
  const { alpha, beta } = settingsOf(job.params);
  const { a, b, addend, bias } = termsOf(job, loaded.inputs, batch);
  const output = job.prepared.exact ? 'i32' : 'f32';
  const checker = createChecker({ a, b, output, alpha, ...(addend && { beta, c0: addend }), ...(bias && { bias }) }, jobKey);
  loaded.known = { batch, checker };
  return checker;
}

export const verify: Check['verify'] = (loaded, job, { tile }, result, keys) => {
  const { prepared } = job;
  const block = blockOf(prepared, tile);
  const rows: Span = { first: block.row, count: block.rows };
  const columns: Span = { first: block.column, count: block.columns };
  const { failed, wrong, worst } = checkerOf(loaded, job, block.batch, keys.job).check({ rows, columns, values: entriesOf(job, block, result) }, keys.result);
  const where = failed === 0 ? '' : `${failed} of its ${block.rows} rows are wrong, the first is row ${block.row + wrong[0]!}`;
  return { wrong: failed, worst, where };
};

/** In f64, or exactly. */
export const render: Check['render'] = ({ inputs }, job, { tile }) => {
  const { prepared, params } = job;
  const block = blockOf(prepared, tile);
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
  return [{ part: 0, bytes: new Uint8Array(out.buffer) } satisfies PartialResult];
};

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
