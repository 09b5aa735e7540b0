import { PNG } from 'pngjs';
import { expect, test } from 'vitest';
import { encodeResult, FormatError, radiancePart } from '../../shared/formats.ts';
import { fullMask, maskOf, type TileRef } from '../../shared/model.ts';
import type { AcceptedResult } from '../../shared/workload.ts';
import { assemble } from './assemble.ts';
import { cornellBox } from './cornell.ts';
import { encodeSrgb, Picture } from './picture.ts';
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
  return { tile: at, parts, bytes: encodeResult(made, spec.elements(job, at), spec.elementWords) };
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

/** A result of one tile whose parts hold `value` in every word. */
function flat(tile: TileRef, parts: readonly number[], value: number): AcceptedResult {
  const words = spec.elements(job, tile) * spec.elementWords;
  const made = parts.map((part) => ({ part, bytes: new Uint8Array(new Uint32Array(words).fill(value).buffer) }));
  return { tile, parts: maskOf(parts), bytes: encodeResult(made, spec.elements(job, tile), spec.elementWords) };
}

const painted = (...list: readonly AcceptedResult[]): number[] => {
  const painter = createPainter(job);
  for (const { tile, parts, bytes } of list) painter.add(tile, parts, bytes);
  return [...painter.pixels(0, 0, 16, 16)];
};

test('a result that comes again does not count again', () => {
  const [bright, dark] = [flat({ pass: 0, tile: 0 }, [0, 1], 40_000), flat({ pass: 0, tile: 0 }, [2, 3], 10_000)];
  expect(painted(bright, dark)).not.toEqual(painted(bright));
  // Counted twice, the bright one would weigh more.
  expect(painted(bright, dark, bright)).toEqual(painted(bright, dark));
  // What was added part by part is in when its total comes.
  const [one, other] = [flat({ pass: 0, tile: 0 }, [0], 40_000), flat({ pass: 0, tile: 0 }, [1], 40_000)];
  expect(painted(one, other, bright, dark)).toEqual(painted(bright, dark));
});

test('results of disjoint parts make the picture of their total, in any order', () => {
  const tile = { pass: 0, tile: 0 };
  const [a, b, c] = [flat(tile, [1], 70_000), flat(tile, [0, 3], 20_000), flat({ pass: 1, tile: 0 }, [0, 1, 2], 9_000)];
  // Samples: 32, 64 and 72. Steps: 70,000 + 2 x 20,000 + 3 x 9,000.
  const grey = encodeSrgb((137_000 / 168) * 2 ** (job.prepared.quantumLog2 + radiancePart.stepLog2));
  expect(painted(a, b, c).slice(0, 4)).toEqual([grey, grey, grey, 255]);
  expect(painted(c, b, a)).toEqual(painted(a, b, c));
});

test('a total that is partly in is refused, and so is one of other parts than it names; both change nothing', () => {
  const tile = { pass: 0, tile: 0 };
  const [one, both] = [flat(tile, [0], 70_000), flat(tile, [0, 1], 5_000)];
  const painter = createPainter(job);
  painter.add(tile, one.parts, one.bytes);
  expect(() => painter.add(tile, both.parts, both.bytes)).toThrow(RangeError);
  expect(() => painter.add(tile, maskOf([1]), both.bytes)).toThrow(FormatError);
  expect([...painter.pixels(0, 0, 16, 16)]).toEqual(painted(one));
});

test('sums beyond 32 bits are exact, in one result and over several', () => {
  // 4 parts of 3 x 2^30 steps, and 3 parts of 2^32 - 1: as mean radiance of 200 samples far above white, so the EXR shows it.
  const tile = { pass: 0, tile: 0 };
  const picture = new Picture(job);
  for (const { parts, bytes, tile: at } of [flat(tile, [0, 1, 2, 3], 3 * 2 ** 30), flat({ pass: 1, tile: 0 }, [0, 1, 2], 2 ** 32 - 1)])
    picture.add(at, parts, bytes);
  const seen = new Set<number>();
  picture.eachPixel(0, 0, 16, 16, (_index, ...rgb) => {
    for (const value of rgb) seen.add(value);
  });
  expect([...seen]).toEqual([(12 * 2 ** 30 + 3 * (2 ** 32 - 1)) * (2 ** (job.prepared.quantumLog2 + radiancePart.stepLog2) / 200)]);
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
