import { type Kysely, sql } from 'kysely';
import { columnTypes, isPostgres, strictTable, withSequence } from '../dialect.ts';

/** Coordinators that share one database: who is alive, whose which tiles are, and what they tell each other. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('coordinators')
    .addColumn('epoch', 'integer', (column) => column.primaryKey().notNull())
    .addColumn('alive_until_ms', 'integer', (column) => column.notNull())
    .addColumn('fenced', 'integer', (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
  await sql`create index coordinators_alive on coordinators (alive_until_ms) where fenced = 0`.execute(db);
  await db.schema
    .createTable('blocks')
    .addColumn('job', 'text', (column) => column.notNull())
    .addColumn('number', 'integer', (column) => column.notNull())
    .addColumn('first', 'integer', (column) => column.notNull())
    .addColumn('count', 'integer', (column) => column.notNull())
    .addColumn('checks_held', columnTypes.credits, (column) => column.notNull())
    .addColumn('owner', 'integer')
    .addColumn('touched', 'integer', (column) => column.notNull())
    .addColumn('closed', 'integer', (column) => column.notNull())
    .addColumn('figures_epoch', 'integer')
    .addColumn('figures_json', 'text')
    .addPrimaryKeyConstraint('blocks_key', ['job', 'number'])
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('blocks_by_owner').on('blocks').columns(['owner', 'closed']).execute();
  await sql`create index blocks_orphaned on blocks (job, number) where owner is null and touched = 1 and closed = 0`.execute(db);
  await db.schema
    .createTable('shares')
    .addColumn('job', 'text', (column) => column.notNull())
    .addColumn('epoch', 'integer', (column) => column.notNull())
    .addColumn('figures_json', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('shares_key', ['job', 'epoch'])
    .modifyEnd(strictTable)
    .execute();
  await withSequence(db.schema.createTable('notices'))
    .addColumn('epoch', 'integer', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('at_ms', 'integer', (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('notices_by_age').on('notices').column('at_ms').execute();
  // What coordinators tell each other at once and is too long for a notification; the shape is that of `@socket.io/postgres-adapter`.
  if (isPostgres(db)) await sql`create table socket_io_attachments (id bigserial unique, created_at timestamptz default now(), payload bytea)`.execute(db);
}
