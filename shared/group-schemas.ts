import { type Static, Type } from 'typebox';
import { limits } from './limits.ts';
import type { GroupId, JobId } from './model.ts';

/** What crosses a wire about private swarms, and about what contributors want. Part of schemas.ts, which exports it. */

const closed = { additionalProperties: false } as const;
const text = (maxLength: number, minLength = 0) => Type.String({ minLength, maxLength });

export const groupId = Type.Unsafe<GroupId>(Type.String({ pattern: '^g_[A-Za-z0-9_-]{16}$' }));
export const groupMode = Type.Union([Type.Literal('first'), Type.Literal('only')]);

export const memberId = Type.String({ pattern: '^m_[A-Za-z0-9_-]{16}$' });
export const inviteId = Type.String({ pattern: '^i_[A-Za-z0-9_-]{16}$' });
/** The invite's id without its prefix, and 32 secret bytes; shown once. */
const inviteCode = Type.String({ pattern: '^[A-Za-z0-9_-]{16}[.][A-Za-z0-9_-]{43}$' });

export const groupRequest = Type.Object({ name: text(limits.groupNameCharsMax, 1) }, closed);
export const groupView = Type.Object({
  id: groupId,
  name: Type.String(),
  /** Made by the one who asks. */
  mine: Type.Boolean(),
  members: Type.Integer(),
  createdMs: Type.Number(),
});
export type GroupView = Static<typeof groupView>;
export const memberView = Type.Object({
  id: memberId,
  /** What the member calls itself; may be empty. */
  name: Type.String(),
  owner: Type.Boolean(),
  me: Type.Boolean(),
  joinedMs: Type.Number(),
});
/** An invite without its code, which nobody can read again. */
export const inviteView = Type.Object({ id: inviteId, createdMs: Type.Number(), expiresMs: Type.Number() });
export type InviteView = Static<typeof inviteView>;
/** `invites`: the standing ones, for the owner; empty for others. */
export const groupDetails = Type.Object({ ...groupView.properties, people: Type.Array(memberView), invites: Type.Array(inviteView) });
export type GroupDetails = Static<typeof groupDetails>;
export const inviteRequest = Type.Object({ days: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.inviteDaysMax })) }, closed);
export const madeInvite = Type.Object({ ...inviteView.properties, code: inviteCode });
export type MadeInvite = Static<typeof madeInvite>;
export const lookRequest = Type.Object({ code: inviteCode }, closed);
/** What whoever has the code may know before joining. */
export const inviteLook = Type.Object({ name: Type.String(), members: Type.Integer(), expiresMs: Type.Number(), member: Type.Boolean() });
export type InviteLook = Static<typeof inviteLook>;
export const joinRequest = Type.Object({ code: inviteCode, name: Type.Optional(text(limits.memberNameCharsMax)) }, closed);

/** Of what its consent allows, what a contributor wants; what is left out is no matter to it. */
export const preferences = Type.Object(
  {
    /** Workloads. */
    kinds: Type.Optional(Type.Array(text(40, 1), { maxItems: 16 })),
    /** Only jobs of its own groups, and its owner's. */
    groupsOnly: Type.Optional(Type.Boolean()),
    /** Its owner's jobs before all others. */
    ownFirst: Type.Optional(Type.Boolean()),
    /** This job before all others, while it has work. */
    job: Type.Optional(Type.Unsafe<JobId>(Type.String({ pattern: '^j_[A-Za-z0-9_-]{16}$' }))),
    /** Nothing of these requesters: `JobBrief.requester`. */
    blocked: Type.Optional(Type.Array(Type.String({ pattern: '^[A-Za-z0-9_-]{12}$' }), { maxItems: limits.blockedRequestersMax })),
  },
  closed,
);
export type Preferences = Static<typeof preferences>;
