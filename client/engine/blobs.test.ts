import { afterEach, beforeEach, expect, it } from 'vitest';
import { limits } from '../../shared/limits.ts';
import type { BlobHash } from '../../shared/model.ts';
import { Blobs, MemoryCache, sha256 } from './blobs.ts';
import { realClock } from './clock.ts';
import { FakeCoordinator } from './testing/coordinator.ts';

const coordinator = new FakeCoordinator();
const signal = new AbortController().signal;
const bytes = new Uint8Array(1000).fill(5);

beforeEach(() => coordinator.start());
afterEach(() => coordinator.stop());

it('fetches a blob once', async () => {
  const hash = coordinator.addBlob(bytes) as BlobHash;
  const blobs = new Blobs(coordinator.origin, realClock);
  expect(await blobs.get({ hash, bytes: 1000 }, signal)).toEqual(bytes);
  expect(await blobs.get({ hash, bytes: 1000 }, signal)).toEqual(bytes);
  expect(coordinator.blobRequests.filter((line) => line.includes(hash))).toHaveLength(1);
});

it('refuses bytes that are not what their hash says', async () => {
  const hash = await sha256(new Uint8Array(3));
  coordinator.blobs.set(hash, bytes);
  const blobs = new Blobs(coordinator.origin, realClock);
  await expect(blobs.get({ hash, bytes: 1000 }, signal)).rejects.toMatchObject({ name: 'Refused', code: 'conflict' });
});

it('does not ask again for what is not there', async () => {
  const blobs = new Blobs(coordinator.origin, realClock);
  const hash = 'e'.repeat(64) as BlobHash;
  await expect(blobs.get({ hash, bytes: 1 }, signal)).rejects.toMatchObject({ name: 'Refused', code: 'not_found' });
  expect(coordinator.blobRequests.filter((line) => line.includes(hash))).toHaveLength(1);
});

it('goes on asking a coordinator that is away, until told to stop', async () => {
  const { origin } = coordinator;
  const hash = coordinator.addBlob(bytes) as BlobHash;
  await coordinator.stop();
  const stop = new AbortController();
  const endless = new Blobs(origin, realClock).get({ hash, bytes: 1000 }, stop.signal);
  const patient = new Blobs(origin, realClock).get({ hash, bytes: 1000 }, signal);
  await new Promise((resolve) => setTimeout(resolve, 100));
  stop.abort(new Error('stopped'));
  await expect(endless).rejects.toThrow('stopped');
  await coordinator.start();
  expect(await patient).toEqual(bytes);
});

it('never sends a result that is too large', async () => {
  const blobs = new Blobs(coordinator.origin, realClock);
  const result = new Uint8Array(limits.resultBytesMax + 1);
  await expect(blobs.put('a'.repeat(64) as BlobHash, result, 'token', signal)).rejects.toMatchObject({ code: 'too_large' });
});

it('keeps what was asked for last within its bytes', async () => {
  const cache = new MemoryCache(25);
  const [a, b, c] = ['a', 'b', 'c'] as BlobHash[];
  await cache.put(a!, new Uint8Array(10));
  await cache.put(b!, new Uint8Array(10));
  await cache.get(a!);
  await cache.put(c!, new Uint8Array(10));
  expect(await cache.get(b!)).toBeUndefined();
  expect(await cache.get(a!)).toHaveLength(10);
  expect(await cache.get(c!)).toHaveLength(10);
  await cache.put('d' as BlobHash, new Uint8Array(26));
  expect(await cache.get('d' as BlobHash)).toBeUndefined();
});
