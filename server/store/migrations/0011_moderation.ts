import { type Kysely, sql } from 'kysely';
import { columnTypes, makeAppendOnly, strictTable, withSequence } from '../dialect.ts';

/** Reports of jobs, what the operator has decided about them, and which files are refused. */
async function moderation(db: Kysely<unknown>): Promise<void> {
  await withSequence(db.schema.createTable('reports'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('job', 'text', (column) => column.notNull().references('jobs.id'))
    .addColumn('reporter', 'text', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('text', 'text', (column) => column.notNull())
    .addColumn('created_ms', 'integer', (column) => column.notNull())
    .addColumn('closed_ms', 'integer')
    .addColumn('outcome', 'text', (column) => column.check(sql`outcome in ('dismissed', 'upheld')`))
    .modifyEnd(strictTable)
    .execute();
  await sql`create unique index reports_open_once on reports (job, reporter) where closed_ms is null`.execute(db);
  await sql`create index reports_open on reports (seq) where closed_ms is null`.execute(db);
  await db.schema
    .createTable('job_decisions')
    .addColumn('job', 'text', (column) => column.primaryKey().notNull().references('jobs.id'))
    .addColumn('hidden', 'integer', (column) => column.notNull())
    .addColumn('taken_down_ms', 'integer')
    .addColumn('reason', 'text', (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
  await db.schema
    .createTable('job_uploads')
    .addColumn('job', 'text', (column) => column.notNull().references('jobs.id'))
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('job_uploads_key', ['job', 'name'])
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('job_uploads_by_hash').on('job_uploads').column('hash').execute();
  await withSequence(db.schema.createTable('banned_contents'))
    .addColumn('hash', 'text', (column) => column.notNull().unique())
    .addColumn('kind', 'text', (column) => column.notNull().check(sql`kind in ('upload', 'input')`))
    .addColumn('job', 'text')
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('at_ms', 'integer', (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
}

/** The operator's sessions, pauses of the network, and the log of all that operators do, which nothing can change. */
async function operators(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('operator_sessions')
    .addColumn('hash', columnTypes.bytes, (column) => column.primaryKey().notNull())
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('expires_ms', 'integer', (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
  await withSequence(db.schema.createTable('network_pauses'))
    .addColumn('since_ms', 'integer', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('ended_ms', 'integer')
    .modifyEnd(strictTable)
    .execute();
  await withSequence(db.schema.createTable('operator_log'))
    .addColumn('at_ms', 'integer', (column) => column.notNull())
    .addColumn('session', 'text', (column) => column.notNull())
    .addColumn('action', 'text', (column) => column.notNull())
    .addColumn('target', 'text', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('operator_log_by_action').on('operator_log').columns(['action', 'seq']).execute();
  await makeAppendOnly(db, 'operator_log');
}

/** How the network did, by the minute and by the hour: sums over the samples of a span. */
async function network(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('network_samples')
    .addColumn('span_ms', 'integer', (column) => column.notNull())
    .addColumn('at_ms', 'integer', (column) => column.notNull())
    .addColumn('samples', 'integer', (column) => column.notNull())
    .addColumn('contributors', 'integer', (column) => column.notNull())
    .addColumn('tiles', 'real', (column) => column.notNull())
    .addColumn('micro_units', 'integer', (column) => column.notNull())
    .addColumn('elements', 'integer', (column) => column.notNull())
    .addColumn('recomputed', 'integer', (column) => column.notNull())
    .addColumn('wrong', 'real', (column) => column.notNull())
    .addColumn('micro_credits', columnTypes.credits, (column) => column.notNull())
    .addPrimaryKeyConstraint('network_samples_key', ['span_ms', 'at_ms'])
    .modifyEnd(strictTable)
    .execute();
}

export async function up(db: Kysely<unknown>): Promise<void> {
  await moderation(db);
  await operators(db);
  await network(db);
}
