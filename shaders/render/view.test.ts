import { describe, expect, it } from 'vitest';
import { gridOf } from './grid.ts';
import { settingsOf } from './params.ts';
import { albedoAt, depthAt, madeUpJob, normalAt, radianceAt, resultsOf } from './picture.testing.ts';
import { encodeSrgb } from './toneMap.ts';
import { createPainter, looks } from './view.ts';

const job = madeUpJob({ layers: 'all' });
const { width, height } = job.params;

function painted(look: Parameters<ReturnType<typeof createPainter>['setLook']>[0]) {
  const painter = createPainter(job, 0);
  for (const { tile, parts, bytes } of resultsOf(job)) painter.add(tile, parts, bytes);
  painter.setLook(look);
  const pixels = painter.pixels(0, 0, width, height);
  return (x: number, y: number): number[] => [...pixels.subarray((y * width + x) * 4, (y * width + x) * 4 + 4)];
}
const near = (seen: number[], expected: readonly number[]): void => {
  for (const [channel, value] of expected.entries()) expect(Math.abs(seen[channel]! - 255 * value)).toBeLessThan(2);
  expect(seen[3]).toBe(255);
};

describe('looks', () => {
  it('begin as the job was ordered, and have the layers that it has', () => {
    const controls = looks(madeUpJob({ layers: 'all', exposure: 1.5, toneMap: 'agx' }));
    expect(controls.map(({ name, value }) => [name, value])).toEqual([
      ['layer', 'beauty'],
      ['exposure', 1.5],
      ['toneMap', 'agx'],
    ]);
    const layersOf = (of: typeof job) =>
      looks(of).flatMap((control) => (control.name === 'layer' && control.kind === 'choice' ? control.options.map(({ value }) => value) : []));
    expect(layersOf(job)).toEqual(['beauty', 'albedo', 'normal', 'depth', 'samples']);
    expect(layersOf(madeUpJob({ layers: 'none' }))).toEqual(['beauty', 'samples']);
  });

  it('change the exposure and the tone mapping of what is there', () => {
    const expected = (stops: number) => [0, 1, 2].map((channel) => encodeSrgb(radianceAt(0, 5, 7, channel) * 2 ** stops));
    near(painted({})(5, 7), expected(0));
    near(painted({ exposure: 3 })(5, 7), expected(3));
    near(painted({ exposure: -2 })(5, 7), expected(-2));
    expect(painted({ toneMap: 'agx' })(5, 7)).not.toEqual(painted({})(5, 7));
    expect(painted({ exposure: settingsOf(job.params).exposure, toneMap: 'none' })(5, 7)).toEqual(painted({})(5, 7));
  });

  it('show each layer', () => {
    near(painted({ layer: 'albedo' })(9, 4), albedoAt(9, 4).map(encodeSrgb));
    near(
      painted({ layer: 'normal' })(9, 4),
      normalAt(9, 4).map((value) => (value + 1) / 2),
    );
    const depth = painted({ layer: 'depth' });
    expect(depth(9, 4)[0]).toBeGreaterThan(depth(20, 20)[0]!);
    expect(depthAt(20, 20)).toBeGreaterThan(depthAt(9, 4));
    // Nothing was hit in the first column.
    near(depth(0, 4), [0, 0, 0]);
    const white = painted({ layer: 'samples' })(9, 4);
    near(white, [1, 1, 1]);
  });

  it('want the results of the layer that is shown, and no others', () => {
    const painter = createPainter(job, 0);
    const { passes } = gridOf(job.params);
    const shown = () => Array.from({ length: passes }, (_, pass) => painter.shows({ pass, tile: 0 }));
    expect(shown()).toEqual([true, true, false]);
    painter.setLook({ layer: 'normal' });
    expect(shown()).toEqual([false, false, true]);
    painter.setLook({ layer: 'samples' });
    expect(shown()).toEqual([true, true, false]);
    painter.setLook({});
    expect(shown()).toEqual([true, true, false]);
  });
});
