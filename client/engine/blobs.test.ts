import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { limits, MIB } from '../../shared/limits.ts';
import type { BlobHash } from '../../shared/model.ts';
import { Blobs, MemoryCache, sha256 } from './blobs.ts';
import { realClock } from './clock.ts';
import { FakeCoordinator } from './testing/coordinator.ts';

const coordinator = new FakeCoordinator();
const signal = new AbortController().signal;
const bytes = new Uint8Array(1000).fill(5);

beforeEach(() => coordinator.start());
afterEach(async () => {
  vi.unstubAllGlobals();
  delete coordinator.script.onBlob;
  coordinator.blobStarts.length = 0;
  await coordinator.stop();
});

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

it('lets go of what a lower cap has no room for', async () => {
  const cache = new MemoryCache(25);
  const [a, b] = ['a', 'b'] as BlobHash[];
  await cache.put(a!, new Uint8Array(10));
  await cache.put(b!, new Uint8Array(10));
  cache.bytesMax = 15;
  expect(await cache.get(a!)).toBeUndefined();
  expect(await cache.get(b!)).toHaveLength(10);
});

const large = Uint8Array.from({ length: 300_000 }, (_, at) => (at * 7) >> 3);
const blobsThatWait = (stallMs: number): Blobs => new Blobs(coordinator.origin, realClock, { inputsMax: MIB, stallMs });

it('goes on where a download broke off', async () => {
  const hash = coordinator.addBlob(large) as BlobHash;
  let answers = 0;
  coordinator.script.onBlob = (rest, response: ServerResponse) => {
    if (answers++ >= 2) return response.end(rest);
    return response.write(rest.subarray(0, 100_000), () => response.destroy());
  };
  expect(await blobsThatWait(5000).get({ hash, bytes: large.byteLength }, signal)).toEqual(large);
  expect(coordinator.blobStarts).toEqual([0, 100_000, 200_000]);
});

it('takes a download that stands still for dead, not one that is slow', async () => {
  const hash = coordinator.addBlob(large) as BlobHash;
  coordinator.script.onBlob = async (rest, response: ServerResponse) => {
    // 60 ms between pieces: longer than the whole may stand still when all of it is added up.
    for (let at = 0; at < 200_000 && at < rest.byteLength; at += 20_000) {
      response.write(rest.subarray(at, at + 20_000));
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    if (rest.byteLength <= 200_000) response.end();
  };
  const started = performance.now();
  expect(await blobsThatWait(400).get({ hash, bytes: large.byteLength }, signal)).toEqual(large);
  expect(performance.now() - started).toBeGreaterThan(900);
  expect(coordinator.blobStarts).toEqual([0, 200_000]);
});

it('begins anew where the coordinator knows no ranges', async () => {
  const hash = await sha256(large);
  const asked: (string | null)[] = [];
  vi.stubGlobal('fetch', async (_: string, init: RequestInit) => {
    asked.push(new Headers(init.headers).get('range'));
    if (asked.length > 1) return new Response(large);
    return new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(large.slice(0, 1000)),
        pull: (controller) => controller.error(new TypeError('network error')),
      }),
    );
  });
  expect(await blobsThatWait(5000).get({ hash, bytes: large.byteLength }, signal)).toEqual(large);
  expect(asked).toEqual([null, 'bytes=1000-']);
});

it.each([
  ['more', large.byteLength - 1],
  ['less', large.byteLength + 1],
])('refuses %s bytes than the job said, and does not ask again', async (_, length) => {
  const hash = coordinator.addBlob(large) as BlobHash;
  await expect(blobsThatWait(5000).get({ hash, bytes: length }, signal)).rejects.toMatchObject({ code: 'conflict' });
  expect(coordinator.blobStarts).toEqual([0]);
});

/** What a browser has, as far as it is used here. */
class FakeCaches {
  readonly entries = new Map<string, Response>();
  readonly open = async () => ({
    match: async (key: string) => this.entries.get(key)?.clone(),
    put: async (key: string, response: Response) => void this.entries.set(key, new Response(await response.arrayBuffer(), { headers: response.headers })),
    delete: async (key: string) => this.entries.delete(key),
    keys: async () => [...this.entries.keys()],
  });
}

/** An entry that says how large it is, without being it. */
const entry = (mib: number): Response => new Response('', { headers: { 'content-length': String(mib * MIB) } });

it.each([
  ['an input of the whole cap beside others', limits.downloadBytesDefault, [200, 256], []],
  ['no more than there is room for, dropping the oldest', limits.downloadBytesDefault, [200, 257, 56], ['/old0']],
  ['an input of a larger cap', 1024 * MIB, [1024, 60], []],
])('keeps %s in the browser', async (_, inputsMax, kept, dropped) => {
  const browser = new FakeCaches();
  vi.stubGlobal('caches', browser);
  for (const [index, mib] of kept.entries()) browser.entries.set(`/old${index}`, entry(mib));
  const before = [...browser.entries.keys()];
  const input = { hash: coordinator.addBlob(large) as BlobHash, bytes: large.byteLength };
  const blobs = new Blobs(coordinator.origin, realClock, { inputsMax, stallMs: 5000 });
  await blobs.get(input, signal);
  expect([...browser.entries.keys()]).toEqual([...before.filter((key) => !dropped.includes(key)), `/blobs/${input.hash}`]);
  // What was stored in pieces is whole, and is not asked for again.
  expect(await blobs.get(input, signal)).toEqual(large);
  expect(coordinator.blobStarts).toEqual([0]);
});

it('fetches anew what the browser’s store has damaged', async () => {
  const browser = new FakeCaches();
  vi.stubGlobal('caches', browser);
  const input = { hash: coordinator.addBlob(large) as BlobHash, bytes: large.byteLength };
  browser.entries.set(`/blobs/${input.hash}`, new Response(large.slice().fill(1)));
  expect(await new Blobs(coordinator.origin, realClock).get(input, signal)).toEqual(large);
});
