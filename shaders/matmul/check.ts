import { type PartMask, partsOf, type TileRef } from '../../shared/model.ts';
import type { PartialResult, VerifyCheck } from '../../shared/workload.ts';
import { createChecker } from './freivalds/freivalds.ts';
import type { Span } from './freivalds/operand.ts';
import type { Checker } from './freivalds/product.ts';
import { blockOf } from './grid.ts';
import { type Inputs, termsOf } from './operand.ts';
import { type MatmulJob, type MatmulParams, type MatmulPrepared, settingsOf } from './params.ts';
import { truthOf } from './truth.ts';
import { entriesOf } from './view.ts';

/** Products are verified by Freivalds' algorithm, all of them and none twice: freivalds/README.md. */

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

function checkerOf(loaded: Loaded, job: MatmulJob, batch: number, jobKey: Uint8Array): Checker {
  if (loaded.known?.batch === batch) return loaded.known.checker;
  const { alpha, beta } = settingsOf(job.params);
  const { a, b, addend, bias } = termsOf(job, loaded.inputs, batch);
  const output = job.prepared.exact ? 'i32' : 'f32';
  const checker = createChecker({ a, b, output, alpha, ...(addend && { beta, c0: addend }), ...(bias && { bias }) }, jobKey);
  loaded.known = { batch, checker };
  return checker;
}

/** Of what is told; whole numbers that are wrong are infinitely far off, which JSON has no word for. */
const WORST_MAX = 1e6;

export const verify: Check['verify'] = (loaded, job, { tile }, result, keys) => {
  const { prepared } = job;
  const block = blockOf(prepared, tile);
  const rows: Span = { first: block.row, count: block.rows };
  const columns: Span = { first: block.column, count: block.columns };
  const { failed, wrong, worst } = checkerOf(loaded, job, block.batch, keys.job).check({ rows, columns, values: entriesOf(job, block, result) }, keys.result);
  const where = failed === 0 ? '' : `${failed} of its ${block.rows} rows are wrong, the first is row ${block.row + wrong[0]!}`;
  return { wrong: failed, worst: Math.min(worst, WORST_MAX), where };
};

export const render = ({ inputs }: Loaded, job: MatmulJob, { tile }: TileRef, parts: PartMask): PartialResult[] =>
  partsOf(parts).map((part) => ({ part, bytes: new Uint8Array(truthOf(job, inputs, blockOf(job.prepared, tile)).buffer) }));
