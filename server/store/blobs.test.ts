import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KIB } from '../../shared/limits.ts';
import type { BlobHash } from '../../shared/model.ts';
import { openBlobStore } from './blobs.ts';
import { TEMPORARY_MS_MAX } from './hashed-file.ts';
import { startS3, type TestS3 } from './s3.testing.ts';
import { openS3Blobs } from './s3-blobs.ts';
import { BlobMismatch, type BlobStore, BlobTooLarge } from './store.ts';
import { inChunks, pattern, sha256, temporaryFolder } from './testing.ts';

let folder: ReturnType<typeof temporaryFolder>;
let s3: TestS3;
let blobs: BlobStore;
let now = 0;
let caches = 0;
const clock = (): number => now;
beforeEach(() => {
  folder = temporaryFolder();
  now = 1_000_000;
});
afterEach(() => folder.remove());

const kinds = {
  'in a folder': { open: async () => openBlobStore(folder.path, { clock }), leftovers: () => readdirSync(join(folder.path, 'tmp')) },
  'in an S3 store': {
    open: () => openS3Blobs(s3.config, { cacheFolder: join(folder.path, `cache ${caches++}`), clock }),
    leftovers: () => readdirSync(folder.path, { recursive: true }).filter((name) => String(name).endsWith('.new')),
  },
};

describe.each(Object.entries(kinds))('blobs %s', (kind, { open, leftovers }) => {
  const inS3 = kind === 'in an S3 store';

  beforeEach(async () => {
    if (inS3) s3 = await startS3();
    blobs = await open();
  });
  afterEach(async () => {
    if (inS3) await s3.close();
  });

  test('bytes come back under their hash: whole, as a stream, from the middle, and as a file', async () => {
    const bytes = pattern(100 * KIB + 1);
    const stored = await blobs.put(inChunks(bytes, 7001), { bytesMax: bytes.byteLength, expected: sha256(bytes) });
    expect(stored).toEqual({ hash: sha256(bytes), bytes: bytes.byteLength });
    // Another process has no copy of it.
    for (const each of [blobs, await open()]) {
      expect(await each.size(stored.hash)).toBe(bytes.byteLength);
      expect(await each.get(stored.hash)).toEqual(bytes);
      expect(new Uint8Array(await buffer(await each.stream(stored.hash)))).toEqual(bytes);
      expect(new Uint8Array(await buffer(await each.stream(stored.hash, 70_000)))).toEqual(bytes.subarray(70_000));
      const held = await each.hold([stored.hash]);
      expect(held.paths.map((path) => new Uint8Array(readFileSync(path)))).toEqual([bytes]);
      held.release();
    }
    expect(leftovers()).toEqual([]);
  });

  test('equal bytes are one blob, also when they arrive at the same time', async () => {
    const bytes = pattern(5000);
    const all = await Promise.all(Array.from({ length: 8 }, () => blobs.put(inChunks(bytes, 100), { bytesMax: 5000 })));
    expect(new Set(all.map(({ hash }) => hash)).size).toBe(1);
    expect(await blobs.get(sha256(bytes))).toEqual(bytes);
    expect(leftovers()).toEqual([]);
  });

  test('no bytes are a blob too', async () => {
    const { hash } = await blobs.put(inChunks(new Uint8Array(0), 1), { bytesMax: 0 });
    expect(await blobs.get(hash)).toEqual(new Uint8Array(0));
    expect(await blobs.size(hash)).toBe(0);
  });

  test('too large: refused at the byte that is too many, and nothing stays', async () => {
    let read = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        read += 1000;
        yield pattern(1000);
      }
    }
    await expect(blobs.put(endless(), { bytesMax: 2999 })).rejects.toBeInstanceOf(BlobTooLarge);
    expect(read).toBe(3000);
    expect(leftovers()).toEqual([]);
  });

  test('other bytes than announced: refused, and nothing stays', async () => {
    const bytes = pattern(10);
    const announced = sha256(pattern(11));
    await expect(blobs.put(inChunks(bytes, 4), { bytesMax: 10, expected: announced })).rejects.toBeInstanceOf(BlobMismatch);
    expect(await blobs.get(announced)).toBeUndefined();
    expect(await blobs.get(sha256(bytes))).toBeUndefined();
    expect(leftovers()).toEqual([]);
  });

  test('a source that breaks off leaves nothing', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield pattern(10);
      throw new Error('connection lost');
    }
    await expect(blobs.put(broken(), { bytesMax: 100 })).rejects.toThrow('connection lost');
    expect(leftovers()).toEqual([]);
  });

  test('unknown and malformed names', async () => {
    const unknown = sha256(pattern(3));
    expect(await blobs.get(unknown)).toBeUndefined();
    expect(await blobs.size(unknown)).toBeUndefined();
    expect(await blobs.touch(unknown)).toBe(false);
    expect(await blobs.remove(unknown, now)).toBe(false);
    for (const name of ['../../etc/passwd', '', 'AB'.repeat(32), `${unknown}/`]) await expect(blobs.get(name as BlobHash)).rejects.toBeInstanceOf(RangeError);
  });

  test('a blob goes when nobody has put or touched it since, and not before', async () => {
    const bytes = pattern(777);
    const { hash } = await blobs.put(inChunks(bytes, 777), { bytesMax: 777 });
    expect(await blobs.remove(hash, now - 1)).toBe(false);
    now += 1000;
    expect(await blobs.touch(hash)).toBe(true);
    expect(await blobs.remove(hash, now - 1)).toBe(false);
    expect(await blobs.get(hash)).toEqual(bytes);
    now += 1000;
    await blobs.put(inChunks(bytes, 777), { bytesMax: 777 });
    expect(await blobs.remove(hash, now - 1)).toBe(false);
    expect(await blobs.remove(hash, now)).toBe(true);
    expect(await blobs.size(hash)).toBeUndefined();
    expect([await blobs.touch(hash), await blobs.remove(hash, now)]).toEqual([false, false]);
    expect(leftovers()).toEqual([]);
  });

  test('what is old is listed, and what is gone is not', async () => {
    const hashes: BlobHash[] = [];
    for (const length of [31, 32, 33]) hashes.push((await blobs.put(inChunks(pattern(length), 40), { bytesMax: 40 })).hash);
    await blobs.remove(hashes[1]!, now);
    const listed: BlobHash[] = [];
    for await (const bunch of blobs.untouched(Date.now() + 1000)) listed.push(...bunch);
    expect(hashes.map((hash) => listed.includes(hash))).toEqual([true, false, true]);
    const none: BlobHash[] = [];
    for await (const bunch of blobs.untouched(now - 1)) none.push(...bunch);
    expect(none).toEqual([]);
  });

  test('of a touch and a removal by two coordinators at once one wins, and both know which', async () => {
    const [mine, others] = [blobs, await open()];
    const anchor = pattern(4);
    await mine.put(inChunks(anchor, 4), { bytesMax: 4 });
    for (let round = 0; round < 3; round++) {
      const bytes = pattern(500 + round);
      const { hash } = await mine.put(inChunks(bytes, 600), { bytesMax: 600 });
      const before = now;
      now += 10;
      const [touched] = await Promise.all([mine.touch(hash), others.remove(hash, before), others.remove(hash, before)]);
      expect(await others.size(hash), `round ${round}`).toBe(touched ? bytes.byteLength : undefined);
    }
  });
});

test('what an interrupted process left goes after an hour; what another process writes stays, and so do blobs', async () => {
  blobs = openBlobStore(folder.path);
  const { hash } = await blobs.put(inChunks(pattern(10), 10), { bytesMax: 10 });
  const [stale, young] = ['half-written', 'under-way'].map((name) => join(folder.path, 'tmp', name)) as [string, string];
  for (const path of [stale, young]) writeFileSync(path, 'x');
  const long = (Date.now() - TEMPORARY_MS_MAX) / 1000 - 1;
  utimesSync(stale, long, long);
  const reopened = openBlobStore(folder.path);
  expect([existsSync(stale), existsSync(young)]).toEqual([false, true]);
  expect(await reopened.get(hash)).toEqual(pattern(10));
  // A process that stays up removes them too.
  utimesSync(young, long, long);
  for await (const _ of reopened.untouched(0));
  expect(existsSync(young)).toBe(false);
});

test('a coordinator that starts on the shared folder while another one receives disturbs neither', async () => {
  blobs = openBlobStore(folder.path);
  const bytes = pattern(50_000);
  let other: BlobStore | undefined;
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(0, 20_000);
    other = openBlobStore(folder.path);
    await other.put(inChunks(bytes, 50_000), { bytesMax: 50_000 });
    yield bytes.subarray(20_000);
  }
  const { hash } = await blobs.put(slow(), { bytesMax: 50_000 });
  expect(hash).toBe(createHash('sha256').update(bytes).digest('hex'));
  expect(await other?.get(hash)).toEqual(bytes);
  expect(readdirSync(join(folder.path, 'tmp'))).toEqual([]);
});
