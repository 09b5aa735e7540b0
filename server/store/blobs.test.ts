import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KIB } from '../../shared/limits.ts';
import type { BlobHash } from '../../shared/model.ts';
import { openBlobStore } from './blobs.ts';
import { BlobMismatch, type BlobStore, BlobTooLarge } from './store.ts';
import { temporaryFolder } from './testing.ts';

let folder: ReturnType<typeof temporaryFolder>;
let blobs: BlobStore;
beforeEach(() => {
  folder = temporaryFolder();
  blobs = openBlobStore(folder.path);
});
afterEach(() => folder.remove());

const sha256 = (bytes: Uint8Array): BlobHash => createHash('sha256').update(bytes).digest('hex') as BlobHash;

async function* inChunks(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (index * 31) % 251);
const leftovers = (): string[] => readdirSync(join(folder.path, 'tmp'));

test('bytes come back under their hash, whole and as a stream', async () => {
  const bytes = pattern(100 * KIB + 1);
  const stored = await blobs.put(inChunks(bytes, 7001), { bytesMax: bytes.byteLength, expected: sha256(bytes) });
  expect(stored).toEqual({ hash: sha256(bytes), bytes: bytes.byteLength });
  expect(await blobs.size(stored.hash)).toBe(bytes.byteLength);
  expect(await blobs.get(stored.hash)).toEqual(bytes);
  expect(new Uint8Array(await buffer(blobs.stream(stored.hash)))).toEqual(bytes);
  expect(new Uint8Array(readFileSync(join(folder.path, stored.hash.slice(0, 2), stored.hash)))).toEqual(bytes);
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

test('what an interrupted process left is removed at the next start, blobs stay', async () => {
  const { hash } = await blobs.put(inChunks(pattern(10), 10), { bytesMax: 10 });
  const stale = join(folder.path, 'tmp', 'half-written');
  writeFileSync(stale, 'x');
  const reopened = openBlobStore(folder.path);
  expect(existsSync(stale)).toBe(false);
  expect(await reopened.get(hash)).toEqual(pattern(10));
});

test('unknown and malformed names', async () => {
  const unknown = sha256(pattern(3));
  expect(await blobs.get(unknown)).toBeUndefined();
  expect(await blobs.size(unknown)).toBeUndefined();
  for (const name of ['../../etc/passwd', '', 'AB'.repeat(32), `${unknown}/`]) await expect(blobs.get(name as BlobHash)).rejects.toBeInstanceOf(RangeError);
});
