import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { MINUTE_MS } from '../shared/limits.ts';
import type { JobId } from '../shared/model.ts';
import { World as Formula, KEY } from './formula.testing.ts';
import { Hand, handedIn, type Made } from './hand.testing.ts';
import { Packing, type PackingDeps } from './packing.ts';
import { packAll } from './store/packs.testing.ts';
import { PACK_RESULTS } from './store/packs.ts';
import type { Store, Write } from './store/store.ts';
import { exampleContributor, exampleJob, exampleResult, jobIdOf, resultIdOf, withStore } from './store/testing.ts';

const summary = {
  parts: { total: 1, accepted: 1, checking: 0, leased: 0 },
  contributors: 1,
  checksDone: { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 0 },
  paidMicroCredits: '0',
} as never;
const HOUR_MS = 60 * MINUTE_MS;

/** Jobs with so many results each, decided at 1 ms; those that have ended. */
async function fill(store: Store, counts: readonly number[], ended: readonly number[]): Promise<JobId[]> {
  await store.people.createContributor(exampleContributor());
  const jobs = counts.map((_, index) => jobIdOf(index + 1));
  for (const id of jobs) await store.jobs.create(exampleJob({ id, inputs: [] }), []);
  const results = counts.flatMap((count, index) =>
    Array.from({ length: count }, (_, tile) =>
      exampleResult({
        id: resultIdOf(index * 10_000 + tile),
        job: jobs[index]!,
        at: { pass: tile % 3, tile },
        state: 'accepted',
        committedMs: 1,
        decidedMs: 1,
      }),
    ),
  );
  await store.commit([
    ...results.map((result): Write => ({ kind: 'result', result })),
    ...ended.map((index): Write => ({ kind: 'jobEnded', id: jobs[index]!, status: 'done', atMs: 1, summary })),
  ]);
  return jobs;
}

/** How many results of a job are packed. */
const packedOf = async (store: Store, job: JobId): Promise<number> => (await store.jobs.results(job)).filter(({ salt }) => salt.length === 0).length;

interface World {
  readonly packs: { readonly results: number; readonly ms: number }[];
  readonly problems: string[];
  readonly packing: Packing;
}

function worldOf(store: Pick<Store, 'packs'>, own: Partial<PackingDeps> = {}): World {
  const [packs, problems]: [World['packs'], string[]] = [[], []];
  const packing = new Packing({
    store,
    coordinator: { isRecovering: false, openJob: () => undefined },
    isMine: () => true,
    clock: () => HOUR_MS,
    packed: (pack) => packs.push(pack),
    log: { error: (fields, message) => problems.push(`${message} ${JSON.stringify(fields)}`) },
    ...own,
  });
  return { packs, problems, packing };
}

async function round({ packing }: World): Promise<void> {
  for (let steps = 0; !(await packing.step()); steps++) expect(steps).toBeLessThan(100);
}

test('a round packs what it can of every job: whole packs of those that are open here, and all of those that have ended', () =>
  withStore(async (store) => {
    const jobs = await fill(store, [2 * PACK_RESULTS + 7, 20, PACK_RESULTS, PACK_RESULTS + 1, 0], [1, 3]);
    const isHere = new Set([jobs[0], jobs[3]]);
    const world = worldOf(store, { coordinator: { isRecovering: false, openJob: (id) => (isHere.has(id) ? { adaptivePasses: [] } : undefined) } });
    await round(world);
    expect(await Promise.all(jobs.map((job) => packedOf(store, job)))).toEqual([2 * PACK_RESULTS, 20, 0, PACK_RESULTS + 1, 0]);
    expect(world.packs.map(({ results }) => results)).toEqual([PACK_RESULTS, PACK_RESULTS, 20, PACK_RESULTS, 1]);
    await round(world);
    expect(world.packs).toHaveLength(5);
    expect(world.problems).toEqual([]);
  }));

test('results that wait to be measured are left alone, but for those of passes that nothing follows from', () =>
  withStore(async (store) => {
    const [job] = await fill(store, [4 * PACK_RESULTS], []);
    await round(worldOf(store, { coordinator: { isRecovering: false, openJob: () => ({ adaptivePasses: [0, 1] }) } }));
    const packed = (await store.jobs.results(job!)).filter(({ salt }) => salt.length === 0);
    expect(new Set(packed.map(({ at }) => at.pass))).toEqual(new Set([1, 2]));
    expect(packed.length).toBe(2 * PACK_RESULTS);
  }));

test('nothing is packed that was decided just now, while the state is read back, or where another coordinator sees to it', () =>
  withStore(async (store) => {
    const [job] = await fill(store, [50], [0]);
    await round(worldOf(store, { clock: () => 9 * MINUTE_MS }));
    await round(worldOf(store, { isMine: () => false }));
    await round(worldOf(store, { coordinator: { isRecovering: true, openJob: () => undefined } }));
    expect(await packedOf(store, job!)).toBe(0);
    await round(worldOf(store));
    expect(await packedOf(store, job!)).toBe(50);
  }));

test('a job that cannot be packed is told of, and keeps no other from it', () =>
  withStore(async (store) => {
    const jobs = await fill(store, [10, 10], [0, 1]);
    const wide = exampleResult({ id: resultIdOf(77_777), job: jobs[0]!, state: 'accepted', attempt: 2 ** 40, committedMs: 1, decidedMs: 1 });
    await store.commit([{ kind: 'result', result: wide }]);
    const world = worldOf(store);
    await expect(world.packing.step()).rejects.toThrow('attempt of');
    await round(world);
    expect([await packedOf(store, jobs[0]!), await packedOf(store, jobs[1]!)]).toEqual([0, 10]);
  }));

test('started, it goes on by itself and stops when it is closed; errors are logged', () =>
  withStore(async (store) => {
    const [job] = await fill(store, [3 * PACK_RESULTS], [0]);
    const world = worldOf(store);
    world.packing.start();
    while (world.packs.length < 1) await wait(5);
    await world.packing.close();
    const { length } = world.packs;
    expect(length).toBeLessThan(3);
    await wait(150);
    expect(world.packs).toHaveLength(length);
    expect(await packedOf(store, job!)).toBe(length * PACK_RESULTS);
    const packs = { nextJob: () => Promise.reject(new Error('the disk is full')), pack: () => Promise.reject(new Error('unreachable')) };
    const failing = worldOf({ packs });
    failing.packing.start();
    while (failing.problems.length === 0) await wait(5);
    await failing.packing.close();
    expect(failing.problems[0]).toContain('the disk is full');
  }));

test('a job that is open and partly packed is read back and goes on: repeated hand-ins are what they were, passes are as many, pay is once', async () => {
  const PASSES = 4;
  const world = await Formula.open({}, { params: { passes: PASSES } });
  try {
    world.wants = (tile) => (tile % 2 === 0 ? 1 : 3);
    const made: { readonly of: Made; readonly result: string }[] = [];
    const { id } = world.job;
    const hand = await Hand.join(world, { trusted: KEY });
    let packed = 0;
    for (let life = 0; !world.events.some(({ type }) => type === 'jobEnded'); life++) {
      expect(life).toBeLessThan(60);
      const { leases } = await hand.work(3);
      for (const lease of leases) {
        const of = hand.compute(lease);
        made.push({ of, result: (await handedIn(hand, of)).result });
      }
      await expect.poll(async () => (await world.store.jobs.vesting()).length).toBe(0);
      const job = world.coordinator.openJob(id);
      packed += await packAll(world.store, { packResults: 2, measured: job ? job.adaptivePasses.slice(0, -1) : [] });
      const before = world.coordinator.openJob(id)?.partsAccepted;
      if (before === undefined) break;
      if (life % 3 !== 1) continue;
      await world.stop();
      await world.start();
      expect(world.coordinator.openJob(id)?.partsAccepted).toBe(before);
      // Its answer had been lost.
      const [first] = made;
      await hand.connect();
      expect(await hand.handIn(first!.of)).toMatchObject({ data: { result: first!.result } });
    }
    await packAll(world.store);
    expect(await world.store.packs.nextJob(null)).toBeNull();
    expect(packed).toBeGreaterThan(10);
    const results = await world.store.jobs.results(id);
    expect(results.map((result) => result.id)).toEqual(made.map(({ result }) => result));
    const passes = new Map<number, Set<number>>();
    for (const { at } of results) passes.set(at.tile, (passes.get(at.tile) ?? new Set()).add(at.pass));
    for (const [tile, run] of passes) expect([tile, run.size]).toEqual([tile, tile % 2 === 0 ? 2 : PASSES]);
    const paid = await world.store.ledger.paidFor(results.map((result) => result.id));
    const spent = [...paid.values()].reduce((sum, each) => sum + each, 0n);
    expect((await world.store.jobs.get(id))?.summary?.paidMicroCredits).toBe(spent.toString());
    expect(await world.store.ledger.audit()).toMatchObject([{ sum: 0n, wrongAccounts: 0 }]);
  } finally {
    await world.close();
  }
}, 60_000);
