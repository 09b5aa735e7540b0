import type { PartialResult, VerifyCheck } from '../../shared/workload.ts';
import { ProductVerifier } from './freivalds/verifier.ts';
import { blockOf } from './grid.ts';
import { Lines } from './operand.ts';
import { type MatmulJob, type MatmulParams, type MatmulPrepared, type Matrix, settingsOf, wordBytes } from './params.ts';
import { entriesOf } from './view.ts';

/** Products are verified by Freivalds' algorithm, all of them and none twice: freivalds/README.md. */

/** A job's operands, and per batch what verifying its blocks has found out about them. */
interface Loaded {
  readonly a: Lines;
  readonly b: Lines;
  readonly addend: Lines | null;
  readonly bias: Float32Array | Int32Array | null;
  readonly verifiers: Map<number, ProductVerifier>;
}

type Check = VerifyCheck<MatmulParams, MatmulPrepared, Loaded>;

/** Throws when an input is missing or has another size. */
export const load: Check['load'] = ({ prepared }, inputs) => {
  const { a, b, m, n, exact, addend, bias } = prepared;
  const type = exact ? 'i32' : 'f32';
  const row = bias && inputs.bias;
  if (bias && row?.byteLength !== n * wordBytes) throw new Error(`the bias has ${row?.byteLength ?? 'no'} bytes, expected ${n * wordBytes}`);
  const added: Matrix | null = addend && { type, along: 'inner', lines: m, length: n, batches: addend.batches, seed: null, peak: addend.peak, rms: 0 };
  return {
    a: new Lines(a, inputs.a),
    b: new Lines(b, inputs.b),
    addend: added && new Lines(added, inputs.addend),
    bias: row ? (exact ? new Int32Array(row.buffer, row.byteOffset, n) : new Float32Array(row.buffer, row.byteOffset, n)) : null,
    verifiers: new Map(),
  };
};

/** Lines of one batch. */
const inBatch = (lines: Lines, batch: number) => ({
  along: lines.matrix.along,
  lines: lines.matrix.lines,
  length: lines.matrix.length,
  read: (first: number, count: number, into: Float32Array | Int32Array) => lines.read(batch, first, count, into),
});

function verifierOf({ a, b, addend, bias, verifiers }: Loaded, { params, prepared }: MatmulJob, batch: number, jobKey: Uint8Array): ProductVerifier {
  const known = verifiers.get(batch);
  if (known) return known;
  const { alpha, beta } = settingsOf(params);
  const { m, n, k, exact } = prepared;
  const verifier = new ProductVerifier({
    exact,
    m,
    n,
    k,
    a: inBatch(a, batch),
    b: inBatch(b, batch),
    alpha,
    beta,
    addend: addend && inBatch(addend, batch),
    bias,
    peaks: { a: prepared.a.peak, b: prepared.b.peak, addend: prepared.addend?.peak ?? 0, bias: prepared.bias?.peak ?? 0 },
    jobKey,
  });
  // Of a batch the products come one after the other, and each has much to remember.
  verifiers.clear();
  verifiers.set(batch, verifier);
  return verifier;
}

export const verify: Check['verify'] = (loaded, job, { tile }, result, keys) => {
  const block = blockOf(job.prepared, tile);
  const { wrong, worst, firstWrong } = verifierOf(loaded, job, block.batch, keys.job).check(block, entriesOf(job, block, result), keys.result);
  const where = firstWrong === null ? '' : `${wrong} of its ${block.rows} rows are wrong, the first is row ${block.row + firstWrong}`;
  return { wrong, worst, where };
};

/** In f64, or exactly; row by row. */
export const render: Check['render'] = (loaded, { params, prepared }, { tile }) => {
  const { k, exact } = prepared;
  const { batch, row, column, rows, columns } = blockOf(prepared, tile);
  const { alpha, beta } = settingsOf(params);
  const out = exact ? new Int32Array(rows * columns) : new Float32Array(rows * columns);
  const [left, right] = [panel(loaded.a, batch, row, rows, k), panel(loaded.b, batch, column, columns, k)];
  const added = loaded.addend && new Float64Array(rows * columns);
  if (loaded.addend && added) {
    const line = new (exact ? Int32Array : Float32Array)(prepared.n);
    for (let at = 0; at < rows; at++) {
      loaded.addend.read(batch, row + at, 1, line);
      added.set(line.subarray(column, column + columns), at * columns);
    }
  }
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let at = 0; at < k; at++) sum += left[y * k + at]! * right[x * k + at]!;
      out[y * columns + x] = alpha * sum + (added ? beta * added[y * columns + x]! : 0) + (loaded.bias?.[column + x] ?? 0);
    }
  }
  return [{ part: 0, bytes: new Uint8Array(out.buffer) } satisfies PartialResult];
};

/** Rows of A or columns of B, [first, first + count), each with its inner index running. */
function panel(lines: Lines, batch: number, first: number, count: number, k: number): Float64Array {
  const { along, length } = lines.matrix;
  const out = new Float64Array(count * k);
  const line = new (lines.matrix.type === 'i32' || lines.matrix.type === 'i8' ? Int32Array : Float32Array)(length);
  for (let at = 0; at < (along === 'inner' ? count : k); at++) {
    lines.read(batch, along === 'inner' ? first + at : at, 1, line);
    if (along === 'inner') out.set(line, at * k);
    else for (let outer = 0; outer < count; outer++) out[outer * k + at] = line[first + outer]!;
  }
  return out;
}
