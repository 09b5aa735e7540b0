import { describe, expect, it } from 'vitest';
import { HOUR_MS, MINUTE_MS } from '../../shared/limits.ts';
import type { NetworkSeries } from '../../shared/schemas.ts';
import { descriptionOf, merged, plots, pointsOf, rangeOf } from './series.ts';

const start = Date.UTC(2026, 0, 1);
/** Minutes of a series, each with as many contributors as its number. */
const series = (...minutes: number[]): NetworkSeries => ({
  spanMs: MINUTE_MS,
  atMs: minutes.map((minute) => start + minute * MINUTE_MS),
  contributors: minutes,
  tiles: minutes.map(() => 2),
  units: minutes.map(() => 120),
  recomputed: minutes.map((minute) => (minute % 2 === 0 ? 0.034 : null)),
  errorBound: minutes.map((minute) => (minute % 2 === 0 ? 1e-4 : null)),
  paidMicroCredits: minutes.map(() => '1500000'),
});
const [contributors, work, checks, paid] = plots as [(typeof plots)[number], (typeof plots)[number], (typeof plots)[number], (typeof plots)[number]];

describe('merged', () => {
  it('takes what is new, replaces the last, and lets go of what is old', () => {
    const known = series(0, 1, 2, 3);
    const fresh = { ...series(3, 4), contributors: [30, 4] };
    const all = merged(known, fresh, 3 * MINUTE_MS);
    expect(all.atMs).toEqual(series(1, 2, 3, 4).atMs);
    expect(all.contributors).toEqual([1, 2, 30, 4]);
    expect(all.paidMicroCredits).toHaveLength(4);
  });

  it('keeps all where nothing is new', () => {
    expect(merged(series(0, 1), series(), HOUR_MS)).toEqual(series(0, 1));
    expect(merged(series(), series(5), HOUR_MS)).toEqual(series(5));
  });
});

describe('pointsOf', () => {
  it('leaves a gap where the coordinator did not run', () => {
    const { times, values } = pointsOf(series(0, 1, 5, 6), contributors.value);
    expect(times.map((at) => (at * 1000 - start) / MINUTE_MS)).toEqual([0, 1, 2, 5, 6]);
    expect(values).toEqual([0, 1, null, 5, 6]);
  });

  it('has no value where nothing was accepted, and rates over the span', () => {
    expect(pointsOf(series(2, 3), checks.value).values).toEqual([0.034, null]);
    expect(pointsOf(series(2), work.value).values).toEqual([2]);
    expect(pointsOf({ ...series(2), spanMs: HOUR_MS }, work.value).values).toEqual([120 / 3600]);
    expect(pointsOf(series(2), paid.value).values).toEqual([1.5]);
  });
});

it('tables say the same in words', () => {
  const texts = plots.map(({ table }) => table.map(({ text }) => [text(series(2, 3), 0), text(series(2, 3), 1)]));
  expect(texts).toEqual([
    [['2', '3']],
    [
      ['2', '2'],
      ['2', '2'],
    ],
    [
      ['3.4 %', '–'],
      ['1 in 10,000', '–'],
    ],
    [['1.50', '1.50']],
  ]);
});

it('a plot describes itself', () => {
  expect(descriptionOf(contributors, series(1, 2, 6))).toBe('From 1 to 6 by the minute, 3 in the mean; last 6.');
  expect(descriptionOf(checks, series(1))).toBe('No value yet.');
});

it.each([
  [[], [40, 100]],
  [[90], [30, 90]],
  [
    [80, 90],
    [30, 90],
  ],
  [
    [10, 90],
    [10, 90],
  ],
])('a plot of %j spans %j', (times, range) => expect(rangeOf(times, 60, 100)).toEqual(range));
