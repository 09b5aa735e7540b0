/** A call that is expected to take less than this share of the budget may be twice as large. */
const ROOM = 0.45;

/**
 * How many inputs go through the model in one call: as many as the time of a slice allows, in powers of two from one. A call cannot be interrupted, so
 * it grows slowly, and only by what was seen. The first call of a size compiles kernels, so what it took says nothing.
 */
export class GroupSize {
  readonly #most: number;
  readonly #seen = new Set<number>();
  #size = 1;

  /** `most`: a power of two. */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  /** Learns from a call of `size` inputs. */
  report(size: number, measuredMs: number, budgetMs: number): void {
    const first = !this.#seen.has(size);
    this.#seen.add(size);
    if (first || size !== this.#size) return;
    if (measuredMs > budgetMs) this.#size = Math.max(1, size / 2);
    else if (measuredMs < budgetMs * ROOM) this.#size = Math.min(this.#most, size * 2);
  }
}
