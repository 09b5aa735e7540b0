import { pcgHash } from '../../shared/rng.ts';

/** Random numbers of forecasts, from a seed: fast, and no better than they need be. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  u32(): number {
    this.#state = pcgHash((this.#state ^ 0x9e3779b9) >>> 0);
    return this.#state;
  }

  /** In [0, 1). */
  unit(): number {
    return this.u32() / 2 ** 32;
  }

  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.unit())) * Math.cos(2 * Math.PI * this.unit());
  }

  /** Until something that happens so often; Infinity for what never does. */
  waiting(rate: number): number {
    return -Math.log(1 - this.unit()) / rate;
  }

  oneOf(values: readonly number[]): number {
    return values[Math.floor(this.unit() * values.length)]!;
  }
}
