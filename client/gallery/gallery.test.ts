import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { JobView } from '../../shared/schemas.ts';
import { JobList, withFresh } from './gallery.svelte.ts';

const job = (number: number): JobView => ({ id: `j_${String(number).padStart(16, '0')}`, createdMs: number }) as JobView;
const numbers = (jobs: readonly JobView[] | null): number[] => jobs?.map(({ createdMs }) => createdMs) ?? [];

/** A coordinator with jobs by number, newest first, three a page. */
let all: number[];
const asked: string[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  asked.length = 0;
  all = [9, 8, 7, 6, 5, 4, 3];
  vi.stubGlobal('fetch', async (path: string) => {
    asked.push(path);
    const cursor = new URL(path, 'http://x').searchParams.get('cursor');
    const from = cursor === null ? all : all.filter((number) => number < Number(cursor));
    const jobs = from.slice(0, 3);
    return new Response(JSON.stringify({ jobs: jobs.map(job), next: from.length > 3 ? String(jobs.at(-1)) : null }));
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it('grows by pages, and the newest page keeps up to date', async () => {
  const list = new JobList();
  list.show('public', 'open');
  await vi.advanceTimersByTimeAsync(0);
  expect(numbers(list.jobs)).toEqual([9, 8, 7]);
  await list.more();
  expect(numbers(list.jobs)).toEqual([9, 8, 7, 6, 5, 4]);
  // One new, one of the newest gone.
  all = [10, 9, 7, 6, 5, 4, 3];
  await vi.advanceTimersByTimeAsync(5000);
  expect(numbers(list.jobs)).toEqual([10, 9, 7, 6, 5, 4]);
  await list.more();
  expect([numbers(list.jobs), list.hasMore]).toEqual([[10, 9, 7, 6, 5, 4, 3], false]);
  expect(asked[0]).toBe('/api/jobs?scope=public&limit=24&status=open');
  list.show('mine', 'all');
  await vi.advanceTimersByTimeAsync(0);
  expect([numbers(list.jobs), asked.at(-1)]).toEqual([[10, 9, 7], '/api/jobs?scope=mine&limit=24']);
  list.close();
});

it('an answer for what is not shown any more is dropped', async () => {
  const list = new JobList();
  list.show('public', 'open');
  list.show('public', 'done');
  await vi.advanceTimersByTimeAsync(0);
  expect(list.filter).toBe('done');
  expect(numbers(list.jobs)).toEqual([9, 8, 7]);
  list.close();
});

it('nothing fresh, nothing shown', () => {
  expect(withFresh([job(3)], [])).toEqual([]);
  expect(numbers(withFresh([job(5), job(4), job(2)], [job(6), job(4)]))).toEqual([6, 4, 2]);
});
