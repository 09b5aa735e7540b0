import type { Device } from '../../shared/schemas.ts';

/** Watts of a GPU at work, by what browsers tell of it. An estimate that its owner can replace: no browser measures power. */
const WATTS_BY_KIND: readonly (readonly [RegExp, number])[] = [
  [/swiftshader|llvmpipe|lavapipe|basic render/, 30],
  [/apple/, 20],
  [/qualcomm|adreno|arm|mali|img|powervr/, 5],
  [/intel/, 15],
  [/nvidia/, 150],
  [/amd|ati|radeon/, 120],
];
const WATTS_UNKNOWN = 50;

export function wattsOf({ vendor, architecture, description }: Device): number {
  const name = `${vendor} ${architecture} ${description}`.toLowerCase();
  return WATTS_BY_KIND.find(([kind]) => kind.test(name))?.[1] ?? WATTS_UNKNOWN;
}

const HOUR_MS = 3_600_000;
const WATTS_PER_KILOWATT = 1000;
const MICRO = 1e6;

/** Kilowatt hours of so much GPU time. */
export const kwhOf = (busyMs: number, watts: number): number => (busyMs / HOUR_MS) * (watts / WATTS_PER_KILOWATT);

export interface Prices {
  readonly watts: number;
  /** The same money for both. */
  readonly pricePerKwh: number;
  readonly creditWorth: number;
}

export interface Account {
  /** GPU time used, in milliseconds. */
  readonly busyMs: number;
  readonly microCredits: bigint;
}

/** Cost of the energy and worth of the earnings between two accounts. */
export function balanceOf(from: Account, to: Account, { watts, pricePerKwh, creditWorth }: Prices): { cost: number; worth: number } {
  return {
    cost: kwhOf(to.busyMs - from.busyMs, watts) * pricePerKwh,
    worth: (Number(to.microCredits - from.microCredits) / MICRO) * creditWorth,
  };
}

/** Verdicts come minutes after the work: less than this says nothing. */
const WINDOW_BUSY_MS = 10 * 60_000;
/** Prices of work change, so it is tried again. */
const REST_MS = 60 * 60_000;

/** Whether running pays, by windows of ten minutes of GPU time. After one that did not, an hour passes before the next. */
export class Paying {
  #from: Account | null = null;
  #untilMs = Number.NEGATIVE_INFINITY;

  /** True while it should stand still because of its price. */
  update(account: Account, prices: Prices, nowMs: number): boolean {
    if (nowMs < this.#untilMs) return true;
    // After a rest, and after a new engine began to count at nothing, a window begins.
    if (!this.#from || account.busyMs < this.#from.busyMs) this.#from = account;
    if (account.busyMs - this.#from.busyMs < WINDOW_BUSY_MS) return false;
    const { cost, worth } = balanceOf(this.#from, account, prices);
    this.#from = null;
    if (worth >= cost) return false;
    this.#untilMs = nowMs + REST_MS;
    return true;
  }

  /** Other prices: what was found with the old ones counts no more. */
  forget(): void {
    this.#from = null;
    this.#untilMs = Number.NEGATIVE_INFINITY;
  }
}
