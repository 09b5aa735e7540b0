import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { limits } from '../shared/limits.ts';
import { hits } from './caps.ts';
import { Load } from './load.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('nothing new is begun while the event loop is late, and once it has caught up it is', () => {
  const load = new Load();
  expect(load.refusal()).toBeNull();
  const before = hits.get('eventLoopDelayMsMax') ?? 0;
  for (let second = 0; second < 4; second++) load.measured(limits.eventLoopDelayMsMax + 1, 2000);
  expect(load.refusal()).toBeNull();
  load.measured(limits.eventLoopDelayMsMax + 1, 2000);
  expect(load.refusal()).toMatchObject({ reason: expect.stringContaining('overloaded'), retryMs: expect.any(Number) });
  expect(hits.get('eventLoopDelayMsMax')).toBe(before + 1);
  load.measured(Number.NaN, 0);
  expect(load.refusal()).toBeNull();
});

test('the end waits for what is under way, also for what begins meanwhile, and no longer than it may', async () => {
  const load = new Load();
  expect(await load.idle(0)).toBe(true);
  const [first, second] = [load.begin(), load.begin()];
  const waiting = load.idle(1000);
  first();
  const third = load.begin();
  second();
  third();
  expect(await waiting).toBe(true);
  load.begin();
  const cut = load.idle(1000);
  await vi.advanceTimersByTimeAsync(999);
  expect(await Promise.race([cut, 'waiting'])).toBe('waiting');
  await vi.advanceTimersByTimeAsync(1);
  expect(await cut).toBe(false);
});
