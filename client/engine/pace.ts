import type { SlicePolicy } from '../../shared/workload.ts';
import type { HoldReason } from './api.ts';
import { Bell, type Clock } from './clock.ts';

/** Sleeps shorter than this are collected: browsers round nested timers up to 4 ms. */
const SLEEP_MS_MIN = 4;
/** Idle time beyond this is not saved up: after a long wait the GPU must not run flat out for as long. */
const CREDIT_MS_MAX = 50;
export const powerPercents = { min: 5, max: 100 } as const;

/** What wants the GPU for itself now and then, between two slices. */
export interface GapTask {
  readonly isDue: () => boolean;
  readonly run: () => Promise<void>;
}

/**
 * Keeps the owner of the GPU comfortable: bounds what is on it at once, keeps its share of the time at the power that was
 * asked for by sleeping after slices, and holds the kernel between two slices while paused.
 */
export class Pace {
  /** GPU time used so far, in milliseconds. */
  busyMs = 0;
  readonly #clock: Clock;
  readonly #changed = new Bell();
  #sliceMs: number;
  #scale = 1;
  #powerPercent = powerPercents.max as number;
  readonly #holds = new Set<HoldReason>();
  /** Run when due, while nothing of ours is on the GPU. */
  gapTask: GapTask | null = null;
  /** Idle milliseconds owed; negative when it idled longer than owed. */
  #owedMs = 0;
  /** Up to when idle time has been counted. */
  #countedMs: number;

  constructor(clock: Clock, sliceMs: number) {
    this.#clock = clock;
    this.#sliceMs = sliceMs;
    this.#countedMs = clock.now();
  }

  get powerPercent(): number {
    return this.#powerPercent;
  }

  get paused(): boolean {
    return this.#holds.size > 0;
  }

  /** Why it is paused, in the order in which they came. */
  get holds(): HoldReason[] {
    return [...this.#holds];
  }

  setSliceMs(ms: number): void {
    if (!(ms >= 1 && ms <= 100)) throw new RangeError(`a slice is 1 to 100 ms, got ${ms}`);
    this.#sliceMs = ms;
  }

  setPower(percent: number): void {
    if (!(percent >= powerPercents.min && percent <= powerPercents.max)) throw new RangeError(`power is 5 to 100 percent, got ${percent}`);
    this.#powerPercent = percent;
  }

  /** For ever after: a device that was lost had dispatches that were too long for it. */
  halveSlices(): void {
    this.#scale /= 2;
  }

  pause(reason: HoldReason): void {
    this.#holds.add(reason);
  }

  resume(reason: HoldReason): void {
    if (this.#holds.delete(reason) && !this.paused) this.#changed.notify();
  }

  /** Resolves when not paused. Rejects with the signal's reason. */
  async unpaused(signal: AbortSignal): Promise<void> {
    while (this.paused) await this.#changed.wait(signal);
    signal.throwIfAborted();
  }

  /** The policy for one run; its waits end with the run's signal. */
  policy(signal: AbortSignal): SlicePolicy {
    return {
      budgetMs: () => Math.max(1, (this.#sliceMs * this.#scale) / (this.#isFull ? 2 : 1)),
      inFlight: () => (this.#isFull && !this.gapTask?.isDue() ? 2 : 1),
      between: (measuredMs, underWay) => {
        const rested = this.#between(measuredMs, underWay, signal);
        // A kernel that sees the abort first never looks at this promise: its rejection must not count as unhandled.
        rested.catch(() => undefined);
        return rested;
      },
    };
  }

  /** At full power nobody rests, so two slices of half the length wait in line: no gap between them, and whoever else wants the GPU waits no longer. */
  get #isFull(): boolean {
    return this.#powerPercent === powerPercents.max;
  }

  async #between(measuredMs: number, underWay: number, signal: AbortSignal): Promise<void> {
    this.busyMs += measuredMs;
    await this.#rest(measuredMs, signal);
    if (underWay === 0 && this.gapTask?.isDue()) await this.gapTask.run();
    await this.unpaused(signal);
  }

  /** A share p means p ms of work to (100 - p) ms of idling, whatever the reason: rests that oversleep, waits for the network, our own script. */
  async #rest(measuredMs: number, signal: AbortSignal): Promise<void> {
    this.#owedMs += (measuredMs * (100 - this.#powerPercent)) / this.#powerPercent;
    this.#countIdle(measuredMs);
    if (this.#owedMs < SLEEP_MS_MIN) return;
    await this.#clock.sleep(this.#owedMs, signal);
    this.#countIdle(0);
  }

  #countIdle(busyMs: number): void {
    const nowMs = this.#clock.now();
    this.#owedMs = Math.max(-CREDIT_MS_MAX, this.#owedMs - Math.max(0, nowMs - this.#countedMs - busyMs));
    this.#countedMs = nowMs;
  }
}
