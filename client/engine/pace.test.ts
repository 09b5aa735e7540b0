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
    await policy.between(sliceMs, 0);
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
    await policy.between(40, 0);
    // That rest overslept by 10 s; only 50 ms of it count.
    await policy.between(40, 0);
    const before = clock.now();
    await policy.between(40, 0);
    expect(clock.now()).toBeGreaterThan(before);
  });

  it('refuses settings outside the limits', () => {
    const pace = new Pace(fakeClock(), 40);
    for (const power of [0, 4, 101, Number.NaN]) expect(() => pace.setPower(power)).toThrow(RangeError);
    for (const ms of [0, 101, Number.NaN]) expect(() => pace.setSliceMs(ms)).toThrow(RangeError);
  });
});

describe('idle time', () => {
  it('of any cause counts as rest', async () => {
    const clock = fakeClock();
    const pace = new Pace(clock, 40);
    pace.setPower(50);
    const policy = pace.policy(new AbortController().signal);
    for (let slice = 0; slice < 100; slice++) {
      // Script and network between two slices.
      clock.pass(3);
      clock.pass(10);
      await policy.between(10, 0);
    }
    expect(pace.busyMs / clock.now()).toBeCloseTo(0.5, 1);
  });
});

describe('slices', () => {
  it('are two of half the length at full power, but one while something else is due', async () => {
    const pace = new Pace(fakeClock(), 40);
    const policy = pace.policy(new AbortController().signal);
    expect([policy.inFlight(), policy.budgetMs()]).toEqual([2, 20]);
    let isDue = true;
    const runs: number[] = [];
    pace.gapTask = {
      isDue: () => isDue,
      run: async () => {
        runs.push(1);
        isDue = false;
      },
    };
    expect(policy.inFlight()).toBe(1);
    await policy.between(8, 1);
    expect(runs).toHaveLength(0);
    await policy.between(8, 0);
    expect(runs).toHaveLength(1);
    expect(policy.inFlight()).toBe(2);
    pace.setPower(99);
    expect([policy.inFlight(), policy.budgetMs()]).toEqual([1, 40]);
  });

  it('follow the setting, and halve after a loss', () => {
    const pace = new Pace(fakeClock(), 40);
    const policy = pace.policy(new AbortController().signal);
    pace.setPower(90);
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
    const between = policy.between(1, 0).then(() => {
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
    void new Pace(fakeClock(), 40).policy(run.signal).between(1, 0);
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off('unhandledRejection', hear);
    expect(heard).toEqual([]);
  });

  it('ends with the run', async () => {
    const pace = new Pace(fakeClock(), 40);
    const run = new AbortController();
    pace.pause('owner');
    const between = pace.policy(run.signal).between(1, 0);
    run.abort(new Error('stopped'));
    await expect(between).rejects.toThrow('stopped');
  });
});
