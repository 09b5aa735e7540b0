import { MINUTE_MS } from '../../shared/limits.ts';

const DAY_MINUTES = 24 * 60;
/** A range inside the hour that a clock change leaves out is met two days later; one day more is margin. */
const SEARCH_MINUTES_MAX = 3 * DAY_MINUTES;
const RANGES_MAX = 8;
const HOW = 'Hours are ranges such as 22-7 or 22:30-7, 12-13, from 0 to 24 o’clock, eight at most; empty means always.';

/** Minutes of the day: [from, until), over midnight where `until` is not after `from`. */
interface Range {
  readonly from: number;
  readonly until: number;
}

/** Ranges of the local day. None: always. */
export type Hours = readonly Range[];

function minutesOf(hour: string | undefined, minute: string | undefined): number {
  const minutes = Number(hour) * 60 + Number(minute ?? 0);
  if (!(minutes <= DAY_MINUTES && Number(minute ?? 0) < 60)) throw new RangeError(HOW);
  return minutes;
}

function rangeOf(text: string): Range {
  const found = /^(\d{1,2})(?::(\d{2}))?\s*[-–]\s*(\d{1,2})(?::(\d{2}))?$/.exec(text.trim());
  if (!found) throw new RangeError(HOW);
  return { from: minutesOf(found[1], found[2]) % DAY_MINUTES, until: minutesOf(found[3], found[4]) };
}

/** `22-7`, `22:30-7, 12-13`, or nothing for always. A range that ends where it begins is a whole day. Throws a `RangeError` for people. */
export function parseHours(text: string): Hours {
  if (text.trim() === '') return [];
  const ranges = text.split(',');
  if (ranges.length > RANGES_MAX) throw new RangeError(HOW);
  return ranges.map(rangeOf);
}

const isIn = ({ from, until }: Range, minute: number): boolean => (from < until ? minute >= from && minute < until : minute >= from || minute < until);

/** Whether these hours hold at this moment, by the local clock. */
export function isWithin(hours: Hours, date: Date): boolean {
  const minute = date.getHours() * 60 + date.getMinutes();
  return hours.length === 0 || hours.some((range) => isIn(range, minute));
}

/**
 * When it is the other way round for the next time, in milliseconds since 1970; null when that never is. Found by walking
 * over the minutes, which is right on days of 23 and 25 hours too: a wall clock may leave out an end of a range, or pass it
 * twice. Three days are 4320 steps, under a millisecond.
 */
export function nextChangeMs(hours: Hours, date: Date): number | null {
  const now = isWithin(hours, date);
  const thisMinuteMs = Math.floor(date.getTime() / MINUTE_MS) * MINUTE_MS;
  for (let minutes = 1; minutes <= SEARCH_MINUTES_MAX; minutes++) {
    const ms = thisMinuteMs + minutes * MINUTE_MS;
    if (isWithin(hours, new Date(ms)) !== now) return ms;
  }
  return null;
}
