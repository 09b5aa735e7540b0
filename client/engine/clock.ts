/** Time as the engine sees it; tests bring their own. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Rejects with `signal.reason` as soon as the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const realClock: Clock = {
  now: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const stop = (): void => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', stop);
        resolve();
      }, ms);
      signal.addEventListener('abort', stop, { once: true });
    });
  },
};

/**
 * Settles as `promise` does, but rejects with `signal.reason` at once when the signal aborts: nothing the engine waits for
 * may outlive a stop. A rejection of `promise` that comes after that is heard by nobody, and is not reported as unhandled.
 */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** Waits for something, but no longer than `ms`; then its signal aborts. Never rejects. */
export async function atMost(clock: Clock, ms: number, wait: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const done = wait(over.signal).then(
    () => undefined,
    () => undefined,
  );
  await Promise.race([done, clock.sleep(ms, over.signal).catch(() => undefined)]);
  over.abort(new Error('it took too long'));
}

/**
 * Full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015): a uniform draw up to a cap that doubles with every
 * attempt, so that a swarm that lost its coordinator together does not come back together.
 */
export function jitteredMs(attempt: number, firstMs: number, mostMs: number): number {
  return Math.random() * Math.min(mostMs, firstMs * 2 ** attempt);
}

/** A condition to wait for: `wait` resolves at the next `notify`. */
export class Bell {
  #rung = Promise.withResolvers<void>();

  notify(): void {
    const { resolve } = this.#rung;
    this.#rung = Promise.withResolvers<void>();
    resolve();
  }

  wait(signal: AbortSignal): Promise<void> {
    return unlessAborted(this.#rung.promise, signal);
  }
}
