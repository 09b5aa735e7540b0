import { describe, expect, test } from 'vitest';
import type { ApiKeyId, BlobHash } from '../../shared/model.ts';
import { BudgetExceeded } from './api-keys.ts';
import { InsufficientCredits, type Store, type StoredJob } from './store.ts';
import { stores } from './stores.testing.ts';
import { bytesOf, device, exampleContributor, exampleJob, exampleResult, exampleTransfer, jobIdOf, resultIdOf } from './testing.ts';

const ada = device('ada');
const id = jobIdOf(1);
const summary = {
  parts: { total: 3, accepted: 3, checking: 0, leased: 0 },
  contributors: 1,
  checksDone: { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 0 },
  paidMicroCredits: '0',
};

async function withDone(store: Store): Promise<StoredJob> {
  await store.people.createContributor(exampleContributor());
  await store.commit([{ kind: 'transfer', transfer: exampleTransfer({ id: 'grant/ada', credit: `${ada}/grant`, microCredits: 50n }) }]);
  await store.jobs.create(exampleJob(), []);
  await store.commit([
    { kind: 'result', result: exampleResult({ state: 'accepted', passesWanted: 1.5 }) },
    { kind: 'result', result: exampleResult({ id: resultIdOf(2), at: { pass: 0, tile: 0 }, state: 'accepted', inline: bytesOf(1, 5) }) },
    { kind: 'jobEnded', id, status: 'done', atMs: 9000, summary },
  ]);
  await store.jobs.setFile(id, 'png', '11'.repeat(32) as BlobHash, 0, 9000);
  return { ...(await store.jobs.get(id))!, status: 'open', endedMs: null, extensions: 1, params: { more: 2 }, workHeld: 30n, checksHeld: 0n };
}

const hold = exampleTransfer({ id: `hold/${id}/x1/0`, debit: `${ada}/grant`, credit: `job/${id}`, microCredits: 30n, kind: 'hold', job: id });

describe.each(stores)('$name', ({ withStore }) => {
  test('a job that is done opens again, once, without what its old order had made', () =>
    withStore(async (store) => {
      const extended = await withDone(store);
      expect(await store.lifecycle.extend(extended, [hold], [resultIdOf(2)])).toBe(true);
      expect(await store.jobs.get(id)).toEqual({ ...extended, paused: false });
      expect(await store.jobs.file(id, 'png')).toBeUndefined();
      expect((await store.jobs.results(id)).map((result) => [result.id, result.passesWanted])).toEqual([[resultIdOf(1), null]]);
      expect(await store.jobs.result(resultIdOf(2))).toMatchObject({ state: 'discarded', inline: null });
      expect(await store.ledger.balance(`job/${id}`, 'test')).toBe(30n);
      expect(await store.jobs.list({ status: 'open', limit: 9 })).toHaveLength(1);
      for (const again of [extended, { ...extended, extensions: 2 }]) expect(await store.lifecycle.extend(again, [hold], [])).toBe(false);
      expect(await store.lifecycle.forget(id, 1)).toBeNull();
      expect(await store.ledger.audit()).toMatchObject([{ sum: 0n, wrongAccounts: 0 }]);
      // A file of the old order that was still being made comes too late.
      expect(await store.jobs.setFile(id, 'png', '22'.repeat(32) as BlobHash, 0, 9000)).toBe(false);
      await store.commit([{ kind: 'jobEnded', id, status: 'done', atMs: 9999, summary }]);
      expect(await store.jobs.setFile(id, 'png', '22'.repeat(32) as BlobHash, 0, 9000)).toBe(false);
      expect(await store.jobs.setFile(id, 'png', '22'.repeat(32) as BlobHash, 1, 9000)).toBe(true);
    }));

  test('an extension that cannot be paid, or of a job that is deleted, changes nothing', () =>
    withStore(async (store) => {
      const extended = await withDone(store);
      await expect(store.lifecycle.extend(extended, [{ ...hold, microCredits: 51n }], [])).rejects.toThrow(InsufficientCredits);
      expect(await store.jobs.get(id)).toMatchObject({ status: 'done', extensions: 0 });
      expect(await store.jobs.file(id, 'png')).toBeDefined();
      expect(await store.lifecycle.forget(id, 77)).toMatchObject({
        inputs: exampleJob().inputs.map(({ hash }) => hash),
        results: [],
        files: [{ hash: '11'.repeat(32), madeMs: 9000 }],
      });
      expect(await store.lifecycle.forget(id, 78)).toBeNull();
      expect(await store.lifecycle.extend(extended, [hold], [])).toBe(false);
      expect(await store.jobs.setFile(id, 'exr', '22'.repeat(32) as BlobHash, 0, 9000)).toBe(false);
      expect(await store.ledger.balance(`${ada}/grant`, 'test')).toBe(50n);
    }));

  test('what auditors were paid is known of each job', () =>
    withStore(async (store) => {
      await withDone(store);
      const pay = (name: string, kind: 'audit' | 'pay') =>
        exampleTransfer({ id: name, debit: `job/${id}`, credit: `${device('bob')}/earned`, microCredits: 7n, kind, job: id });
      await store.commit([
        { kind: 'transfer', transfer: hold },
        { kind: 'transfer', transfer: pay('audit/1', 'audit') },
        { kind: 'transfer', transfer: pay('audit/2', 'audit') },
        { kind: 'transfer', transfer: pay('pay/1', 'pay') },
      ]);
      expect(await store.lifecycle.spentOnAudits(id, 'test')).toBe(14n);
      expect(await store.lifecycle.spentOnAudits(jobIdOf(2), 'test')).toBe(0n);
    }));

  test('a pause and a visibility are kept', () =>
    withStore(async (store) => {
      await store.jobs.create(exampleJob(), []);
      await store.commit([{ kind: 'jobPaused', id, paused: true }]);
      await store.lifecycle.setVisibility(id, 'private');
      expect(await store.jobs.get(id)).toEqual(exampleJob({ paused: true, visibility: 'private' }));
      await store.commit([{ kind: 'jobPaused', id, paused: false }]);
      expect((await store.jobs.get(id))?.paused).toBe(false);
      await expect(store.commit([{ kind: 'jobPaused', id: jobIdOf(9), paused: true }])).rejects.toThrow('unknown job');
    }));

  test('an extension counts for the API key that ordered the job, and is no way past its budget', () =>
    withStore(async (store) => {
      await store.people.createContributor(exampleContributor());
      await store.commit([{ kind: 'transfer', transfer: exampleTransfer({ id: 'grant/ada', credit: `${ada}/grant`, microCredits: 50n }) }]);
      const key = 'tk_AAAAAAAAAAAAAAAA' as ApiKeyId;
      const times = { createdMs: 0, expiresMs: null, usedMs: null, revokedMs: null };
      await store.apiKeys.create({ id: key, owner: ada, name: 'Farm', secretHash: bytesOf(1, 32), scopes: ['jobs:write'], budget: 40n, ...times });
      await store.jobs.create(exampleJob({ workHeld: 0n, checksHeld: 0n, heldFrom: [] }), [], { apiKey: key });
      await store.commit([{ kind: 'jobEnded', id, status: 'done', atMs: 9000, summary: { ...summary, paidMicroCredits: '15' } }]);
      const spent = async () => (await store.apiKeys.page(ada, { beforeSeq: Number.MAX_SAFE_INTEGER, limit: 9 })).keys[0]?.spent;
      expect(await spent()).toBe(15n);
      const extended = { ...(await store.jobs.get(id))!, extensions: 1, params: { more: 2 }, workHeld: 45n, checksHeld: 0n };
      await expect(store.lifecycle.extend(extended, [hold], [])).rejects.toThrow(BudgetExceeded);
      expect([await spent(), (await store.jobs.get(id))?.status]).toEqual([15n, 'done']);
      expect(await store.lifecycle.extend({ ...extended, workHeld: 40n }, [{ ...hold, microCredits: 25n }], [])).toBe(true);
      expect(await spent()).toBe(40n);
      await store.commit([{ kind: 'jobEnded', id, status: 'done', atMs: 9999, summary: { ...summary, paidMicroCredits: '33' } }]);
      expect(await spent()).toBe(33n);
    }));
});
