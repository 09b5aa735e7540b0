import { describe, expect, test } from 'vitest';
import { DAY_MS, limits } from '../../shared/limits.ts';
import type { GroupDetails, GroupView, InviteLook, MadeInvite } from '../../shared/schemas.ts';
import { type Reply, type TestApp, Visitor, withApp } from './testing.ts';

const refusal = ({ status, body }: Reply<unknown>) => {
  const { code, field } = body as { code: string; field?: string };
  return [status, code, field];
};

async function withGroup<T>(run: (test: TestApp, owner: Visitor, group: GroupView, invite: MadeInvite) => Promise<T>): Promise<T> {
  return withApp(async (test) => {
    const owner = new Visitor(test);
    await owner.start();
    const group = (await owner.ask<GroupView>('POST', '/api/groups', { name: ' Studio ' })).body;
    const invite = (await owner.ask<MadeInvite>('POST', `/api/groups/${group.id}/invites`, {})).body;
    return run(test, owner, group, invite);
  });
}
const join = (visitor: Visitor, code: string, more: object = {}) => visitor.ask<GroupView>('POST', '/api/invites/join', { code, ...more });

async function member(test: TestApp, code: string, name = 'Ben'): Promise<Visitor> {
  const visitor = new Visitor(test);
  await visitor.start();
  expect((await join(visitor, code, { name })).status).toBe(200);
  return visitor;
}

test('an invite tells what it is before anybody joins, and binds who does', () =>
  withGroup(async (test, owner, group, { code }) => {
    expect(group).toMatchObject({ name: 'Studio', mine: true, members: 1 });
    const look = await new Visitor(test).ask<InviteLook>('POST', '/api/invites/look', { code });
    expect(look.body).toEqual({ name: 'Studio', members: 1, expiresMs: test.now.ms + limits.inviteDaysDefault * DAY_MS, member: false });
    const ben = await member(test, code);
    expect((await join(ben, code)).body).toMatchObject({ members: 2, mine: false });
    const { body } = await owner.ask<GroupDetails>('GET', `/api/groups/${group.id}`);
    expect(body.people.map(({ name, owner: isOwner, me }) => [name, isOwner, me])).toEqual([
      ['', true, true],
      ['Ben', false, false],
    ]);
    // The code itself is told once.
    expect(JSON.stringify(body)).not.toContain(code.split('.')[1]);
    const theirs = await ben.ask<GroupDetails>('GET', `/api/groups/${group.id}`);
    expect(theirs.body.invites).toEqual([]);
    expect((await ben.ask<{ groups: GroupView[] }>('GET', '/api/groups')).body.groups.map(({ id }) => id)).toEqual([group.id]);
    const benOwner = (await test.store.groups.members(group.id))[1]!.owner;
    expect(test.regrouped).toContainEqual([benOwner, null]);
  }));

describe('a code that is no good', () => {
  test.each([
    ['empty', ''],
    ['short', 'abc'],
    ['an address', 'https://example.org/join'],
    ['too long', 'A'.repeat(5000)],
  ])('%s: the field is named', (_, code) =>
    withGroup(async (test) => {
      const visitor = new Visitor(test);
      await visitor.start();
      for (const route of ['look', 'join']) expect(refusal(await visitor.ask('POST', `/api/invites/${route}`, { code }))).toEqual([400, 'bad_input', 'code']);
    }),
  );

  test('of nobody, or with another secret: the answers are alike', () =>
    withGroup(async (test, _owner, _group, { code }) => {
      const visitor = new Visitor(test);
      await visitor.start();
      const [id] = code.split('.');
      const texts = new Set<string>();
      for (const wrong of [`${id}.${'A'.repeat(43)}`, `${'A'.repeat(16)}.${code.split('.')[1]}`]) {
        const reply = await join(visitor, wrong);
        expect(refusal(reply)).toEqual([404, 'not_found', 'code']);
        texts.add(reply.text);
      }
      expect(texts.size).toBe(1);
    }));

  test('expired, or withdrawn', () =>
    withGroup(async (test, owner, group, { id, code }) => {
      const second = (await owner.ask<MadeInvite>('POST', `/api/groups/${group.id}/invites`, { days: 30 })).body;
      expect((await owner.ask('DELETE', `/api/groups/${group.id}/invites/${second.id}`)).status).toBe(200);
      const visitor = new Visitor(test);
      await visitor.start();
      expect(refusal(await join(visitor, second.code))).toEqual([409, 'stale', 'code']);
      test.now.ms += limits.inviteDaysDefault * DAY_MS;
      expect(refusal(await join(visitor, code))).toEqual([409, 'stale', 'code']);
      expect(refusal(await visitor.ask('POST', '/api/invites/look', { code }))).toEqual([409, 'stale', 'code']);
      expect(await test.store.groups.countMembers(group.id)).toBe(1);
      expect(id).not.toBe(second.id);
    }));

  test('guessing is counted', () =>
    withGroup(async (test) => {
      const visitor = new Visitor(test);
      const code = `${'A'.repeat(16)}.${'A'.repeat(43)}`;
      let status = 0;
      for (let tries = 0; tries < 70 && status !== 429; tries++) status = (await visitor.ask('POST', '/api/invites/look', { code })).status;
      expect(status).toBe(429);
    }));
});

test('what is not one’s own is not there, or forbidden', () =>
  withGroup(async (test, owner, group, { id, code }) => {
    const stranger = new Visitor(test);
    await stranger.start();
    const ben = await member(test, code);
    const [, benMember] = await test.store.groups.members(group.id);
    const [ownMember] = await test.store.groups.members(group.id);
    const of = (path: string) => `/api/groups/${group.id}${path}`;
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/invites'],
      ['DELETE', `/invites/${id}`],
      ['POST', '/leave'],
      ['DELETE', `/members/${benMember!.id}`],
    ] as const) {
      expect((await stranger.ask(method, of(path), method === 'POST' ? {} : undefined)).status, `${method} ${path}`).toBe(404);
      expect((await new Visitor(test).ask(method, of(path), method === 'POST' ? {} : undefined)).status, `${method} ${path}`).toBe(401);
    }
    expect((await ben.ask('POST', of('/invites'), {})).status).toBe(403);
    expect((await ben.ask('DELETE', of(`/members/${ownMember!.id}`))).status).toBe(403);
    // Of another group of the same owner.
    const other = (await owner.ask<GroupView>('POST', '/api/groups', { name: 'Other' })).body;
    expect((await owner.ask('DELETE', `/api/groups/${other.id}/invites/${id}`)).status).toBe(404);
    expect((await owner.ask('DELETE', `/api/groups/${other.id}/members/${benMember!.id}`)).status).toBe(404);
    expect(refusal(await owner.ask('POST', of('/leave'), {}))).toEqual([409, 'conflict', undefined]);
    expect((await owner.ask('DELETE', of(`/members/${ownMember!.id}`))).status).toBe(409);
    expect((await owner.ask('DELETE', of(`/members/${benMember!.id}`))).status).toBe(200);
    expect(test.regrouped.at(-1)).toEqual([benMember!.owner, group.id]);
    expect((await ben.ask('GET', of(''))).status).toBe(404);
  }));

test('a member leaves, and may come back while the invite stands', () =>
  withGroup(async (test, _owner, group, { code }) => {
    const ben = await member(test, code);
    expect((await ben.ask('POST', `/api/groups/${group.id}/leave`, {})).status).toBe(200);
    expect((await ben.ask<{ groups: GroupView[] }>('GET', '/api/groups')).body.groups).toEqual([]);
    expect((await join(ben, code)).body.members).toBe(2);
  }));

test.each([
  ['no name', {}, 'name'],
  ['an empty one', { name: '   ' }, 'name'],
  ['one too long', { name: 'x'.repeat(limits.groupNameCharsMax + 1) }, 'name'],
  ['a field nobody knows', { name: 'x', owner: 'device:me' }, 'owner'],
])('a group with %s is refused, naming the field', (_, body, field) =>
  withApp(async (test) => {
    const visitor = new Visitor(test);
    await visitor.start();
    expect(refusal(await visitor.ask('POST', '/api/groups', body))).toEqual([400, 'bad_input', field]);
  }),
);

test('groups and invites have caps, which are named', () =>
  withGroup(async (_test, owner, group) => {
    for (let count = 1; count < limits.groupsPerOwnerMax; count++) await owner.ask('POST', '/api/groups', { name: `Group ${count}` });
    const more = await owner.ask('POST', '/api/groups', { name: 'One more' });
    expect([more.status, more.body.limit]).toEqual([429, `${limits.groupsPerOwnerMax} groups`]);
    for (let count = 1; count < limits.invitesPerGroupMax; count++) await owner.ask('POST', `/api/groups/${group.id}/invites`, {});
    const invite = await owner.ask('POST', `/api/groups/${group.id}/invites`, {});
    expect([invite.status, invite.body.limit]).toEqual([429, `${limits.invitesPerGroupMax} invites`]);
    expect(refusal(await owner.ask('POST', `/api/groups/${group.id}/invites`, { days: 31 }))).toEqual([400, 'bad_input', 'days']);
  }));
