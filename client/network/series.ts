import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../shared/limits.ts';
import type { NetworkSeries } from '../../shared/schemas.ts';
import { count, credits, oneIn } from '../ui/format.ts';

/** What the plots and their tables show of the figures that the coordinator keeps. */

const columns = ['atMs', 'contributors', 'tiles', 'units', 'recomputed', 'errorBound', 'paidMicroCredits'] as const;

/** `fresh` in place of what is known from its first span on; what began more than `keptMs` before the end is let go. */
export function merged(known: NetworkSeries, fresh: NetworkSeries, keptMs: number): NetworkSeries {
  const first = fresh.atMs[0] ?? Number.POSITIVE_INFINITY;
  const upTo = known.atMs.filter((atMs) => atMs < first).length;
  const end = fresh.atMs.at(-1) ?? known.atMs.at(-1) ?? 0;
  const all = Object.fromEntries(columns.map((name) => [name, [...known[name].slice(0, upTo), ...fresh[name]]])) as Pick<
    NetworkSeries,
    (typeof columns)[number]
  >;
  const from = all.atMs.filter((atMs) => atMs < end - keptMs).length;
  return { spanMs: fresh.spanMs, ...(Object.fromEntries(columns.map((name) => [name, all[name].slice(from)])) as typeof all) };
}

/** Times in seconds with their values, for a plot: where spans are missing there is a null, which no line crosses. */
export function pointsOf(series: NetworkSeries, read: PlotKind['value']): { times: number[]; values: (number | null)[] } {
  const times: number[] = [];
  const values: (number | null)[] = [];
  for (const [index, atMs] of series.atMs.entries()) {
    const before = series.atMs[index - 1];
    if (before !== undefined && atMs - before > series.spanMs) {
      times.push((before + series.spanMs) / SECOND_MS);
      values.push(null);
    }
    times.push(atMs / SECOND_MS);
    values.push(read(series, index));
  }
  return { times, values };
}

/** From where to where a plot of these ascending seconds goes: to the last of them, and so far back at least. */
export function rangeOf(times: ArrayLike<number>, spanSecondsMin: number, now: number): [from: number, to: number] {
  const to = times[times.length - 1] ?? now;
  return [Math.min(times[0] ?? to, to - spanSecondsMin), to];
}

/** One plot, and the columns of its table. */
export interface PlotKind {
  readonly id: string;
  readonly title: string;
  /** Of a value, with its unit. */
  readonly format: (value: number) => string;
  readonly value: (series: NetworkSeries, index: number) => number | null;
  readonly table: readonly { readonly name: string; readonly text: (series: NetworkSeries, index: number) => string }[];
}

const NONE = '–';
const decimals = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
export const few = (value: number): string => (value >= 1000 ? count(value) : decimals.format(value));
const share = (value: number): string => `${decimals.format(value * 100)} %`;

const contributors = (series: NetworkSeries, index: number): number => series.contributors[index] ?? 0;
/** Over the whole span, a second. */
const unitsPerSecond = (series: NetworkSeries, index: number): number => (series.units[index] ?? 0) / (series.spanMs / SECOND_MS);
const recomputed = (series: NetworkSeries, index: number): number | null => series.recomputed[index] ?? null;
const paid = (series: NetworkSeries, index: number): string => series.paidMicroCredits[index] ?? '0';

export const plots: readonly PlotKind[] = [
  {
    id: 'contributors',
    title: 'Contributors online',
    format: few,
    value: contributors,
    table: [{ name: 'Contributors, mean', text: (series, index) => few(contributors(series, index)) }],
  },
  {
    id: 'work',
    title: 'Verified work, units a second',
    format: few,
    value: unitsPerSecond,
    table: [
      { name: 'Units a second', text: (series, index) => few(unitsPerSecond(series, index)) },
      { name: 'Tiles', text: (series, index) => few(series.tiles[index] ?? 0) },
    ],
  },
  {
    id: 'checks',
    title: 'Computed again by checks',
    format: share,
    value: recomputed,
    table: [
      {
        name: 'Of accepted values',
        text(series, index) {
          const value = recomputed(series, index);
          return value === null ? NONE : share(value);
        },
      },
      {
        name: 'Wrong, at most',
        text(series, index) {
          const bound = series.errorBound[index] ?? null;
          return bound === null ? NONE : oneIn(bound);
        },
      },
    ],
  },
  {
    id: 'paid',
    title: 'Test credits paid',
    format: few,
    value: (series, index) => Number(paid(series, index)) / 1e6,
    table: [{ name: 'Test credits', text: (series, index) => credits(paid(series, index)) }],
  },
];

const clock = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const dayAndHour = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const dayAlone = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric' });

/** When a span began: minutes of a day by the clock, hours of a month with their day. */
export const timeOf = (atMs: number, spanMs: number): string => (spanMs === MINUTE_MS ? clock : dayAndHour).format(atMs);
/** For the axis, whose labels are `stepMs` apart. */
export const tickOf = (atMs: number, stepMs: number): string => (stepMs < DAY_MS ? clock : dayAlone).format(atMs);
export const spanWord = (spanMs: number): string => (spanMs === HOUR_MS ? 'hour' : 'minute');

/** What a plot says to who cannot see it. */
export function descriptionOf({ format, value }: PlotKind, series: NetworkSeries): string {
  const values = series.atMs.flatMap((_, index) => value(series, index) ?? []);
  const last = values.at(-1);
  if (last === undefined) return 'No value yet.';
  const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
  const span = spanWord(series.spanMs);
  return `From ${format(Math.min(...values))} to ${format(Math.max(...values))} by the ${span}, ${format(mean)} in the mean; last ${format(last)}.`;
}
