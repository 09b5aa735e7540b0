/** The coordinator's cores: so many checks at once, the others wait. */
export class Cpu {
  readonly #freeAtMs: number[];

  constructor(cores: number) {
    this.#freeAtMs = new Array<number>(cores).fill(0);
  }

  /** How long from now a piece of work of this many milliseconds takes. */
  take(now: number, ms: number): number {
    let first = 0;
    for (let core = 1; core < this.#freeAtMs.length; core++) if (this.#freeAtMs[core]! < this.#freeAtMs[first]!) first = core;
    const done = Math.max(now, this.#freeAtMs[first]!) + ms;
    this.#freeAtMs[first] = done;
    return done - now;
  }
}
