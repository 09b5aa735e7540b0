/** Another job: micro-units that are left of it, and its share for each share of the job that a forecast is about. */
export interface Rival {
  readonly units: number;
  readonly share: number;
}

/** Other jobs that take turns with the one that a forecast is about. What each has got for its share is the same, so one number tells it of all. */
export class Rivals {
  /** Micro-units that this job was given, and for each share the others since the beginning. */
  given = 0;
  #each = 0;
  /** Where they end, ascending. */
  readonly #ends: { readonly at: number; readonly share: number }[];
  #ended = 0;
  #shares = 0;

  constructor(rivals: readonly Rival[]) {
    this.#ends = rivals.map(({ units, share }) => ({ at: units / share, share })).sort((a, b) => a.at - b.at);
    for (const { share } of rivals) this.#shares += share;
  }

  /** How much goes to them for each unit that this job gets. */
  get shares(): number {
    return this.#ended < this.#ends.length ? this.#shares : 0;
  }

  get isTheirTurn(): boolean {
    return this.shares > 0 && this.given > this.#each;
  }

  /** So much for each share. */
  serve(units: number): void {
    this.#each += units;
    while (this.#ended < this.#ends.length && this.#ends[this.#ended]!.at <= this.#each) this.#shares -= this.#ends[this.#ended++]!.share;
  }

  /** One more, which begins level with those that are there and gets as much as this job. */
  add(units: number): void {
    if (this.shares === 0) this.#each = this.given;
    const end = { at: this.#each + units, share: 1 };
    let at = this.#ends.length;
    while (at > this.#ended && this.#ends[at - 1]!.at > end.at) at--;
    this.#ends.splice(at, 0, end);
    this.#shares += end.share;
  }
}
