import { HOUR_MS, MINUTE_MS } from '../../shared/limits.ts';
import type { Rng } from '../../shared/rng.ts';
import { ELEMENTS, PARTS } from './spec.ts';
import { type FloatClass, floatClasses } from './values.ts';

/** A device and its owner's habits. */
export interface Device {
  readonly number: number;
  /** (part, element)s a second. */
  readonly speed: number;
  readonly floatClass: FloatClass;
  readonly liar: boolean;
  /** How unevenly it computes: standard deviation of the logarithm of what a part takes. Even when it is missing. */
  readonly unevenness?: number;
  /** Elements of it that were verified before the world begins; none when it is missing. */
  readonly record?: number;
  /** When its tab is open. */
  readonly sessions: readonly Session[];
}

export interface Session {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A tile on the median device, which so does twelve in a median session; real devices do more (README.md). */
const MEDIAN_TILE_MS = 40_000;
export const MEDIAN_SPEED = (ELEMENTS * PARTS * 1000) / MEDIAN_TILE_MS;
/** From the slowest to the fastest: three orders of magnitude, log-uniform. */
const SPREAD = 1000;
export const FASTEST = MEDIAN_SPEED * Math.sqrt(SPREAD);
export const MEAN_SPEED = (FASTEST - FASTEST / SPREAD) / Math.log(SPREAD);

const SESSION_MS_MEDIAN = 8 * MINUTE_MS;
export const SESSION_MS_MEAN = SESSION_MS_MEDIAN / Math.LN2;
/** After a session half of the contributors come back, after a break of this mean. */
const RETURNING = 0.5;
const BREAK_MS_MEAN = 20 * MINUTE_MS;
const SESSIONS_MEAN = 1 / (1 - RETURNING);

/** Exponentially distributed. */
export const exponential = (random: Rng, mean: number): number => -mean * Math.log(1 - random.unit());

/** Contributors present at a time, when `count` of them come in the course of `endMs`. */
export const presentOf = (count: number, endMs: number): number => (count * SESSION_MS_MEAN * SESSIONS_MEAN) / (endMs + SESSION_MS_MEAN * SESSIONS_MEAN);

/**
 * Devices that come and go so that about equally many are here at any time: some from the beginning, the others as they arrive.
 * Exponential sessions have no memory, so those who are here at the beginning stay as long as any other.
 */
export function populate(random: Rng, options: { readonly count: number; readonly liars: number; readonly endMs: number }): Device[] {
  const atStart = presentOf(options.count, options.endMs);
  return Array.from({ length: options.count }, (_, number) => {
    const speed = (FASTEST / SPREAD) * SPREAD ** random.unit();
    const floatClass = floatClasses[random.below(floatClasses.length)]!;
    // One after the other, so that the share is exact and the honest ones are the same whatever it is.
    const liar = Math.floor((number + 1) * options.liars) > Math.floor(number * options.liars);
    let from = number < atStart ? 0 : random.unit() * options.endMs;
    const sessions: Session[] = [];
    do {
      const to = from + exponential(random, SESSION_MS_MEAN);
      sessions.push({ fromMs: from, toMs: to });
      from = to + exponential(random, BREAK_MS_MEAN);
    } while (random.unit() < RETURNING && from < options.endMs);
    return { number, speed, floatClass, liar, sessions };
  });
}

export const endMsOf = (hours: number): number => hours * HOUR_MS;
