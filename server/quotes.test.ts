import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { limits } from '../shared/limits.ts';
import type { QuoteId } from '../shared/model.ts';
import type { QuoteRequest } from '../shared/schemas.ts';
import { JobError } from './jobs.ts';
import { Quotes } from './quotes.ts';
import { QuoteUsed } from './store/quotes.ts';
import { openSqliteStore } from './store/sqlite.ts';
import type { Store } from './store/store.ts';
import { device, exampleJob, jobIdOf, temporaryFolder } from './store/testing.ts';

const [ada, bob] = [device('ada'), device('bob')];
const asked: QuoteRequest = { workload: 'render', params: { width: 64, height: 48 }, files: { model: 'a'.repeat(64) as never } };
const sold = { ratePerUnit: 7n, priceVersion: 4 };
const finish = { p50Seconds: 30, p95Seconds: 55.5 };

let folder: ReturnType<typeof temporaryFolder>;
let store: Store;
let now: number;
let quotes: Quotes;
beforeEach(async () => {
  now = Date.UTC(2026, 0, 1);
  folder = temporaryFolder();
  store = await openSqliteStore(folder.path);
  quotes = new Quotes({ store, clock: () => now, randomBytes });
});
afterEach(async () => {
  await store.close();
  folder.remove();
});

const refusalOf = async (act: Promise<unknown>): Promise<unknown[]> => {
  const error = await act.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  return error instanceof JobError ? [error.code, error.field] : [error];
};

test('a quote gives its rate and its promise to who asked, for what was asked, in whatever order it is written', async () => {
  const { id, expiresMs } = await quotes.keep(ada, asked, sold, finish);
  expect(expiresMs).toBe(now + limits.quoteMsMax);
  const same = { checks: { targetError: 1e-4 }, files: asked.files, params: { height: 48, width: 64 }, workload: 'render' };
  expect(await quotes.terms(ada, id, same)).toEqual({ id, ...sold, promise: { ...finish, atMs: now } });
  // After a restart, with another rate, it is the same.
  await store.close();
  store = await openSqliteStore(folder.path);
  quotes = new Quotes({ store, clock: () => now, randomBytes });
  expect(await quotes.terms(ada, id, asked)).toMatchObject(sold);
});

test('it is nobody else’s, and for nothing else', async () => {
  const { id } = await quotes.keep(ada, asked, sold, null);
  expect(await refusalOf(quotes.terms(bob, id, asked))).toEqual(['not_found', 'quote']);
  expect(await refusalOf(quotes.terms(ada, 'q_0123456789abcdef' as QuoteId, asked))).toEqual(['not_found', 'quote']);
  for (const other of [
    { ...asked, params: { width: 65, height: 48 } },
    { ...asked, files: {} },
    { ...asked, workload: 'other' },
    { ...asked, checks: { targetError: 1e-5 } },
  ])
    expect(await refusalOf(quotes.terms(ada, id, other))).toEqual(['conflict', 'quote']);
  expect((await quotes.terms(ada, id, asked)).promise).toBeNull();
});

test('it holds for ten minutes, and is forgotten then', async () => {
  const { id, expiresMs } = await quotes.keep(ada, asked, sold, finish);
  now = expiresMs - 1;
  expect((await quotes.terms(ada, id, asked)).id).toBe(id);
  now = expiresMs;
  expect(await refusalOf(quotes.terms(ada, id, asked))).toEqual(['stale', 'quote']);
  await quotes.keep(ada, asked, sold, finish);
  expect(await store.quotes.get(id)).toBeUndefined();
});

test('one job has it, also of two at once', async () => {
  const { id } = await quotes.keep(ada, asked, sold, finish);
  const job = (number: number) => exampleJob({ id: jobIdOf(number), workHeld: 0n, checksHeld: 0n, heldFrom: [], promise: { ...finish, atMs: now } });
  const both = await Promise.allSettled([1, 2].map((number) => store.jobs.create(job(number), [], { quote: id })));
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(both.find((each) => each.status === 'rejected')?.reason).toBeInstanceOf(QuoteUsed);
  const made = [await store.jobs.get(jobIdOf(1)), await store.jobs.get(jobIdOf(2))].filter(Boolean);
  expect(made).toHaveLength(1);
  expect(made[0]?.promise).toEqual({ ...finish, atMs: now });
  expect(await refusalOf(quotes.terms(ada, id, asked))).toEqual(['conflict', 'quote']);
});
