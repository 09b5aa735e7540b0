import { describe, expect, test } from 'vitest';
import { limits } from '../../shared/limits.ts';
import type { ContributorId } from '../../shared/model.ts';
import type { Standing } from '../core/reputation.ts';
import type { Transfer, Write } from './store.ts';
import { stores } from './stores.testing.ts';
import {
  bytesOf,
  consentIdOf,
  contributorIdOf,
  device,
  exampleConsent,
  exampleContributor,
  exampleSite,
  exampleStanding,
  exampleTransfer,
  jobIdOf,
  siteIdOf,
  wallet,
} from './testing.ts';

const ada = device('ada');

describe.each(stores)('$name', ({ withStore }) => {
  test('sessions: made with their grant, found until they expire or end', () =>
    withStore(async (store) => {
      const grant = exampleTransfer({ id: 'grant/bob', credit: `${device('bob')}/grant`, microCredits: 5n });
      await store.people.createDevice(device('bob'), bytesOf(1), 2000, grant);
      await store.people.createDevice(device('eve'), bytesOf(2), 2000, null);
      expect(await store.people.sessionOwner(bytesOf(1), 2000)).toBeUndefined();
      expect(await store.people.sessionOwner(bytesOf(1), 1999)).toBe(device('bob'));
      expect(await store.people.sessionOwner(bytesOf(2), 0)).toBe(device('eve'));
      expect(await store.people.sessionOwner(bytesOf(3), 0)).toBeUndefined();
      expect(await store.ledger.balance(`${device('bob')}/grant`, 'test')).toBe(5n);
      await store.people.endSession(bytesOf(1));
      expect(await store.people.sessionOwner(bytesOf(1), 0)).toBeUndefined();
    }));

  test('a session that is used lives on, one that is not used ends', () =>
    withStore(async (store) => {
      const { sessionMsMax } = limits;
      await store.people.createDevice(ada, bytesOf(1), sessionMsMax, null);
      await store.people.createDevice(device('bob'), bytesOf(2), sessionMsMax, null);
      for (let visit = 1; visit <= 5; visit++) expect(await store.people.sessionOwner(bytesOf(1), (visit * sessionMsMax) / 2)).toBe(ada);
      expect(await store.people.sessionOwner(bytesOf(2), sessionMsMax)).toBeUndefined();
    }));

  test('a challenge works once; expired ones go away', () =>
    withStore(async (store) => {
      const challenge = (nonce: string, expiresMs: number) => ({ nonce, address: 'a', text: 'sign\nme', sessionHash: bytesOf(1), expiresMs });
      await store.people.putChallenge(challenge('one', 1_000_000));
      expect(await store.people.takeChallenge('one')).toEqual(challenge('one', 1_000_000));
      expect(await store.people.takeChallenge('one')).toBeUndefined();
      await store.people.putChallenge(challenge('old', 1_000_000));
      await store.people.putChallenge(challenge('new', 10_000_000));
      expect(await store.people.takeChallenge('old')).toBeUndefined();
      expect(await store.people.takeChallenge('new')).toBeDefined();
    }));

  test('signing in moves sessions, contributors, sites and earnings, in each unit, and leaves the grant', () =>
    withStore(async (store) => {
      const owner = wallet('So1');
      const give = (id: string, own: Partial<Transfer>): Write => ({ kind: 'transfer', transfer: exampleTransfer({ id, ...own }) });
      await store.people.createDevice(ada, bytesOf(1), 9000, exampleTransfer({ id: 'grant/ada', microCredits: 7n }));
      await store.people.createContributor(exampleContributor());
      await store.people.createContributor(exampleContributor({ id: contributorIdOf(2), owner: device('bob') }));
      await store.people.createSite(exampleSite());
      await store.commit([give('e', { credit: `${ada}/earned`, microCredits: 70n }), give('f', { credit: `${ada}/earned`, microCredits: 8n, unit: 'credit' })]);
      await store.people.signIn(owner, ada, bytesOf(1), bytesOf(2), 9000, 'nonce', 4000);

      expect(await store.people.sessionOwner(bytesOf(1), 0)).toBeUndefined();
      expect(await store.people.sessionOwner(bytesOf(2), 0)).toBe(owner);
      expect((await store.people.contributorsOf(owner)).map(({ id }) => id)).toEqual([contributorIdOf(1)]);
      expect((await store.people.contributorsOf(device('bob'))).map(({ id }) => id)).toEqual([contributorIdOf(2)]);
      expect((await store.people.sitesOf(owner)).map(({ id }) => id)).toEqual([siteIdOf(1)]);
      expect(await store.ledger.balance(`${owner}/earned`, 'test')).toBe(70n);
      expect(await store.ledger.balance(`${owner}/earned`, 'credit')).toBe(8n);
      expect(await store.ledger.balance(`${ada}/earned`, 'test')).toBe(0n);
      expect(await store.ledger.balance(`${ada}/grant`, 'test')).toBe(7n);
      const rows = await store.ledger.statement(owner, { limit: 10 });
      expect(rows.map(({ transfer }) => [transfer.id, transfer.kind, transfer.atMs]).sort()).toEqual([
        ['claim/nonce', 'claim', 4000],
        ['claim/nonce/credit', 'claim', 4000],
      ]);
    }));

  test('signing in with nothing earned posts nothing', () =>
    withStore(async (store) => {
      await store.people.createDevice(ada, bytesOf(1), 9000, exampleTransfer({ id: 'grant/ada', microCredits: 7n }));
      await store.people.signIn(wallet('So1'), ada, bytesOf(1), bytesOf(2), 9000, 'nonce', 4000);
      expect(await store.ledger.statement(wallet('So1'), { limit: 10 })).toEqual([]);
      expect(await store.ledger.audit()).toMatchObject([{ transfers: 1 }]);
    }));

  test('contributors, consents and sites come back, newest first', () =>
    withStore(async (store) => {
      await store.people.createContributor(exampleContributor());
      await store.people.createContributor(exampleContributor({ id: contributorIdOf(2) }));
      await store.people.createSite(exampleSite());
      await store.people.createSite(exampleSite({ id: siteIdOf(2), owner: device('bob') }));
      await store.people.createConsent(exampleConsent({ site: siteIdOf(1) }));
      await store.people.createConsent(exampleConsent({ id: consentIdOf(2), contributor: contributorIdOf(2) }));
      await store.people.revokeConsent(consentIdOf(1), 1500);
      await store.people.revokeConsent(consentIdOf(1), 1600);

      const revoked = exampleConsent({ site: siteIdOf(1), revokedMs: 1500 });
      expect(await store.people.consent(consentIdOf(1))).toEqual(revoked);
      expect(await store.people.consentsOf(ada)).toEqual([exampleConsent({ id: consentIdOf(2), contributor: contributorIdOf(2) }), revoked]);
      expect(await store.people.consentsOf(device('bob'))).toEqual([]);
      expect(await store.people.consentsOfContributor(contributorIdOf(1))).toEqual([revoked]);
      expect((await store.people.contributorsOf(ada)).map(({ id }) => id)).toEqual([contributorIdOf(2), contributorIdOf(1)]);
      expect(await store.people.site(siteIdOf(1))).toEqual(exampleSite());
      expect(await store.people.site(siteIdOf(3))).toBeUndefined();
      expect(await store.people.sitesOf(device('bob'))).toHaveLength(1);
      await expect(store.people.createConsent(exampleConsent({ id: consentIdOf(3), contributor: contributorIdOf(9) }))).rejects.toThrow();
      await expect(store.people.createContributor(exampleContributor())).rejects.toThrow();
    }));

  test('standings: by contributor and workload, the last word of a commit counts', () =>
    withStore(async (store) => {
      const ids = [contributorIdOf(1), contributorIdOf(2)];
      for (const id of ids) await store.people.createContributor(exampleContributor({ id }));
      const standing = (contributor: ContributorId, workload: string, accepted: number): Write => ({
        kind: 'standing',
        contributor,
        workload,
        standing: exampleStanding({ accepted }),
      });
      await store.commit(ids.flatMap((id) => [standing(id, 'example', 1), standing(id, 'other', 5), standing(id, 'example', 2)]));
      await store.commit([standing(contributorIdOf(1), 'example', 9)]);
      const counts = async (id: ContributorId) => [...(await store.people.standings(id))].map(([workload, { accepted }]) => [workload, accepted]).sort();
      expect(await counts(contributorIdOf(1))).toEqual([
        ['example', 9],
        ['other', 5],
      ]);
      expect(await counts(contributorIdOf(2))).toEqual([
        ['example', 2],
        ['other', 5],
      ]);
      expect(await store.people.standings(contributorIdOf(3))).toEqual(new Map());
      const changed = exampleStanding({
        accepted: 0,
        refuted: 7,
        discarded: 8,
        verified: 0,
        drawn: 1,
        differing: 1,
        unexplained: 0,
        suspendedUntilMs: 1,
        atMs: 2,
      });
      await store.commit([{ kind: 'standing', contributor: contributorIdOf(1), workload: 'other', standing: changed }]);
      expect((await store.people.standings(contributorIdOf(1))).get('other')).toEqual(changed);
    }));

  test('standings: who has not heard of a lie does not write over it, others and a pardon do', () =>
    withStore(async (store) => {
      const [contributor, workload] = [contributorIdOf(1), 'example'];
      await store.people.createContributor(exampleContributor());
      const write = async (...changes: readonly Partial<Standing>[]): Promise<Standing | undefined> => {
        await store.commit(changes.map((change) => ({ kind: 'standing', contributor, workload, standing: exampleStanding({ refuted: 0, ...change }) })));
        return (await store.people.standings(contributor)).get(workload);
      };
      const suspended = exampleStanding({ refuted: 1, verified: 0, suspendedUntilMs: 9 });
      expect(await write(suspended)).toEqual(suspended);
      expect(await write({ accepted: 50, verified: 900 })).toEqual(suspended);
      expect(await write({ refuted: 1, suspendedUntilMs: 0 })).toMatchObject({ refuted: 1, suspendedUntilMs: 0 });
      // A pardon; whoever has not heard of it does not suspend again, and another lie does.
      expect(await write({ refuted: 1, accepted: 8, suspendedUntilMs: 9 })).toMatchObject({ accepted: 8, suspendedUntilMs: 0 });
      expect(await write({ refuted: 2, suspendedUntilMs: 10 })).toMatchObject({ refuted: 2, suspendedUntilMs: 10 });
    }));

  test('a lie is told to other coordinators by the commit that stores it, or not at all', () =>
    withStore(async (store) => {
      const contributor = contributorIdOf(1);
      const [liarsEpoch, otherEpoch] = [await store.sharing.enter(60_000), await store.sharing.enter(60_000)];
      const noSuchJob: Write = { kind: 'jobClosing', id: jobIdOf(1) };
      await expect(store.commit([{ kind: 'proven', contributor }, noSuchJob], liarsEpoch)).rejects.toThrow();
      expect(await store.sharing.notices(otherEpoch, 0, 10)).toEqual([]);
      await store.commit([{ kind: 'proven', contributor }], liarsEpoch);
      expect(await store.sharing.notices(otherEpoch, 0, 10)).toMatchObject([{ kind: 'proven', subject: contributor }]);
      await expect(store.commit([{ kind: 'proven', contributor }])).rejects.toThrow('shares nothing');
    }));
});
