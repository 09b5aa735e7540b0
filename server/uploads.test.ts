import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { limits, MIB } from '../shared/limits.ts';
import type { OwnerId } from '../shared/model.ts';
import { openBlobStore } from './store/blobs.ts';
import { TEMPORARY_MS_MAX } from './store/hashed-file.ts';
import type { BlobStore } from './store/store.ts';
import { temporaryFolder } from './store/testing.ts';
import { UPLOAD_MS_MAX, UploadError, Uploads } from './uploads.ts';

const [ada, bob] = ['device:ada' as OwnerId, 'device:bob' as OwnerId];
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let folder: ReturnType<typeof temporaryFolder>;
let blobs: BlobStore;
let now: number;
let uploads: Uploads;

const open = (): Promise<Uploads> => Uploads.open({ folder: join(folder.path, 'uploads'), blobs, clock: () => now, randomBytes });
/** Without whose they are. */
const filesHere = (): string[] =>
  readdirSync(join(folder.path, 'uploads'))
    .filter((name) => !/\.[0-9a-f]{32}$/.test(name))
    .sort();

beforeEach(async () => {
  now = Date.UTC(2026, 0, 1);
  folder = temporaryFolder();
  blobs = openBlobStore(join(folder.path, 'blobs'));
  uploads = await open();
});
afterEach(() => {
  uploads.close();
  folder.remove();
});

async function* pieces(bytes: Uint8Array, failAt = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 1000) {
    if (at >= failAt) throw new Error('the connection broke');
    yield bytes.subarray(at, at + 1000);
  }
}
const why = async (act: Promise<unknown>): Promise<string> => {
  const error = await act.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  return error instanceof UploadError ? error.why : String(error);
};

test('what came before the connection broke counts, also after a restart, and the whole is a blob', async () => {
  const bytes = randomBytes(10_500);
  const { id } = await uploads.create(ada, bytes.byteLength, null);
  await expect(uploads.append(ada, id, 0, pieces(bytes, 4000))).rejects.toThrow('the connection broke');
  expect(await uploads.get(ada, id)).toMatchObject({ offset: 4000, hash: null });
  uploads.close();
  uploads = await open();
  const { offset } = await uploads.get(ada, id);
  const done = await uploads.append(ada, id, offset, pieces(bytes.subarray(offset)));
  expect(done).toMatchObject({ offset: bytes.byteLength, hash: sha256(bytes) });
  expect(await blobs.get(done.hash!)).toEqual(new Uint8Array(bytes));
  expect(filesHere()).toEqual([`${id}.json`]);
  // Who did not hear the answer asks again, and sends nothing.
  uploads.close();
  uploads = await open();
  expect(await uploads.get(ada, id)).toMatchObject({ offset: bytes.byteLength, hash: done.hash });
  expect(await uploads.append(ada, id, bytes.byteLength, pieces(new Uint8Array()))).toMatchObject({ hash: done.hash });
});

test('bytes beyond what was told to be here are cut off, whatever they are', async () => {
  const bytes = randomBytes(3000);
  const { id } = await uploads.create(ada, 3000, null);
  await uploads.append(ada, id, 0, pieces(bytes.subarray(0, 1000)));
  writeFileSync(join(folder.path, 'uploads', `${id}.part`), Buffer.concat([bytes.subarray(0, 1000), Buffer.alloc(5000, 7)]));
  uploads.close();
  uploads = await open();
  expect((await uploads.append(ada, id, 1000, pieces(bytes.subarray(1000)))).hash).toBe(sha256(bytes));
});

test('killed in the middle, it goes on where it said that it was', { timeout: 60_000 }, async () => {
  // The writer has a real clock.
  now = Date.now();
  const length = 60 * MIB;
  const { id } = await uploads.create('device:writer' as OwnerId, length, null);
  let told = 0;
  for (const lines of [30, 60]) {
    uploads.close();
    const child = spawn(execPath, [join(import.meta.dirname, 'uploads.writer.ts'), folder.path, id], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
    let count = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      told = Number(line);
      if (++count === lines) child.kill('SIGKILL');
    }
    expect(await ended).toBe('SIGKILL');
    uploads = await open();
    expect((await uploads.get('device:writer' as OwnerId, id)).offset).toBeGreaterThanOrEqual(told);
    expect(told).toBeGreaterThan(0);
  }
  const piece = 256 * 1024;
  const whole = Buffer.concat(Array.from({ length: length / piece }, (_, at) => Buffer.alloc(piece, at)));
  const { offset } = await uploads.get('device:writer' as OwnerId, id);
  const { hash } = await uploads.append('device:writer' as OwnerId, id, offset, pieces(whole.subarray(offset)));
  expect(hash).toBe(sha256(whole));
});

test('whole when the process ended, it becomes a blob before anybody is told that all is here', async () => {
  const bytes = randomBytes(2000);
  const { id } = await uploads.create(ada, 2000, null, 'filename eA==');
  await uploads.append(ada, id, 0, pieces(bytes.subarray(0, 1000)));
  uploads.close();
  const place = join(folder.path, 'uploads', id);
  writeFileSync(`${place}.part`, bytes);
  const noted = JSON.parse(readFileSync(`${place}.json`, 'utf8')) as object;
  writeFileSync(`${place}.json`, JSON.stringify({ ...noted, offset: 2000 }));
  uploads = await open();
  expect(await uploads.get(ada, id)).toMatchObject({ offset: 2000, hash: sha256(bytes), metadata: 'filename eA==' });
  expect(await blobs.get(sha256(bytes) as never)).toEqual(new Uint8Array(bytes));
});

test('who signs in while it is sent takes it along', async () => {
  const bytes = randomBytes(3000);
  const { id } = await uploads.create(ada, 3000, null);
  async function* signingIn() {
    yield bytes.subarray(0, 1500);
    void uploads.changeOwner(ada, bob);
    yield bytes.subarray(1500);
  }
  await uploads.append(ada, id, 0, signingIn());
  uploads.close();
  uploads = await open();
  expect(await uploads.get(bob, id)).toMatchObject({ hash: sha256(bytes) });
});

test('an upload is its owner’s, in one place, and one sender’s at a time', async () => {
  const { id } = await uploads.create(ada, 2000, null);
  expect(await why(uploads.append(bob, id, 0, pieces(new Uint8Array(10))))).toBe('unknown');
  expect(await why(uploads.remove(bob, id))).toBe('unknown');
  expect(await why(uploads.get(ada, 'u_0123456789abcdef'))).toBe('unknown');
  expect(await why(uploads.append(ada, id, 5, pieces(new Uint8Array(10))))).toBe('elsewhere');
  expect(await why(uploads.append(ada, id, 0, pieces(new Uint8Array(2001))))).toBe('tooLong');
  expect((await uploads.get(ada, id)).offset).toBe(0);
  let go = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  const begun = Promise.withResolvers<void>();
  async function* slow() {
    begun.resolve();
    yield new Uint8Array(10);
    await gate;
  }
  const first = uploads.append(ada, id, 0, slow());
  await begun.promise;
  expect(await why(uploads.append(ada, id, 0, pieces(new Uint8Array(10))))).toBe('busy');
  expect(await why(uploads.remove(ada, id))).toBe('busy');
  go();
  expect((await first).offset).toBe(10);
  await uploads.changeOwner(ada, bob);
  expect((await uploads.get(bob, id)).offset).toBe(10);
  await uploads.remove(bob, id);
  expect(filesHere()).toEqual([]);
});

test('with a checksum nothing counts unless all of it is right', async () => {
  const bytes = randomBytes(2000);
  const digest = createHash('sha256').update(bytes).digest();
  const { id } = await uploads.create(ada, 4000, null);
  expect(await why(uploads.append(ada, id, 0, pieces(bytes.subarray(1)), digest))).toBe('checksum');
  await expect(uploads.append(ada, id, 0, pieces(bytes, 1000), digest)).rejects.toThrow('broke');
  expect((await uploads.get(ada, id)).offset).toBe(0);
  expect((await uploads.append(ada, id, 0, pieces(bytes), digest)).offset).toBe(2000);
});

test('a file that is not what was announced is gone at its end', async () => {
  const bytes = randomBytes(2000);
  const { id } = await uploads.create(ada, 2000, sha256(randomBytes(1)) as never);
  await expect(uploads.append(ada, id, 0, pieces(bytes))).rejects.toThrow(sha256(bytes));
  expect(await why(uploads.get(ada, id))).toBe('unknown');
  expect(filesHere()).toEqual([]);
  expect(await blobs.size(sha256(bytes) as never)).toBeUndefined();
});

test('what rests for a day is removed, and so is what is no upload', async () => {
  const kept = await uploads.create(ada, 10, null);
  now += UPLOAD_MS_MAX - 1;
  const fresh = await uploads.create(ada, 10, null);
  await uploads.sweep();
  expect(filesHere()).toHaveLength(4);
  now += 1;
  await uploads.sweep();
  expect(filesHere()).toEqual([`${fresh.id}.json`, `${fresh.id}.part`]);
  expect(await why(uploads.get(ada, kept.id))).toBe('unknown');
  uploads.close();
  // What another coordinator begins just now may look the same, so it stays for an hour.
  const rests = ['u_aaaaaaaaaaaaaaaa.part', 'u_bbbbbbbbbbbbbbbb.json'].map((name) => join(folder.path, 'uploads', name));
  for (const path of rests) writeFileSync(path, '{"id": "u_bbbbbbbbbbbbbbbb", "length":');
  uploads = await open();
  expect(filesHere()).toHaveLength(4);
  const long = (Date.now() - TEMPORARY_MS_MAX) / 1000 - 1;
  for (const path of rests) utimesSync(path, long, long);
  await uploads.sweep();
  expect(filesHere()).toEqual([`${fresh.id}.json`, `${fresh.id}.part`]);
  expect(statSync(join(folder.path, 'uploads', `${fresh.id}.part`)).mode & 0o777).toBe(0o600);
});

test('unfinished ones of one owner are capped', async () => {
  for (let count = 0; count < limits.unfinishedUploadsPerOwnerMax; count++) await uploads.create(ada, 1, null);
  expect(await why(uploads.create(ada, 1, null))).toBe('tooMany');
  await uploads.create(bob, 1, null);
});

test('at any coordinator it goes on, but at one at a time', async () => {
  const bytes = randomBytes(3000);
  const other = await open();
  try {
    const { id } = await uploads.create(ada, 3000, null);
    await other.append(ada, id, 0, pieces(bytes.subarray(0, 1000)));
    const go = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    async function* slow() {
      begun.resolve();
      yield bytes.subarray(1000, 2000);
      await go.promise;
    }
    const first = uploads.append(ada, id, 1000, slow());
    await begun.promise;
    expect(await why(other.append(ada, id, 1000, pieces(bytes.subarray(1000))))).toBe('busy');
    expect(await why(other.remove(ada, id))).toBe('busy');
    await other.sweep();
    go.resolve();
    expect((await first).offset).toBe(2000);
    await other.changeOwner(ada, bob);
    expect((await uploads.append(bob, id, 2000, pieces(bytes.subarray(2000)))).hash).toBe(sha256(bytes));
    expect((await other.get(bob, id)).hash).toBe(sha256(bytes));
  } finally {
    other.close();
  }
});

test('a coordinator that was taken for dead and wakes up neither spoils the upload nor hears that it went on', async () => {
  const bytes = randomBytes(3000);
  const { id } = await uploads.create(ada, 3000, null);
  await uploads.append(ada, id, 0, pieces(bytes.subarray(0, 1000)));
  const go = Promise.withResolvers<void>();
  async function* asleep() {
    yield randomBytes(500);
    await go.promise;
    yield randomBytes(500);
  }
  const sleeper = why(uploads.append(ada, id, 1000, asleep()));
  await expect.poll(() => statSync(join(folder.path, 'uploads', `${id}.part`)).size).toBe(1500);
  // Its machine stands still, and another one's clock goes on.
  const lock = join(folder.path, 'uploads', `${id}.lock`, '1');
  const [token] = readFileSync(lock, 'utf8').split('\n');
  writeFileSync(lock, `${token}\nanother-machine\n1\n`);
  now += limits.uploadStallMsMax + 1000;
  const before = (now - limits.uploadStallMsMax) / 1000 - 1;
  utimesSync(lock, before, before);
  const other = await open();
  async function* rest() {
    yield bytes.subarray(1000, 2000);
    go.resolve();
    expect(await sleeper).toBe('busy');
    yield bytes.subarray(2000);
  }
  expect((await other.append(ada, id, 1000, rest())).hash).toBe(sha256(bytes));
  other.close();
  expect(filesHere()).toEqual([`${id}.json`]);
});
