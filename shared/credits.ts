import type { MicroUnits } from './model.ts';

/** Integer millionths of a credit. A credit is the price unit; how many a work unit costs is the operator's rate. */
export type MicroCredits = bigint;

export const MICRO = 1_000_000n;

/** Price of an amount of work, rounded up to a whole micro-credit. Throws on a negative amount. */
export function priceOf(units: MicroUnits, ratePerUnit: MicroCredits): MicroCredits {
  if (!Number.isSafeInteger(units) || units < 0) throw new RangeError(`units must be a non-negative integer, got ${units}`);
  const product = BigInt(units) * ratePerUnit;
  return (product + MICRO - 1n) / MICRO;
}

/** Splits an amount by a share in percent (0 to 100). The residue of the division stays with `rest`, so the two always sum to `amount`. */
export function splitShare(amount: MicroCredits, sharePercent: number): { share: MicroCredits; rest: MicroCredits } {
  if (!Number.isInteger(sharePercent) || sharePercent < 0 || sharePercent > 100) throw new RangeError(`share must be 0 to 100 percent, got ${sharePercent}`);
  const share = (amount * BigInt(sharePercent)) / 100n;
  return { share, rest: amount - share };
}

/** `1234567n` -> `"1.234567"`; trailing zeros are dropped down to two decimals. */
export function formatCredits(amount: MicroCredits): string {
  const sign = amount < 0n ? '-' : '';
  const abs = amount < 0n ? -amount : amount;
  const fraction = (abs % MICRO)
    .toString()
    .padStart(6, '0')
    .replace(/0{1,4}$/, '');
  return `${sign}${abs / MICRO}.${fraction}`;
}

/** The inverse of `formatCredits`. Throws a `RangeError` on anything that is not a decimal number with at most six decimals. */
export function parseCredits(text: string): MicroCredits {
  const match = /^(-?)(\d{1,15})(?:\.(\d{1,6}))?$/.exec(text.trim());
  if (!match) throw new RangeError(`not an amount with at most 6 decimals: ${JSON.stringify(text.slice(0, 40))}`);
  const [, sign, whole = '0', fraction = ''] = match;
  const value = BigInt(whole) * MICRO + BigInt(fraction.padEnd(6, '0'));
  return sign === '-' ? -value : value;
}
