import { deflateSync } from 'node:zlib';
import { concatBytes } from '../../shared/formats.ts';

/**
 * Writes OpenEXR files: one part, scan lines, f32 channels, ZIP compression. A layer is what stands before the last dot of a channel's
 * name. Typed arrays are little-endian, as the format is, on every machine that Node and browsers run on.
 * Source: "OpenEXR File Layout" and "Technical Introduction to OpenEXR", openexr.com.
 */

const MAGIC = 20000630;
/** Version 2, no flags: a single part of scan lines with names of at most 31 characters. */
const VERSION = 2;
const FLOAT = 2;
const ZIP = 3;
const LINES_PER_BLOCK = 16;

const ascii = (text: string): Uint8Array => Uint8Array.from(`${text}\0`, (char) => char.charCodeAt(0));

const i32 = (...values: readonly number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer);
const f32 = (...values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const u8 = (value: number): Uint8Array => Uint8Array.of(value);

const attribute = (name: string, type: string, value: Uint8Array): Uint8Array => concatBytes(ascii(name), ascii(type), i32(value.byteLength), value);

function header(width: number, height: number, names: readonly string[]): Uint8Array {
  // Per channel: name, pixel type, linearity hint with three reserved bytes, sampling in x and y.
  const channels = names.map((name) => concatBytes(ascii(name), i32(FLOAT, 0, 1, 1)));
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

/** One file, written from the top. Holds the compressed blocks, no pixels. */
export class ExrWriter {
  readonly #width: number;
  readonly #height: number;
  readonly #names: readonly string[];
  readonly #blocks: Uint8Array[] = [];

  /** The format wants channels in alphabetical order (of their bytes); `names` may come in any. */
  constructor(width: number, height: number, names: readonly string[]) {
    this.#width = width;
    this.#height = height;
    this.#names = [...names].sort((a, b) => (a < b ? -1 : 1));
  }

  /**
   * Rows from `y` on: for every channel a plane of whole rows. `y` is not above what was written before, and both ends are multiples of
   * 16 or the end of the picture. Rows that are passed over are 0, and so is a channel without a plane.
   */
  rows(y: number, planes: Readonly<Record<string, Float32Array>>): void {
    const end = Math.min(this.#height, y + Math.max(...Object.values(planes).map(({ length }) => length / this.#width)));
    const aligned = (row: number): boolean => row % LINES_PER_BLOCK === 0 || row === this.#height;
    if (y < this.#next || !aligned(y) || !aligned(end)) throw new RangeError(`rows ${y} to ${end} cannot follow row ${this.#next}`);
    while (this.#next < y) this.#block(this.#next, {});
    while (this.#next < end) this.#block(this.#next - y, planes);
  }

  /** The pieces of the file. */
  finish(): Uint8Array[] {
    while (this.#next < this.#height) this.#block(this.#next, {});
    const head = header(this.#width, this.#height, this.#names);
    // The offsets of all blocks, u64 each, follow the header.
    const offsets = new BigUint64Array(this.#blocks.length);
    let offset = head.byteLength + offsets.byteLength;
    this.#blocks.forEach((bytes, index) => {
      offsets[index] = BigInt(offset);
      offset += bytes.byteLength;
    });
    return [head, new Uint8Array(offsets.buffer), ...this.#blocks];
  }

  /** The row that is written next. */
  get #next(): number {
    return Math.min(this.#blocks.length * LINES_PER_BLOCK, this.#height);
  }

  /** The next 16 rows, line by line, channel by channel: `from` is their place in the planes. */
  #block(from: number, planes: Readonly<Record<string, Float32Array>>): void {
    const [y, width] = [this.#next, this.#width];
    const lines = Math.min(LINES_PER_BLOCK, this.#height - y);
    const raw = new Float32Array(lines * width * this.#names.length);
    let at = 0;
    for (let line = 0; line < lines; line++) {
      for (const name of this.#names) {
        const plane = planes[name];
        if (plane) raw.set(plane.subarray((from + line) * width, (from + line + 1) * width), at);
        at += width;
      }
    }
    const data = compress(new Uint8Array(raw.buffer));
    this.#blocks.push(concatBytes(i32(y, data.byteLength), data));
  }
}
