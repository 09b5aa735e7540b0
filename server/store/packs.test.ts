import { describe, expect, test } from 'vitest';
import type { BlobHash, ContributorId, JobId, OwnerId, ResultId } from '../../shared/model.ts';
import { newGoneOwner } from '../ids.ts';
import { packAll as packAllOf } from './packs.testing.ts';
import type { PackStep } from './packs.ts';
import type { Store, StoredResult, Write } from './store.ts';
import { stores } from './stores.testing.ts';
import {
  bytesOf,
  consentIdOf,
  contributorIdOf,
  device,
  exampleConsent,
  exampleContributor,
  exampleJob,
  exampleResult,
  exampleSite,
  jobIdOf,
  resultIdOf,
  sha256,
  siteIdOf,
  wallet,
} from './testing.ts';

const [open, done] = [jobIdOf(1), jobIdOf(2)];
const contributors = [1, 2, 3, 4, 5].map(contributorIdOf);
const hashOf = (number: number): BlobHash => sha256(new TextEncoder().encode(`bytes ${number}`));
const RESULTS = 900;
/** A quarter of what it is in earnest (`packing.test.ts`): both databases write and read all of these again and again. */
const PACK_RESULTS = 256;
const packAll = (store: Store, options: Partial<PackStep> = {}): Promise<number> => packAllOf(store, { packResults: PACK_RESULTS, ...options });
const summary = {
  parts: { total: 3, accepted: 3, checking: 0, leased: 0 },
  contributors: 1,
  checksDone: { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 0 },
  paidMicroCredits: '0',
} as never;

/** Every fourth is of the second job; some have no verdict, and pay of some vests. Ids are in another order than hand-ins. */
function resultOf(number: number): StoredResult {
  const at = { pass: number % 7 === 0 ? 1 : 0, tile: (number * 13) % 2000 };
  const contributor = contributors[(number * number) % 5]!;
  const owner = contributor === contributors[1] && number > RESULTS / 2 ? wallet('Bob') : device(`of ${contributor.slice(-1)}`);
  const state = number % 17 === 3 ? 'refuted' : number % 19 === 4 ? 'discarded' : number % 101 === 3 ? 'committed' : 'accepted';
  const decided = state === 'committed' ? {} : { decidedMs: 3000 + number, errorBound: state === 'accepted' ? 1 / number : 0 };
  const inBlob = number % 11 === 0;
  const vesting = { unit: 'test', microCredits: BigInt(number), vestsAtMs: 9000, refundTo: 'operator/exchange' } as const;
  return exampleResult({
    ...{ id: resultIdOf(number % 50 === 0 ? number + 100_000 : number), job: number % 4 === 0 ? done : open, at, contributor, owner, state, ...decided },
    ...{
      hash: hashOf(inBlob ? number % 500 : number),
      inline: inBlob || state === 'refuted' || state === 'discarded' ? null : bytesOf(number % 251, number % 90),
    },
    ...{
      sizeBytes: number % 90,
      site: number % 6 === 0 ? siteIdOf(1) : null,
      committedMs: 2000 + number,
      computeMs: number / 3,
      attempt: number,
      drill: number % 97 === 0,
    },
    evidence: number % 3 === 0 ? [] : [{ by: 'cpu', drawn: number, differing: 0, unexplained: 0, worst: 1 / number, cpuMs: number / 7 }],
    vesting: state === 'accepted' && number % 41 === 7 ? vesting : null,
    passesWanted: number % 5 === 0 ? (number % 10 === 0 ? Number.POSITIVE_INFINITY : 1 / number) : null,
    round: number % 8 === 0 ? 'second' : 'first',
    opening: state === 'committed' || state === 'refuted' ? { hash: hashOf(-number), inline: null } : null,
  });
}

async function fill(store: Store, { isDone = true } = {}): Promise<StoredResult[]> {
  await store.people.createSite(exampleSite());
  for (const [index, id] of contributors.entries()) {
    await store.people.createContributor(exampleContributor({ id, owner: device(`of ${index + 1}`) }));
    if (index > 0) await store.people.createConsent(exampleConsent({ id: consentIdOf(index), contributor: id, site: siteIdOf(1) }));
  }
  for (const id of [open, done]) await store.jobs.create(exampleJob({ id, inputs: [] }), []);
  const results = Array.from({ length: RESULTS }, (_, index) => resultOf(index + 1));
  await store.commit(results.map((result): Write => ({ kind: 'result', result })));
  if (isDone) await store.commit([{ kind: 'jobEnded', id: done, status: 'done', atMs: 8000, summary }]);
  return results;
}

/** But for what only a check needs. */
const kept = ({ salt: _s, root: _r, commitment: _c, nonce: _n, opening: _o, ...rest }: StoredResult): object => rest;

async function pagesOf(store: Store, job: JobId): Promise<unknown[]> {
  const pages: unknown[] = [];
  for (let afterSeq: number | null = 0; afterSeq !== null; ) {
    const page = await store.jobs.acceptedPage(job, { afterSeq, limit: 250 });
    pages.push({ ...page, results: page.results.map(kept) });
    afterSeq = page.nextSeq;
  }
  return pages;
}

async function historyOf(store: Store, whose: readonly ContributorId[], limit: number): Promise<unknown[]> {
  const pages: unknown[] = [];
  for (let before: ResultId | undefined; ; ) {
    const page = await store.jobs.resultsPage(whose, { limit, ...(before === undefined ? {} : { before }) });
    if (!page || page.length === 0) return pages;
    pages.push(page.map(kept));
    before = page.at(-1)!.id;
  }
}

/** All that anybody can ask of results. */
async function everythingOf(store: Store, results: readonly StoredResult[]): Promise<Record<string, unknown>> {
  const told: Record<string, unknown> = {};
  for (const job of [open, done]) {
    told[`results of ${job}`] = (await store.jobs.results(job)).map(kept);
    told[`refuted of ${job}`] = await store.jobs.countRefuted(job);
    told[`pages of ${job}`] = await pagesOf(store, job);
    told[`helpers of ${job}`] = await store.groups.countHelpers(job);
    for (const sinceMs of [0, 4500, 9e9])
      told[`dropped of ${job} since ${sinceMs}`] = (await store.lifecycle.droppedSince(job, sinceMs)).toSorted((a, b) => a.atMs - b.atMs);
  }
  for (const id of contributors) told[`latest of ${id}`] = (await store.jobs.resultsOf(id, 50)).map(kept);
  told.histories = [await historyOf(store, contributors, 333), await historyOf(store, contributors.slice(1, 3), 101)];
  told.strange = await store.jobs.resultsPage(contributors.slice(0, 1), {
    before: results.find(({ contributor }) => contributor !== contributors[0])!.id,
    limit: 3,
  });
  told.vesting = (await store.jobs.vesting()).map(kept);
  told.site = await store.people.siteFigures(siteIdOf(1));
  const hashes = results.flatMap(({ hash, opening }) => [hash, ...(opening ? [opening.hash] : [])]);
  told.needed = [...(await store.lifecycle.needed([...new Set(hashes)]))].sort();
  told.each = [];
  for (const { id } of results.filter((_, index) => index % 37 === 0)) (told.each as unknown[]).push(kept((await store.jobs.result(id))!));
  told.unknown = [await store.jobs.result(resultIdOf(77_777)), await store.jobs.result(resultIdOf('never'))];
  return told;
}

describe.each(stores)('packs of results on $name', ({ withStore, withDatabase }) => {
  test('whoever reads results reads the same before and after, also behind a restart', () =>
    withDatabase(async (database) => {
      const store = await database.open();
      const results = await fill(store);
      const before = await everythingOf(store, results);
      const packed = await packAll(store);
      const after = await everythingOf(store, results);
      await store.close();
      expect(after).toEqual(before);
      const isClosed = ({ state, vesting }: StoredResult) => state !== 'committed' && vesting === null;
      // Of the job that is open whole packs, of the other one nothing yet: some of its results have no verdict, or vest.
      const ofOpen = results.filter((result) => result.job === open && isClosed(result)).length;
      expect(packed).toBe(Math.floor(ofOpen / PACK_RESULTS) * PACK_RESULTS);
      const rows = async (sql: string) => Number(((await database.run(sql)) as { count: number }[])[0]!.count);
      expect(await rows('select count(*) as count from results')).toBe(RESULTS - packed);
      expect(await rows('select sum(results) as count from result_packs')).toBe(packed);
      expect(await rows('select count(*) as count from result_packs')).toBe(packed / PACK_RESULTS);
      const again = await database.open();
      expect(await everythingOf(again, results)).toEqual(before);
      await again.close();
    }));

  test('what is left of a job is packed once it has ended and all of it is settled; what was packed stays in its place', () =>
    withStore(async (store) => {
      const results = await fill(store);
      await packAll(store);
      const accepted = (id: ResultId): Write => ({ kind: 'verdict', id, state: 'accepted', errorBound: 0, vesting: null, evidence: [], atMs: 7000 });
      await store.commit([
        ...results.flatMap(({ id, state }) => (state === 'committed' ? [accepted(id)] : [])),
        ...results.flatMap(({ id, vesting }): Write[] => (vesting ? [{ kind: 'settled', id }] : [])),
      ]);
      const before = await everythingOf(store, results);
      await packAll(store);
      expect(await everythingOf(store, results)).toEqual(before);
      expect(await store.packs.nextJob(null)).toBe(open);
      expect(await store.packs.nextJob(open)).toBeNull();
      await store.commit([{ kind: 'jobEnded', id: open, status: 'cancelled', atMs: 8000, summary }]);
      await packAll(store);
      expect(await store.packs.nextJob(null)).toBeNull();
      expect(await everythingOf(store, results)).toEqual(before);
    }));

  test('nothing that is young, waits to be measured, or is of an open job that nobody here has is packed', () =>
    withStore(async (store) => {
      const results = await fill(store, { isDone: false });
      expect(await packAll(store, { measured: null })).toBe(0);
      expect(await packAll(store, { beforeMs: 3000 })).toBe(0);
      await packAll(store, { measured: [0, 1] });
      const rest = results.filter(({ state, passesWanted }) => state === 'accepted' && passesWanted === null);
      const evidence = (all: readonly StoredResult[]) => all.filter(({ salt }) => salt.length > 0).map(({ id }) => id);
      const rows = new Set(evidence([...(await store.jobs.results(open)), ...(await store.jobs.results(done))]));
      expect(rest.every(({ id }) => rows.has(id))).toBe(true);
    }));

  test('what is written to a packed result reaches it, and one that never was fails its commit', () =>
    withStore(async (store) => {
      const results = await fill(store);
      await packAll(store);
      const packed = (await store.jobs.results(open)).filter(({ salt }) => salt.length === 0);
      const { id, passesWanted } = packed.find((result) => result.passesWanted !== null)!;
      const before = await everythingOf(store, results);
      await store.commit([
        { kind: 'settled', id },
        { kind: 'measured', id, passesWanted: 2.5 },
      ]);
      expect(await store.jobs.result(id)).toMatchObject({ passesWanted: 2.5, state: 'accepted' });
      await store.commit([{ kind: 'measured', id, passesWanted: passesWanted! }]);
      expect(await everythingOf(store, results)).toEqual(before);
      // Rows again, they are packed again.
      expect(await packAll(store)).toBe(PACK_RESULTS);
      expect(await everythingOf(store, results)).toEqual(before);
      const last = packed.at(-1)!.id;
      const verdict: Write = { kind: 'verdict', id: last, state: 'refuted', errorBound: 0, vesting: null, evidence: [], atMs: 9 };
      await expect(store.commit([verdict, { kind: 'measured', id: resultIdOf('never'), passesWanted: 1 }])).rejects.toThrow('1 unknown results');
      expect(await store.jobs.result(last)).toMatchObject({ state: 'accepted' });
      await store.commit([verdict]);
      expect(await store.jobs.result(last)).toMatchObject({ state: 'refuted', inline: null });
      expect(await store.jobs.countRefuted(open)).toBe(results.filter(({ job, state }) => job === open && state === 'refuted').length + 1);
    }));

  test('a job that is extended is measured anew, and loses what it is told to; no row is there twice', () =>
    withStore(async (store) => {
      const results = await fill(store);
      await store.commit([{ kind: 'jobEnded', id: open, status: 'done', atMs: 8000, summary }]);
      await packAll(store);
      const before = await store.jobs.results(open);
      const dropped = before.filter((_, index) => index % 300 === 1).map(({ id }) => id);
      const job = { ...(await store.jobs.get(open))!, status: 'open' as const, endedMs: null, extensions: 1, workHeld: 0n, checksHeld: 0n, heldFrom: [] };
      expect(await store.lifecycle.extend(job, [], dropped)).toBe(true);
      const expected = before.filter(({ id }) => !dropped.includes(id)).map((result) => kept({ ...result, passesWanted: null }));
      expect((await store.jobs.results(open)).map(kept)).toEqual(expected);
      expect(await store.jobs.result(dropped[0]!)).toMatchObject({ state: 'discarded', inline: null });
      // And goes on: results in front of it, packed again with them.
      await store.commit([{ kind: 'result', result: exampleResult({ id: resultIdOf(50_000), job: open, contributor: contributors[0]! }) }]);
      expect(await packAll(store)).toBeGreaterThanOrEqual(PACK_RESULTS);
      const all = await store.jobs.results(open);
      expect(all.map(({ id }) => id)).toEqual([...before.filter(({ id }) => !dropped.includes(id)).map(({ id }) => id), resultIdOf(50_000)]);
      expect(results.length).toBe(RESULTS);
    }));

  test('a job of which nothing was measured stays packed when it is extended', () =>
    withStore(async (store) => {
      await store.people.createContributor(exampleContributor());
      await store.jobs.create(exampleJob({ id: done, inputs: [] }), []);
      const results = Array.from({ length: 20 }, (_, tile) => exampleResult({ id: resultIdOf(tile), job: done, at: { pass: 0, tile }, state: 'accepted' }));
      await store.commit([
        ...results.map((result): Write => ({ kind: 'result', result })),
        { kind: 'jobEnded', id: done, status: 'done', atMs: 8000, summary },
      ]);
      expect(await packAll(store)).toBe(20);
      const job = { ...(await store.jobs.get(done))!, status: 'open' as const, endedMs: null, extensions: 1, workHeld: 0n, checksHeld: 0n, heldFrom: [] };
      expect(await store.lifecycle.extend(job, [], [])).toBe(true);
      expect(await store.packs.nextJob(null)).toBeNull();
      expect((await store.jobs.results(done)).map(({ id }) => id)).toEqual(results.map(({ id }) => id));
    }));

  test('the bytes of a job that is forgotten go, those in packs too, and its blobs are needed by nobody', () =>
    withStore(async (store) => {
      const results = await fill(store);
      await store.commit([{ kind: 'jobEnded', id: open, status: 'done', atMs: 8000, summary }]);
      await packAll(store);
      const inBlobs = (job: JobId) =>
        results.filter((result) => result.job === job && result.inline === null && ['accepted', 'committed'].includes(result.state));
      const hashesOf = (all: readonly StoredResult[]) => [...new Set(all.map(({ hash }) => hash))].sort();
      const forgotten = await store.lifecycle.forget(open, 9000);
      expect([...new Set(forgotten?.results)].sort()).toEqual(hashesOf(inBlobs(open)));
      const needed = [...(await store.lifecycle.needed(hashesOf(results.filter(({ inline }) => inline === null))))].sort();
      expect(needed).toEqual(hashesOf(inBlobs(done)));
      for (const { id, job } of results.filter((_, index) => index % 41 === 0)) {
        const { inline, hash } = (await store.jobs.result(id))!;
        expect([hash.length, job === open && inline !== null]).toEqual([64, false]);
      }
      // What is packed only now is not needed either.
      await store.commit(results.flatMap(({ id, vesting }): Write[] => (vesting ? [{ kind: 'settled', id }] : [])));
      await packAll(store);
      expect([...(await store.lifecycle.needed(hashesOf(inBlobs(open))))].filter((hash) => !hashesOf(inBlobs(done)).includes(hash))).toEqual([]);
    }));

  test('somebody who is gone is named by no pack', () =>
    withDatabase(async (database) => {
      const store = await database.open();
      const results = await fill(store);
      await packAll(store);
      let names = 0;
      const newName = (): OwnerId => newGoneOwner(() => new Uint8Array(12).fill(++names));
      const { owner } = await store.erasure.erase({ owner: device('of 2'), forfeit: true, newName, atMs: 7000 });
      const wanted = results
        .filter((result) => result.contributor === contributors[1] && result.job === open && ['accepted', 'committed'].includes(result.state))
        .map((result) => (result.owner === device('of 2') ? owner : result.owner));
      const told = (await store.jobs.results(open)).filter(({ contributor }) => contributor === contributors[1]);
      expect(told.map((result) => result.owner)).toEqual(wanted);
      await store.erasure.sweep({ owner, contributors: [contributors[1]!] }, [wallet('Bob')], newName, 7001);
      await store.close();
      for (const table of ['results', 'result_pack_authors'])
        expect(await database.run(`select owner from ${table} where owner in ('${device('of 2')}', '${wallet('Bob')}')`)).toEqual([]);
    }));

  test('a coordinator that claims a shared job is given what is packed of its tiles, and the end counts all who helped', () =>
    withStore(async (store) => {
      const results = await fill(store, { isDone: false });
      await packAll(store);
      const job = (await store.jobs.get(open))!;
      const epoch = await store.sharing.enter(60_000);
      // As after an extension: of all tiles there may be results.
      await store.sharing.cut({ ...job, extensions: 0 }, 2000, 500);
      const claimed = await store.sharing.claim(epoch, open, 2);
      expect(claimed.results).toEqual([]);
      await store.commit([{ kind: 'shareReleased', id: open, blocks: claimed.blocks.map(({ number }) => ({ number, figures: null })) }], epoch);
      const { blocks, results: found } = await store.sharing.claim(epoch, open, 2);
      const tiles = blocks.map(({ first, count }) => [first, first + count] as const);
      const wanted = results.filter(
        (result) =>
          result.job === open && ['accepted', 'committed'].includes(result.state) && tiles.some(([from, to]) => result.at.tile >= from && result.at.tile < to),
      );
      expect(found.map(kept)).toEqual(wanted.map((result) => kept({ ...result, inline: null })));
      expect(found.some(({ salt }) => salt.length === 0)).toBe(true);
      const rest = await store.sharing.claim(epoch, open, 9);
      const figures = {
        parts: { total: 0, accepted: 0, checking: 0, leased: 0, waived: 0 },
        checks: { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0 },
        errorSum: 0,
      };
      await store.commit([{ kind: 'shareClosed', id: open, blocks: [...blocks, ...rest.blocks].map(({ number }) => number), figures }], epoch);
      let counted = 0;
      await store.sharing.finish(open, (_job, _left, _figures, helpers) => {
        counted = helpers;
        return { ended: { kind: 'jobEnded', id: open, status: 'done', atMs: 1, summary }, transfers: [] };
      });
      expect(counted).toBe(new Set(results.filter((result) => result.job === open).map(({ contributor }) => contributor)).size);
    }));
});
