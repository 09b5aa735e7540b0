import sharp from 'sharp';
import type { AcceptedResult, WorkloadAssemble } from '../../shared/workload.ts';
import { npyHeader } from '../common/tensors/npy.ts';
import { activations } from './activation.ts';
import { acrossOf, blockOf, gridOf } from './grid.ts';
import { type MatmulJob, type MatmulParams, type MatmulPrepared, settingsOf } from './params.ts';
import { spec } from './spec.ts';
import { createPainter, entriesOf } from './view.ts';

/** The files of a finished job, a band of rows at a time: the whole product never lies in memory. */

type Entries = Float32Array | Int32Array;

/** Results in the order of their tiles. Throws `RangeError` for another order, or fewer. */
async function* inOrder(job: MatmulJob, results: AsyncIterable<AcceptedResult>): AsyncGenerator<AcceptedResult> {
  let expected = 0;
  for await (const result of results) {
    if (result.tile.tile !== expected) throw new RangeError(`tile ${result.tile.tile} came in place of ${expected}`);
    expected++;
    yield result;
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
  for await (const { tile, bytes } of inOrder(job, results)) {
    const block = blockOf(prepared, tile.tile);
    const entries = entriesOf(job, block, bytes);
    if (met === 0) band = exact ? new Int32Array(block.rows * n) : new Float32Array(block.rows * n);
    for (let row = 0; row < block.rows; row++) band.set(entries.subarray(row * block.columns, (row + 1) * block.columns), row * n + block.column);
    if (++met < across) continue;
    met = 0;
    if (settingsOf(job.params).activation !== 'none') for (let at = 0; at < band.length; at++) band[at] = activate(band[at]!);
    yield new Uint8Array(band.buffer);
  }
}

/** What pages draw of the first product of a batch. */
async function* map(job: MatmulJob, results: AsyncIterable<AcceptedResult>): AsyncGenerator<Uint8Array> {
  const { width, height } = spec.picture(job)!;
  const painter = createPainter(job, 0);
  for await (const { tile, parts, bytes } of inOrder(job, results)) if (painter.shows(tile)) painter.add(tile, parts, bytes);
  const image = sharp(painter.pixels(0, 0, width, height), { raw: { width, height, channels: 4 } });
  yield await image.removeAlpha().png().toBuffer();
}

export const assemble: WorkloadAssemble<MatmulParams, MatmulPrepared>['assemble'] = (job, output, results) => {
  if (output === 'npy') return npy(job, results);
  if (output === 'png' && spec.picture(job)) return map(job, results);
  throw new RangeError(`this job has no output ${JSON.stringify(output)}`);
};
