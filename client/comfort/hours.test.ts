import { describe, expect, it } from 'vitest';
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
