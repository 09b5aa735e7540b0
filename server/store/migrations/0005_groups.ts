import { type Kysely, sql } from 'kysely';
import { columnTypes, strictTable, withSequence } from '../dialect.ts';

/** Private swarms: who is in which, the invites into them, and which jobs are theirs. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await withSequence(db.schema.createTable('groups'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('created_ms', 'integer', (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('groups_by_owner').on('groups').columns(['owner', 'seq']).execute();
  await withSequence(db.schema.createTable('members'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('group_id', 'text', (column) => column.notNull().references('groups.id'))
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('joined_ms', 'integer', (column) => column.notNull())
    .addUniqueConstraint('members_once', ['group_id', 'owner'])
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('members_by_owner').on('members').columns(['owner', 'seq']).execute();
  await withSequence(db.schema.createTable('invites'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('group_id', 'text', (column) => column.notNull().references('groups.id'))
    .addColumn('secret_hash', columnTypes.bytes, (column) => column.notNull())
    .addColumn('created_ms', 'integer', (column) => column.notNull())
    .addColumn('expires_ms', 'integer', (column) => column.notNull())
    .addColumn('revoked_ms', 'integer')
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('invites_by_group').on('invites').columns(['group_id', 'seq']).execute();
  await db.schema.alterTable('jobs').addColumn('group_id', 'text').execute();
  await db.schema
    .alterTable('jobs')
    .addColumn('group_mode', 'text', (column) => column.check(sql`group_mode in ('first', 'only')`))
    .execute();
  await sql`create index jobs_by_group on jobs (group_id, seq) where group_id is not null`.execute(db);
}
