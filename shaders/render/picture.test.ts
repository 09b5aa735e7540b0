import { PNG } from 'pngjs';
import { expect, test } from 'vitest';
import { encodeResult, radiancePart } from '../../shared/formats.ts';
import { fullMask, maskOf, type TileRef } from '../../shared/model.ts';
import type { AcceptedResult } from '../../shared/workload.ts';
import { assemble } from './assemble.ts';
import { cornellBox } from './cornell.ts';
import { encodeSrgb } from './picture.ts';
import { sampleRange, spec, tileRect } from './spec.ts';
import { sceneJob } from './testing/scenes.ts';
import { createPainter } from './view.ts';

// 3 x 2 tiles of 16, the last column 4 wide; 200 samples in parts of 32: a pass of four parts and one of three, the last of 8 samples.
const { job } = sceneJob(cornellBox(), { width: 36, height: 32, samples: 200 }, { quantumLog2: -1 });
const grid = spec.split(job.params, job.prepared);
const tiles: TileRef[] = Array.from({ length: grid.passes * grid.tiles }, (_, index) => ({ pass: Math.floor(index / grid.tiles), tile: index % grid.tiles }));

/** Linear radiance that the made-up results mean, different in every pixel and channel. */
const radianceAt = (x: number, y: number, channel: number): number => (x * 32 + y + channel * 7) / 1500;

/** Sums that give exactly that mean. */
function result(at: TileRef): AcceptedResult {
  const rect = tileRect(job.params, at.tile);
  const parts = fullMask(spec.parts(job, at));
  const made = Array.from({ length: spec.parts(job, at) }, (_, part) => {
    const { first, end } = sampleRange(job.params, at.pass, part);
    const words = new Uint32Array(rect.width * rect.height * 4);
    for (let pixel = 0; pixel < rect.width * rect.height; pixel++) {
      const [x, y] = [rect.x + (pixel % rect.width), rect.y + Math.floor(pixel / rect.width)];
      for (let channel = 0; channel < 3; channel++)
        words[pixel * 4 + channel] = Math.round((end - first) * radianceAt(x, y, channel) * 2 ** -(job.prepared.quantumLog2 + radiancePart.stepLog2));
    }
    return { part, bytes: new Uint8Array(words.buffer) };
  });
  return { tile: at, parts, bytes: encodeResult(made, spec.partBytes(job, at)) };
}

const results = tiles.map(result);

async function* streamed(list: readonly AcceptedResult[]): AsyncGenerator<AcceptedResult> {
  yield* list;
}

test('the job is cut as the comment says', () => {
  expect(grid).toEqual({ passes: 2, tiles: 6 });
  expect(spec.parts(job, { pass: 1, tile: 0 })).toBe(3);
  expect(sampleRange(job.params, 1, 2)).toEqual({ first: 192, end: 200 });
});

test('pixels are the mean of all samples, whatever the order', () => {
  for (const order of [results, results.toReversed()]) {
    const painter = createPainter(job);
    for (const { tile, parts, bytes } of order) painter.add(tile, parts, bytes);
    const pixels = painter.pixels(0, 0, 36, 32);
    for (const [x, y] of [
      [0, 0],
      [35, 31],
      [15, 16],
      [33, 2],
    ] as const) {
      const expected = [0, 1, 2].map((channel) => encodeSrgb(radianceAt(x, y, channel)));
      const seen = [...pixels.subarray((y * 36 + x) * 4, (y * 36 + x) * 4 + 3)];
      seen.forEach((value, channel) => {
        expect(Math.abs(value - expected[channel]!)).toBeLessThanOrEqual(1);
      });
      expect(pixels[(y * 36 + x) * 4 + 3]).toBe(255);
    }
  }
});

test('a region is the same cut out of the whole', () => {
  const painter = createPainter(job);
  for (const { tile, parts, bytes } of results) painter.add(tile, parts, bytes);
  const [whole, region] = [painter.pixels(0, 0, 36, 32), painter.pixels(10, 5, 20, 13)];
  for (let row = 0; row < 13; row++)
    expect(region.subarray(row * 80, row * 80 + 80)).toEqual(whole.subarray(((row + 5) * 36 + 10) * 4, ((row + 5) * 36 + 30) * 4));
});

test('parts that come again do not count again, and only named parts count', () => {
  const { tile, bytes, parts } = results[0]!;
  const [once, twice, apart] = [createPainter(job), createPainter(job), createPainter(job)];
  once.add(tile, parts, bytes);
  twice.add(tile, maskOf([1, 2]), bytes);
  twice.add(tile, parts, bytes);
  // A part of zeros that is held but not accepted.
  const words = new Uint8Array(spec.partBytes(job, tile));
  const bright = encodeResult(
    [0, 1].map((part) => ({ part, bytes: part === 0 ? words.fill(60) : new Uint8Array(words.length) })),
    words.length,
  );
  apart.add(tile, maskOf([1]), bright);
  expect(twice.pixels(0, 0, 16, 16)).toEqual(once.pixels(0, 0, 16, 16));
  expect([...apart.pixels(0, 0, 1, 1)]).toEqual([0, 0, 0, 255]);
});

test('the painter names the region to draw again, and leaves the rest transparent', () => {
  const painter = createPainter(job);
  const last = results[5]!;
  expect(painter.add(last.tile, last.parts, last.bytes)).toEqual({ x: 32, y: 16, width: 4, height: 16 });
  expect([...painter.pixels(0, 0, 1, 1)]).toEqual([0, 0, 0, 0]);
  expect(painter.pixels(32, 16, 1, 1)[3]).toBe(255);
});

test('the PNG has exactly the pixels of the painter', async () => {
  for (const list of [results, results.slice(0, 4)]) {
    const painter = createPainter(job);
    for (const { tile, parts, bytes } of list) painter.add(tile, parts, bytes);
    const png = PNG.sync.read(Buffer.from(await assemble(job, 'png', streamed(list))));
    expect([png.width, png.height]).toEqual([36, 32]);
    expect(Uint8ClampedArray.from(png.data)).toEqual(painter.pixels(0, 0, 36, 32));
  }
});

test('an unknown output is refused', async () => {
  await expect(assemble(job, 'bmp', streamed([]))).rejects.toThrow(/bmp/);
});

test('sRGB is that of IEC 61966-2-1', () => {
  expect([-1, 0, 0.0031308, 0.18, 0.5, 1, 50].map(encodeSrgb)).toEqual([0, 0, 10, 118, 188, 255, 255]);
});
