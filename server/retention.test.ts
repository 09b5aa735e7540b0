import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DAY_MS, limits } from '../shared/limits.ts';
import type { BlobHash } from '../shared/model.ts';
import { Retention } from './retention.ts';
import { openBlobStore } from './store/blobs.ts';
import { packAll } from './store/packs.testing.ts';
import { openSqliteStore } from './store/sqlite.ts';
import type { BlobStore, Store, StoredJob } from './store/store.ts';
import { bytesOf, exampleContributor, exampleJob, exampleResult, jobIdOf, resultIdOf, temporaryFolder } from './store/testing.ts';

let folder: ReturnType<typeof temporaryFolder>;
let store: Store;
let blobs: BlobStore;
let retention: Retention;
let now: number;

const log = { info: () => undefined, error: () => undefined };
const RETENTION_MS = 90 * DAY_MS;

beforeEach(async () => {
  now = 1_800_000_000_000;
  folder = temporaryFolder();
  store = await openSqliteStore(folder.path);
  blobs = openBlobStore(join(folder.path, 'blobs'), { clock: () => now });
  retention = new Retention({ store, blobs, retentionMs: RETENTION_MS, clock: () => now, log });
  await store.people.createContributor(exampleContributor());
});
afterEach(async () => {
  await retention.close();
  await store.close();
  folder.remove();
});

const hashOf = (text: string): BlobHash => createHash('sha256').update(text).digest('hex') as BlobHash;
const isHere = (text: string): boolean => existsSync(join(folder.path, 'blobs', hashOf(text).slice(0, 2), hashOf(text)));

async function put(text: string): Promise<BlobHash> {
  async function* source() {
    yield new TextEncoder().encode(text);
  }
  return (await blobs.put(source(), { bytesMax: 1000 })).hash;
}

const figures = {
  parts: { total: 1, accepted: 1, checking: 0, leased: 0 },
  contributors: 1,
  checksDone: { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 0 },
  paidMicroCredits: '0',
};

/** As `Jobs.submit` makes it: what it relies on is put or touched before. */
async function ordered(number: number, inputs: readonly string[], uploads: readonly string[] = []): Promise<StoredJob> {
  const hashes = await Promise.all(inputs.map(put));
  const job = exampleJob({ id: jobIdOf(number), inputs: hashes.map((hash, at) => ({ name: `i${at}`, hash, bytes: 1 })), createdMs: now });
  const files = Object.fromEntries(await Promise.all(uploads.map(async (text, at) => [`u${at}`, await put(text)] as const)));
  await store.jobs.create(job, [], { files });
  return job;
}

/** One result in a blob, one in its row, a file; then its end. */
async function finished(number: number, inputs: readonly string[], uploads: readonly string[] = []): Promise<void> {
  const { id } = await ordered(number, inputs, uploads);
  const common = { job: id, state: 'accepted' as const };
  await store.commit([
    { kind: 'result', result: exampleResult({ ...common, id: resultIdOf(2 * number), hash: await put(`result ${number}`), inline: null }) },
    { kind: 'result', result: exampleResult({ ...common, id: resultIdOf(2 * number + 1), hash: hashOf('inline'), inline: bytesOf(5, 10) }) },
  ]);
  now += 1000;
  await store.commit([{ kind: 'jobEnded', id, status: 'done', atMs: now, summary: figures }]);
  now += 1000;
  await store.jobs.setFile(id, 'png', await put(`file ${number}`), 0, now);
}

describe('retention', () => {
  it('ends so long after a job did, and leaves what its receipt needs', async () => {
    await finished(1, ['scene'], ['model']);
    const ended = now - 1000;
    now = ended + RETENTION_MS;
    await retention.sweep();
    expect(['scene', 'model', 'result 1', 'file 1'].map(isHere)).toEqual([true, true, true, true]);
    now++;
    await retention.sweep();
    expect(['scene', 'model', 'result 1', 'file 1'].map(isHere)).toEqual([false, false, false, false]);
    expect(await store.jobs.get(jobIdOf(1))).toMatchObject({ status: 'done', deletedMs: now, summary: figures, visibility: 'public' });
    expect(await store.jobs.file(jobIdOf(1), 'png')).toBe(hashOf('file 1'));
    expect((await store.jobs.results(jobIdOf(1))).map(({ hash }) => hash)).toEqual([hashOf('result 1'), hashOf('inline')]);
    expect((await store.jobs.result(resultIdOf(3)))?.inline).toBeNull();
    expect(await store.jobs.list({ visibility: 'public', limit: 10 })).toEqual([]);
  });

  it('keeps the blobs of results that are packed for as long, and takes them then, also where they were packed after that', async () => {
    await finished(1, []);
    await finished(2, ['result 1']);
    const ended = now - 1000;
    expect(await packAll(store)).toBe(4);
    now = ended + RETENTION_MS;
    await retention.sweep();
    expect(['result 1', 'result 2'].map(isHere)).toEqual([true, true]);
    await store.lifecycle.forget(jobIdOf(2), now);
    await finished(3, []);
    now++;
    await retention.sweep();
    expect(['result 1', 'result 2', 'result 3'].map(isHere)).toEqual([false, false, true]);
    expect((await store.jobs.results(jobIdOf(1))).map(({ hash }) => hash)).toEqual([hashOf('result 1'), hashOf('inline')]);
    expect((await store.jobs.result(resultIdOf(3)))?.inline).toBeNull();
    await store.lifecycle.forget(jobIdOf(3), now);
    expect(await packAll(store)).toBe(2);
    now += 2 * DAY_MS;
    await retention.sweep();
    expect(isHere('result 3')).toBe(false);
  });

  it('is over at once for what the operator has taken down, once it has ended', async () => {
    await ordered(1, ['scene']);
    await finished(2, ['other']);
    const takenDown = (number: number) =>
      ({ kind: 'jobDecided', decision: { job: jobIdOf(number), hidden: true, takenDownMs: now, reason: 'Known.' }, atMs: now }) as const;
    await store.moderation.act([], [takenDown(1), takenDown(2)]);
    await retention.sweep();
    expect(['scene', 'other', 'result 2', 'file 2'].map(isHere)).toEqual([true, false, false, false]);
  });

  it('never takes what is open, however old, nor what another job shares', async () => {
    await ordered(1, ['scene'], ['model']);
    await finished(2, ['scene', 'own'], ['model']);
    await finished(3, ['result 2']);
    now += 10 * RETENTION_MS;
    await store.lifecycle.forget(jobIdOf(2), now);
    await retention.sweep();
    // 3 had ended as well: what it shared with 2 is nobody's any more.
    expect(['scene', 'model', 'own', 'result 2', 'file 2', 'file 3'].map(isHere)).toEqual([true, true, false, false, false, false]);
    now += 10 * RETENTION_MS;
    await retention.sweep();
    expect(['scene', 'model'].map(isHere)).toEqual([true, true]);
  });

  it('takes an upload that no job has used after a day, and not while somebody relies on it', async () => {
    await put('upload');
    await put('quoted');
    now += limits.unusedBlobMsMax - 1;
    await retention.sweep();
    expect(isHere('upload')).toBe(true);
    // A quote touches what it needs.
    expect(await blobs.touch(hashOf('quoted'))).toBe(true);
    now += 2;
    await retention.sweep();
    expect([isHere('upload'), isHere('quoted')]).toEqual([false, true]);
    expect([await blobs.touch(hashOf('upload')), await blobs.touch(hashOf('quoted'))]).toEqual([false, true]);
    // The same bytes again are a new upload.
    now += limits.unusedBlobMsMax - 1;
    await put('quoted');
    now += 2;
    await retention.sweep();
    expect(isHere('quoted')).toBe(true);
    await ordered(9, [], ['quoted']);
    now += 5 * DAY_MS;
    await retention.sweep();
    expect(isHere('quoted')).toBe(true);
  });

  it('takes bytes of results that were not accepted, and openings after the verdict', async () => {
    await ordered(1, []);
    const opening = { hash: await put('opening'), inline: null };
    const committed = exampleResult({ hash: await put('waits'), inline: null });
    await store.commit([
      { kind: 'result', result: committed },
      { kind: 'opening', id: committed.id, opening },
      { kind: 'result', result: exampleResult({ id: resultIdOf(2), hash: await put('wrong'), inline: null, state: 'refuted' }) },
    ]);
    now += 2 * DAY_MS;
    await retention.sweep();
    expect(['opening', 'waits', 'wrong'].map(isHere)).toEqual([true, true, false]);
    await store.commit([{ kind: 'verdict', id: committed.id, state: 'accepted', errorBound: 0, vesting: null, evidence: [], atMs: now }]);
    await retention.sweep();
    expect(['opening', 'waits'].map(isHere)).toEqual([false, true]);
  });
});

describe('a job that its requester deletes', () => {
  it('loses its bytes at once', async () => {
    await finished(1, ['scene'], ['model']);
    expect(await retention.forget(jobIdOf(1))).toBe(true);
    expect(['scene', 'model', 'result 1', 'file 1'].map(isHere)).toEqual([false, false, false, false]);
    expect(await retention.forget(jobIdOf(1))).toBe(false);
  });

  it('is refused while it is open', async () => {
    await ordered(1, ['scene']);
    expect(await retention.forget(jobIdOf(1))).toBe(false);
    expect([isHere('scene'), (await store.jobs.get(jobIdOf(1)))?.deletedMs]).toEqual([true, null]);
  });

  it('leaves what somebody else began to rely on since, without a job yet, until nobody has for a day', async () => {
    await finished(1, ['scene'], ['model']);
    await blobs.touch(hashOf('scene'));
    await put('model');
    await retention.forget(jobIdOf(1));
    expect(['scene', 'model', 'result 1'].map(isHere)).toEqual([true, true, false]);
    now += limits.unusedBlobMsMax + 1;
    await retention.sweep();
    expect(['scene', 'model'].map(isHere)).toEqual([false, false]);
  });

  it('leaves a file of it that somebody has uploaded since, at whichever coordinator, and is just ordering with', async () => {
    await finished(1, ['scene']);
    now += 10;
    // As `Jobs.submit` does, with the deletion between its touch and its row.
    const upload = await put('file 1');
    now += 10;
    await retention.forget(jobIdOf(1));
    await store.jobs.create(exampleJob({ id: jobIdOf(2), createdMs: now }), [], { files: { u0: upload } });
    expect(['scene', 'file 1'].map(isHere)).toEqual([false, true]);
  });

  it('leaves what became another job’s between the look and the deletion', async () => {
    await finished(1, ['scene']);
    const needed = store.lifecycle.needed.bind(store.lifecycle);
    store.lifecycle.needed = async (hashes) => {
      const found = await needed(hashes);
      now += 10;
      if (hashes.includes(hashOf('scene'))) await ordered(2, ['scene']);
      return found;
    };
    await retention.forget(jobIdOf(1));
    expect(isHere('scene')).toBe(true);
  });
});

it('killed in the middle, the next sweep goes on where it was; nothing shared is lost', { timeout: 30_000 }, async () => {
  await store.close();
  const made = new Map<number, string[]>();
  const deleted = new Set<number>();
  for (const lines of [9, 40, 23]) {
    const child = spawn(execPath, [join(import.meta.dirname, 'retention.writer.ts'), folder.path, String(made.size === 0 ? 0 : Math.max(...made.keys()) + 2)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
    let count = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      const [what, number, ...hashes] = line.split(' ');
      if (what === 'made') made.set(Number(number), hashes);
      else deleted.add(Number(number));
      if (++count === lines) child.kill('SIGKILL');
    }
    expect(await ended).toBe('SIGKILL');
  }
  store = await openSqliteStore(folder.path);
  now = Date.now() + limits.unusedBlobMsMax + 1000;
  retention = new Retention({ store, blobs, retentionMs: 1e12, clock: () => now, log });
  await retention.sweep();
  await retention.sweep();
  expect(isHere('shared')).toBe(true);
  const here = (hash: string): boolean => existsSync(join(folder.path, 'blobs', hash.slice(0, 2), hash));
  for (const [number, hashes] of made) {
    const isDeleted = (await store.jobs.get(jobIdOf(number)))?.deletedMs !== null;
    if (deleted.has(number)) expect(isDeleted).toBe(true);
    expect(hashes.map(here), `job ${number}`).toEqual(hashes.map(() => !isDeleted));
  }
  expect(deleted.size).toBeGreaterThan(10);
});
