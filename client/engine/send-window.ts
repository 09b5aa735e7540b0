/** On their way at once, at the beginning and at least. */
const SIZE_FIRST = 6;
const SIZE_MIN = 2;
/** A fast GPU's small tiles over half a second: what is beyond that waits, see `Deliveries`. */
const SIZE_MAX = 32;
/** An acknowledgement that takes so much longer than the fastest has waited in a queue. */
const LATE_FACTOR = 2;
const LATE_MS = 250;
/** Late whatever was before: long before an answer is taken for lost and sent again (`connectionTiming`), which would only make the queue longer. */
const LATE_MS_MAX = 3000;
const SHRINK = 0.7;
/** The fastest acknowledgement is forgotten by this share with every other, so that a line that has become longer is not taken for a full one for ever. */
const FORGET = 0.02;

/**
 * How many messages are on their way at once. The line says it by its acknowledgements: while they are prompt, and there is more to send, one
 * more is sent with each; when they are late, everything stands in a queue, and fewer messages get there as fast. With a constant number a
 * GPU far away would wait for round trips (six in 300 ms are 20 tiles a second at most), and one behind a narrow line for repeats of what
 * is only late. Like TCP's, and by delay because nothing is lost here (Brakmo, Peterson, "TCP Vegas", 1995).
 */
export class SendWindow {
  #size = SIZE_FIRST;
  #fastestMs = Number.POSITIVE_INFINITY;
  #shrunkMs = Number.NEGATIVE_INFINITY;

  get size(): number {
    return this.#size;
  }

  /** `isFull`: as many as may be were on their way, and more waited. */
  acknowledged(sentMs: number, nowMs: number, isFull: boolean): void {
    const tookMs = nowMs - sentMs;
    this.#fastestMs = Math.min(tookMs, this.#fastestMs * (1 + FORGET));
    if (tookMs <= Math.min(LATE_MS_MAX, LATE_FACTOR * this.#fastestMs + LATE_MS)) {
      if (isFull) this.#size = Math.min(SIZE_MAX, this.#size + 1);
      return;
    }
    // What was sent before the window shrank says nothing about what it is now.
    if (sentMs <= this.#shrunkMs) return;
    this.#shrunkMs = nowMs;
    this.#size = Math.max(SIZE_MIN, Math.floor(this.#size * SHRINK));
  }
}
