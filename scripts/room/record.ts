import { writeFile } from 'node:fs/promises';
import { deflateSync } from 'node:zlib';
import type { Page } from 'playwright';
import sharp from 'sharp';
import { PNG_SIGNATURE, pngChunk, u32 } from '../../shaders/common/png.ts';
import { concatBytes } from '../../shared/formats.ts';

/** Films a page as an animated PNG with one palette: PNG Specification (Third Edition), W3C 2025, 11.3.6. */

const WIDTH = 960;
const EVERY_MS = 1000;
const FRAMES_MAX = 64;
const BYTES_MAX = 5_000_000;
/** The last one stays, to be read. */
const [DELAY_MS, LAST_MS] = [300, 5000];
/** Frames that the palette is made from. */
const PALETTE_FRAMES = 8;
/** One of 256 colours is kept for "as before". */
const COLOURS = 255;
const CHANNELS = 3;

interface Frame {
  readonly width: number;
  readonly height: number;
  /** RGB, rows from the top. */
  readonly rgb: Buffer;
}

export class Recording {
  readonly #page: Page;
  readonly #frames: Frame[] = [];
  #filming: Promise<void>;
  #ends = false;

  constructor(page: Page) {
    this.#page = page;
    this.#filming = this.#film();
  }

  async #film(): Promise<void> {
    while (!this.#ends) {
      const atMs = performance.now();
      await this.take().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, EVERY_MS - (performance.now() - atMs))));
    }
  }

  /** One more frame, of what is seen now. */
  async take(): Promise<void> {
    const png = await this.#page.screenshot();
    const { data, info } = await sharp(png).resize(WIDTH).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const first = this.#frames[0];
    if (first && first.height !== info.height) return;
    this.#frames.push({ width: info.width, height: info.height, rgb: data });
  }

  async end(): Promise<void> {
    this.#ends = true;
    await this.#filming;
  }

  /** Writes what was filmed, with fewer frames until it has less than 5 MB. Returns its size in bytes. */
  async save(path: string): Promise<number> {
    for (let count = Math.min(FRAMES_MAX, this.#frames.length); ; count = Math.floor(count * 0.8)) {
      const bytes = await encode(evenly(this.#frames, count));
      if (bytes.byteLength > BYTES_MAX && count > 2) continue;
      await writeFile(path, bytes);
      return bytes.byteLength;
    }
  }
}

/** So many, the first and the last among them. */
const evenly = <T>(all: readonly T[], count: number): T[] =>
  count >= all.length ? [...all] : Array.from({ length: count }, (_, at) => all[Math.round((at * (all.length - 1)) / Math.max(1, count - 1))]!);

/** RGB of at most 255 colours that stand for those of the frames. */
async function paletteOf(frames: readonly Frame[]): Promise<Uint8Array> {
  const some = evenly(frames, PALETTE_FRAMES);
  const { width, height } = some[0]!;
  const stack = Buffer.concat(some.map(({ rgb }) => rgb));
  const png = await sharp(stack, { raw: { width, height: height * some.length, channels: CHANNELS } })
    .png({ palette: true, colours: COLOURS, dither: 0 })
    .toBuffer();
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  for (let at = PNG_SIGNATURE.byteLength; at < png.byteLength; at += view.getUint32(at) + 12)
    if (png.toString('latin1', at + 4, at + 8) === 'PLTE') return png.subarray(at + 8, at + 8 + Math.min(view.getUint32(at), COLOURS * CHANNELS));
  throw new Error('a PNG with a palette has none');
}

/** The index of the nearest colour, remembered for each of 32,768 shades. */
function nearestIn(palette: Uint8Array): (r: number, g: number, b: number) => number {
  const known = new Int16Array(2 ** 15).fill(-1);
  return (r, g, b) => {
    const shade = ((r >> 3) << 10) | ((g >> 3) << 5) | (b >> 3);
    if (known[shade]! >= 0) return known[shade]!;
    let [best, distance] = [0, Number.POSITIVE_INFINITY];
    for (let index = 0; index * CHANNELS < palette.length; index++) {
      const [pr = 0, pg = 0, pb = 0] = palette.subarray(index * CHANNELS, index * CHANNELS + CHANNELS);
      const apart = (pr - r) ** 2 + (pg - g) ** 2 + (pb - b) ** 2;
      if (apart < distance) [best, distance] = [index, apart];
    }
    known[shade] = best;
    return best;
  };
}

function u16(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 2);
  const view = new DataView(bytes.buffer);
  for (const [at, value] of values.entries()) view.setUint16(at * 2, value);
  return bytes;
}

/** Rows of indices, each behind the byte that says "no filter", deflated. */
function packed(indices: Uint8Array, width: number, height: number): Uint8Array {
  const rows = new Uint8Array((width + 1) * height);
  for (let y = 0; y < height; y++) rows.set(indices.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  return deflateSync(rows, { level: 9 });
}

/** Frames are drawn over those before: what has not changed is transparent. */
async function encode(frames: readonly Frame[]): Promise<Uint8Array> {
  const { width, height } = frames[0]!;
  const palette = await paletteOf(frames);
  const nearest = nearestIn(palette);
  const unchanged = palette.length / CHANNELS;
  const header = concatBytes(u32(width, height), Uint8Array.of(8, 3, 0, 0, 0));
  const alpha = new Uint8Array(unchanged + 1).fill(255, 0, unchanged);
  const pieces = [
    PNG_SIGNATURE,
    pngChunk('IHDR', header),
    pngChunk('acTL', u32(frames.length, 0)),
    pngChunk('PLTE', concatBytes(palette, new Uint8Array(CHANNELS))),
    pngChunk('tRNS', alpha),
  ];
  let sequence = 0;
  let before: Uint8Array | null = null;
  for (const [number, { rgb }] of frames.entries()) {
    const indices = new Uint8Array(width * height);
    for (let at = 0; at < indices.length; at++) indices[at] = nearest(rgb[at * CHANNELS]!, rgb[at * CHANNELS + 1]!, rgb[at * CHANNELS + 2]!);
    const drawn = before ? indices.map((index, at) => (index === before![at] ? unchanged : index)) : indices;
    const delay = u16(number === frames.length - 1 ? LAST_MS : DELAY_MS, 1000);
    // Nothing is disposed of; drawn over what is there.
    pieces.push(pngChunk('fcTL', concatBytes(u32(sequence++, width, height, 0, 0), delay, Uint8Array.of(0, 1))));
    const data = packed(drawn, width, height);
    pieces.push(before ? pngChunk('fdAT', concatBytes(u32(sequence++), data)) : pngChunk('IDAT', data));
    before = indices;
  }
  pieces.push(pngChunk('IEND'));
  return concatBytes(...pieces);
}
