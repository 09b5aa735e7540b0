import { Value } from 'typebox/value';
import { expect, test } from 'vitest';
import { type BlobHash, fullMask, type JobId } from '../../shared/model.ts';
import { type Receipt, receipt } from '../../shared/receipt.ts';
import { JobError } from '../jobs.ts';
import type { StoredJob } from '../store/store.ts';
import { contributorIdOf, exampleContributor, exampleJob, exampleResult, exampleTransfer, jobIdOf, resultIdOf } from '../store/testing.ts';
import { receiptRoutes } from './receipts.ts';
import { type TestApp, Visitor, withApp } from './testing.ts';

const summary: StoredJob['summary'] = {
  parts: { total: 4, accepted: 4, checking: 0, leased: 0 },
  contributors: 1,
  checksDone: { cpu: 64, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 1e-4 },
  paidMicroCredits: '7',
};
const picture = 'ef'.repeat(32) as BlobHash;

/** A store with a finished job of the first registered workload, and one that is open. */
async function withReceipts<T>(run: (test: TestApp, ada: Visitor) => Promise<T>, file: () => Promise<{ hash: BlobHash; name: string; mediaType: string }>) {
  const { workloadIds } = await import('../../shaders/registry.ts');
  return withApp(async (test) => {
    const { store, app, now } = test;
    const workload = workloadIds[0] ?? '';
    await store.people.createContributor(exampleContributor());
    await store.jobs.create(exampleJob({ workload, status: 'done', endedMs: 5000, summary }), []);
    await store.jobs.create(exampleJob({ id: jobIdOf(2), workload }), []);
    const result = exampleResult({ at: { pass: 0, tile: 0 }, parts: fullMask(4), state: 'accepted', evidence: [] });
    await store.commit([
      { kind: 'transfer', transfer: exampleTransfer({ id: 'fund', credit: `job/${jobIdOf(1)}`, microCredits: 50n }) },
      { kind: 'result', result },
      { kind: 'result', result: exampleResult({ id: resultIdOf(2), at: { pass: 0, tile: 0 }, attempt: 9 }) },
      {
        kind: 'transfer',
        transfer: exampleTransfer({
          id: `pay/${result.id}`,
          debit: `job/${jobIdOf(1)}`,
          credit: `vesting/${contributorIdOf(1)}`,
          microCredits: 7n,
          kind: 'pay',
          job: jobIdOf(1),
          at: result.at,
        }),
      },
    ]);
    const visible = async (id: JobId) => {
      const job = await store.jobs.get(id);
      if (!job) throw new JobError('not_found', 'There is no such job.');
      return job;
    };
    await app.register(receiptRoutes({ store, jobs: { file, visible }, ownerOf: async () => undefined, clock: () => now.ms }));
    return run(test, new Visitor(test));
  });
}
const hasFile = async () => ({ hash: picture, name: 'x.png', mediaType: 'image/png' });

test('a finished job has a receipt over its accepted results, signed with the key that everybody may read', () =>
  withReceipts(async ({ now }, ada) => {
    const { status, body, headers } = await ada.ask<Receipt>('GET', `/api/jobs/${jobIdOf(1)}/receipt`);
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('no-store');
    expect(Value.Errors(receipt, body)).toEqual([]);
    expect(body).toMatchObject({ job: jobIdOf(1), issuedMs: now.ms, parts: 4, leaves: [{ pass: 0, tile: 0, parts: 15, microCredits: '7' }] });
    expect(new Set(body.outputs.map(({ hash }) => hash))).toEqual(new Set([picture]));
    const key = await ada.ask<{ publicKey: string }>('GET', '/api/receipts/key');
    expect(key.body.publicKey).toBe(body.publicKey);
  }, hasFile));

test('after a rotation another key signs, and all are listed with their times', () =>
  withReceipts(async ({ store }, ada) => {
    const ask = async () => (await ada.ask<Receipt>('GET', `/api/jobs/${jobIdOf(1)}/receipt`)).body.publicKey;
    const first = await ask();
    const fromMs = await store.keys.rotate('receipt', 0);
    const second = await ask();
    expect(second).not.toBe(first);
    expect((await ada.ask('GET', '/api/receipts/key')).body).toEqual({
      publicKey: second,
      keys: [
        { publicKey: second, fromMs, untilMs: null },
        { publicKey: first, fromMs: null, untilMs: fromMs },
      ],
    });
  }, hasFile));

test('the receipt leaves files out that cannot be made any more', () =>
  withReceipts(
    async (_, ada) => {
      const { status, body } = await ada.ask<Receipt>('GET', `/api/jobs/${jobIdOf(1)}/receipt`);
      expect(status).toBe(200);
      expect(body.outputs).toEqual([]);
    },
    () => Promise.reject(new JobError('conflict', 'This job was computed by an earlier version.')),
  ));

test('there is none of an open job, and none of a job that is not there', () =>
  withReceipts(async (_, ada) => {
    expect(await ada.ask('GET', `/api/jobs/${jobIdOf(2)}/receipt`)).toMatchObject({ status: 409, body: { code: 'conflict' } });
    expect(await ada.ask('GET', `/api/jobs/${jobIdOf(3)}/receipt`)).toMatchObject({ status: 404 });
  }, hasFile));
