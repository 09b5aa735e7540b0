import { describe, expect, it } from 'vitest';
import { balanceOf, kwhOf, Paying, wattsOf } from './energy.ts';

const MINUTE_MS = 60_000;
const device = (vendor: string, architecture = '') => ({ vendor, architecture, backend: 'x', description: '', software: false });

describe('energy', () => {
  it('is power times GPU time', () => {
    expect(kwhOf(3_600_000, 150)).toBeCloseTo(0.15, 10);
    const { cost, worth } = balanceOf(
      { busyMs: 0, microCredits: 5_000_000n },
      { busyMs: 7_200_000, microCredits: 8_000_000n },
      { watts: 100, pricePerKwh: 0.3, creditWorth: 0.01 },
    );
    expect(cost).toBeCloseTo(0.06, 10);
    expect(worth).toBeCloseTo(0.03, 10);
  });

  it('guesses the power by the maker', () => {
    expect(wattsOf(device('nvidia', 'ampere'))).toBeGreaterThan(wattsOf(device('apple')));
    expect(wattsOf(device('apple'))).toBeGreaterThan(wattsOf(device('qualcomm', 'adreno-7xx')));
    expect(wattsOf(device(''))).toBe(50);
  });
});

describe('paying', () => {
  const prices = { watts: 100, pricePerKwh: 0.3, creditWorth: 1 };
  /** Ten minutes of 100 W cost 0.005. */
  const after = (minutes: number, microCredits: bigint) => ({ busyMs: minutes * MINUTE_MS, microCredits });

  it('goes on while a window earns what it costs', () => {
    const paying = new Paying();
    for (let minute = 0; minute <= 60; minute++) expect(paying.update(after(minute, BigInt(minute) * 600n), prices, minute * MINUTE_MS)).toBe(false);
  });

  it('rests for an hour after one that did not, then tries again', () => {
    const paying = new Paying();
    expect(paying.update(after(0, 0n), prices, 0)).toBe(false);
    expect(paying.update(after(9, 0n), prices, 9 * MINUTE_MS)).toBe(false);
    expect(paying.update(after(10, 4_000n), prices, 10 * MINUTE_MS)).toBe(true);
    expect(paying.update(after(10, 4_000n), prices, 69 * MINUTE_MS)).toBe(true);
    expect(paying.update(after(10, 4_000n), prices, 70 * MINUTE_MS)).toBe(false);
  });

  it('counts anew with a new engine, and with other prices', () => {
    const paying = new Paying();
    paying.update(after(5, 0n), prices, 0);
    expect(paying.update(after(1, 0n), prices, 1)).toBe(false);
    expect(paying.update(after(10.5, 0n), prices, 2)).toBe(false);
    expect(paying.update(after(11, 0n), prices, 3)).toBe(true);
    paying.forget();
    expect(paying.update(after(11, 0n), prices, 4)).toBe(false);
  });
});
