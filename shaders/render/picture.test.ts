import { expect, test } from 'vitest';
import { FormatError, radiancePart } from '../../shared/formats.ts';
import { maskOf } from '../../shared/model.ts';
import type { AcceptedResult } from '../../shared/workload.ts';
import { gridOf, partsIn, sampleRange } from './grid.ts';
import { albedoAt, coverageAt, depthAt, flat, madeUpJob, normalAt, radianceAt, resultOf, resultsOf } from './picture.testing.ts';
import { Picture } from './picture.ts';
import { encodeSrgb } from './toneMap.ts';
import { createPainter } from './view.ts';

const job = madeUpJob();
const results = resultsOf(job);
const byte = (linear: number): number => Math.round(255 * encodeSrgb(linear));

test('the job is cut as the comment says', () => {
  expect(gridOf(job.params)).toEqual({ passes: 2, tiles: 6 });
  expect(partsIn(job.params, 1)).toBe(3);
  expect(sampleRange(job.params, 1, 2)).toEqual({ first: 192, end: 200 });
});

test('pixels are the mean of all samples, whatever the order', () => {
  for (const order of [results, results.toReversed()]) {
    const painter = createPainter(job, 0);
    for (const { tile, parts, bytes } of order) painter.add(tile, parts, bytes);
    const pixels = painter.pixels(0, 0, 36, 32);
    for (const [x, y] of [
      [0, 0],
      [35, 31],
      [15, 16],
      [33, 2],
    ] as const) {
      const expected = [0, 1, 2].map((channel) => byte(radianceAt(0, x, y, channel)));
      const seen = [...pixels.subarray((y * 36 + x) * 4, (y * 36 + x) * 4 + 3)];
      seen.forEach((value, channel) => {
        expect(Math.abs(value - expected[channel]!)).toBeLessThanOrEqual(1);
      });
      expect(pixels[(y * 36 + x) * 4 + 3]).toBe(255);
    }
  }
});

test('a region is the same cut out of the whole', () => {
  const painter = createPainter(job, 0);
  for (const { tile, parts, bytes } of results) painter.add(tile, parts, bytes);
  const [whole, region] = [painter.pixels(0, 0, 36, 32), painter.pixels(10, 5, 20, 13)];
  for (let row = 0; row < 13; row++)
    expect(region.subarray(row * 80, row * 80 + 80)).toEqual(whole.subarray(((row + 5) * 36 + 10) * 4, ((row + 5) * 36 + 30) * 4));
});

const painted = (...list: readonly AcceptedResult[]): number[] => {
  const painter = createPainter(job, 0);
  for (const { tile, parts, bytes } of list) painter.add(tile, parts, bytes);
  return [...painter.pixels(0, 0, 16, 16)];
};

test('a result that comes again does not count again', () => {
  const [bright, dark] = [flat(job, { pass: 0, tile: 0 }, [0, 1], 40_000), flat(job, { pass: 0, tile: 0 }, [2, 3], 10_000)];
  expect(painted(bright, dark)).not.toEqual(painted(bright));
  // Counted twice, the bright one would weigh more.
  expect(painted(bright, dark, bright)).toEqual(painted(bright, dark));
  // What was added part by part is in when its total comes.
  const [one, other] = [flat(job, { pass: 0, tile: 0 }, [0], 40_000), flat(job, { pass: 0, tile: 0 }, [1], 40_000)];
  expect(painted(one, other, bright, dark)).toEqual(painted(bright, dark));
});

test('results of disjoint parts make the picture of their total, in any order', () => {
  const tile = { pass: 0, tile: 0 };
  const [a, b, c] = [flat(job, tile, [1], 70_000), flat(job, tile, [0, 3], 20_000), flat(job, { pass: 1, tile: 0 }, [0, 1, 2], 9_000)];
  // Samples: 32, 64 and 72. Steps: 70,000 + 2 x 20,000 + 3 x 9,000.
  const grey = byte((137_000 / 168) * 2 ** (job.prepared.quantumLog2 + radiancePart.stepLog2));
  expect(painted(a, b, c).slice(0, 4)).toEqual([grey, grey, grey, 255]);
  expect(painted(c, b, a)).toEqual(painted(a, b, c));
});

test('a total that is partly in is refused, and so is one of other parts than it names; both change nothing', () => {
  const tile = { pass: 0, tile: 0 };
  const [one, both] = [flat(job, tile, [0], 70_000), flat(job, tile, [0, 1], 5_000)];
  const painter = createPainter(job, 0);
  painter.add(tile, one.parts, one.bytes);
  expect(() => painter.add(tile, both.parts, both.bytes)).toThrow(RangeError);
  expect(() => painter.add(tile, maskOf([1]), both.bytes)).toThrow(FormatError);
  expect([...painter.pixels(0, 0, 16, 16)]).toEqual(painted(one));
});

test('sums beyond 32 bits are exact, in one result and over several', () => {
  // 4 parts of 3 x 2^30 steps, and 3 parts of 2^32 - 1: as mean radiance of 200 samples far above white, so the EXR shows it.
  const picture = new Picture(job, 0);
  for (const { parts, bytes, tile } of [flat(job, { pass: 0, tile: 0 }, [0, 1, 2, 3], 3 * 2 ** 30), flat(job, { pass: 1, tile: 0 }, [0, 1, 2], 2 ** 32 - 1)])
    picture.add(tile, parts, bytes);
  const seen = new Set<number>();
  picture.eachPixel(0, 0, 16, 16, (_, rgb) => {
    for (const value of rgb) seen.add(value);
  });
  expect([...seen]).toEqual([(12 * 2 ** 30 + 3 * (2 ** 32 - 1)) * (2 ** (job.prepared.quantumLog2 + radiancePart.stepLog2) / 200)]);
});

test('a tile of fewer samples is as bright as its neighbours, and its count is told', () => {
  // Of tile 0 both passes, of tile 1 the first: 200 samples and 128.
  const picture = new Picture(job, 0);
  for (const at of [
    { pass: 0, tile: 0 },
    { pass: 1, tile: 0 },
    { pass: 0, tile: 1 },
  ]) {
    const { parts, bytes } = resultOf(job, at);
    picture.add(at, parts, bytes);
  }
  const seen = new Map<number, number>();
  picture.eachPixel(0, 7, 32, 1, (x, rgb, samples) => {
    seen.set(x, samples);
    expect(rgb[1]).toBeCloseTo(radianceAt(0, x, 7, 1), 3);
  });
  expect([seen.get(15), seen.get(16), seen.size]).toEqual([200, 128, 32]);
});

test('the painter names the region to draw again, and leaves the rest transparent', () => {
  const painter = createPainter(job, 0);
  const { tile, parts, bytes } = results.at(-1)!;
  expect(painter.add(tile, parts, bytes)).toEqual({ x: 32, y: 16, width: 4, height: 16, frame: 0 });
  expect([...painter.pixels(0, 0, 1, 1)]).toEqual([0, 0, 0, 0]);
  expect(painter.pixels(32, 16, 1, 1)[3]).toBe(255);
});

test('a painter shows one frame and refuses the others', () => {
  const film = madeUpJob({ frames: 2 });
  const [first, second] = [createPainter(film, 0), createPainter(film, 1)];
  const [a, b] = [resultOf(film, { pass: 0, tile: 0 }), resultOf(film, { pass: 0, tile: 6 })];
  expect([first.shows(a.tile), first.shows(b.tile), second.shows(a.tile), second.shows(b.tile)]).toEqual([true, false, false, true]);
  first.add(a.tile, a.parts, a.bytes);
  second.add(b.tile, b.parts, b.bytes);
  expect(first.pixels(3, 4, 1, 1)).not.toEqual(second.pixels(3, 4, 1, 1));
  expect(() => first.add(b.tile, b.parts, b.bytes)).toThrow(/frame 1/);
});

test('features are means: albedo over the samples, depth and normal over those that hit', () => {
  const layered = madeUpJob({ layers: 'all' });
  const at = { pass: 2, tile: 3 };
  const { parts, bytes } = resultOf(layered, at);
  const picture = new Picture(layered, 0);
  picture.add(at, parts, bytes);
  let visited = 0;
  picture.eachFeature(0, 16, 16, 16, (index, { albedo, normal, depth }) => {
    const [x, y] = [index % 16, 16 + Math.floor(index / 16)];
    const hit = coverageAt(x) > 0;
    for (const [channel, value] of albedoAt(x, y).entries()) expect(albedo[channel]).toBeCloseTo(value, 3);
    for (const [axis, value] of normalAt(x, y).entries()) expect(normal[axis]).toBeCloseTo(hit ? value : 0, 2);
    if (hit) expect(depth).toBeCloseTo(depthAt(x, y), 2);
    else expect(depth).toBe(Infinity);
    visited++;
  });
  expect(visited).toBe(256);
  // No light has come, so nothing is shown, and painters want none of it.
  picture.eachPixel(0, 0, 36, 32, () => expect.unreachable());
  expect(createPainter(layered, 0).shows(at)).toBe(false);
});
