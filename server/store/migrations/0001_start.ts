import { type Kysely, sql } from 'kysely';
import { columnTypes, makeAppendOnly, strictTable, withSequence } from '../dialect.ts';

type Db = Kysely<unknown>;

/** Ledger: balances beside the transfers that explain them. A transfer and both its accounts share one unit by foreign key. */
async function ledger(db: Db): Promise<void> {
  await db.schema
    .createTable('accounts')
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('unit', 'text', (column) => column.notNull().check(sql`unit in ('test', 'credit')`))
    .addColumn('balance', columnTypes.credits, (column) => column.notNull())
    .addPrimaryKeyConstraint('accounts_key', ['id', 'unit'])
    .addCheckConstraint('accounts_covered', sql`balance >= 0 or id like 'operator/%'`)
    .modifyEnd(strictTable)
    .execute();
  await withSequence(db.schema.createTable('transfers'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('unit', 'text', (column) => column.notNull())
    .addColumn('debit', 'text', (column) => column.notNull())
    .addColumn('credit', 'text', (column) => column.notNull())
    .addColumn('micro_credits', columnTypes.credits, (column) => column.notNull().check(sql`micro_credits > 0`))
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('job', 'text')
    .addColumn('pass', 'integer')
    .addColumn('tile', 'integer')
    .addColumn('at_ms', 'integer', (column) => column.notNull())
    .addCheckConstraint('transfers_move', sql`debit <> credit`)
    .addForeignKeyConstraint('transfers_debit', ['debit', 'unit'], 'accounts', ['id', 'unit'])
    .addForeignKeyConstraint('transfers_credit', ['credit', 'unit'], 'accounts', ['id', 'unit'])
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('transfers_by_debit').on('transfers').columns(['debit', 'unit', 'seq']).execute();
  await db.schema.createIndex('transfers_by_credit').on('transfers').columns(['credit', 'unit', 'seq']).execute();
  await makeAppendOnly(db, 'transfers');
}

async function people(db: Db): Promise<void> {
  await db.schema
    .createTable('sessions')
    .addColumn('hash', columnTypes.bytes, (column) => column.primaryKey().notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('expires_ms', 'integer', (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('sessions_by_expiry').on('sessions').column('expires_ms').execute();
  await db.schema
    .createTable('challenges')
    .addColumn('nonce', 'text', (column) => column.primaryKey().notNull())
    .addColumn('address', 'text', (column) => column.notNull())
    .addColumn('text', 'text', (column) => column.notNull())
    .addColumn('session_hash', columnTypes.bytes, (column) => column.notNull())
    .addColumn('expires_ms', 'integer', (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('challenges_by_expiry').on('challenges').column('expires_ms').execute();
  await withSequence(db.schema.createTable('contributors'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('secret_hash', columnTypes.bytes, (column) => column.notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('created_ms', 'integer', (column) => column.notNull())
    .addColumn('accepted', 'integer', (column) => column.notNull())
    .addColumn('refuted', 'integer', (column) => column.notNull())
    .addColumn('suspended_until_ms', 'integer', (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('contributors_by_owner').on('contributors').columns(['owner', 'seq']).execute();
  await withSequence(db.schema.createTable('sites'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('origin', 'text', (column) => column.notNull())
    .addColumn('share_percent', 'integer', (column) => column.notNull().check(sql`share_percent between 0 and 100`))
    .addColumn('created_ms', 'integer', (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('sites_by_owner').on('sites').columns(['owner', 'seq']).execute();
  await withSequence(db.schema.createTable('consents'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('contributor', 'text', (column) => column.notNull().references('contributors.id'))
    .addColumn('kinds_json', 'text', (column) => column.notNull())
    .addColumn('site', 'text', (column) => column.references('sites.id'))
    .addColumn('granted_ms', 'integer', (column) => column.notNull())
    .addColumn('expires_ms', 'integer', (column) => column.notNull())
    .addColumn('revoked_ms', 'integer')
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('consents_by_contributor').on('consents').columns(['contributor', 'seq']).execute();
}

async function jobs(db: Db): Promise<void> {
  await withSequence(db.schema.createTable('jobs'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('title', 'text', (column) => column.notNull())
    .addColumn('workload', 'text', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('status', 'text', (column) => column.notNull().check(sql`status in ('open', 'done', 'cancelled')`))
    .addColumn('visibility', 'text', (column) => column.notNull())
    .addColumn('gallery', 'integer', (column) => column.notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('seed', 'integer', (column) => column.notNull())
    .addColumn('params_json', 'text', (column) => column.notNull())
    .addColumn('prepared_json', 'text', (column) => column.notNull())
    .addColumn('inputs_json', 'text', (column) => column.notNull())
    .addColumn('checks_json', 'text', (column) => column.notNull())
    .addColumn('unit', 'text', (column) => column.notNull())
    .addColumn('rate_per_unit', columnTypes.credits, (column) => column.notNull())
    .addColumn('work_held', columnTypes.credits, (column) => column.notNull())
    .addColumn('checks_held', columnTypes.credits, (column) => column.notNull())
    .addColumn('held_from_json', 'text', (column) => column.notNull())
    .addColumn('closing', 'integer', (column) => column.notNull())
    .addColumn('created_ms', 'integer', (column) => column.notNull())
    .addColumn('ended_ms', 'integer')
    .addColumn('summary_json', 'text')
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('jobs_by_owner').on('jobs').columns(['owner', 'seq']).execute();
  await db.schema.createIndex('jobs_by_status').on('jobs').columns(['status', 'seq']).execute();
  await db.schema.createIndex('jobs_by_visibility').on('jobs').columns(['visibility', 'seq']).execute();
  await db.schema
    .createTable('job_files')
    .addColumn('job', 'text', (column) => column.notNull().references('jobs.id'))
    .addColumn('output', 'text', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('job_files_key', ['job', 'output'])
    .modifyEnd(strictTable)
    .execute();
}

/** `inline` is the last column: SQLite reads the columns before it without touching the pages that hold the bytes. */
async function results(db: Db): Promise<void> {
  await withSequence(db.schema.createTable('results'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('job', 'text', (column) => column.notNull().references('jobs.id'))
    .addColumn('pass', 'integer', (column) => column.notNull())
    .addColumn('tile', 'integer', (column) => column.notNull())
    .addColumn('parts', 'integer', (column) => column.notNull())
    .addColumn('claimed', 'integer', (column) => column.notNull())
    .addColumn('epoch', 'integer', (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('contributor', 'text', (column) => column.notNull().references('contributors.id'))
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('site', 'text')
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('size_bytes', 'integer', (column) => column.notNull())
    .addColumn('commitment', columnTypes.bytes, (column) => column.notNull())
    .addColumn('nonce', columnTypes.bytes, (column) => column.notNull())
    .addColumn('replica_of', 'text')
    .addColumn('compute_ms', 'real', (column) => column.notNull())
    .addColumn('committed_ms', 'integer', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull().check(sql`state in ('committed', 'accepted', 'refuted', 'discarded')`))
    .addColumn('accepted', 'integer', (column) => column.notNull())
    .addColumn('evidence_json', 'text', (column) => column.notNull())
    .addColumn('decided_ms', 'integer')
    .addColumn('inline', columnTypes.bytes)
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('results_by_job').on('results').columns(['job', 'seq']).execute();
}

async function installation(db: Db): Promise<void> {
  await db.schema
    .createTable('secrets')
    .addColumn('name', 'text', (column) => column.primaryKey().notNull())
    .addColumn('bytes', columnTypes.bytes, (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
  await db.schema
    .createTable('counters')
    .addColumn('name', 'text', (column) => column.primaryKey().notNull())
    .addColumn('value', 'integer', (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
}

export async function up(db: Db): Promise<void> {
  await ledger(db);
  await people(db);
  await jobs(db);
  await results(db);
  await installation(db);
}
