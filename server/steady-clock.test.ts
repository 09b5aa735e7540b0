import { describe, expect, test } from 'vitest';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../shared/limits.ts';
import { Desk } from './core/testing.ts';
import { steadyClock } from './steady-clock.ts';

/** A machine whose wall clock is set by hand. */
function machine() {
  let [wall, monotonic] = [Date.UTC(2026, 0, 1), 500];
  const clock = steadyClock(
    () => wall,
    () => monotonic,
  );
  return {
    clock,
    /** Time passes; the wall clock runs faster by this share. */
    pass(ms: number, drift = 0) {
      wall += ms * (1 + drift);
      monotonic += ms;
      return clock();
    },
    jump(ms: number) {
      wall += ms;
    },
    wall: () => wall,
  };
}

test('time passes as on the wall, and a clock that drifts is followed', () => {
  const { clock, pass, wall } = machine();
  expect(clock()).toBe(wall());
  for (let second = 0; second < 100; second++) expect(Math.abs(pass(SECOND_MS, 50e-6) - wall())).toBeLessThanOrEqual(1);
});

test.each([HOUR_MS, -HOUR_MS])('a jump of %s ms is made up for slowly, and time never goes back', (jumpMs) => {
  const { clock, pass, jump, wall } = machine();
  let before = clock();
  jump(jumpMs);
  for (let second = 0; second < 60; second++) {
    const now = pass(SECOND_MS);
    expect(now - before).toBeGreaterThanOrEqual(0.97 * SECOND_MS);
    expect(now - before).toBeLessThanOrEqual(1.03 * SECOND_MS);
    before = now;
  }
  for (let minute = 0; minute < 51 * 60; minute++) pass(MINUTE_MS);
  expect(Math.abs(clock() - wall())).toBeLessThanOrEqual(1);
});

describe.each([HOUR_MS, -HOUR_MS])('when the wall clock jumps by %s ms', (jumpMs) => {
  test('leases stand, what is handed in is taken, opened and paid, and nobody rests for it', () => {
    const { clock, pass, jump } = machine();
    const desk = new Desk();
    desk.now = clock();
    const contributor = desk.join('ada');
    const [lease] = desk.ask(contributor, 1).leases;
    jump(jumpMs);
    desk.now = pass(SECOND_MS);
    expect(desk.do({ type: 'tick' }).filter(({ type }) => type === 'leasesVoided')).toEqual([]);
    const { result } = desk.handIn(lease!.token);
    jump(-2 * jumpMs);
    desk.now = pass(SECOND_MS);
    desk.do({ type: 'tick' });
    desk.open(contributor, result);
    desk.answer();
    expect(desk.verdicts).toMatchObject([{ state: 'accepted' }]);
    expect(desk.state.contributors.get(contributor)).toMatchObject({ restUntilMs: 0, expired: 0 });
    expect(desk.sum('vesting/')).toBeGreaterThan(0n);
  });
});
