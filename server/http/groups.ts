import { timingSafeEqual } from 'node:crypto';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { fromBase64Url, toBase64Url } from '../../shared/formats.ts';
import { DAY_MS, limits, MINUTE_MS } from '../../shared/limits.ts';
import type { GroupId, OwnerId } from '../../shared/model.ts';
import type { GroupDetails, GroupView, InviteLook, InviteView, MadeInvite } from '../../shared/schemas.ts';
import * as schemas from '../../shared/schemas.ts';
import { atCap } from '../caps.ts';
import { newGroupId, newInviteId, newMemberId } from '../ids.ts';
import type { StoredGroup, StoredInvite } from '../store/store.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';
import { digestOf, type Sessions } from './session.ts';

const SECRET_BYTES = 32;
/** Codes have 256 random bits; this keeps guessing from costing anything. */
const CODES_PER_MINUTE_MAX = 60;
const codes = { config: { rateLimit: { max: CODES_PER_MINUTE_MAX, timeWindow: MINUTE_MS } } };

const groupPath = Type.Object({ group: schemas.groupId });
const invitePath = Type.Object({ group: schemas.groupId, invite: schemas.inviteId });
const memberPath = Type.Object({ group: schemas.groupId, member: schemas.memberId });

const inviteView = ({ id, createdMs, expiresMs }: StoredInvite): InviteView => ({ id, createdMs, expiresMs });

/** Who asks for what is not his learns nothing: not even that it exists. */
const noSuchGroup = (): HttpError => new HttpError('not_found', 'There is no such group.');

const noRoom = (): HttpError =>
  atCap(
    'groupsPerMemberMax',
    new HttpError('too_many', 'You are in as many groups as one can be. Leave another one first.', undefined, `${limits.groupsPerMemberMax} groups`),
  );

/** Private swarms: groups, their members, and invites by a secret link. */
export const groupRoutes =
  ({ store, clock, randomBytes, groupsChanged }: AppDeps, sessions: Sessions): FastifyPluginAsyncTypebox =>
  async (app) => {
    const { groups } = store;

    const viewOf = async ({ id, name, owner, createdMs }: StoredGroup, me: OwnerId): Promise<GroupView> => ({
      id,
      name,
      mine: owner === me,
      members: await groups.countMembers(id),
      createdMs,
    });

    const ofMember = async (id: GroupId, me: OwnerId): Promise<StoredGroup> => {
      const group = await groups.get(id);
      if (!group || !(await groups.isMember(id, me))) throw noSuchGroup();
      return group;
    };

    const ofOwner = async (id: GroupId, me: OwnerId): Promise<StoredGroup> => {
      const group = await ofMember(id, me);
      if (group.owner !== me) throw new HttpError('forbidden', 'Only the owner of the group can do this.');
      return group;
    };

    /** A code's group. Its secret is compared by hash and in full, so that the time it takes tells nothing. */
    const readCode = async (code: string): Promise<{ invite: StoredInvite; group: StoredGroup }> => {
      const [id = '', secret = ''] = code.split('.');
      const invite = await groups.invite(`i_${id}`);
      const group = invite && (await groups.get(invite.group));
      if (!invite || !group || !timingSafeEqual(invite.secretHash, digestOf(fromBase64Url(secret))))
        throw new HttpError('not_found', 'This invite is not known here. Ask for a new link.', 'code');
      if (invite.revokedMs !== null) throw new HttpError('stale', 'This invite was withdrawn. Ask for a new link.', 'code');
      if (invite.expiresMs <= clock())
        throw new HttpError('stale', 'This invite has expired. Ask for a new link.', 'code', new Date(invite.expiresMs).toISOString());
      return { invite, group };
    };

    app.post('/api/groups', { schema: { body: schemas.groupRequest } }, async (request, reply) => {
      const { owner } = await sessions.require(request);
      const name = request.body.name.trim();
      if (name === '') throw new HttpError('bad_input', 'A group needs a name.', 'name', `1 to ${limits.groupNameCharsMax} characters`);
      if ((await groups.idsOf(owner)).length >= limits.groupsPerMemberMax) throw noRoom();
      if ((await groups.of(owner)).filter((group) => group.owner === owner).length >= limits.groupsPerOwnerMax)
        throw atCap(
          'groupsPerOwnerMax',
          new HttpError('too_many', 'You have made as many groups as one can.', undefined, `${limits.groupsPerOwnerMax} groups`),
        );
      const group: StoredGroup = { id: newGroupId(randomBytes), name, owner, createdMs: clock() };
      await groups.create(group, { id: newMemberId(randomBytes), group: group.id, owner, name: '', joinedMs: clock() });
      await groupsChanged(owner, null);
      return reply
        .code(201)
        .header('location', `/api/groups/${group.id}`)
        .send(await viewOf(group, owner));
    });

    app.get('/api/groups', async (request): Promise<{ groups: GroupView[] }> => {
      const { owner: me } = await sessions.require(request);
      const mine = await groups.of(me);
      return { groups: mine.map(({ id, name, owner, members, createdMs }) => ({ id, name, mine: owner === me, members, createdMs })) };
    });

    app.get('/api/groups/:group', { schema: { params: groupPath } }, async (request): Promise<GroupDetails> => {
      const { owner: me } = await sessions.require(request);
      const group = await ofMember(request.params.group, me);
      const people = (await groups.members(group.id)).map(({ id, name, owner, joinedMs }) => ({
        id,
        name,
        owner: owner === group.owner,
        me: owner === me,
        joinedMs,
      }));
      const invites = group.owner === me ? (await groups.standingInvites(group.id, clock())).map(inviteView) : [];
      return { ...(await viewOf(group, me)), people, invites };
    });

    app.post('/api/groups/:group/invites', { schema: { params: groupPath, body: schemas.inviteRequest } }, async (request, reply) => {
      const { owner } = await sessions.require(request);
      const group = await ofOwner(request.params.group, owner);
      const now = clock();
      const secret = randomBytes(SECRET_BYTES);
      const expiresMs = now + (request.body.days ?? limits.inviteDaysDefault) * DAY_MS;
      const invite: StoredInvite = { id: newInviteId(randomBytes), group: group.id, secretHash: digestOf(secret), createdMs: now, expiresMs, revokedMs: null };
      if (!(await groups.createInvite(invite, limits.invitesPerGroupMax)))
        throw atCap(
          'invitesPerGroupMax',
          new HttpError('too_many', 'This group has as many invites as it can. Withdraw one first.', undefined, `${limits.invitesPerGroupMax} invites`),
        );
      const made: MadeInvite = { ...inviteView(invite), code: `${invite.id.slice('i_'.length)}.${toBase64Url(secret)}` };
      return reply.code(201).header('cache-control', 'no-store').send(made);
    });

    app.delete('/api/groups/:group/invites/:invite', { schema: { params: invitePath } }, async (request) => {
      const { owner } = await sessions.require(request);
      const group = await ofOwner(request.params.group, owner);
      const invite = await groups.invite(request.params.invite);
      if (invite?.group !== group.id) throw new HttpError('not_found', 'There is no such invite.');
      await groups.revokeInvite(invite.id, clock());
      return {};
    });

    /** A POST although it changes nothing: the code must not stand in an address that is logged. */
    app.post('/api/invites/look', { ...codes, schema: { body: schemas.lookRequest } }, async (request): Promise<InviteLook> => {
      const { invite, group } = await readCode(request.body.code);
      const owner = await sessions.ownerOf(request);
      const member = owner !== undefined && (await groups.isMember(group.id, owner));
      return { name: group.name, members: await groups.countMembers(group.id), expiresMs: invite.expiresMs, member };
    });

    app.post('/api/invites/join', { ...codes, schema: { body: schemas.joinRequest } }, async (request): Promise<GroupView> => {
      const { owner } = await sessions.require(request);
      const { group } = await readCode(request.body.code);
      if (await groups.isMember(group.id, owner)) return viewOf(group, owner);
      const member = { id: newMemberId(randomBytes), group: group.id, owner, name: request.body.name?.trim() ?? '', joinedMs: clock() };
      const came = await groups.addMember(member, { members: limits.membersPerGroupMax, groups: limits.groupsPerMemberMax });
      if (came !== 'in')
        throw came === 'full'
          ? atCap('membersPerGroupMax', new HttpError('too_many', 'This group is full.', undefined, `${limits.membersPerGroupMax} members`))
          : noRoom();
      await groupsChanged(owner, null);
      return viewOf(group, owner);
    });

    app.post('/api/groups/:group/leave', { schema: { params: groupPath } }, async (request) => {
      const { owner } = await sessions.require(request);
      const group = await ofMember(request.params.group, owner);
      if (group.owner === owner) throw new HttpError('conflict', 'The owner cannot leave its own group. Remove the members instead.');
      await groups.removeMember(group.id, owner);
      await groupsChanged(owner, group.id);
      return {};
    });

    app.delete('/api/groups/:group/members/:member', { schema: { params: memberPath } }, async (request) => {
      const { owner } = await sessions.require(request);
      const group = await ofOwner(request.params.group, owner);
      const member = (await groups.members(group.id)).find(({ id }) => id === request.params.member);
      if (!member) throw new HttpError('not_found', 'There is no such member.');
      if (member.owner === owner) throw new HttpError('conflict', 'The owner cannot leave its own group.');
      await groups.removeMember(group.id, member.owner);
      await groupsChanged(member.owner, group.id);
      return {};
    });
  };
