import type { AcceptedResult } from '../../shared/workload.ts';
import { type TileRect, tileRect } from './grid.ts';
import type { RenderJob } from './params.ts';
import { Picture } from './picture.ts';

/** A row of tiles that is complete, as far as it ever will be. */
export interface Row {
  readonly y: number;
  readonly height: number;
  /** Holds the tiles of this row, nothing else. */
  readonly picture: Picture;
}

/** Makes the file of one frame from its rows, which come from the top; those without any result never come. */
export interface FrameWriter {
  row(row: Row): void;
  /** The pieces of the file. */
  finish(): Promise<readonly Uint8Array[]>;
}

const frameAndRow = ({ frame, y }: TileRect): number => frame * 2 ** 16 + y;

/** Results in the order of their tiles become rows: no more than one is held. Throws `RangeError` for another order. */
async function* rowsOf(job: RenderJob, results: AsyncIterable<AcceptedResult>): AsyncGenerator<Row> {
  let row: Row | null = null;
  let place = 0;
  for await (const { tile, parts, bytes } of results) {
    const rect = tileRect(job.params, tile.tile);
    if (row && frameAndRow(rect) < place) throw new RangeError(`tile ${tile.tile} came after a tile behind it`);
    if (row && frameAndRow(rect) > place) {
      yield row;
      row = null;
    }
    row ??= { y: rect.y, height: rect.height, picture: new Picture(job, rect.frame) };
    place = frameAndRow(rect);
    row.picture.add(tile, parts, bytes);
  }
  if (row) yield row;
}

/** The files of all frames, one after the other. Throws `RangeError` when there is not one result. */
export async function* framesOf(
  job: RenderJob,
  results: AsyncIterable<AcceptedResult>,
  writerOf: (job: RenderJob) => FrameWriter,
): AsyncGenerator<{ readonly frame: number; readonly pieces: readonly Uint8Array[] }> {
  let current: { readonly frame: number; readonly writer: FrameWriter } | null = null;
  for await (const row of rowsOf(job, results)) {
    const { frame } = row.picture;
    if (current && current.frame !== frame) {
      yield { frame: current.frame, pieces: await current.writer.finish() };
      current = null;
    }
    current ??= { frame, writer: writerOf(job) };
    current.writer.row(row);
  }
  if (!current) throw new RangeError('there is no result to make a picture of');
  yield { frame: current.frame, pieces: await current.writer.finish() };
}
