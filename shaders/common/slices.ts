/**
 * Work is dispatched in slices short enough to keep the GPU's owner comfortable: the controller adapts how many invocations fit
 * into the budget, work *= clamp(target / measured, 0.5, 1.5).
 */
export class SliceController {
  readonly #least: number;
  readonly #most: number;
  #work: number;

  /** `first`: invocations of the first slice, small enough for the slowest device. */
  constructor(first: number, least: number, most: number) {
    this.#work = first;
    this.#least = least;
    this.#most = most;
  }

  /** Invocations that the next slice may hold. */
  get work(): number {
    return this.#work;
  }

  /** Learns from a slice of `work` invocations. One that was cut short by the end of a tile says nothing about growing. */
  report(work: number, measuredMs: number, targetMs: number): void {
    const ratio = Math.min(1.5, Math.max(0.5, targetMs / Math.max(measuredMs, 0.001)));
    if (work < this.#work && ratio > 1) return;
    this.#work = Math.min(this.#most, Math.max(this.#least, Math.round(work * ratio)));
  }
}

/**
 * The promise's value, or a rejection with `signal.reason` as soon as the signal is aborted. A rejection of the promise that comes
 * later is heard by nobody, and is not reported as unhandled.
 */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    // The abort goes first: of two that are settled, a race takes the first.
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
