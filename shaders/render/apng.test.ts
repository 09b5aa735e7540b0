import { crc32 } from 'node:zlib';
import { PNG } from 'pngjs';
import { expect, test } from 'vitest';
import { concatBytes } from '../../shared/formats.ts';
import { animate } from './apng.ts';

/** A small PNG of one colour, by an independent writer. */
function plain(width: number, height: number, rgb: readonly number[], colorType: 2 | 6 = 2): Uint8Array {
  const png = new PNG({ width, height });
  for (let at = 0; at < width * height; at++) png.data.set([...rgb, 255], at * 4);
  return new Uint8Array(PNG.sync.write(png, { colorType }));
}

async function animated(frames: readonly Uint8Array[], count = frames.length, framesPerSecond = 24): Promise<Uint8Array> {
  async function* streamed(): AsyncGenerator<Uint8Array> {
    yield* frames;
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of animate(streamed(), count, framesPerSecond)) pieces.push(piece);
  return concatBytes(...pieces);
}

interface Chunk {
  readonly type: string;
  readonly data: DataView;
}

/** Throws at a checksum that is wrong. */
function chunksOf(file: Uint8Array): Chunk[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const found: Chunk[] = [];
  for (let at = 8; at < file.byteLength; ) {
    const length = view.getUint32(at);
    const type = Buffer.from(file.subarray(at + 4, at + 8)).toString('ascii');
    if (crc32(file.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length)) throw new Error(`the checksum of ${type} is wrong`);
    found.push({ type, data: new DataView(file.buffer, file.byteOffset + at + 8, length) });
    at += length + 12;
  }
  return found;
}

const bytesOf = ({ data }: Chunk, from = 0): Uint8Array => new Uint8Array(data.buffer, data.byteOffset + from, data.byteLength - from);
const colors = [
  [200, 10, 10],
  [10, 200, 10],
  [10, 10, 200],
] as const;

test('readers without animation see the first frame', async () => {
  const read = PNG.sync.read(Buffer.from(await animated(colors.map((rgb) => plain(5, 3, rgb)))));
  expect([read.width, read.height, ...read.data.subarray(0, 3)]).toEqual([5, 3, 200, 10, 10]);
});

test('control stands before data, numbered through, and plays for ever', async () => {
  const chunks = chunksOf(await animated(colors.map((rgb) => plain(5, 3, rgb))));
  expect(chunks.map(({ type }) => type)).toEqual(['IHDR', 'acTL', 'fcTL', 'IDAT', 'fcTL', 'fdAT', 'fcTL', 'fdAT', 'IEND']);
  const [, control, ...rest] = chunks;
  expect([control?.data.getUint32(0), control?.data.getUint32(4)]).toEqual([3, 0]);
  expect(rest.filter(({ type }) => type === 'fcTL' || type === 'fdAT').map(({ data }) => data.getUint32(0))).toEqual([0, 1, 2, 3, 4]);
  for (const { data } of rest.filter(({ type }) => type === 'fcTL')) {
    expect(data.byteLength).toBe(26);
    expect([data.getUint32(4), data.getUint32(8), data.getUint32(12), data.getUint32(16)]).toEqual([5, 3, 0, 0]);
    expect(data.getUint16(20) / data.getUint16(22)).toBeCloseTo(1 / 24, 9);
  }
});

test('every frame has the pixels of its own PNG', async () => {
  const file = await animated(colors.map((rgb) => plain(5, 3, rgb)));
  const chunks = chunksOf(file);
  const frames = chunks.filter(({ type }) => type === 'IDAT' || type === 'fdAT');
  expect(frames).toHaveLength(3);
  for (const [index, chunk] of frames.entries()) {
    // A still PNG of the same header around the data of one frame.
    const data = concatBytes(Buffer.from('IDAT'), bytesOf(chunk, chunk.type === 'fdAT' ? 4 : 0));
    const length = new DataView(new ArrayBuffer(8));
    length.setUint32(0, data.byteLength - 4);
    length.setUint32(4, crc32(data));
    const around = new Uint8Array(length.buffer);
    const still = concatBytes(file.subarray(0, 33), around.subarray(0, 4), data, around.subarray(4), plain(1, 1, [0, 0, 0]).slice(-12));
    expect([...PNG.sync.read(Buffer.from(still)).data.subarray(0, 3)]).toEqual(colors[index]);
  }
});

test('speeds from a tenth of a frame to 240 a second fit', async () => {
  for (const framesPerSecond of [0.1, 29.97, 240]) {
    const control = chunksOf(await animated([plain(1, 1, [0, 0, 0])], 1, framesPerSecond)).find(({ type }) => type === 'fcTL');
    expect((control?.data.getUint16(22) ?? 0) / (control?.data.getUint16(20) ?? 0)).toBeCloseTo(framesPerSecond, 9);
  }
});

test('frames that differ in size or colours are refused, and so is another count than announced', async () => {
  const first = plain(5, 3, colors[0]);
  await expect(animated([first, plain(5, 4, colors[0])])).rejects.toThrow(/frame 1 is not like the first/);
  await expect(animated([first, plain(5, 3, colors[0], 6)])).rejects.toThrow(RangeError);
  await expect(animated([first], 2)).rejects.toThrow(/1 frames came, 2 were announced/);
});
