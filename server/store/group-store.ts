import type { GroupId, JobId, OwnerId } from '../../shared/model.ts';

export interface StoredGroup {
  readonly id: GroupId;
  readonly name: string;
  readonly owner: OwnerId;
  readonly createdMs: number;
}

export interface StoredMember {
  readonly id: string;
  readonly group: GroupId;
  readonly owner: OwnerId;
  /** What it calls itself; may be empty. */
  readonly name: string;
  readonly joinedMs: number;
}

export interface StoredInvite {
  readonly id: string;
  readonly group: GroupId;
  /** SHA-256 of the secret half of the code. */
  readonly secretHash: Uint8Array;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly revokedMs: number | null;
}

/** Private swarms. */
export interface GroupStore {
  /** The group and its first member, in one transaction. */
  create(group: StoredGroup, member: StoredMember): Promise<void>;
  get(id: GroupId): Promise<StoredGroup | undefined>;
  /** Those that an owner is in, newest first, with how many members they have. */
  of(owner: OwnerId): Promise<readonly (StoredGroup & { readonly members: number })[]>;
  idsOf(owner: OwnerId): Promise<GroupId[]>;
  isMember(group: GroupId, owner: OwnerId): Promise<boolean>;
  /** Oldest first. */
  members(group: GroupId): Promise<StoredMember[]>;
  countMembers(group: GroupId): Promise<number>;
  /** Nothing happens to one who is in already. `full`: the group has as many others as allowed, `enough`: it is in as many groups. */
  addMember(member: StoredMember, max?: { readonly members: number; readonly groups: number }): Promise<'in' | 'full' | 'enough'>;
  removeMember(group: GroupId, owner: OwnerId): Promise<void>;
  /** False when the group has `standingMax` that can be used when it is made. */
  createInvite(invite: StoredInvite, standingMax?: number): Promise<boolean>;
  invite(id: string): Promise<StoredInvite | undefined>;
  /** Those that can still be used at `nowMs`, newest first. */
  standingInvites(group: GroupId, nowMs: number): Promise<StoredInvite[]>;
  revokeInvite(id: string, atMs: number): Promise<void>;
  /** Owners whose results of a job are accepted. */
  countHelpers(job: JobId): Promise<number>;
}
