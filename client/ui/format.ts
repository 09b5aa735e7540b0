import { formatCredits, MICRO } from '../../shared/credits.ts';
import { KIB, MIB } from '../../shared/limits.ts';
import type { CreditUnit } from '../../shared/model.ts';

/** Everything that turns numbers into words. One locale, so that pages read the same everywhere and tests can check them. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const dateTime = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });
const dateOnly = new Intl.DateTimeFormat('en', { dateStyle: 'medium' });

export const count = (value: number): string => whole.format(value);
export const plural = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`;

/** 0 to 1 -> `41 %`; 100 % only when it is complete. */
export function percent(share: number): string {
  const rounded = Math.floor(Math.min(1, Math.max(0, share)) * 100 + 1e-9);
  return `${rounded} %`;
}

/** A small share as `1 in 10,000`, `none` for 0. Two digits, rounded towards the larger share: a bound stays a bound. */
export function oneIn(share: number): string {
  if (share <= 0) return 'none';
  // The quotient of two decimals may lie a hair below the whole number that is meant.
  const of = (1 / Math.min(1, share)) * (1 + 1e-12);
  const step = 10 ** Math.max(0, Math.floor(Math.log10(of)) - 1);
  return `1 in ${count(Math.floor(of / step) * step)}`;
}

/** Micro-credits -> decimals that matter: two from 1 upwards, up to four from 0.01, up to six below. Rounded half away from zero. */
export function credits(microCredits: string | bigint): string {
  const amount = BigInt(microCredits);
  const abs = amount < 0n ? -amount : amount;
  const step = abs >= MICRO ? 10_000n : abs >= MICRO / 100n ? 100n : 1n;
  const rounded = ((abs + step / 2n) / step) * step;
  return formatCredits(amount < 0n ? -rounded : rounded);
}

/** Every amount says whether it is of test credits. */
export const unitWords = (unit: CreditUnit): string => (unit === 'test' ? 'test credits' : 'credits');
export const amountOf = (microCredits: string | bigint, unit: CreditUnit): string => `${credits(microCredits)} ${unitWords(unit)}`;
export const testCredits = (microCredits: string | bigint): string => amountOf(microCredits, 'test');

/** With its sign and all six decimals: for statements, where rows line up and add up. */
export function signedCredits(microCredits: string): string {
  const amount = BigInt(microCredits);
  const abs = amount < 0n ? -amount : amount;
  return `${amount < 0n ? '−' : '+'}${abs / MICRO}.${(abs % MICRO).toString().padStart(6, '0')}`;
}

export function bytes(value: number): string {
  if (value < KIB) return `${value} B`;
  return value < MIB ? `${(value / KIB).toFixed(0)} KiB` : `${(value / MIB).toFixed(1)} MiB`;
}

/** Seconds -> the two largest units: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const pair = (big: number, bigUnit: string, small: number, smallUnit: string): string =>
    small > 0 ? `${big} ${bigUnit} ${small} ${smallUnit}` : `${big} ${bigUnit}`;
  if (s < 60) return `${s} s`;
  if (s < 3600) return pair(Math.floor(s / 60), 'min', s % 60, 's');
  if (s < 86_400) return pair(Math.floor(s / 3600), 'h', Math.floor((s % 3600) / 60), 'min');
  return pair(Math.floor(s / 86_400), 'd', Math.floor((s % 86_400) / 3600), 'h');
}

/** As `duration`, of what is an estimate, and no finer than one can be: `48 min`, `2 h 5 min`, `29 d`. */
export function roughly(seconds: number): string {
  const step = seconds < 60 ? 1 : seconds < 600 ? 10 : seconds < 3600 ? 60 : seconds < 36_000 ? 300 : seconds < 864_000 ? 3600 : 86_400;
  return duration(Math.round(seconds / step) * step);
}

export const moment = (ms: number): string => dateTime.format(ms);
export const day = (ms: number): string => dateOnly.format(ms);

/** `triangles` -> `Triangles`, `peakBytes` -> `Peak bytes`: names of facts come from workloads as identifiers. */
export function words(identifier: string): string {
  const spaced = identifier.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/** A fact's value: sizes are named as such by workloads, whole numbers have no decimals. */
export const factOf = (name: string, value: number): string =>
  /bytes$/i.test(name) ? bytes(value) : Number.isInteger(value) ? count(value) : value.toFixed(2);
