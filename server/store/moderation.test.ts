import { describe, expect, test } from 'vitest';
import type { BlobHash } from '../../shared/model.ts';
import { openBlobStore } from './blobs.ts';
import { stores } from './stores.testing.ts';
import { exampleJob, jobIdOf, temporaryFolder } from './testing.ts';

const entry = { atMs: 5, session: 'op_1', action: 'network paused', target: '', reason: 'Power is out.' } as const;
const hash = (digit: string): BlobHash => digit.repeat(64) as BlobHash;

describe.each(stores)('$name', ({ withStore }) => {
  test('the database itself refuses to change or remove a row of the log', () =>
    withStore(async (store, database) => {
      await store.moderation.act([entry], []);
      await store.close();
      await expect(database.run("update operator_log set reason = 'Nothing.'")).rejects.toThrow('operator_log is append-only');
      await expect(database.run('delete from operator_log')).rejects.toThrow('operator_log is append-only');
      expect(await database.run('select reason from operator_log')).toEqual([{ reason: 'Power is out.' }]);
    }));

  test('an action and its row in the log are one: where one fails there is neither', () =>
    withStore(async (store) => {
      const decision = { job: jobIdOf(9), hidden: true, takenDownMs: 5, reason: 'x' };
      await expect(store.moderation.act([entry], [{ kind: 'jobDecided', decision, atMs: 5 }])).rejects.toThrow();
      expect(await store.moderation.tables.log({ limit: 10 })).toEqual([]);
      expect(await store.moderation.decisions()).toEqual([]);
    }));

  test('a pause is there until it is ended', () =>
    withStore(async ({ moderation }) => {
      expect(await moderation.pause()).toBeNull();
      await moderation.act([entry], [{ kind: 'paused', pause: { sinceMs: 5, reason: 'Power is out.' } }]);
      expect(await moderation.pause()).toEqual({ sinceMs: 5, reason: 'Power is out.' });
      await moderation.act([entry], [{ kind: 'resumed', atMs: 6 }]);
      expect(await moderation.pause()).toBeNull();
    }));

  test('an input that a job without a file has too is nobody’s content', () =>
    withStore(async (store) => {
      const inputs = (...digits: string[]) => digits.map((digit) => ({ name: 'scene', hash: hash(digit), bytes: 1 }));
      const unpaid = { heldFrom: [], workHeld: 0n, checksHeld: 0n };
      await store.jobs.create(exampleJob({ ...unpaid, id: jobIdOf(1), inputs: inputs('a') }), []);
      await store.jobs.create(exampleJob({ ...unpaid, id: jobIdOf(2), inputs: inputs('a', 'b') }), [], { files: { model: hash('c') } });
      expect(await Promise.all(['a', 'b', 'c'].map((digit) => store.moderation.isCommonInput(hash(digit))))).toEqual([true, false, false]);
      expect(await store.moderation.jobsWith([hash('c')])).toEqual([jobIdOf(2)]);
      expect(await store.moderation.uploadsOf(jobIdOf(2))).toEqual([hash('c')]);
    }));
});

test('banned bytes are neither taken nor given', async () => {
  const folder = temporaryFolder();
  const banned = new Set<BlobHash>();
  const blobs = openBlobStore(folder.path, { isBanned: (each) => banned.has(each) });
  async function* bytes() {
    yield new Uint8Array([1, 2, 3]);
  }
  const { hash: kept } = await blobs.put(bytes(), { bytesMax: 3 });
  expect(await blobs.size(kept)).toBe(3);
  banned.add(kept);
  expect([await blobs.size(kept), await blobs.get(kept)]).toEqual([undefined, undefined]);
  await expect(blobs.put(bytes(), { bytesMax: 3 })).rejects.toMatchObject({ name: 'BlobBanned' });
  folder.remove();
});
