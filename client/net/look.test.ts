import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { JobId } from '../../shared/model.ts';
import type { JobListener } from './live.ts';
import { lookAtJob } from './look.ts';

const world = vi.hoisted(() => ({ accepted: 0, status: 'open', asked: [] as string[], offline: false }));
vi.mock('./api.ts', () => ({
  api: {
    job: async () => {
      world.asked.push('job');
      if (world.offline) throw new Error('offline');
      return { status: world.status, parts: { accepted: world.accepted } };
    },
    results: async () => {
      world.asked.push('results');
      return Array.from({ length: world.accepted }, (_, index) => index);
    },
  },
}));

const heard: unknown[] = [];
const listener = {
  connected: (yes: boolean) => heard.push(yes),
  snapshot: (_job: unknown, accepted: readonly unknown[]) => heard.push(accepted.length),
} as unknown as JobListener;
const page = { visibilityState: 'visible' };

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('document', page);
  page.visibilityState = 'visible';
  Object.assign(world, { accepted: 0, status: 'open', asked: [], offline: false });
  heard.length = 0;
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});
const look = () => vi.advanceTimersByTimeAsync(4000);
const start = () => lookAtJob('j_1' as JobId, listener);

it('asks for results only when more or fewer are accepted, and tells them as after a gap', async () => {
  const stop = start();
  await look();
  expect(heard).toEqual([true, false, true, 0]);
  await look();
  expect(world.asked).toEqual(['job', 'results', 'job']);
  world.accepted = 2;
  await look();
  expect(heard.slice(4)).toEqual([false, true, 2]);
  stop();
  await look();
  expect(world.asked).toHaveLength(5);
});

it('does not look while the page is hidden', async () => {
  const stop = start();
  page.visibilityState = 'hidden';
  await look();
  expect(world.asked).toEqual([]);
  page.visibilityState = 'visible';
  await look();
  expect(world.asked).toEqual(['job', 'results']);
  stop();
});

it('goes on after a failure, and ends with the job', async () => {
  start();
  world.offline = true;
  await look();
  expect(heard).toEqual([true, false]);
  Object.assign(world, { offline: false, accepted: 3, status: 'done' });
  await look();
  expect(heard.at(-1)).toBe(3);
  const { length } = world.asked;
  await look();
  expect(world.asked).toHaveLength(length);
});
