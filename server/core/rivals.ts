/** Other jobs that take turns with the one that a forecast is about. All that are there get the same, so one number tells what each has got. */
export class Rivals {
  /** Micro-units that this job was given, and each of the others since the beginning. */
  given = 0;
  #each = 0;
  /** Where they end, ascending; and how many have. */
  readonly #ends: number[];
  #ended = 0;

  constructor(units: readonly number[]) {
    this.#ends = units.toSorted((a, b) => a - b);
  }

  get count(): number {
    return this.#ends.length - this.#ended;
  }

  get isTheirTurn(): boolean {
    return this.count > 0 && this.given > this.#each;
  }

  serve(unitsEach: number): void {
    this.#each += unitsEach;
    while (this.#ended < this.#ends.length && this.#ends[this.#ended]! <= this.#each) this.#ended++;
  }

  /** One more, which begins level with those that are there. */
  add(units: number): void {
    if (this.count === 0) this.#each = this.given;
    const end = this.#each + units;
    let at = this.#ends.length;
    while (at > this.#ended && this.#ends[at - 1]! > end) at--;
    this.#ends.splice(at, 0, end);
  }
}
