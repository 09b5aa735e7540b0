import { describe, expect, test } from 'vitest';
import type { BlobHash, CreditUnit, Evidence, JobId } from '../../shared/model.ts';
import { InsufficientCredits, type Store, type Transfer, type Write } from './store.ts';
import { stores } from './stores.testing.ts';
import {
  bytesOf,
  contributorIdOf,
  device,
  exampleContributor,
  exampleJob,
  exampleResult,
  exampleStanding,
  exampleTransfer,
  jobIdOf,
  resultIdOf,
  siteIdOf,
} from './testing.ts';

const ada = device('ada');
const vesting = { unit: 'test', microCredits: 2n ** 53n + 1n, vestsAtMs: 630_000, refundTo: `${ada}/grant` } as const;
const verdict = (number: number, own: Pick<Write & { kind: 'verdict' }, 'state'> & Partial<Write & { kind: 'verdict' }>): Write => ({
  kind: 'verdict',
  id: resultIdOf(number),
  errorBound: 0,
  vesting: null,
  evidence: [],
  atMs: 3000,
  ...own,
});
const evidence: Evidence = { by: 'cpu', drawn: 64, differing: 1, unexplained: 0, worst: 0.25, cpuMs: 3.5 };
const summary = {
  parts: { total: 3, accepted: 3, checking: 0, leased: 0 },
  contributors: 1,
  checksDone: { cpu: 64, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 1e-5 },
  paidMicroCredits: '900',
};

/** A job with its hold and a contributor, so that results have something to refer to. */
async function withJob(store: Store): Promise<void> {
  await store.people.createContributor(exampleContributor());
  await store.commit([{ kind: 'transfer', transfer: exampleTransfer({ id: 'grant/ada', microCredits: 1000n }) }]);
  await store.jobs.create(exampleJob(), [holdOf(jobIdOf(1), 1000n)]);
}
const holdOf = (job: JobId, microCredits: bigint, unit: CreditUnit = 'test'): Transfer =>
  exampleTransfer({ id: `hold/${job}`, kind: 'hold', debit: `${ada}/grant`, credit: `job/${job}`, microCredits, unit, job });

describe.each(stores)('$name', ({ withDatabase, withStore }) => {
  test('secrets are made once, differ by name and survive, and starts are counted', () =>
    withDatabase(async (database) => {
      const store = await database.open();
      expect(await store.nextEpoch()).toBe(1);
      const lease = await store.secret('lease');
      expect(lease.byteLength).toBe(32);
      expect(await store.secret('lease')).toEqual(lease);
      expect(await store.secret('draw')).not.toEqual(lease);
      await store.close();
      const reopened = await database.open();
      expect(await reopened.secret('lease')).toEqual(lease);
      expect(await reopened.nextEpoch()).toBe(2);
      await reopened.close();
    }));

  test('a job comes back as it went in, big integers included', () =>
    withStore(async (store) => {
      await withJob(store);
      expect(await store.jobs.get(jobIdOf(1))).toEqual(exampleJob());
      expect(await store.jobs.get(jobIdOf(2))).toBeUndefined();
      expect(await store.ledger.balance(`job/${jobIdOf(1)}`, 'test')).toBe(1000n);
      expect(await store.ledger.balance(`${ada}/grant`, 'test')).toBe(0n);
    }));

  test('a job without cover is not made, and the whole hold is named', () =>
    withStore(async (store) => {
      const give = (id: string, credit: Transfer['credit'], microCredits: bigint): Write => ({
        kind: 'transfer',
        transfer: exampleTransfer({ id, credit, microCredits }),
      });
      await store.commit([give('g', `${ada}/grant`, 600n), give('e', `${ada}/earned`, 300n)]);
      const earned = { ...holdOf(jobIdOf(1), 400n), id: 'hold/2', debit: `${ada}/earned` as const };
      const refusal = await store.jobs.create(exampleJob(), [holdOf(jobIdOf(1), 600n), earned]).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(InsufficientCredits);
      expect(refusal).toMatchObject({ needed: 1000n, available: 900n });
      expect(await store.jobs.get(jobIdOf(1))).toBeUndefined();
      expect(await store.ledger.balance(`${ada}/grant`, 'test')).toBe(600n);
      // Enough in total, but not where it is to come from: refused as well.
      await expect(store.jobs.create(exampleJob(), [holdOf(jobIdOf(1), 601n)])).rejects.toBeInstanceOf(InsufficientCredits);
      await expect(
        store.jobs.create(exampleJob(), [
          { ...holdOf(jobIdOf(1), 200n), debit: `${ada}/grant` },
          { ...earned, microCredits: 400n },
        ]),
      ).rejects.toMatchObject({
        needed: 400n,
        available: 300n,
      });
      expect(await store.jobs.get(jobIdOf(1))).toBeUndefined();
    }));

  test('a hold that the operator issues needs no cover', () =>
    withStore(async (store) => {
      await store.jobs.create(exampleJob(), [{ ...holdOf(jobIdOf(1), 1000n), debit: 'operator/issuance' }]);
      expect(await store.ledger.balance('operator/issuance', 'test')).toBe(-1000n);
      expect(await store.ledger.balance(`job/${jobIdOf(1)}`, 'test')).toBe(1000n);
    }));

  test('lists of jobs: newest first, by every filter', () =>
    withStore(async (store) => {
      const rows = [
        exampleJob({ id: jobIdOf(1) }),
        exampleJob({ id: jobIdOf(2), visibility: 'unlisted' }),
        exampleJob({ id: jobIdOf(3), owner: device('bob'), gallery: true }),
        exampleJob({ id: jobIdOf(4) }),
      ];
      for (const job of rows) await store.jobs.create(job, []);
      await store.commit([{ kind: 'jobEnded', id: jobIdOf(4), status: 'cancelled', atMs: 5000, summary }]);
      const ids = async (filter: Omit<Parameters<Store['jobs']['list']>[0], 'limit'>, limit = 50) =>
        (await store.jobs.list({ ...filter, limit })).map(({ id }) => id);
      expect(await ids({})).toEqual([jobIdOf(4), jobIdOf(3), jobIdOf(2), jobIdOf(1)]);
      expect(await ids({}, 2)).toEqual([jobIdOf(4), jobIdOf(3)]);
      expect(await ids({ visibility: 'public' })).toEqual([jobIdOf(4), jobIdOf(3), jobIdOf(1)]);
      expect(await ids({ owner: ada })).toEqual([jobIdOf(4), jobIdOf(2), jobIdOf(1)]);
      expect(await ids({ owner: ada, status: 'open' })).toEqual([jobIdOf(2), jobIdOf(1)]);
      expect(await ids({ gallery: true })).toEqual([jobIdOf(3)]);
      expect(await store.jobs.countOpen(ada)).toBe(2);
      expect(await store.jobs.countOpen(device('nobody'))).toBe(0);
    }));

  test('results: committed, decided, listed without their bytes, read with them', () =>
    withStore(async (store) => {
      await withJob(store);
      const results = [1, 2, 3, 4].map((number) => exampleResult({ id: resultIdOf(number), at: { pass: 0, tile: number } }));
      const large = exampleResult({ id: resultIdOf(5), inline: null, site: siteIdOf(1), drill: true });
      await store.commit([...results, large].map((result): Write => ({ kind: 'result', result })));
      await store.commit([
        verdict(1, { state: 'accepted', errorBound: 2.5e-6, vesting, evidence: [evidence] }),
        verdict(2, { state: 'refuted' }),
        verdict(3, { state: 'discarded' }),
      ]);
      const accepted = { ...results[0], state: 'accepted', errorBound: 2.5e-6, vesting, evidence: [evidence], decidedMs: 3000 };
      expect(await store.jobs.results(jobIdOf(1))).toEqual([{ ...accepted, inline: null }, { ...results[3], inline: null }, large]);
      expect(await store.jobs.countRefuted(jobIdOf(1))).toBe(1);
      expect(await store.jobs.result(resultIdOf(1))).toEqual(accepted);
      expect(await store.jobs.result(resultIdOf(4))).toEqual(results[3]);
      expect(await store.jobs.result(resultIdOf(99))).toBeUndefined();
      // The bytes of what was not accepted are nobody's any more.
      expect(await store.jobs.result(resultIdOf(2))).toEqual({ ...results[1], state: 'refuted', decidedMs: 3000, inline: null });
      expect(await store.jobs.result(resultIdOf(3))).toEqual({ ...results[2], state: 'discarded', decidedMs: 3000, inline: null });
      const mine = await store.jobs.resultsOf(contributorIdOf(1), 3);
      expect(mine.map(({ id, state, inline }) => [id, state, inline])).toEqual([
        [resultIdOf(5), 'committed', null],
        [resultIdOf(4), 'committed', null],
        [resultIdOf(3), 'discarded', null],
      ]);
      expect(await store.jobs.resultsOf(contributorIdOf(2), 3)).toEqual([]);
    }));

  test('an opening is kept until its result is accepted, and a second draw asks for another', () =>
    withStore(async (store) => {
      await withJob(store);
      const small = { hash: 'aa'.repeat(32) as BlobHash, inline: bytesOf(5, 200) };
      const large = { hash: 'bb'.repeat(32) as BlobHash, inline: null };
      await store.commit([
        { kind: 'result', result: exampleResult() },
        { kind: 'opening', id: resultIdOf(1), opening: small },
      ]);
      expect((await store.jobs.result(resultIdOf(1)))?.opening).toEqual(small);
      expect((await store.jobs.results(jobIdOf(1)))[0]?.opening).toEqual({ ...small, inline: null });
      await store.commit([{ kind: 'secondDraw', id: resultIdOf(1), drawn: 256, evidence: [evidence] }]);
      expect(await store.jobs.result(resultIdOf(1))).toEqual(exampleResult({ round: 'second', drawn: 256, evidence: [evidence] }));
      await store.commit([{ kind: 'opening', id: resultIdOf(1), opening: large }]);
      expect((await store.jobs.result(resultIdOf(1)))?.opening).toEqual(large);
      await store.commit([{ kind: 'opening', id: resultIdOf(1), opening: small }, verdict(1, { state: 'accepted' })]);
      expect((await store.jobs.result(resultIdOf(1)))?.opening).toBe(null);
    }));

  test('pay that vests is listed until it has, or until the result is taken back', () =>
    withStore(async (store) => {
      await withJob(store);
      const results = [1, 2, 3].map((number): Write => ({ kind: 'result', result: exampleResult({ id: resultIdOf(number) }) }));
      await store.commit([
        ...results,
        verdict(1, { state: 'accepted', vesting }),
        verdict(2, { state: 'accepted', vesting }),
        verdict(3, { state: 'accepted' }),
      ]);
      await store.commit([{ kind: 'jobEnded', id: jobIdOf(1), status: 'done', atMs: 4000, summary }]);
      expect((await store.jobs.vesting()).map(({ id, vesting, inline }) => [id, vesting, inline])).toEqual([
        [resultIdOf(1), vesting, null],
        [resultIdOf(2), vesting, null],
      ]);
      await store.commit([{ kind: 'settled', id: resultIdOf(1) }, verdict(2, { state: 'discarded' })]);
      expect(await store.jobs.vesting()).toEqual([]);
      expect((await store.jobs.results(jobIdOf(1))).map(({ id }) => id)).toEqual([resultIdOf(1), resultIdOf(3)]);
    }));

  test('a repeated result changes nothing; the first hand-in counts', () =>
    withStore(async (store) => {
      await withJob(store);
      await store.commit([{ kind: 'result', result: exampleResult() }]);
      await store.commit([
        { kind: 'result', result: exampleResult({ computeMs: 99 }) },
        { kind: 'result', result: exampleResult({ id: resultIdOf(2) }) },
      ]);
      expect(await store.jobs.result(resultIdOf(1))).toEqual(exampleResult());
      expect(await store.jobs.results(jobIdOf(1))).toHaveLength(2);
    }));

  test('one commit is all or nothing, whatever is wrong in it', () =>
    withStore(async (store) => {
      await withJob(store);
      const good: Write[] = [
        { kind: 'result', result: exampleResult() },
        { kind: 'transfer', transfer: exampleTransfer({ id: 'grant/more' }) },
        { kind: 'standing', contributor: contributorIdOf(1), workload: 'example', standing: exampleStanding() },
      ];
      const bad: Write[] = [
        verdict(77, { state: 'accepted' }),
        verdict(77, { state: 'refuted' }),
        { kind: 'opening', id: resultIdOf(77), opening: { hash: 'aa'.repeat(32) as BlobHash, inline: null } },
        { kind: 'secondDraw', id: resultIdOf(77), drawn: 256, evidence: [] },
        { kind: 'settled', id: resultIdOf(77) },
        { kind: 'standing', contributor: contributorIdOf(77), workload: 'example', standing: exampleStanding() },
        { kind: 'jobEnded', id: jobIdOf(77), status: 'done', atMs: 1, summary },
        { kind: 'result', result: exampleResult({ id: resultIdOf(3), contributor: contributorIdOf(77) }) },
        { kind: 'result', result: exampleResult({ id: resultIdOf(3), job: jobIdOf(77) }) },
        { kind: 'transfer', transfer: exampleTransfer({ id: 'x', debit: `${device('poor')}/earned` }) },
        { kind: 'transfer', transfer: exampleTransfer({ id: 'grant/ada', microCredits: 1n }) },
        { kind: 'transfer', transfer: exampleTransfer({ id: 'x', microCredits: 0n }) },
        { kind: 'transfer', transfer: exampleTransfer({ id: 'x', microCredits: -1n }) },
        { kind: 'transfer', transfer: exampleTransfer({ id: 'x', debit: `${ada}/earned`, credit: `${ada}/earned` }) },
        { kind: 'unheard of' } as unknown as Write,
      ];
      for (const write of bad)
        await expect(
          store.commit([...good, write]),
          JSON.stringify(write, (_, value) => String(value)),
        ).rejects.toThrow();
      expect(await store.jobs.result(resultIdOf(1))).toBeUndefined();
      expect(await store.ledger.balance(`${ada}/grant`, 'test')).toBe(0n);
      expect(await store.people.standings(contributorIdOf(1))).toEqual(new Map());
      await store.commit(good);
      expect(await store.people.standings(contributorIdOf(1))).toEqual(new Map([['example', exampleStanding()]]));
    }));

  test('a verdict may come before its result in the same commit, and more writes than fit one statement', () =>
    withStore(async (store) => {
      await withJob(store);
      const writes = Array.from({ length: 300 }, (_, number): Write[] => [
        { kind: 'result', result: exampleResult({ id: resultIdOf(number) }) },
        verdict(number, { state: 'accepted' }),
        {
          kind: 'transfer',
          transfer: exampleTransfer({ id: `pay/${number}`, kind: 'pay', debit: `job/${jobIdOf(1)}`, credit: `${ada}/earned`, microCredits: 3n }),
        },
      ]).flat();
      await store.commit(writes);
      expect((await store.jobs.results(jobIdOf(1))).map(({ id }) => id)).toEqual(Array.from({ length: 300 }, (_, number) => resultIdOf(number)));
      expect(await store.ledger.balance(`${ada}/earned`, 'test')).toBe(900n);
      expect(await store.ledger.audit()).toEqual([{ unit: 'test', sum: 0n, wrongAccounts: 0, transfers: 302 }]);
    }));

  test('a cancelled job is remembered as closing', () =>
    withStore(async (store) => {
      await withJob(store);
      await store.commit([{ kind: 'jobClosing', id: jobIdOf(1) }]);
      expect(await store.jobs.get(jobIdOf(1))).toEqual(exampleJob({ closing: true }));
      await expect(store.commit([{ kind: 'jobClosing', id: jobIdOf(77) }])).rejects.toThrow('unknown job');
    }));

  test('a job ends once, with its figures; its files are remembered', () =>
    withStore(async (store) => {
      await withJob(store);
      const end: Write = { kind: 'jobEnded', id: jobIdOf(1), status: 'done', atMs: 9000, summary };
      await store.commit([end]);
      expect(await store.jobs.get(jobIdOf(1))).toEqual(exampleJob({ status: 'done', endedMs: 9000, summary }));
      await expect(store.commit([end])).rejects.toThrow('not open');
      const [first, second] = ['11'.repeat(32) as BlobHash, '22'.repeat(32) as BlobHash];
      expect(await store.jobs.file(jobIdOf(1), 'png')).toBeUndefined();
      expect(await store.jobs.setFile(jobIdOf(1), 'png', first, 0, 9000)).toBe(true);
      expect(await store.jobs.setFile(jobIdOf(1), 'png', second, 0, 9000)).toBe(true);
      expect(await store.jobs.setFile(jobIdOf(1), 'png', first, 1, 9000)).toBe(false);
      expect(await store.jobs.file(jobIdOf(1), 'png')).toBe(second);
      expect(await store.jobs.file(jobIdOf(1), 'exr')).toBeUndefined();
    }));

  test('reads and transactions at the same time do not mix', () =>
    withStore(async (store) => {
      const writes = Array.from({ length: 40 }, (_, number) =>
        store.commit([{ kind: 'transfer', transfer: exampleTransfer({ id: `grant/${number}`, microCredits: 1n }) }]),
      );
      const reads = Array.from({ length: 40 }, () => store.ledger.audit());
      const failing = store.commit([{ kind: 'transfer', transfer: exampleTransfer({ id: 'x', debit: `${device('poor')}/earned` }) }]);
      await expect(failing).rejects.toBeInstanceOf(InsufficientCredits);
      await Promise.all(writes);
      for (const audit of await Promise.all(reads)) for (const unit of audit) expect(unit).toMatchObject({ sum: 0n, wrongAccounts: 0 });
      expect(await store.ledger.balance(`${ada}/grant`, 'test')).toBe(40n);
    }));
});
