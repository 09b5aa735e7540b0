import { expect, test } from 'vitest';
import type { OwnerId } from '../../shared/model.ts';
import { newGoneOwner } from '../ids.ts';
import { packAll } from './packs.testing.ts';
import { openPostgresStore } from './postgres.ts';
import type { Store, Write } from './store.ts';
import { query, withPostgres } from './stores.testing.ts';
import { contributorIdOf, device, exampleContributor, exampleJob, exampleResult, jobIdOf, resultIdOf } from './testing.ts';

/** What several coordinators do to results at once while these are packed. */

const id = jobIdOf(1);
const RESULTS = 2400;
const FEW = { packResults: 16 };

async function fill(store: Store): Promise<void> {
  for (const number of [1, 2, 3]) await store.people.createContributor(exampleContributor({ id: contributorIdOf(number), owner: device(`of ${number}`) }));
  await store.jobs.create(exampleJob({ inputs: [] }), []);
  const results = Array.from({ length: RESULTS }, (_, tile) => {
    const number = (tile % 3) + 1;
    return exampleResult({
      id: resultIdOf(tile),
      at: { pass: 0, tile },
      contributor: contributorIdOf(number),
      owner: device(`of ${number}`),
      state: 'accepted',
    });
  });
  await store.commit(results.map((result): Write => ({ kind: 'result', result })));
}

const withThree = <T>(run: (stores: readonly [Store, Store, Store], url: string) => Promise<T>): Promise<T> =>
  withPostgres(async (url) => {
    const stores = [await openPostgresStore(url), await openPostgresStore(url), await openPostgresStore(url)] as const;
    try {
      await fill(stores[0]);
      return await run(stores, url);
    } finally {
      await Promise.all(stores.map((store) => store.close()));
    }
  });

const inOrder = Array.from({ length: RESULTS }, (_, tile) => resultIdOf(tile));
const idsOf = async (store: Store) => (await store.jobs.results(id)).map((result) => result.id);

test('two that pack at once pack each result once, and nobody who reads meanwhile misses one or sees it twice', () =>
  withThree(async ([one, other, reader], url) => {
    let isPacking = true;
    const reading = (async () => {
      let [reads, wrong] = [0, 0];
      for (; isPacking; reads++) {
        const seen = await idsOf(reader);
        if (seen.length !== RESULTS || seen.some((each, at) => each !== inOrder[at])) wrong++;
        const page = await reader.jobs.resultsPage([contributorIdOf(2)], { limit: 700 });
        if (page?.length !== 700 || (await reader.jobs.result(resultIdOf(RESULTS / 2))) === undefined) wrong++;
      }
      return { isRead: reads > 0, wrong };
    })();
    // Each of them leaves a job alone that the other one has just then.
    const packed = await Promise.all(
      [one, other].flatMap((store) => Array.from({ length: 30 }, () => store.packs.pack(id, { afterSeq: 0, beforeMs: 1e15, measured: [], packResults: 16 }))),
    );
    const rest = await packAll(one, FEW);
    isPacking = false;
    expect(await reading).toEqual({ isRead: true, wrong: 0 });
    expect(packed.reduce((sum, { results }) => sum + results, rest)).toBe(RESULTS);
    expect(await idsOf(other)).toEqual(inOrder);
    expect(await query(url, 'select count(*)::int as rows from results')).toEqual([{ rows: 0 }]);
  }));

test('what is measured while it is packed is measured, wherever it is by then', () =>
  withThree(async ([one, other, third]) => {
    let isWriting = true;
    const packing = (async () => {
      while (isWriting) await packAll(one, FEW);
    })();
    const measured = new Set<number>();
    const measure = async (store: Store, from: number): Promise<void> => {
      for (let at = from; at < RESULTS; at += 400) {
        const numbers = Array.from({ length: 40 }, (_, index) => at + index);
        await store.commit(numbers.map((number): Write => ({ kind: 'measured', id: resultIdOf(number), passesWanted: number })));
        for (const number of numbers) measured.add(number);
      }
    };
    await Promise.all([measure(other, 0), measure(third, 200), measure(other, 100)]);
    isWriting = false;
    await packing;
    const results = await one.jobs.results(id);
    expect(results.map((result) => result.id)).toEqual(inOrder);
    expect(results.map(({ passesWanted }) => passesWanted)).toEqual(inOrder.map((_, at) => (measured.has(at) ? at : null)));
  }));

test('whoever is deleted while it is packed is named by nothing afterwards', () =>
  withThree(async ([one, other], url) => {
    let names = 0;
    const newName = (): OwnerId => newGoneOwner(() => new Uint8Array(12).fill(++names));
    const [erased] = await Promise.all([
      one.erasure.erase({ owner: device('of 2'), forfeit: true, newName, atMs: 7000 }),
      (async () => {
        for (let tries = 0; tries < 60; tries++) await other.packs.pack(id, { afterSeq: 0, beforeMs: 1e15, measured: [], packResults: 16 });
      })(),
    ]);
    await packAll(other, FEW);
    for (const table of ['results', 'result_pack_authors'])
      expect(await query(url, `select owner from ${table} where owner = '${device('of 2')}'`)).toEqual([]);
    const results = await one.jobs.results(id);
    expect(results.map((result) => result.id)).toEqual(inOrder);
    expect(new Set(results.filter(({ contributor }) => contributor === contributorIdOf(2)).map(({ owner }) => owner))).toEqual(new Set([erased.owner]));
  }));
