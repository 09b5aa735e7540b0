import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseHours } from '../comfort/hours.ts';
import { keepHours } from './timetable.ts';

const MINUTE_MS = 60_000;

describe('a timetable', () => {
  let said: string[];
  const engine = { pause: (reason?: string) => void said.push(`pause ${reason}`), resume: (reason?: string) => void said.push(`resume ${reason}`) };
  const keep = (hours: string): (() => void) => keepHours(parseHours(hours), engine, (line) => void said.push(line));

  beforeEach(() => {
    said = [];
    vi.useFakeTimers({ now: new Date(2026, 5, 10, 21, 30) });
  });
  afterEach(() => void vi.useRealTimers());

  it('pauses at once outside its hours, goes on when they begin, pauses when they end', () => {
    const end = keep('22-7');
    expect(said).toEqual(['pause hours', 'Paused by --hours; goes on at 22:00.']);
    vi.advanceTimersByTime(29 * MINUTE_MS);
    expect(said).toHaveLength(2);
    vi.advanceTimersByTime(1.2 * MINUTE_MS);
    expect(said.slice(2)).toEqual(['resume hours', 'Going on: --hours allow it until 07:00.']);
    vi.advanceTimersByTime(9 * 60 * MINUTE_MS);
    expect(said.slice(4)).toEqual(['pause hours', 'Paused by --hours; goes on at 22:00.']);
    end();
    vi.advanceTimersByTime(24 * 60 * MINUTE_MS);
    expect(said).toHaveLength(6);
  });

  it('follows a clock that is set', () => {
    const end = keep('22-7');
    vi.setSystemTime(new Date(2026, 5, 11, 3));
    vi.advanceTimersByTime(6000);
    expect(said.slice(2, 3)).toEqual(['resume hours']);
    end();
  });

  it('says and does nothing when it is always', () => {
    const end = keep('');
    vi.advanceTimersByTime(24 * 60 * MINUTE_MS);
    expect(said).toEqual([]);
    end();
  });
});
