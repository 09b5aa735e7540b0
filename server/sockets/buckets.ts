import { SECOND_MS } from '../../shared/limits.ts';

/** Counted at a time; beyond it the one that was counted first is forgotten. */
const KEYS_MAX = 50_000;

/** Token buckets by key: `perSecond` are refilled a second, up to `most`. */
export class Buckets {
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();
  readonly #perSecond: number;
  readonly #most: number;

  constructor(perSecond: number, most: number) {
    this.#perSecond = perSecond;
    this.#most = most;
  }

  /** False when there are not so many in it. */
  take(key: string, nowMs: number, count = 1): boolean {
    const bucket = this.#buckets.get(key) ?? { tokens: this.#most, atMs: nowMs };
    bucket.tokens = Math.min(this.#most, bucket.tokens + (Math.max(0, nowMs - bucket.atMs) / SECOND_MS) * this.#perSecond);
    bucket.atMs = nowMs;
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > KEYS_MAX) this.#buckets.delete(this.#buckets.keys().next().value ?? key);
    if (bucket.tokens < count) return false;
    bucket.tokens -= count;
    return true;
  }

  /** Forgets those that are full again. */
  sweep(nowMs: number): void {
    for (const [key, { tokens, atMs }] of this.#buckets) if (tokens + ((nowMs - atMs) / SECOND_MS) * this.#perSecond >= this.#most) this.#buckets.delete(key);
  }
}
