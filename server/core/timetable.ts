/** Numbered things that are to happen at times: the earliest first. A binary heap of plain numbers, for what is done a million times. */
export class Timetable {
  readonly #at: number[] = [];
  readonly #what: number[] = [];
  /** Of what `next` took last. */
  now = 0;

  get isEmpty(): boolean {
    return this.#at.length === 0;
  }

  add(at: number, what: number): void {
    let place = this.#at.length;
    for (let above = (place - 1) >> 1; place > 0 && this.#at[above]! > at; above = (place - 1) >> 1) {
      this.#at[place] = this.#at[above]!;
      this.#what[place] = this.#what[above]!;
      place = above;
    }
    this.#at[place] = at;
    this.#what[place] = what;
  }

  /** Takes the earliest. There must be one. */
  next(): number {
    const first = this.#what[0]!;
    this.now = this.#at[0]!;
    const [at, what] = [this.#at.pop()!, this.#what.pop()!];
    const count = this.#at.length;
    if (count === 0) return first;
    let place = 0;
    for (let below = 1; below < count; below = 2 * place + 1) {
      if (below + 1 < count && this.#at[below + 1]! < this.#at[below]!) below++;
      if (this.#at[below]! >= at) break;
      this.#at[place] = this.#at[below]!;
      this.#what[place] = this.#what[below]!;
      place = below;
    }
    this.#at[place] = at;
    this.#what[place] = what;
    return first;
  }
}
