import { deflateSync } from 'node:zlib';
import { concatBytes } from '../../shared/formats.ts';

/**
 * Writes OpenEXR files: one part, scan lines, f32 channels B, G and R, ZIP compression. Typed arrays are
 * little-endian, as the format is, on every machine that Node and browsers run on.
 * Source: "OpenEXR File Layout" and "Technical Introduction to OpenEXR", openexr.com.
 */

const MAGIC = 20000630;
/** Version 2, no flags: a single part of scan lines with short names. */
const VERSION = 2;
const FLOAT = 2;
const ZIP = 3;
const LINES_PER_BLOCK = 16;
/** Channels are stored in alphabetical order; these are their places in an RGB pixel. */
const CHANNELS = [
  { name: 'B', place: 2 },
  { name: 'G', place: 1 },
  { name: 'R', place: 0 },
] as const;

const ascii = (text: string): Uint8Array => Uint8Array.from(`${text}\0`, (char) => char.charCodeAt(0));

const i32 = (...values: readonly number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer);
const f32 = (...values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const u8 = (value: number): Uint8Array => Uint8Array.of(value);

const attribute = (name: string, type: string, value: Uint8Array): Uint8Array => concatBytes(ascii(name), ascii(type), i32(value.byteLength), value);

function header(width: number, height: number): Uint8Array {
  // Per channel: name, pixel type, linearity hint with three reserved bytes, sampling in x and y.
  const channels = CHANNELS.map(({ name }) => concatBytes(ascii(name), i32(FLOAT, 0, 1, 1)));
  const window = i32(0, 0, width - 1, height - 1);
  return concatBytes(
    i32(MAGIC, VERSION),
    attribute('channels', 'chlist', concatBytes(...channels, u8(0))),
    attribute('compression', 'compression', u8(ZIP)),
    attribute('dataWindow', 'box2i', window),
    attribute('displayWindow', 'box2i', window),
    attribute('lineOrder', 'lineOrder', u8(0)),
    attribute('pixelAspectRatio', 'float', f32(1)),
    attribute('screenWindowCenter', 'v2f', f32(0, 0)),
    attribute('screenWindowWidth', 'float', f32(1)),
    u8(0),
  );
}

/** ZIP compression: bytes at even places before those at odd places, then differences plus 128, then zlib. */
function compress(raw: Uint8Array): Uint8Array {
  const sorted = new Uint8Array(raw.byteLength);
  const half = (raw.byteLength + 1) >>> 1;
  for (let at = 0; at < raw.byteLength; at++) sorted[(at & 1 ? half : 0) + (at >>> 1)] = raw[at]!;
  for (let at = sorted.byteLength - 1; at > 0; at--) sorted[at] = sorted[at]! - sorted[at - 1]! + 128;
  const zipped = deflateSync(sorted);
  // The format stores a block as it is when compressing does not make it smaller.
  return zipped.byteLength < raw.byteLength ? zipped : raw;
}

/** Scan lines [first, end): line by line, channel by channel. */
function block(rgb: Float32Array, width: number, first: number, end: number): Uint8Array {
  const raw = new Float32Array((end - first) * width * CHANNELS.length);
  let at = 0;
  for (let y = first; y < end; y++) for (const { place } of CHANNELS) for (let x = 0; x < width; x++) raw[at++] = rgb[(y * width + x) * 3 + place]!;
  return new Uint8Array(raw.buffer);
}

/** `rgb`: 3 linear values a pixel, rows from the top. Returns the whole file. */
export function encodeExr(width: number, height: number, rgb: Float32Array): Uint8Array<ArrayBuffer> {
  const head = header(width, height);
  const blocks: Uint8Array[] = [];
  for (let y = 0; y < height; y += LINES_PER_BLOCK) {
    const data = compress(block(rgb, width, y, Math.min(y + LINES_PER_BLOCK, height)));
    blocks.push(concatBytes(i32(y, data.byteLength), data));
  }
  // The offsets of all blocks, u64 each, follow the header.
  const offsets = new DataView(new ArrayBuffer(blocks.length * 8));
  let offset = head.byteLength + offsets.byteLength;
  blocks.forEach((bytes, index) => {
    offsets.setBigUint64(index * 8, BigInt(offset), true);
    offset += bytes.byteLength;
  });
  return concatBytes(head, new Uint8Array(offsets.buffer), ...blocks);
}
