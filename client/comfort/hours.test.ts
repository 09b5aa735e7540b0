import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isWithin, nextChangeMs, parseHours } from './hours.ts';

const at = (hour: number, minute = 0): Date => new Date(2026, 5, 10, hour, minute);
const within = (text: string, date: Date): boolean => isWithin(parseHours(text), date);

describe('hours', () => {
  it.each([
    ['9-17', at(9), true],
    ['9-17', at(8, 59), false],
    ['9-17', at(17), false],
    ['22-7', at(23), true],
    ['22-7', at(6, 59), true],
    ['22-7', at(7), false],
    ['22:30-7, 12-13', at(22, 29), false],
    ['22:30-7, 12-13', at(22, 30), true],
    ['22:30-7, 12-13', at(12, 59), true],
    ['0-24', at(23, 59), true],
    ['24-6', at(3), true],
    ['8–8', at(3), true],
    ['', at(3), true],
    ['  ', at(3), true],
  ] as const)('%s at %s: %s', (text, date, expected) => expect(within(text, date)).toBe(expected));

  it.each(['9', '9-', '25-3', '9-24:30', '9:60-10', '9-17;', '-', 'always', '9-17,', '١-٢', Array(9).fill('1-2').join(',')])('refuses %s', (text) => {
    expect(() => parseHours(text)).toThrow(/Hours are ranges such as/);
  });

  it('know when they change', () => {
    const hours = parseHours('22-7');
    expect(nextChangeMs(hours, at(12))).toBe(at(22).getTime());
    expect(nextChangeMs(hours, at(23))).toBe(new Date(2026, 5, 11, 7).getTime());
    expect(nextChangeMs(parseHours('0-12, 12-24'), at(12))).toBeNull();
    expect(nextChangeMs(parseHours('8-8'), at(12))).toBeNull();
    expect(nextChangeMs([], at(12))).toBeNull();
  });
});

describe('hours where clocks change', () => {
  /** Clocks go from 2:00 to 3:00 on 29 March 2026 and from 3:00 to 2:00 on 25 October 2026, both at 1:00 UTC. */
  const before = process.env.TZ;
  beforeAll(() => {
    process.env.TZ = 'Europe/Berlin';
    expect(new Date('2026-07-01T12:00:00Z').getHours(), 'the zone could be set').toBe(14);
  });
  afterAll(() => {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  });

  it.each([
    ['22-7', '2026-03-28T22:00:00Z', '2026-03-29T05:00:00.000Z'],
    ['22-7', '2026-10-24T21:00:00Z', '2026-10-25T06:00:00.000Z'],
    // 2:30 is left out: the clock is past it at the jump.
    ['2:30-5', '2026-03-29T00:30:00Z', '2026-03-29T01:00:00.000Z'],
    // A range inside the hour that is left out is not met before the next day.
    ['2:10-2:40', '2026-03-28T02:00:00Z', '2026-03-30T00:10:00.000Z'],
    // 2:30 comes twice, and the jump back leads out of the range.
    ['2:30-5', '2026-10-25T00:00:00Z', '2026-10-25T00:30:00.000Z'],
    ['2:30-5', '2026-10-25T00:30:00Z', '2026-10-25T01:00:00.000Z'],
    ['2:30-5', '2026-10-25T01:00:00Z', '2026-10-25T01:30:00.000Z'],
  ])('%s after %s change at %s', (text, from, expected) => {
    expect(new Date(nextChangeMs(parseHours(text), new Date(from)) ?? 0).toISOString()).toBe(expected);
  });
});
