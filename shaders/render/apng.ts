import { concatBytes } from '../../shared/formats.ts';
import { PNG_SIGNATURE, pngChunk, u32 } from '../common/png.ts';

/**
 * Makes an animated PNG of the PNGs of its frames, without decoding them: APNG keeps the chunks of the first as they are and wraps the
 * data of the others. Source: "PNG Specification (Third Edition)", W3C 2025, 11.3.6 and annex.
 */

/** Length before, type, CRC behind. */
const CHUNK_OVERHEAD_BYTES = 12;
/** A delay is a fraction of two u16: with this many hundredths it holds 0.01 to 655 frames a second. */
const DELAY_NUMERATOR = 100;

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function u16(...values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 2));
  for (const [at, value] of values.entries()) view.setUint16(at * 2, value);
  return new Uint8Array(view.buffer);
}

function chunksOf(png: Uint8Array): Chunk[] {
  const view = viewOf(png);
  const chunks: Chunk[] = [];
  for (let at = PNG_SIGNATURE.byteLength; at < png.byteLength; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...png.subarray(at + 4, at + 8));
    chunks.push({ type, data: png.subarray(at + 8, at + 8 + length) });
    at += length + CHUNK_OVERHEAD_BYTES;
  }
  return chunks;
}

const dataOf = (chunks: readonly Chunk[], type: string): Uint8Array[] => chunks.filter((each) => each.type === type).map(({ data }) => data);

/**
 * Pieces of the file, in order; it loops for ever. `frames` are `count` PNGs of equal size, depth and colour type, none of them with a palette;
 * anything else is a `RangeError`.
 */
export async function* animate(frames: AsyncIterable<Uint8Array>, count: number, framesPerSecond: number): AsyncGenerator<Uint8Array> {
  let first: Uint8Array | null = null;
  let frame = 0;
  /** Of fcTL and fdAT together. */
  let sequence = 0;
  for await (const png of frames) {
    const chunks = chunksOf(png);
    const [header] = dataOf(chunks, 'IHDR');
    if (!header || (first && Buffer.compare(first, header) !== 0)) throw new RangeError(`frame ${frame} is not like the first`);
    if (!first) yield concatBytes(PNG_SIGNATURE, pngChunk('IHDR', header), pngChunk('acTL', u32(count, 0)));
    const size = header.subarray(0, 8);
    // Neither offset; drawn over what was there, which it covers.
    const delay = u16(DELAY_NUMERATOR, Math.round(framesPerSecond * DELAY_NUMERATOR));
    yield pngChunk('fcTL', u32(sequence++), size, u32(0, 0), delay, u16(0));
    for (const data of dataOf(chunks, 'IDAT')) yield first ? pngChunk('fdAT', u32(sequence++), data) : pngChunk('IDAT', data);
    first ??= header;
    frame++;
  }
  if (frame !== count) throw new RangeError(`${frame} frames came, ${count} were announced`);
  yield pngChunk('IEND');
}
