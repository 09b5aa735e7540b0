import { describe, expect, it } from 'vitest';
import { Contention } from './contention.ts';

/** Readings every half second. */
function feed(contention: Contention, from: number, readings: readonly number[]): boolean[] {
  return readings.map((ms, index) => contention.report((from + index) * 500, ms));
}
const usual = (count: number): number[] => Array.from({ length: count }, (_, index) => 1 + (index % 3) * 0.1);

describe('contention', () => {
  it('is found when readings are twice as long for three seconds, and not before', () => {
    const contention = new Contention();
    feed(contention, 0, usual(20));
    const found = feed(
      contention,
      20,
      Array.from({ length: 8 }, () => 2.4),
    );
    expect(found).toEqual([false, false, false, false, false, false, true, true]);
  });

  it('is not found in single slow readings, in 1.8 times the usual, or before the usual is known', () => {
    const contention = new Contention();
    expect(
      feed(
        contention,
        0,
        Array.from({ length: 7 }, (_, index) => (index < 3 ? 1 : 5)),
      ).includes(true),
    ).toBe(false);
    contention.forget();
    feed(contention, 0, usual(20));
    expect(feed(contention, 20, [9, 9, 9, 1, 9, 9, 9, 1, 9, 9]).includes(true)).toBe(false);
    expect(
      feed(
        contention,
        40,
        Array.from({ length: 20 }, () => 1.8),
      ).includes(true),
    ).toBe(false);
  });

  it('ends after two readings near the usual, which others have not changed', () => {
    const contention = new Contention();
    feed(contention, 0, usual(20));
    const before = contention.usualMs;
    feed(
      contention,
      20,
      Array.from({ length: 200 }, () => 4),
    );
    expect(contention.busy).toBe(true);
    expect(contention.usualMs).toBe(before);
    expect(feed(contention, 300, [1.1, 4, 1.1, 1.2])).toEqual([true, true, true, false]);
  });

  it('follows a GPU that slowly grows slower', () => {
    const contention = new Contention();
    const found = feed(
      contention,
      0,
      Array.from({ length: 2000 }, (_, index) => 1 + index / 500),
    );
    expect(found.includes(true)).toBe(false);
  });
});
