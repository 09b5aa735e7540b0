import { monitorEventLoopDelay } from 'node:perf_hooks';
import { limits, SECOND_MS } from '../shared/limits.ts';
import { hit } from './caps.ts';

/** Why nothing new is begun now, and when to ask again. */
export interface Unready {
  readonly reason: string;
  readonly retryMs: number;
}

/** Longer than a restart takes, and shorter than a lease lasts. */
const DRAIN_RETRY_MS = 5 * SECOND_MS;
const OVERLOAD_RETRY_MS = 2 * SECOND_MS;
/** So long it has to be late: one long pause is no overload. */
const LATE_SECONDS = 5;
const RESOLUTION_MS = 20;
const NANO_PER_MILLI = 1e6;

/** Whether this process may begin something new: it is not at its end, and keeps up. What is under way is counted, to be waited for at the end. */
export class Load {
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #timer: NodeJS.Timeout | undefined;
  /** Of the last seconds, the newest last. */
  #meanDelaysMs: readonly number[] = [];
  #maxDelayMs = 0;
  #draining = false;
  #underWay = 0;
  #idle = Promise.withResolvers<void>();

  /** Begins to measure the event loop. */
  start(): void {
    this.#delays.enable();
    this.#timer = setInterval(() => this.measured(this.#delays.mean / NANO_PER_MILLI - RESOLUTION_MS, this.#delays.max / NANO_PER_MILLI), SECOND_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#delays.disable();
  }

  /** The delay of the event loop over the last second. */
  measured(meanMs: number, maxMs: number): void {
    this.#meanDelaysMs = [...this.#meanDelaysMs, Number.isFinite(meanMs) ? Math.max(0, meanMs) : 0].slice(-LATE_SECONDS);
    this.#maxDelayMs = maxMs;
    this.#delays.reset();
  }

  get delayMs(): { readonly mean: number; readonly max: number } {
    return { mean: this.#meanDelaysMs.at(-1) ?? 0, max: this.#maxDelayMs };
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  /** From now on nothing new is begun. */
  drain(): void {
    this.#draining = true;
  }

  /** Null: something new may be begun. Counts the cap that was hit. */
  refusal(): Unready | null {
    if (this.#draining) return { reason: 'The coordinator is about to restart.', retryMs: DRAIN_RETRY_MS };
    if (this.#meanDelaysMs.length < LATE_SECONDS || Math.min(...this.#meanDelaysMs) <= limits.eventLoopDelayMsMax) return null;
    hit('eventLoopDelayMsMax');
    return { reason: 'The coordinator is overloaded.', retryMs: OVERLOAD_RETRY_MS };
  }

  /** Something that has to be finished before the process ends. Call what it returns, once, when it is. */
  begin(): () => void {
    this.#underWay++;
    return () => {
      if (--this.#underWay > 0) return;
      this.#idle.resolve();
      this.#idle = Promise.withResolvers();
    };
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** Resolves when nothing is under way; with false, when that has taken too long. */
  async idle(msMax: number): Promise<boolean> {
    const late = Promise.withResolvers<false>();
    const timer = setTimeout(() => late.resolve(false), msMax);
    try {
      while (this.#underWay > 0) if ((await Promise.race([this.#idle.promise, late.promise])) === false) return false;
      return true;
    } finally {
      clearTimeout(timer);
    }
  }
}
