import parseExr from 'parse-exr';
import { expect, test } from 'vitest';
import { concatBytes } from '../../shared/formats.ts';
import { Rng } from '../../shared/rng.ts';
import { readExr } from './exr.testing.ts';
import { ExrWriter } from './exr.ts';

type Planes = Record<string, Float32Array>;

function written(width: number, height: number, planes: Planes): Uint8Array<ArrayBuffer> {
  const writer = new ExrWriter(width, height, Object.keys(planes));
  writer.rows(0, planes);
  return concatBytes(...writer.finish());
}

/** Read back by an independent reader, the one of three.js. It knows R, G and B, and returns rows from the bottom. */
function colorsOf(file: Uint8Array<ArrayBuffer>): Planes {
  const { width, height, data } = parseExr(file.buffer, 1015);
  const channels = data.length / (width * height);
  return Object.fromEntries(
    ['R', 'G', 'B'].map((name, channel) => [
      name,
      Float32Array.from({ length: width * height }, (_, at) => data[((height - 1 - Math.floor(at / width)) * width + (at % width)) * channels + channel]!),
    ]),
  );
}

const planesOf = (names: readonly string[], value: (at: number, channel: number) => number, length: number): Planes =>
  Object.fromEntries(names.map((name, channel) => [name, Float32Array.from({ length }, (_, at) => value(at, channel))]));

test('compressible pictures survive exactly, whatever their last block', () => {
  for (const [width, height] of [
    [1, 1],
    [33, 16],
    [7, 35],
  ] as const) {
    const planes = planesOf(['R', 'G', 'B'], (at, channel) => (Math.floor(at / 3) + channel) / 64, width * height);
    expect(colorsOf(written(width, height, planes))).toEqual(planes);
  }
});

test('noise, which does not compress, survives too', () => {
  const rng = new Rng(5);
  const bits = Uint32Array.from({ length: 40 * 20 * 3 }, () => (rng.u32() & 0x007fffff) | ((64 + rng.below(126)) << 23));
  const noise = new Float32Array(bits.buffer);
  const planes = { R: noise.subarray(0, 800), G: noise.subarray(800, 1600), B: noise.subarray(1600) };
  expect(colorsOf(written(40, 20, planes))).toEqual(planes);
});

test('layers stand beside the colours, in the order of their names', () => {
  const names = ['R', 'G', 'B', 'normal.X', 'Z', 'albedo.R', 'samples.Y'];
  const planes = planesOf(names, (at, channel) => at + channel * 1000.5, 9 * 37);
  const file = written(9, 37, planes);
  const read = readExr(file);
  expect([...read.channels.keys()]).toEqual(['B', 'G', 'R', 'Z', 'albedo.R', 'normal.X', 'samples.Y']);
  expect(Object.fromEntries(read.channels)).toEqual(planes);
  // The independent reader finds the colours among them.
  expect(colorsOf(file)).toEqual({ R: planes.R, G: planes.G, B: planes.B });
});

test('rows come in turn; those passed over, and the rest, are 0', () => {
  const writer = new ExrWriter(4, 70, ['R']);
  const two = new Float32Array(4 * 32).fill(2);
  writer.rows(16, { R: two });
  expect(() => writer.rows(32, { R: two })).toThrow(RangeError);
  expect(() => writer.rows(50, { R: two })).toThrow(RangeError);
  const { channels } = readExr(concatBytes(...writer.finish()));
  const expected = Float32Array.from({ length: 4 * 70 }, (_, at) => (at >= 64 && at < 192 ? 2 : 0));
  expect(channels.get('R')).toEqual(expected);
});
