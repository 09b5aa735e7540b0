import { concatBytes } from '../../shared/formats.ts';
import type { AcceptedResult, WorkloadAssemble } from '../../shared/workload.ts';
import { type ZipFile, zip } from '../common/zip.ts';
import { animate } from './apng.ts';
import { exrWriter } from './layers.ts';
import { outputsOf } from './outputs.ts';
import { type RenderJob, type RenderParams, type RenderPrepared, settingsOf } from './params.ts';
import { pngWriter, previewWriter } from './png.ts';
import { type FrameWriter, framesOf } from './rows.ts';

type Results = AsyncIterable<AcceptedResult>;
type WriterOf = (job: RenderJob) => FrameWriter;

/** Digits of a frame's number, so that file names sort as frames do. */
const DIGITS_MIN = 4;

async function* first(job: RenderJob, results: Results, writerOf: WriterOf): AsyncGenerator<Uint8Array> {
  for await (const { pieces } of framesOf(job, results, writerOf)) {
    yield* pieces;
    return;
  }
}

/** `0012.png` is frame 12 of the file's animation. */
async function* numbered(job: RenderJob, results: Results, writerOf: WriterOf, extension: string): AsyncGenerator<ZipFile> {
  const { firstFrame, frames } = settingsOf(job.params);
  const digits = Math.max(DIGITS_MIN, String(firstFrame + frames - 1).length);
  for await (const { frame, pieces } of framesOf(job, results, writerOf))
    yield { name: `${String(firstFrame + frame).padStart(digits, '0')}.${extension}`, pieces };
}

async function* whole(job: RenderJob, results: Results, writerOf: WriterOf): AsyncGenerator<Uint8Array> {
  for await (const { pieces } of framesOf(job, results, writerOf)) yield concatBytes(...pieces);
}

/**
 * The files of `outputs.ts`. Results come in the order of their tiles, so frames are made one after the other and rows of tiles within a
 * frame: at most one row is held as sums (56 bytes a pixel of it), one frame as pixels (PNG: 4 bytes, 16 bit: 8) or as a compressed
 * EXR, and one as a file. Of 8192 x 8192 pixels that is 30 MB of sums and 540 MB, or an EXR of at most 3 GB.
 */
export const assemble: WorkloadAssemble<RenderParams, RenderPrepared>['assemble'] = (job, output, results) => {
  const { frames, framesPerSecond } = settingsOf(job.params);
  const known = outputsOf(job.params).some(({ id }) => id === output);
  if (known && output === 'png') return first(job, results, pngWriter(8));
  if (known && output === 'png16') return first(job, results, pngWriter(16));
  if (known && output === 'exr') return first(job, results, exrWriter);
  if (known && output === 'apng') return animate(whole(job, results, previewWriter), frames, framesPerSecond);
  if (known && output === 'frames') return zip(numbered(job, results, pngWriter(8), 'png'));
  if (known && output === 'frames-exr') return zip(numbered(job, results, exrWriter, 'exr'));
  throw new RangeError(`this job has no output ${JSON.stringify(output)}`);
};
