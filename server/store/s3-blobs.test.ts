import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KIB, MIB, MINUTE_MS } from '../../shared/limits.ts';
import { BlobCache } from './blob-cache.ts';
import { startS3, type TestS3 } from './s3.testing.ts';
import { openS3Blobs, type S3Options } from './s3-blobs.ts';
import { S3Client } from './s3-client.ts';
import { type BlobStore, BlobsUnavailable } from './store.ts';
import { inChunks, pattern, sha256, temporaryFolder } from './testing.ts';

let folder: ReturnType<typeof temporaryFolder>;
let s3: TestS3;
let blobs: BlobStore;
let caches = 0;
const open = (own: Partial<S3Options> = {}): Promise<BlobStore> =>
  openS3Blobs(s3.config, { cacheFolder: `${folder.path}/${caches++}`, answerMsMax: 200, stallMsMax: 200, retryMsFirst: 5, ...own });
const bytes = pattern(300 * KIB);
const hash = sha256(bytes);
const put = (store: BlobStore) => store.put(inChunks(bytes, 64 * KIB), { bytesMax: MIB });
beforeEach(async () => {
  folder = temporaryFolder();
  s3 = await startS3();
  blobs = await open();
});
afterEach(async () => {
  await s3.close();
  folder.remove();
});

test('while the store is away everything says so, and goes on by itself once it is back', async () => {
  const bytes = pattern(5000);
  const hash = sha256(bytes);
  const put = (store: BlobStore) => store.put(inChunks(bytes, 5000), { bytesMax: 5000 });
  await put(blobs);
  const other = await open();
  for (const weather of ['refused', 'silent'] as const) {
    s3.weather(weather);
    const asked = [put(other), other.get(hash), other.size(hash), other.stream(hash), other.touch(hash), other.remove(hash, Date.now()), other.hold([hash])];
    for (const { reason } of (await Promise.allSettled(asked)) as PromiseRejectedResult[]) expect(reason).toBeInstanceOf(BlobsUnavailable);
    // What was brought before is here.
    expect(await blobs.get(hash)).toEqual(bytes);
    s3.weather('fine');
    expect(await other.size(hash)).toBe(bytes.byteLength);
  }
  expect(await other.get(hash)).toEqual(bytes);
});

test('it starts while the store is away, but not with keys or a bucket that the store does not know', async () => {
  s3.weather('refused');
  const early = await open();
  s3.weather('fine');
  await put(early);
  const wrong = (own: object) => openS3Blobs({ ...s3.config, ...own }, { cacheFolder: `${folder.path}/wrong` });
  await expect(wrong({ bucket: 'elsewhere' })).rejects.toThrow('There is no bucket elsewhere');
  const refused = wrong({ secretAccessKey: 'not-the-secret' });
  await expect(refused).rejects.toThrow('status 403 SignatureDoesNotMatch');
  await expect(refused).rejects.not.toThrow('not-the-secret');
});

test('an upload that stops half-way is sent again; until it is whole there is nothing under its hash', async () => {
  s3.weather({ upBytes: 100 * KIB });
  await expect(put(blobs)).rejects.toBeInstanceOf(BlobsUnavailable);
  s3.weather('fine');
  // This server keeps the half of it, as S3 would not.
  expect(existsSync(s3.fileOf(`blobs/${hash}`))).toBe(true);
  expect([await blobs.size(hash), await blobs.touch(hash)]).toEqual([undefined, false]);
  s3.weather({ upBytes: 100 * KIB }, 2);
  await put(blobs);
  expect(await (await open()).get(hash)).toEqual(bytes);
});

test('a download that stops half-way begins anew; a stream ends with an error and goes on from there', async () => {
  await put(blobs);
  s3.weather({ downBytes: 100 * KIB }, 1);
  expect(await (await open({ answerMsMax: 5000 })).get(hash)).toEqual(bytes);
  s3.weather({ downBytes: 100 * KIB });
  const got: Buffer[] = [];
  const broken = async () => {
    for await (const chunk of await blobs.stream(hash)) got.push(Buffer.from(chunk));
  };
  await expect(broken()).rejects.toBeInstanceOf(BlobsUnavailable);
  const before = Buffer.concat(got);
  s3.weather('fine');
  expect(before.byteLength).toBeLessThan(bytes.byteLength);
  const rest = await buffer(await blobs.stream(hash, before.byteLength));
  expect(new Uint8Array(Buffer.concat([before, rest]))).toEqual(bytes);
});

test('bytes that changed in the store are given to nobody who computes with them', async () => {
  await put(blobs);
  const other = await open();
  const path = s3.fileOf(`blobs/${hash}`);
  writeFileSync(path, readFileSync(path).fill(7, 1000, 1001));
  await expect(other.get(hash)).rejects.toThrow('other bytes than were put there');
  await expect(other.hold([hash])).rejects.toBeInstanceOf(BlobsUnavailable);
});

test('a removal that somebody died over holds nobody up for ever; one under way is waited for', async () => {
  let now = 10 * MINUTE_MS;
  const clocked = await open({ clock: () => now });
  await put(clocked);
  const client = new S3Client(s3.config);
  const said = { key: `removing/${hash}/${now}-someone` };
  await client.send({ method: 'PUT', body: new Blob([]), ...said });
  let touched: boolean | undefined;
  const touching = clocked.touch(hash).then((done) => {
    touched = done;
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(touched).toBeUndefined();
  await client.send({ method: 'DELETE', key: `blobs/${hash}` });
  await client.send({ method: 'DELETE', ...said });
  await touching;
  expect(touched).toBe(false);
  await client.send({ method: 'PUT', body: new Blob([]), ...said });
  now += 10 * MINUTE_MS;
  await put(clocked);
  expect(await clocked.touch(hash)).toBe(true);
});

test('browsers get an address that is good for minutes, for this blob and no other, and the same for a while', async () => {
  await put(blobs);
  expect(await blobs.address(hash)).toBeNull();
  const { endpoint } = s3.config;
  const shared = await openS3Blobs({ ...s3.config, publicEndpoint: endpoint }, { cacheFolder: `${folder.path}/shared`, retryMsFirst: 5 });
  const { url, seconds } = (await shared.address(hash))!;
  expect(seconds).toBe(300);
  expect((await shared.address(hash))?.url).toBe(url);
  expect((await fetch(url.replace(hash, sha256(pattern(1))))).status).toBe(403);
});

test('copies on this machine are capped: the oldest go first, what is held stays', async () => {
  const cache = new BlobCache(`${folder.path}/cache`, 1000);
  const keep = async (length: number) => {
    const path = cache.newTemporary();
    writeFileSync(path, pattern(length));
    return cache.keep(path, sha256(pattern(length)), length);
  };
  const [a, b, c] = [await keep(400), await keep(401), await keep(402)];
  expect([cache.bytes, existsSync(a.path)]).toEqual([1203, true]);
  b.release();
  c.release();
  expect([a, b, c].map(({ path }) => existsSync(path))).toEqual([true, false, true]);
  a.release();
  const large = await keep(5000);
  expect([a, c, large].map(({ path }) => existsSync(path))).toEqual([false, false, true]);
  large.release();
  expect([cache.bytes, existsSync(large.path)]).toEqual([0, false]);
  // Many who ask at once have it brought once.
  let brought = 0;
  const bring = async () => {
    brought++;
    return keep(300);
  };
  const held = await Promise.all([1, 2, 3].map(() => cache.holdOrBring(sha256(pattern(300)), bring)));
  expect([brought, new Set(held.map(({ path }) => path)).size]).toEqual([1, 1]);
});
