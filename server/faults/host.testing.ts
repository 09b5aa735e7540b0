import type { Rng } from '../../shared/rng.ts';
import { sleep } from './time.testing.ts';

/** A line on which some of what is said is late. */
export interface Delays {
  /** Share of one. */
  readonly late: number;
  readonly lateMsMax: number;
}

const never = new Promise<never>(() => undefined);

/** Mostly at once. */
export async function late({ late: share, lateMsMax }: Delays, rng: Rng): Promise<void> {
  if (rng.unit() < share) await sleep(rng.unit() * lateMsMax);
}

/**
 * The machine under a coordinator. All that the coordinator says to others, or hears of them, passes by `trip`: that of one that was killed never
 * arrives, that of one that is paused waits. What such a coordinator still decides for itself nobody sees, so its code need not be stopped.
 */
export class Host {
  readonly #rng: Rng;
  readonly #delays: Delays;
  #isDead = false;
  #thawed: PromiseWithResolvers<void> | undefined;

  constructor(rng: Rng, delays: Delays) {
    this.#rng = rng;
    this.#delays = delays;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  chance(share: number): boolean {
    return share > 0 && this.#rng.unit() < share;
  }

  kill(): void {
    this.#isDead = true;
  }

  pause(): void {
    this.#thawed ??= Promise.withResolvers();
  }

  resume(): void {
    this.#thawed?.resolve();
    this.#thawed = undefined;
  }

  /** One way between the coordinator and somebody else. */
  async trip(): Promise<void> {
    await late(this.#delays, this.#rng);
    while (this.#thawed && !this.#isDead) await this.#thawed.promise;
    if (this.#isDead) await never;
  }
}
