import { describe, expect, test } from 'vitest';
import type { GroupId } from '../../shared/model.ts';
import type { StoredMember } from './store.ts';
import { stores } from './stores.testing.ts';
import { bytesOf, contributorIdOf, device, exampleContributor, exampleJob, exampleResult, jobIdOf, resultIdOf, wallet } from './testing.ts';

const group = { id: 'g_0000000000000001' as GroupId, name: 'Studio', owner: device('ada'), createdMs: 5 };
const memberOf = (name: string, owner = device(name)): StoredMember => ({ id: `m_${name.padEnd(16, '0')}`, group: group.id, owner, name, joinedMs: 6 });
const invite = { id: 'i_0000000000000001', group: group.id, secretHash: bytesOf(4), createdMs: 5, expiresMs: 100, revokedMs: null };

describe.each(stores)('$name', ({ withStore }) => {
  test('groups, members and invites come back as they were', () =>
    withStore(async ({ groups }) => {
      await groups.create(group, memberOf('ada'));
      await groups.addMember(memberOf('ben'));
      await groups.addMember({ ...memberOf('ben'), id: 'm_again00000000000' });
      expect(await groups.get(group.id)).toEqual(group);
      expect(await groups.members(group.id)).toEqual([memberOf('ada'), memberOf('ben')]);
      expect(await groups.of(device('ben'))).toEqual([{ ...group, members: 2 }]);
      expect(await groups.idsOf(device('ben'))).toEqual([group.id]);
      await groups.removeMember(group.id, device('ben'));
      expect(await groups.isMember(group.id, device('ben'))).toBe(false);
      await groups.createInvite(invite);
      expect(await groups.invite(invite.id)).toEqual(invite);
      expect(await groups.standingInvites(group.id, 99)).toEqual([invite]);
      expect(await groups.standingInvites(group.id, 100)).toEqual([]);
      await groups.revokeInvite(invite.id, 50);
      await groups.revokeInvite(invite.id, 60);
      expect(await groups.invite(invite.id)).toMatchObject({ revokedMs: 50 });
      expect(await groups.standingInvites(group.id, 99)).toEqual([]);
    }));

  test('what a device is in goes with its wallet, which may be in it already', () =>
    withStore(async (store) => {
      const { groups, people } = store;
      const second = { ...group, id: 'g_0000000000000002' as GroupId };
      await groups.create(group, memberOf('ada'));
      await groups.create(second, { ...memberOf('ada'), id: 'm_second0000000000', group: second.id });
      await groups.addMember(memberOf('wallet', wallet('w')));
      await people.createDevice(device('ada'), bytesOf(1), 100, null);
      await people.signIn(wallet('w'), device('ada'), bytesOf(1), bytesOf(2), 100, 'nonce', 7);
      expect((await groups.members(group.id)).map(({ owner }) => owner)).toEqual([wallet('w')]);
      expect((await groups.of(wallet('w'))).map(({ id, owner }) => [id, owner]).sort()).toEqual([
        [group.id, wallet('w')],
        [second.id, wallet('w')],
      ]);
      expect(await groups.idsOf(device('ada'))).toEqual([]);
    }));

  test('a job keeps its group; helpers are owners whose results count', () =>
    withStore(async (store) => {
      const job = exampleJob({ group: { id: group.id, mode: 'only' } });
      await store.jobs.create(job, []);
      await store.jobs.create(exampleJob({ id: jobIdOf(2) }), []);
      expect(await store.jobs.get(job.id)).toEqual(job);
      expect((await store.jobs.list({ group: group.id, limit: 9 })).map(({ id }) => id)).toEqual([job.id]);
      await store.people.createContributor(exampleContributor());
      await store.people.createContributor(exampleContributor({ id: contributorIdOf(2) }));
      const results = [
        exampleResult({ id: resultIdOf(1), attempt: 1, state: 'accepted' }),
        exampleResult({ id: resultIdOf(2), attempt: 2, state: 'accepted', contributor: contributorIdOf(2) }),
        exampleResult({ id: resultIdOf(3), attempt: 3, owner: device('ben') }),
      ];
      await store.commit(results.map((result) => ({ kind: 'result', result })));
      expect(await store.groups.countHelpers(job.id)).toBe(1);
    }));
});
