import { describe, expect, test } from 'vitest';
import { limits } from '../../shared/limits.ts';
import type { ElementRef } from '../../shared/model.ts';
import {
  elementsOf,
  gridOf,
  isFeaturePass,
  lightPasses,
  type Place,
  partSamples,
  partsIn,
  passesOfSamples,
  placeOf,
  sampleRange,
  samplesOfParts,
  tileEdge,
  tileRect,
  tilesIn,
} from './grid.ts';
import { defaults, type RenderJob, type RenderParams } from './params.ts';

const paramsOf = (changes: Partial<RenderParams>): RenderParams => ({ ...defaults, ...changes });
const jobOf = (params: RenderParams): RenderJob => ({ params }) as RenderJob;
const sizes = [16, 17, 63, 64, 65, 128, 257, 960, 8192];
const counts = [1, 2, 15, 16, 17, 64, 65, 128, 129, 512, 513, 1000, 65536];

describe('samples', () => {
  test.each(counts)('%i fall into passes and parts without a gap, and never into more than 64 a part', (samples) => {
    const params = paramsOf({ samples });
    let next = 0;
    for (const pass of lightPasses(params)) {
      expect(isFeaturePass(params, pass)).toBe(false);
      expect(partsIn(params, pass)).toBeGreaterThanOrEqual(1);
      expect(partsIn(params, pass)).toBeLessThanOrEqual(limits.partsPerTileMax);
      for (let part = 0; part < partsIn(params, pass); part++) {
        const { first, end } = sampleRange(params, pass, part);
        expect(first).toBe(next);
        expect(end - first).toBeGreaterThanOrEqual(1);
        expect(end - first).toBeLessThanOrEqual(samplesOfParts(params, pass));
        // Aligned blocks of a power of two, but for the last: so they are well stratified.
        expect(first % partSamples(samples)).toBe(0);
        next = end;
      }
    }
    expect(next).toBe(samples);
    expect(partSamples(samples)).toBeLessThanOrEqual(64);
  });

  test('the pass behind those of light is one of features, of up to 16 samples in one part', () => {
    for (const samples of counts) {
      const params = paramsOf({ samples });
      const pass = lightPasses(params).length;
      expect(gridOf(params).passes).toBe(pass + 1);
      expect(isFeaturePass(params, pass)).toBe(true);
      expect(partsIn(params, pass)).toBe(1);
      expect(sampleRange(params, pass, 0)).toEqual({ first: 0, end: Math.min(16, samples) });
      expect(elementsOf(params, { pass, tile: 0 })).toBe(2 * elementsOf(params, { pass: 0, tile: 0 }));
      expect(gridOf(paramsOf({ samples, layers: 'none' })).passes).toBe(pass);
    }
  });
});

describe('an extended job', () => {
  const orders = [
    [64, 128],
    [20, 21, 500],
    [1, 65536],
    [170, 1024, 1025, 4000],
    [16, 17, 18, 19, 20],
  ];

  test.each(orders)('keeps every pass, part and range that it had: %i, %i ...', (...counts) => {
    for (const layers of ['all', 'none'] as const) {
      for (let extensions = 1; extensions < counts.length; extensions++) {
        const before = paramsOf({ layers, samples: counts[extensions - 1]!, stages: counts.slice(0, extensions - 1) });
        const after = paramsOf({ layers, samples: counts[extensions]!, stages: counts.slice(0, extensions) });
        const { passes, tiles } = gridOf(before);
        expect(gridOf(after).tiles).toBe(tiles);
        expect(gridOf(after).passes).toBeGreaterThan(passes);
        for (let pass = 0; pass < passes; pass++) {
          const shape = (p: RenderParams) => [
            isFeaturePass(p, pass),
            samplesOfParts(p, pass),
            elementsOf(p, { pass, tile: 0 }),
            Array.from({ length: partsIn(p, pass) }, (_, part) => sampleRange(p, pass, part)),
          ];
          expect(shape(after)).toEqual(shape(before));
        }
        expect(lightPasses(after).slice(0, lightPasses(before).length)).toEqual(lightPasses(before));
      }
    }
  });

  test.each(orders)('has every sample once, in order: %i, %i ...', (...counts) => {
    const params = paramsOf({ samples: counts.at(-1)!, stages: counts.slice(0, -1) });
    const ranges = lightPasses(params).flatMap((pass) => Array.from({ length: partsIn(params, pass) }, (_, part) => sampleRange(params, pass, part)));
    let next = 0;
    for (const { first, end } of ranges) {
      expect([first, end > first, end - first <= 64]).toEqual([next, true, true]);
      next = end;
    }
    expect(next).toBe(counts.at(-1));
    expect(lightPasses(params).length + 1).toBe(gridOf(params).passes);
  });

  test('counts the passes that a number of samples takes', () => {
    // 16 + 4, then 4 x 32 a pass.
    const params = paramsOf({ samples: 300, stages: [20] });
    expect([16, 20, 20 + 64, 20 + 128, 300, 20 + 3 * 128].map((samples) => passesOfSamples(params, samples))).toEqual([
      16 / 64,
      20 / 64,
      1.5,
      2,
      1 + 280 / 128,
      4,
    ]);
    expect(passesOfSamples(params, Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
    expect(passesOfSamples(paramsOf({ samples: 256 }), 96)).toBe(0.75);
  });
});

test('the tiles of a region are those that it touches', () => {
  const params = paramsOf({ width: 70, height: 60, frames: 2 });
  for (const region of [
    { x: 0, y: 0, width: 70, height: 60 },
    { x: 15, y: 15, width: 2, height: 2 },
    { x: 16, y: 32, width: 16, height: 1 },
    { x: 69, y: 59, width: 1, height: 1 },
  ]) {
    const touched = Array.from({ length: gridOf(params).tiles }, (_, tile) => ({ tile, ...tileRect(params, tile) })).filter(
      ({ x, y, width, height, frame }) =>
        frame === 1 && x < region.x + region.width && region.x < x + width && y < region.y + region.height && region.y < y + height,
    );
    expect([...tilesIn(params, 1, region)]).toEqual(touched.map(({ tile }) => tile));
  }
});

describe('tiles', () => {
  test.each(sizes)('cover a picture %i pixels wide once, frame by frame', (width) => {
    for (const height of [16, 40, 333]) {
      const params = paramsOf({ width, height, frames: 2 });
      const { tiles } = gridOf(params);
      const seen = new Uint8Array(width * height * 2);
      for (let tile = 0; tile < tiles; tile++) {
        const { x, y, width: columns, height: rows, frame } = tileRect(params, tile);
        for (let row = y; row < y + rows; row++) {
          const at = (frame * height + row) * width + x;
          for (let pixel = at; pixel < at + columns; pixel++) seen[pixel]!++;
        }
        expect(frame).toBe(tile < tiles / 2 ? 0 : 1);
        expect(Math.max(columns, rows)).toBeLessThanOrEqual(tileEdge(params));
      }
      expect(seen.every((times) => times === 1)).toBe(true);
    }
  });

  test('small pictures have small tiles', () => {
    expect([64, 128, 129, 256, 8192].map((size) => tileEdge(paramsOf({ width: size, height: size })))).toEqual([16, 32, 32, 64, 64]);
  });
});

describe('placeOf', () => {
  // 5 x 4 tiles a frame, of which the last is 6 pixels wide and 12 high; a pass of 4 x 32 samples and one of 32 and 10.
  const params = paramsOf({ width: 70, height: 60, samples: 170, frames: 3 });
  const job = jobOf(params);

  test('finds pixel, frame and samples', () => {
    const element = { pass: 1, tile: 2 * 20 + 19, part: 1, element: 6 * 3 + 4 };
    expect(placeOf(job, element)).toEqual({ kind: 'light', frame: 2, x: 64 + 4, y: 48 + 3, first: 160, end: 170 });
    expect(placeOf(job, { pass: 0, tile: 0, part: 3, element: 17 })).toEqual({ kind: 'light', frame: 0, x: 1, y: 1, first: 96, end: 128 });
  });

  test('of features: all pixels’ albedo and depth, then all pixels’ normal and coverage', () => {
    const at = (element: number): Place => placeOf(job, { pass: 2, tile: 20 + 19, part: 0, element });
    expect(at(0)).toEqual({ kind: 'albedo', frame: 1, x: 64, y: 48, first: 0, end: 16 });
    expect(at(71)).toEqual({ kind: 'albedo', frame: 1, x: 69, y: 59, first: 0, end: 16 });
    expect(at(72)).toEqual({ kind: 'normal', frame: 1, x: 64, y: 48, first: 0, end: 16 });
    expect(at(143)).toEqual({ kind: 'normal', frame: 1, x: 69, y: 59, first: 0, end: 16 });
  });

  test('every element is another place', () => {
    const places = new Set<string>();
    let count = 0;
    for (const pass of [0, 1, 2]) {
      for (const tile of [0, 19, 25]) {
        for (let part = 0; part < partsIn(params, pass); part++) {
          for (let element = 0; element < elementsOf(params, { pass, tile }); element++, count++)
            places.add(JSON.stringify(placeOf(job, { pass, tile, part, element })));
        }
      }
    }
    expect(places.size).toBe(count);
  });

  const last: ElementRef = { pass: 1, tile: 59, part: 1, element: 71 };
  const beyond: readonly Partial<ElementRef>[] = [
    { pass: 3 },
    { pass: -1 },
    { tile: 60 },
    { tile: 0.5 },
    { part: 2 },
    { part: -1 },
    { element: 72 },
    { element: Number.NaN },
    { pass: 2 },
    { pass: 2, part: 0, element: 144 },
  ];
  test.each(beyond)('refuses what the job does not have: %o', (change) => {
    expect(placeOf(job, last)).toBeDefined();
    const { pass, tile, part, element } = { ...last, ...change };
    expect(() => placeOf(job, { pass, tile, part, element })).toThrow(RangeError);
    expect(() => placeOf(job, { pass, tile, part, element })).toThrow(`the job has no element ${element} of part ${part}, tile ${tile}, pass ${pass}`);
  });

  test('a job without layers has no features', () => {
    const bare = jobOf({ ...params, layers: 'none' });
    expect(() => placeOf(bare, { pass: 2, tile: 0, part: 0, element: 0 })).toThrow(RangeError);
  });
});
