/** What is still to happen, earliest first; of equal times the one that was added first. A binary heap. */
export class Agenda {
  #now = 0;
  #added = 0;
  readonly #atMs: number[] = [];
  readonly #order: number[] = [];
  readonly #acts: (() => void)[] = [];

  /** Virtual time, milliseconds. */
  get now(): number {
    return this.#now;
  }

  in(delayMs: number, act: () => void): void {
    if (!(delayMs >= 0)) throw new RangeError(`nothing can happen ${delayMs} ms from now`);
    let at = this.#acts.length;
    const [atMs, order] = [this.#now + delayMs, this.#added++];
    this.#acts.push(act);
    this.#atMs.push(atMs);
    this.#order.push(order);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#before(at, above)) break;
      this.#swap(at, above);
      at = above;
    }
  }

  /** Lets everything up to and including this time happen. */
  runUntil(endMs: number, stopped: () => boolean = () => false): void {
    while (this.#acts.length > 0 && this.#atMs[0]! <= endMs && !stopped()) {
      this.#now = this.#atMs[0]!;
      this.#takeFirst()();
    }
  }

  #takeFirst(): () => void {
    this.#swap(0, this.#acts.length - 1);
    const act = this.#acts.pop()!;
    this.#atMs.pop();
    this.#order.pop();
    for (let at = 0; ; ) {
      let least = at;
      for (const below of [2 * at + 1, 2 * at + 2]) if (below < this.#acts.length && this.#before(below, least)) least = below;
      if (least === at) return act;
      this.#swap(at, least);
      at = least;
    }
  }

  #before(a: number, b: number): boolean {
    return this.#atMs[a]! < this.#atMs[b]! || (this.#atMs[a] === this.#atMs[b] && this.#order[a]! < this.#order[b]!);
  }

  #swap(a: number, b: number): void {
    for (const list of [this.#atMs, this.#order, this.#acts] as unknown[][]) [list[a], list[b]] = [list[b], list[a]];
  }
}
