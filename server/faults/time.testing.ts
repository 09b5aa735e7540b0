import { vi } from 'vitest';

/** 2026-01-01: virtual time begins here in every run. */
export const START_MS = Date.UTC(2026, 0, 1);

/** Resolves when nothing can go on before time does: Node runs a tick only after every promise that is settled has been heard. */
const quiet = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

/**
 * Runs in virtual time: whoever waits for a timer is there at once, and everything happens in the same order each time. Timers are Vitest's fake ones,
 * because the classes that are run are the real ones, with their own `setTimeout`, `setInterval`, `setImmediate` and clocks; nothing of them had to be
 * changed. Between two timers all promises are let run out. That needs nothing that comes from outside, a file or a socket: there is none.
 */
export async function inVirtualTime<T>(run: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({
    now: START_MS,
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate', 'Date', 'performance'],
  });
  try {
    let isOver = false;
    const running = run().finally(() => {
      isOver = true;
    });
    // Heard of below.
    running.catch(() => undefined);
    await quiet();
    while (!isOver) {
      vi.advanceTimersToNextTimer();
      await quiet();
    }
    return await running;
  } finally {
    vi.useRealTimers();
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
