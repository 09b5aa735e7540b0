import { type Kysely, type Selectable, sql } from 'kysely';
import type { GroupId, JobId, OwnerId } from '../../shared/model.ts';
import { exclusively } from './dialect.ts';
import type { GroupsTable, InvitesTable, MembersTable, Tables } from './schema.ts';
import type { GroupStore, StoredGroup, StoredInvite, StoredMember } from './store.ts';
import { inTransaction } from './transaction.ts';

type Db = Kysely<Tables>;

const groupOf = (row: Pick<GroupsTable, 'id' | 'name' | 'owner' | 'created_ms'>): StoredGroup => ({
  id: row.id,
  name: row.name,
  owner: row.owner,
  createdMs: row.created_ms,
});

const memberOf = (row: Selectable<MembersTable>): StoredMember => ({
  id: row.id,
  group: row.group_id,
  owner: row.owner,
  name: row.name,
  joinedMs: row.joined_ms,
});

const inviteOf = (row: Selectable<InvitesTable>): StoredInvite => ({
  id: row.id,
  group: row.group_id,
  secretHash: row.secret_hash,
  createdMs: row.created_ms,
  expiresMs: row.expires_ms,
  revokedMs: row.revoked_ms,
});

/** Inside the caller's transaction: what a device made and is in goes to its wallet, which may be in some of the groups already. */
export async function moveMemberships(trx: Db, from: OwnerId, to: OwnerId): Promise<void> {
  await trx.updateTable('groups').set({ owner: to }).where('owner', '=', from).execute();
  const already = trx.selectFrom('members').select('group_id').where('owner', '=', to);
  await trx.deleteFrom('members').where('owner', '=', from).where('group_id', 'in', already).execute();
  await trx.updateTable('members').set({ owner: to }).where('owner', '=', from).execute();
}

export class SqlGroups implements GroupStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async create({ id, name, owner, createdMs }: StoredGroup, member: StoredMember): Promise<void> {
    await inTransaction(this.#db, async (trx) => {
      await trx.insertInto('groups').values({ id, name, owner, created_ms: createdMs }).execute();
      await insertMember(trx, member);
    });
  }

  async get(id: GroupId): Promise<StoredGroup | undefined> {
    const row = await this.#db.selectFrom('groups').selectAll().where('id', '=', id).executeTakeFirst();
    return row && groupOf(row);
  }

  async of(owner: OwnerId): Promise<readonly (StoredGroup & { readonly members: number })[]> {
    const rows = await this.#db
      .selectFrom('members')
      .innerJoin('groups', 'groups.id', 'members.group_id')
      .select(['groups.id', 'groups.name', 'groups.owner', 'groups.created_ms'])
      .where('members.owner', '=', owner)
      .orderBy('members.seq', 'desc')
      .execute();
    return Promise.all(rows.map(async (row) => ({ ...groupOf(row), members: await this.countMembers(row.id) })));
  }

  async idsOf(owner: OwnerId): Promise<GroupId[]> {
    const rows = await this.#db.selectFrom('members').select('group_id').where('owner', '=', owner).execute();
    return rows.map(({ group_id: id }) => id);
  }

  async isMember(group: GroupId, owner: OwnerId): Promise<boolean> {
    const row = await this.#db.selectFrom('members').select('id').where('group_id', '=', group).where('owner', '=', owner).executeTakeFirst();
    return row !== undefined;
  }

  async members(group: GroupId): Promise<StoredMember[]> {
    return (await this.#db.selectFrom('members').selectAll().where('group_id', '=', group).orderBy('seq').execute()).map(memberOf);
  }

  async countMembers(group: GroupId): Promise<number> {
    const query = this.#db.selectFrom('members').select((eb) => eb.fn.countAll<number>().as('count'));
    return (await query.where('group_id', '=', group).executeTakeFirstOrThrow()).count;
  }

  addMember(member: StoredMember, max = { members: Number.POSITIVE_INFINITY, groups: Number.POSITIVE_INFINITY }): Promise<'in' | 'full' | 'enough'> {
    return inTransaction(this.#db, async (trx) => {
      await exclusively(trx, `groups of ${member.owner}`);
      await exclusively(trx, `members of ${member.group}`);
      const groups = new SqlGroups(trx);
      if (await groups.isMember(member.group, member.owner)) return 'in';
      if ((await groups.idsOf(member.owner)).length >= max.groups) return 'enough';
      if ((await groups.countMembers(member.group)) >= max.members) return 'full';
      await insertMember(trx, member);
      return 'in';
    });
  }

  async removeMember(group: GroupId, owner: OwnerId): Promise<void> {
    await this.#db.deleteFrom('members').where('group_id', '=', group).where('owner', '=', owner).execute();
  }

  createInvite({ id, group, secretHash, createdMs, expiresMs, revokedMs }: StoredInvite, standingMax = Number.POSITIVE_INFINITY): Promise<boolean> {
    const row = { id, group_id: group, secret_hash: secretHash, created_ms: createdMs, expires_ms: expiresMs, revoked_ms: revokedMs };
    return inTransaction(this.#db, async (trx) => {
      await exclusively(trx, `invites of ${group}`);
      if ((await new SqlGroups(trx).standingInvites(group, createdMs)).length >= standingMax) return false;
      await trx.insertInto('invites').values(row).execute();
      return true;
    });
  }

  async invite(id: string): Promise<StoredInvite | undefined> {
    const row = await this.#db.selectFrom('invites').selectAll().where('id', '=', id).executeTakeFirst();
    return row && inviteOf(row);
  }

  async standingInvites(group: GroupId, nowMs: number): Promise<StoredInvite[]> {
    const query = this.#db.selectFrom('invites').selectAll().where('group_id', '=', group).where('revoked_ms', 'is', null);
    return (await query.where('expires_ms', '>', nowMs).orderBy('seq', 'desc').execute()).map(inviteOf);
  }

  async revokeInvite(id: string, atMs: number): Promise<void> {
    await this.#db.updateTable('invites').set({ revoked_ms: atMs }).where('id', '=', id).where('revoked_ms', 'is', null).execute();
  }

  async countHelpers(job: JobId): Promise<number> {
    const { rows } = await sql<{ count: number }>`
      select count(*) as count from (
        select owner from results where job = ${job} and state = 'accepted'
        union select owner from result_pack_authors join result_packs on result_packs.seq = pack where job = ${job} and accepted > 0
      ) as owners`.execute(this.#db);
    return rows[0]?.count ?? 0;
  }
}

async function insertMember(db: Db, { id, group, owner, name, joinedMs }: StoredMember): Promise<void> {
  await db
    .insertInto('members')
    .values({ id, group_id: group, owner, name, joined_ms: joinedMs })
    .onConflict((conflict) => conflict.columns(['group_id', 'owner']).doNothing())
    .execute();
}
