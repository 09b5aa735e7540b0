import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { MINUTE_MS } from '../shared/limits.ts';
import type { OwnerId } from '../shared/model.ts';
import { forgetOwner } from './forgetting.ts';
import { newGoneOwner } from './ids.ts';
import { Member, order, ownerOf, register } from './sharing.testing.ts';
import type { Erased } from './store/erasure.ts';
import type { Store } from './store/store.ts';
import { stores } from './store/stores.testing.ts';
import { temporaryFolder } from './store/testing.ts';

/** Two coordinators on one database, of which one deletes the data of somebody who has work under way at both. */

const requester = 'device:requester0000000' as OwnerId;
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

describe.each(stores)('coordinators of somebody who is gone, on $name', ({ withStore }) => {
  const newName = (): OwnerId => newGoneOwner(randomBytes);

  test('his results on their way are accepted and paid to nobody, at the other coordinator too', () =>
    withStore(async (store) => {
      const folder = temporaryFolder();
      let now = Date.now();
      const clock = (): number => now;
      const heard: string[] = [];
      const follow: NonNullable<Parameters<typeof Member.open>[2]['heard']> = async ({ kind, subject }, coordinator) => {
        if (kind !== 'erased') return;
        heard.push(subject);
        await forgetOwner({ store, coordinator, clock, randomBytes }, await store.erasure.gone(subject as OwnerId));
      };
      const [a, b] = [
        await Member.open(store, folder.path, { tiles: 40, clock, heard: follow }),
        await Member.open(store, folder.path, { tiles: 40, clock, heard: follow }),
      ];
      try {
        const [ada, bob] = await register(store, 2);
        if (!ada || !bob) throw new Error('unreachable');
        // Two tabs of one person, one at each coordinator; the requester's own job ended long ago.
        await store.people.createDevice(ownerOf(bob), new Uint8Array(32), 1e15, null);
        await store.people.signIn(ownerOf(ada), ownerOf(bob), new Uint8Array(32), new Uint8Array(32).fill(1), 1e15, 'nonce', 1);
        await a.join(ada);
        await b.join(bob);
        const { id } = await order(store, a, 40);
        for (const member of [a, b, a, b]) await member.turn();
        await a.work(ada);
        await b.work(bob);
        await settle();
        // Handed in, and opened once he is gone.
        let leases: Awaited<ReturnType<Member['leases']>> = [];
        for (let round = 0; round < 50 && leases.length === 0; round++) {
          await a.turn();
          await settle();
          leases = await a.leases(ada);
        }
        const [lease] = leases;
        const late = lease && (await a.handIn(ada, lease, false, false));
        if (!lease || !late) throw new Error('there is no lease');

        // The core of each knows him under another name, as they did before they had heard of his signing in.
        const names = [ownerOf(ada), ownerOf(bob)];
        const erased: Erased = await store.erasure.erase({ owner: ownerOf(ada), forfeit: true, newName, atMs: now });
        await forgetOwner({ store, coordinator: a.coordinator, clock, randomBytes }, erased, erased.names);
        await a.sharing.tell('erased', erased.owner);
        await a.open(ada, lease, late);
        await settle();
        await b.turn();
        expect(heard).toEqual([erased.owner]);
        expect([a, b].map(({ coordinator }, index) => coordinator.contributor(index === 0 ? ada : bob)?.owner)).toEqual([erased.owner, erased.owner]);
        // Whatever was paid vests after that.
        now += 10 * MINUTE_MS;
        await a.coordinator.dispatch({ type: 'tick' });
        await b.coordinator.dispatch({ type: 'tick' });
        expect((await store.jobs.result(late))?.owner).toBe(erased.owner);
        await expectNothing(store, [...names, erased.owner]);
        const paid = (await store.jobs.results(id)).filter(({ state }) => state === 'accepted');
        expect(paid.length).toBeGreaterThan(2);
        expect(await store.ledger.balance('operator/forfeited', 'test')).toBeGreaterThan(0n);
        expect(await store.ledger.audit()).toMatchObject([{ sum: 0n, wrongAccounts: 0 }]);
      } finally {
        await a.close();
        await b.close();
        folder.remove();
      }
    }));

  test('pay for a job of his that is taken back goes to nobody’s account', () =>
    withStore(async (store) => {
      const folder = temporaryFolder();
      const lies = new Set((await register(store, 1)).slice(0, 1));
      const [liar] = lies;
      const member = await Member.open(store, folder.path, { tiles: 2, lies });
      try {
        if (!liar) throw new Error('unreachable');
        await member.join(liar);
        const first = await order(store, member, 2);
        for (let round = 0; round < 20 && (await store.jobs.get(first.id))?.status === 'open'; round++) {
          await member.turn();
          await member.work(liar);
          await settle();
        }
        expect((await store.jobs.vesting()).length).toBeGreaterThan(0);
        const erased = await store.erasure.erase({ owner: requester, forfeit: true, newName, atMs: 1 });
        expect(erased.jobs).toEqual([first.id]);
        await forgetOwner({ store, coordinator: member.coordinator, clock: Date.now, randomBytes }, erased, erased.names);
        await order(store, member, 2, 2);
        for (let round = 0; round < 20 && (await store.jobs.vesting()).length > 0; round++) {
          await member.turn();
          await member.work(liar, true);
          await settle();
        }
        expect(await store.jobs.vesting()).toEqual([]);
        expect(await store.ledger.balance('operator/forfeited', 'test')).toBeGreaterThan(0n);
        await expectNothing(store, [erased.owner]);
      } finally {
        await member.close();
        folder.remove();
      }
    }));
});

async function expectNothing(store: Store, owners: readonly OwnerId[]): Promise<void> {
  for (const owner of owners)
    for (const account of ['grant', 'deposited', 'earned'] as const) expect(await store.ledger.balance(`${owner}/${account}`, 'test'), owner).toBe(0n);
}
