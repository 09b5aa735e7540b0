/** Readings of the gauge that the usual speed is taken from: two minutes of them. */
const READINGS_KEPT = 240;
/** Fewer say nothing. */
const READINGS_MIN = 8;
/** So much slower than usual, for so long: somebody else needs the GPU. */
const BUSY_RATIO = 2;
const BUSY_MS = 3000;
const BUSY_READINGS_MIN = 4;
/** So near to its usual speed, twice in a row: it is free again. */
const FREE_RATIO = 1.5;
const FREE_READINGS = 2;

interface Reading {
  readonly atMs: number;
  readonly ms: number;
}

/**
 * Tells from readings of the gauge whether somebody else needs the GPU. The usual speed is the lower quartile of the last two minutes:
 * a GPU that grows slowly warmer moves it, a game that begins does not.
 */
export class Contention {
  #usual: number[] = [];
  #slow: Reading[] = [];
  #free = 0;
  #busy = false;

  get busy(): boolean {
    return this.#busy;
  }

  /** Milliseconds that a reading usually takes; null before there are enough. */
  get usualMs(): number | null {
    if (this.#usual.length < READINGS_MIN) return null;
    return this.#usual.toSorted((a, b) => a - b)[Math.floor(this.#usual.length / 4)] as number;
  }

  /** Takes a reading; returns whether the GPU is needed by others now. */
  report(atMs: number, ms: number): boolean {
    const usual = this.usualMs;
    if (this.#busy) this.#recover(ms, usual ?? ms);
    else if (usual !== null && ms >= BUSY_RATIO * usual) this.#suspect({ atMs, ms });
    else {
      this.#slow = [];
      this.#usual = [...this.#usual, ms].slice(-READINGS_KEPT);
    }
    return this.#busy;
  }

  /** The GPU is another one, or runs at another power: what was usual is not any more. */
  forget(): void {
    this.#usual = [];
    this.#slow = [];
    this.#free = 0;
    this.#busy = false;
  }

  #suspect(reading: Reading): void {
    this.#slow.push(reading);
    const lasted = reading.atMs - (this.#slow[0] as Reading).atMs;
    if (this.#slow.length < BUSY_READINGS_MIN || lasted < BUSY_MS) return;
    this.#busy = true;
    this.#free = 0;
  }

  #recover(ms: number, usual: number): void {
    this.#free = ms < FREE_RATIO * usual ? this.#free + 1 : 0;
    if (this.#free < FREE_READINGS) return;
    this.#busy = false;
    this.#slow = [];
  }
}
