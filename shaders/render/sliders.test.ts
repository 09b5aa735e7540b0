import { Check } from 'typebox/value';
import { describe, expect, test } from 'vitest';
import { params as schema } from './form.ts';
import { defaults, type RenderParams } from './params.ts';
import { sliders } from './sliders.ts';

const start: RenderParams = { ...defaults };
const [quality, size] = sliders;
const [samples, noise] = quality!.ways;
const [edge] = size!.ways;

test('every stop of every way can be ordered, is read back, and is the only way that then applies', () => {
  for (const { ways } of sliders)
    for (const way of ways) {
      expect(way.stops.length).toBeGreaterThan(5);
      for (const stop of way.stops) {
        const ordered = { ...start, ...way.write(start, stop) };
        expect(Check(schema, ordered)).toBe(true);
        expect(ways.map((each) => each.read(ordered))).toEqual(ways.map((each) => (each === way ? stop : null)));
        expect(way.say(ordered)).toMatch(/\d/);
      }
    }
});

test('less noise may take more samples: 10 % at most 128, 2 % at most 4,096', () => {
  expect(noise!.write(start, 0.1)).toEqual({ noise: 0.1, samples: 128 });
  expect(noise!.write(start, 0.02)).toEqual({ noise: 0.02, samples: 4096 });
  expect(noise!.say({ ...start, noise: 0.02, samples: 4096 })).toBe('2 % noise, at most 4,096 samples a pixel');
  expect(samples!.write({ ...start, noise: 0.02 }, 64)).toEqual({ samples: 64, noise: 0 });
});

describe('size', () => {
  test.each([
    [960, 540],
    [540, 960],
    [1200, 800],
    [1000, 1000],
    [1080, 1350],
  ])('%i x %i keeps its shape through all sizes', (width, height) => {
    let params = { ...start, width, height };
    for (const stop of [...edge!.stops, ...edge!.stops.toReversed()]) params = { ...params, ...edge!.write(params, stop) };
    params = { ...params, ...edge!.write(params, Math.max(width, height)) };
    expect([params.width, params.height]).toEqual([width, height]);
  });

  test('nothing gets thinner than a picture may be', () => {
    expect(edge!.write({ ...start, width: 8192, height: 16 }, 160)).toEqual({ width: 160, height: 16 });
  });
});
