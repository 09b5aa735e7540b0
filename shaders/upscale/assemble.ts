import { pipeline, Readable } from 'node:stream';
import { createDeflate } from 'node:zlib';
import { wordsOfPart } from '../../shared/formats.ts';
import type { AcceptedResult, WorkloadAssemble } from '../../shared/workload.ts';
import { PNG_SIGNATURE, pngChunk, u32 } from '../common/png.ts';
import { elementsOf, elementWords, gridOf, patchesOf, scaled, tileRect, wordAt } from './grid.ts';
import { RGB } from './network.ts';
import { scaleOf, type UpscaleJob, type UpscaleParams, type UpscalePrepared } from './params.ts';
import { spec } from './spec.ts';

type Results = AsyncIterable<AcceptedResult>;

/** A band of the picture: RGB rows of `stride` bytes, the first of each for PNG's filter. */
type Band = Uint8Array<ArrayBuffer>;

/** Adds the pixels of a tile to the band of its row. */
function addTile(job: UpscaleJob, { tile, parts, bytes }: AcceptedResult, band: Band, stride: number): void {
  const scale = scaleOf(job.params);
  const { x, width, height } = scaled(tileRect(job, tile.tile), scale);
  const { columns } = patchesOf(job, tile.tile);
  const words = wordsOfPart(bytes, parts, elementsOf(job, tile), elementWords(job));
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const word = words[wordAt(scale, columns, column, row)]!;
      const at = row * stride + 1 + (x + column) * RGB;
      band[at] = word & 255;
      band[at + 1] = (word >>> 8) & 255;
      band[at + 2] = (word >>> 16) & 255;
    }
}

/** Rows of tiles, from the top. Throws `RangeError` unless every tile comes, in order. */
async function* bandsOf(job: UpscaleJob, results: Results, stride: number): AsyncGenerator<Band> {
  const { tiles } = gridOf(job.params, job.prepared);
  const rectOf = (tile: number) => scaled(tileRect(job, tile), scaleOf(job.params));
  let next = 0;
  let band: Band | null = null;
  for await (const result of results) {
    if (result.tile.tile !== next || next >= tiles) throw new RangeError(`tile ${result.tile.tile} came where tile ${next} of ${tiles} should`);
    const rect = rectOf(next);
    band ??= new Uint8Array(rect.height * stride);
    addTile(job, result, band, stride);
    next++;
    if (next < tiles && rectOf(next).y === rect.y) continue;
    yield band;
    band = null;
  }
  if (next < tiles) throw new RangeError(`the results end before tile ${next} of ${tiles}`);
}

/** Filter "up" in place: of smooth pictures it leaves small numbers, and rows need not be looked at twice. `above`: the row before the band. */
function filtered(band: Band, above: Uint8Array, stride: number): Band {
  const UP = 2;
  for (let row = band.byteLength / stride - 1; row >= 0; row--) {
    const before = row === 0 ? above : band.subarray((row - 1) * stride, row * stride);
    const here = band.subarray(row * stride, (row + 1) * stride);
    for (let at = 1; at < stride; at++) here[at]! -= before[at]!;
    here[0] = UP;
  }
  return band;
}

async function* png(job: UpscaleJob, results: Results): AsyncGenerator<Uint8Array> {
  const { width, height } = spec.picture(job)!;
  const stride = 1 + width * RGB;
  const [DEPTH, TRUECOLOUR, SRGB_PERCEPTUAL] = [8, 2, 0];
  yield PNG_SIGNATURE;
  yield pngChunk('IHDR', u32(width, height), Uint8Array.of(DEPTH, TRUECOLOUR, 0, 0, 0));
  yield pngChunk('sRGB', Uint8Array.of(SRGB_PERCEPTUAL));
  async function* rows(): AsyncGenerator<Band> {
    let above: Uint8Array = new Uint8Array(stride);
    for await (const band of bandsOf(job, results, stride)) {
      const last = band.slice(-stride);
      yield filtered(band, above, stride);
      above = last;
    }
  }
  // What goes wrong with a row ends the stream, and is thrown by it.
  const zipped = pipeline(Readable.from(rows()), createDeflate(), () => undefined);
  for await (const piece of zipped) yield pngChunk('IDAT', piece as Uint8Array);
  yield pngChunk('IEND');
}

/** The file of `spec.outputs`. At most one row of tiles is held: 36 MB of a picture of 8192 x 8192 pixels. Throws `RangeError` unless all tiles come, in order. */
export const assemble: WorkloadAssemble<UpscaleParams, UpscalePrepared>['assemble'] = (job, output, results) => {
  if (output !== 'png') throw new RangeError(`this job has no output ${JSON.stringify(output)}`);
  return png(job, results);
};
