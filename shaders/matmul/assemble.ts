import type { AcceptedResult, WorkloadAssemble } from '../../shared/workload.ts';
import { npyHeader } from '../common/tensors/npy.ts';
import { activations } from './activation.ts';
import { acrossOf, type Block, blockOf, gridOf } from './grid.ts';
import { type MatmulJob, type MatmulParams, type MatmulPrepared, settingsOf } from './params.ts';
import { entriesOf } from './view.ts';

/** The files of a finished job, a band of rows at a time: the whole product never lies in memory. */

type Entries = Float32Array | Int32Array;

/** Blocks in the order of their tiles. Throws `RangeError` for another order, or fewer. */
async function* blocks(job: MatmulJob, results: AsyncIterable<AcceptedResult>): AsyncGenerator<{ block: Block; entries: Entries }> {
  let expected = 0;
  for await (const { tile, bytes } of results) {
    if (tile.tile !== expected) throw new RangeError(`tile ${tile.tile} came in place of ${expected}`);
    expected++;
    const block = blockOf(job.prepared, tile.tile);
    yield { block, entries: entriesOf(job, block, bytes) };
  }
  const { tiles } = gridOf(job.prepared);
  if (expected !== tiles) throw new RangeError(`${expected} of ${tiles} tiles came`);
}

async function* npy(job: MatmulJob, results: AsyncIterable<AcceptedResult>): AsyncGenerator<Uint8Array> {
  const { prepared } = job;
  const { n, batches, exact, shape } = prepared;
  yield npyHeader(exact ? 'i32' : 'f32', batches > 1 ? [batches, ...shape] : shape);
  const across = acrossOf(prepared);
  const activate = activations[settingsOf(job.params).activation];
  let band: Entries = new Float32Array();
  let met = 0;
  for await (const { block, entries } of blocks(job, results)) {
    if (met === 0) band = exact ? new Int32Array(block.rows * n) : new Float32Array(block.rows * n);
    for (let row = 0; row < block.rows; row++) band.set(entries.subarray(row * block.columns, (row + 1) * block.columns), row * n + block.column);
    if (++met < across) continue;
    met = 0;
    if (settingsOf(job.params).activation !== 'none') for (let at = 0; at < band.length; at++) band[at] = activate(band[at]!);
    yield new Uint8Array(band.buffer);
  }
}

export const assemble: WorkloadAssemble<MatmulParams, MatmulPrepared>['assemble'] = (job, output, results) => {
  if (output === 'npy') return npy(job, results);
  throw new RangeError(`this job has no output ${JSON.stringify(output)}`);
};
