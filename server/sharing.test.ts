import { describe, expect, test } from 'vitest';
import type { JobId } from '../shared/model.ts';
import { holds } from './core/ledger.ts';
import { Member, order, register } from './sharing.testing.ts';
import type { Store, StoredJob } from './store/store.ts';
import { stores } from './store/stores.testing.ts';
import { temporaryFolder } from './store/testing.ts';

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

async function until(what: () => Promise<boolean>, rounds = 200): Promise<void> {
  for (let round = 0; round < rounds; round++) if (await what()) return;
  throw new Error('it did not come to that');
}

const isOver = async (store: Store, id: JobId): Promise<boolean> => (await store.jobs.get(id))?.status !== 'open';

describe.each(stores)('coordinators that share $name', ({ withStore }) => {
  const withMembers = (tiles: number, run: (store: Store, open: (options?: Partial<Parameters<typeof Member.open>[2]>) => Promise<Member>) => Promise<void>) =>
    withStore(async (store) => {
      const folder = temporaryFolder();
      const members: Member[] = [];
      try {
        await run(store, async (options = {}) => {
          const member = await Member.open(store, folder.path, { tiles, ...options });
          members.push(member);
          return member;
        });
      } finally {
        for (const member of members) await member.close();
        folder.remove();
      }
    });

  test('two do one job together, each of them blocks of its own, and it ends once with everything accepted and nothing left over', () =>
    withMembers(100, async (store, open) => {
      const [a, b] = [await open(), await open()];
      const [ada, bob] = (await register(store, 2)) as [Awaited<ReturnType<typeof register>>[0], Awaited<ReturnType<typeof register>>[0]];
      await a.join(ada);
      await b.join(bob);
      const { id } = await order(store, a, 100);
      const counts = { a: 0, b: 0 };
      const free = (member: Member): number => member.sharing.partsFree(member.coordinator.openJob(id)!);
      // Twice, until both have claimed.
      for (const member of [a, b, a, b]) await member.turn();
      expect([free(a), free(b)]).toEqual([100, 100]);
      const [ofA, ofB] = [(await a.work(ada)).length, (await b.work(bob)).length];
      counts.a += ofA;
      counts.b += ofB;
      await settle();
      expect(ofA + ofB).toBeGreaterThan(0);
      // What neither has claimed is left too; what was done counts also of blocks that were claimed, left lying, and given back.
      const shares: number[] = [];
      for (let turns = 0; turns < 8; turns++) {
        for (const member of [a, b]) await member.turn();
        shares.push(a.coordinator.openJob(id)!.share!.length);
        // Who is first has not heard of the other yet.
        if (turns === 0) continue;
        expect([free(a), free(b)]).toEqual([100 - ofA - ofB, 100 - ofA - ofB]);
        for (const { coordinator, sharing } of [a, b]) expect(sharing.partsOf(coordinator.openJob(id)!)).toMatchObject({ total: 100, accepted: ofA + ofB });
      }
      expect(Math.min(...shares)).toBe(0);
      expect(Math.max(...shares)).toBeGreaterThan(0);
      await until(async () => {
        for (const member of [a, b]) await member.turn();
        counts.a += (await a.work(ada)).length;
        counts.b += (await b.work(bob)).length;
        await settle();
        return isOver(store, id);
      });
      const job = await store.jobs.get(id);
      expect(job).toMatchObject({ status: 'done', summary: { parts: { total: 100, accepted: 100 }, contributors: 2 } });
      expect(Math.min(counts.a, counts.b)).toBeGreaterThan(20);
      const tiles = (await store.jobs.results(id)).map(({ at }) => at.tile);
      expect(new Set(tiles).size).toBe(100);
      expect(tiles).toHaveLength(100);
      expect(await store.ledger.balance(`job/${id}`, 'test')).toBe(0n);
      expect(await store.ledger.audit()).toMatchObject([{ sum: 0n, wrongAccounts: 0 }]);
      for (const member of [a, b]) await member.turn();
      expect(a.coordinator.openJob(id) ?? b.coordinator.openJob(id)).toBeUndefined();
      expect([...a.events, ...b.events].filter(({ type }) => type === 'jobEnded')).toHaveLength(2);
    }));

  const one = async (store: Store) => (await register(store, 1))[0]!;
  /** No longer than a test can wait, and longer than what a test does in one go. */
  const SHORT_MS = 400;
  const sleep = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SHORT_MS + 100));

  test('whoever stops saying that it is alive loses its blocks, and what it had acknowledged gets its verdict and its pay elsewhere', () =>
    withMembers(60, async (store, open) => {
      const dying = await open({ aliveMs: SHORT_MS });
      const ada = await one(store);
      await dying.join(ada);
      const { id } = await order(store, dying, 60);
      await dying.turn();
      // Handed in and not opened: there is no verdict yet, and the lease behind it is forgotten with its coordinator.
      const [lease] = await dying.leases(ada);
      const half = await dying.handIn(ada, lease!, false, false);
      const heir = await open();
      await sleep();
      await heir.join(ada);
      await heir.turn();
      expect(heir.coordinator.unopened(ada).map(({ result }) => result)).toEqual([half]);
      const acknowledged = new Set([half]);
      await heir.open(ada, lease!, half!);
      await until(async () => {
        await heir.turn();
        for (const result of await heir.work(ada)) acknowledged.add(result);
        await settle();
        return isOver(store, id);
      });
      const accepted = (await store.jobs.results(id)).filter(({ state }) => state === 'accepted');
      expect(new Set(accepted.map((result) => result.id))).toEqual(acknowledged);
      expect(await store.ledger.audit()).toMatchObject([{ sum: 0n, wrongAccounts: 0 }]);
    }));

  test('one that only slept stores nothing under its old life, begins another one, and nobody is paid twice', () =>
    withMembers(40, async (store, open) => {
      const sleeper = await open({ aliveMs: SHORT_MS });
      const ada = await one(store);
      await sleeper.join(ada);
      const { id } = await order(store, sleeper, 40);
      await sleeper.turn();
      const before = sleeper.coordinator.epoch;
      const [lease] = await sleeper.leases(ada);
      const heir = await open();
      await sleep();
      await heir.turn();
      await expect(sleeper.handIn(ada, lease!)).rejects.toThrow('could not store');
      expect(await store.jobs.results(id)).toEqual([]);
      await until(async () => sleeper.coordinator.epoch > before);
      await until(async () => {
        for (const member of [sleeper, heir]) await member.turn();
        await sleeper.work(ada);
        await settle();
        return isOver(store, id);
      });
      const tiles = (await store.jobs.results(id)).map(({ at }) => at.tile);
      expect(tiles).toHaveLength(new Set(tiles).size);
      expect(await store.ledger.audit()).toMatchObject([{ sum: 0n, wrongAccounts: 0 }]);
      expect(await store.ledger.balance(`job/${id}`, 'test')).toBe(0n);
    }));

  test('a lie that is found at one coordinator takes back what its contributor has vesting at another, and the tile is done again', () =>
    withMembers(30, async (store, open) => {
      const ids = await register(store, 2);
      const [liar, ada] = [ids[0]!, ids[1]!];
      const lies = new Set([liar]);
      const [a, b] = [await open({ lies }), await open({ lies })];
      await a.join(liar);
      const { id } = await order(store, a, 30);
      await a.turn();
      const [first] = await a.work(liar);
      await settle();
      expect((await store.jobs.result(first!))?.state).toBe('accepted');
      // It goes elsewhere, and lies there.
      await a.coordinator.dispatch({ type: 'leave', contributor: liar });
      await b.turn();
      await b.join(liar);
      await b.turn();
      await b.work(liar, true);
      await settle();
      await a.turn();
      expect((await store.jobs.result(first!))?.state).toBe('discarded');
      expect(await store.ledger.balance(`vesting/${liar}`, 'test')).toBe(0n);
      await a.join(ada);
      await until(async () => {
        for (const member of [a, b]) await member.turn();
        await a.work(ada);
        await settle();
        return isOver(store, id);
      });
      expect(await store.jobs.get(id)).toMatchObject({ status: 'done', summary: { parts: { accepted: 30 } } });
      expect(await store.ledger.audit()).toMatchObject([{ sum: 0n, wrongAccounts: 0 }]);
    }));

  test('a coordinator that has not heard of a lie yet does not write over it, and a pardon there is for it', () =>
    withMembers(30, async (store, open) => {
      const liar = await one(store);
      const [a, b] = [await open({ lies: new Set([liar]) }), await open()];
      await a.join(liar);
      await b.join(liar);
      await order(store, a, 30);
      for (const member of [a, b]) await member.turn();
      await a.work(liar);
      await settle();
      await a.turn();
      const [lease] = await b.leases(liar);
      const before = await store.people.standings(liar);
      await a.work(liar, true);
      await settle();
      // Read before that was stored, and heard behind it.
      await a.coordinator.apply({ type: 'heard', contributor: liar, standings: before, proven: false });
      const suspendedMs = async (): Promise<number> => [...(await store.people.standings(liar)).values()][0]?.suspendedUntilMs ?? 0;
      expect(await suspendedMs()).toBeGreaterThan(Date.now());
      const result = await b.handIn(liar, lease!);
      await settle();
      expect((await store.jobs.result(result!))?.state).toBe('accepted');
      expect(await suspendedMs()).toBeGreaterThan(Date.now());
      // Whatever it was not told, whoever says hello again brings along.
      await b.join(liar, await store.people.standings(liar));
      expect([...b.coordinator.contributor(liar)!.standings.values()]).toMatchObject([{ refuted: 1, verified: 0 }]);
      await b.coordinator.pardon(liar);
      expect(await suspendedMs()).toBe(0);
      await a.turn();
      expect([...(a.coordinator.contributor(liar)?.standings.values() ?? [])]).toMatchObject([{ refuted: 1, suspendedUntilMs: 0 }]);
    }));

  test('a tile that no coordinator has is claimed where it is handed in, though nobody there asks for work, and no other is', () =>
    withMembers(40, async (store, open) => {
      const [a, b] = [await open(), await open()];
      const ada = await one(store);
      await a.join(ada);
      const { id } = await order(store, a, 40);
      for (const member of [a, b]) await member.turn();
      const leases = await a.leases(ada);
      const [lease] = leases;
      // Its leases are taken back, it goes on computing elsewhere, and there is nobody else: the blocks are given back.
      await a.coordinator.dispatch({ type: 'giveBack', contributor: ada, tokens: leases.map(({ token }) => token), unopened: [] });
      await a.coordinator.dispatch({ type: 'leave', contributor: ada });
      await until(async () => {
        for (const member of [a, b]) await member.turn();
        return (await store.sharing.unclaimed(id)) === 40;
      });
      b.sharing.want(id, lease!.at.tile);
      await b.turn();
      expect(await store.sharing.unclaimed(id)).toBe(39);
      await b.coordinator.remember(ada);
      expect(await b.handIn(ada, lease!)).not.toBeNull();
      await settle();
      expect((await store.jobs.results(id)).map(({ state }) => state)).toEqual(['accepted']);
    }));

  test('a job that is extended by a coordinator which dies before it has cut it anew is cut by another, and ends', () =>
    withMembers(20, async (store, open) => {
      const a = await open();
      const ada = await one(store);
      await a.join(ada);
      const ordered = await order(store, a, 20);
      const { id } = ordered;
      const work = (member: Member) =>
        until(async () => {
          await member.turn();
          await member.work(ada);
          await settle();
          return isOver(store, id);
        });
      await work(a);
      const from = { account: 'operator/issuance', microCredits: (ordered.workHeld + ordered.checksHeld) / 2n } as const;
      const extended: StoredJob = {
        ...ordered,
        extensions: 1,
        workHeld: (ordered.workHeld * 3n) / 2n,
        checksHeld: ordered.checksHeld / 2n,
        heldFrom: [{ ...from, microCredits: ordered.workHeld + from.microCredits }],
      };
      expect(await store.lifecycle.extend(extended, holds(extended, [from], Date.now()), [])).toBe(true);
      await a.close();
      const b = await open({ tiles: 30 });
      await b.join(ada);
      await work(b);
      expect(await store.jobs.get(id)).toMatchObject({ status: 'done', summary: { parts: { total: 30, accepted: 30 } } });
      // Whoever was slower cuts nothing any more, in whichever order.
      await store.sharing.cut(ordered, 20, 1);
      expect(await store.sharing.unclaimed(id)).toBe(0);
      expect(await store.ledger.balance(`job/${id}`, 'test')).toBe(0n);
      expect(await store.ledger.audit()).toMatchObject([{ sum: 0n, wrongAccounts: 0 }]);
    }));

  test('a job that is cancelled, or paused, at one coordinator is so at the other', () =>
    withMembers(40, async (store, open) => {
      const [a, b] = [await open(), await open()];
      const ada = await one(store);
      await b.join(ada);
      const { id } = await order(store, a, 40);
      for (const member of [a, b]) await member.turn();
      expect(await b.work(ada)).not.toEqual([]);
      await settle();
      await a.coordinator.dispatch({ type: 'pauseJob', job: id, paused: true });
      await b.turn();
      expect(await b.leases(ada)).toEqual([]);
      await a.coordinator.dispatch({ type: 'pauseJob', job: id, paused: false });
      await b.turn();
      const [lease] = await b.leases(ada);
      expect(lease).toBeDefined();
      await a.coordinator.dispatch({ type: 'cancelJob', job: id });
      await until(async () => {
        for (const member of [a, b]) await member.turn();
        return isOver(store, id);
      });
      const job = await store.jobs.get(id);
      expect(job?.status).toBe('cancelled');
      // All that was not paid went back to where it came from.
      expect(await store.ledger.balance('operator/issuance', 'test')).toBe(-BigInt(job?.summary?.paidMicroCredits ?? 0));
      expect(await store.ledger.balance(`job/${id}`, 'test')).toBe(0n);
    }));
});
