import { describe, expect, test } from 'vitest';
import type { JobId } from '../shared/model.ts';
import { Member, order, register } from './sharing.testing.ts';
import type { Store } from './store/store.ts';
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
        for (const member of members) await member.kill();
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
      await b.turn();
      expect(a.coordinator.openJob(id) ?? b.coordinator.openJob(id)).toBeUndefined();
      expect([...a.events, ...b.events].filter(({ type }) => type === 'jobEnded')).toHaveLength(2);
    }));
});
