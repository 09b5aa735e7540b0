import { describe, expect, it } from 'vitest';
import type { Clock } from './clock.ts';
import { Pace } from './pace.ts';

/** Time that passes only by sleeping or by working; `oversleepMs` is what timers of browsers add. */
function fakeClock(oversleepMs = 0): Clock & { pass(ms: number): void } {
  let now = 0;
  return {
    now: () => now,
    pass: (ms) => {
      now += ms;
    },
    async sleep(ms, signal) {
      signal.throwIfAborted();
      now += ms + oversleepMs;
    },
  };
}

async function shareOf(power: number, sliceMs: number, oversleepMs: number): Promise<number> {
  const clock = fakeClock(oversleepMs);
  const pace = new Pace(clock, 40);
  pace.setPower(power);
  const policy = pace.policy(new AbortController().signal);
  for (let slice = 0; slice < 2000; slice++) {
    clock.pass(sliceMs);
    await policy.between(sliceMs);
  }
  return (pace.busyMs / clock.now()) * 100;
}

describe('power', () => {
  it.each([5, 10, 25, 50, 75, 90, 100])('keeps the GPU at %i percent', async (power) => {
    for (const sliceMs of [0.4, 8, 40]) {
      expect(await shareOf(power, sliceMs, 0)).toBeCloseTo(power, 0);
      // Timers that oversleep 3 ms each are paid back from the next rests.
      expect(await shareOf(power, sliceMs, 3)).toBeCloseTo(power, 0);
    }
  });

  it('does not save up idle time to run flat out later', async () => {
    const clock = fakeClock(10_000);
    const pace = new Pace(clock, 40);
    pace.setPower(50);
    const policy = pace.policy(new AbortController().signal);
    await policy.between(40);
    // That rest overslept by 10 s; only 50 ms of it count.
    await policy.between(40);
    const before = clock.now();
    await policy.between(40);
    expect(clock.now()).toBeGreaterThan(before);
  });

  it('refuses settings outside the limits', () => {
    const pace = new Pace(fakeClock(), 40);
    for (const power of [0, 4, 101, Number.NaN]) expect(() => pace.setPower(power)).toThrow(RangeError);
    for (const ms of [0, 101, Number.NaN]) expect(() => pace.setSliceMs(ms)).toThrow(RangeError);
  });
});

describe('slices', () => {
  it('follow the setting, and halve after a loss', () => {
    const pace = new Pace(fakeClock(), 40);
    const policy = pace.policy(new AbortController().signal);
    expect(policy.budgetMs()).toBe(40);
    pace.setSliceMs(8);
    expect(policy.budgetMs()).toBe(8);
    pace.halveSlices();
    expect(policy.budgetMs()).toBe(4);
    for (let loss = 0; loss < 10; loss++) pace.halveSlices();
    expect(policy.budgetMs()).toBe(1);
  });
});

describe('pause', () => {
  it('holds the kernel until resumed', async () => {
    const pace = new Pace(fakeClock(), 40);
    const policy = pace.policy(new AbortController().signal);
    pace.pause('owner');
    let isHeld = true;
    const between = policy.between(1).then(() => {
      isHeld = false;
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(isHeld).toBe(true);
    pace.resume('owner');
    await between;
    expect(isHeld).toBe(false);
  });

  it('leaves no unhandled rejection when the kernel has stopped listening', async () => {
    const heard: unknown[] = [];
    const hear = (reason: unknown): void => void heard.push(reason);
    process.on('unhandledRejection', hear);
    const run = new AbortController();
    run.abort(new Error('stopped'));
    void new Pace(fakeClock(), 40).policy(run.signal).between(1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off('unhandledRejection', hear);
    expect(heard).toEqual([]);
  });

  it('ends with the run', async () => {
    const pace = new Pace(fakeClock(), 40);
    const run = new AbortController();
    pace.pause('owner');
    const between = pace.policy(run.signal).between(1);
    run.abort(new Error('stopped'));
    await expect(between).rejects.toThrow('stopped');
  });
});
