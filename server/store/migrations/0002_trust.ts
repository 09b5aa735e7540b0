import { type Kysely, sql } from 'kysely';
import { columnTypes, strictTable, withSequence } from '../dialect.ts';

type Db = Kysely<unknown>;

/**
 * Results of this version have other bytes, and older workloads are not run any more: jobs that are open end here, and what
 * they still hold goes back to where it came from, earned credits first.
 */
async function endOpenJobs(db: Db, nowMs: number): Promise<void> {
  const { rows: jobs } = await sql<{ id: string; unit: string; held_from_json: string; balance: bigint }>`
    select jobs.id, jobs.unit, jobs.held_from_json, accounts.balance from jobs
    join accounts on accounts.id = 'job/' || jobs.id and accounts.unit = jobs.unit where jobs.status = 'open'`.execute(db);
  for (const { id, unit, held_from_json: heldFrom, balance } of jobs) {
    let left = balance;
    for (const [index, { account, microCredits }] of [...(JSON.parse(heldFrom) as { account: string; microCredits: string }[]).entries()].reverse()) {
      const amount = left < BigInt(microCredits) ? left : BigInt(microCredits);
      left -= amount;
      if (amount === 0n) continue;
      await sql`update accounts set balance = balance - ${amount} where id = ${`job/${id}`} and unit = ${unit}`.execute(db);
      await sql`update accounts set balance = balance + ${amount} where id = ${account} and unit = ${unit}`.execute(db);
      await sql`insert into transfers (id, unit, debit, credit, micro_credits, kind, job, at_ms)
        values (${`refund/${id}/${index}`}, ${unit}, ${`job/${id}`}, ${account}, ${amount}, 'refund', ${id}, ${nowMs})`.execute(db);
    }
  }
  const summary = { parts: { total: 0, accepted: 0, checking: 0, leased: 0 }, contributors: 0, checksDone, paidMicroCredits: '0' };
  await sql`update jobs set status = 'cancelled', ended_ms = ${nowMs}, summary_json = ${JSON.stringify(summary)} where status = 'open'`.execute(db);
}

/** Nothing is claimed about results that were checked by other rules. */
const checksDone = { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 1 };

/**
 * Jobs that have ended are told in the words of today. Their policy was a number of audited elements, 64 unless the requester
 * chose another: a liar gets at most 1/(e x 64) = 0.6 % of a result past them.
 */
async function renewPolicies(db: Db): Promise<void> {
  await sql`update jobs set checks_json = ${JSON.stringify({ targetError: 1e-2 })}`.execute(db);
  const { rows } = await sql<{ id: string; summary_json: string }>`select id, summary_json from jobs where summary_json is not null`.execute(db);
  for (const { id, summary_json: json } of rows)
    await sql`update jobs set summary_json = ${JSON.stringify({ ...JSON.parse(json), checksDone })} where id = ${id}`.execute(db);
}

/** The columns with bytes come last: SQLite reads those before them without touching the pages that hold the bytes. */
async function results(db: Db): Promise<void> {
  await db.schema.dropTable('results').execute();
  await withSequence(db.schema.createTable('results'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('job', 'text', (column) => column.notNull().references('jobs.id'))
    .addColumn('pass', 'integer', (column) => column.notNull())
    .addColumn('tile', 'integer', (column) => column.notNull())
    .addColumn('parts', 'integer', (column) => column.notNull())
    .addColumn('epoch', 'integer', (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('contributor', 'text', (column) => column.notNull().references('contributors.id'))
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('site', 'text')
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('size_bytes', 'integer', (column) => column.notNull())
    .addColumn('salt', columnTypes.bytes, (column) => column.notNull())
    .addColumn('root', columnTypes.bytes, (column) => column.notNull())
    .addColumn('commitment', columnTypes.bytes, (column) => column.notNull())
    .addColumn('nonce', columnTypes.bytes, (column) => column.notNull())
    .addColumn('drawn', 'integer', (column) => column.notNull())
    .addColumn('round', 'text', (column) => column.notNull().check(sql`round in ('first', 'second')`))
    .addColumn('opening_hash', 'text')
    .addColumn('compute_ms', 'real', (column) => column.notNull())
    .addColumn('committed_ms', 'integer', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull().check(sql`state in ('committed', 'accepted', 'refuted', 'discarded')`))
    .addColumn('evidence_json', 'text', (column) => column.notNull())
    .addColumn('error_bound', 'real', (column) => column.notNull())
    .addColumn('decided_ms', 'integer')
    .addColumn('vesting_unit', 'text')
    .addColumn('vesting_micro_credits', columnTypes.credits)
    .addColumn('vests_at_ms', 'integer')
    .addColumn('refund_to', 'text')
    .addColumn('drill', 'integer', (column) => column.notNull())
    .addColumn('opening_inline', columnTypes.bytes)
    .addColumn('inline', columnTypes.bytes)
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('results_by_job').on('results').columns(['job', 'seq']).execute();
  await db.schema.createIndex('results_by_contributor').on('results').columns(['contributor', 'seq']).execute();
  // A small share of all results at any time: the rest costs this index nothing.
  await sql`create index results_vesting on results (seq) where vests_at_ms is not null`.execute(db);
}

/** What a contributor's word is worth is counted by workload now, and begins anew. */
async function standings(db: Db): Promise<void> {
  for (const column of ['accepted', 'refuted', 'suspended_until_ms']) await db.schema.alterTable('contributors').dropColumn(column).execute();
  await db.schema
    .createTable('standings')
    .addColumn('contributor', 'text', (column) => column.notNull().references('contributors.id'))
    .addColumn('workload', 'text', (column) => column.notNull())
    .addColumn('accepted', 'integer', (column) => column.notNull())
    .addColumn('refuted', 'integer', (column) => column.notNull())
    .addColumn('discarded', 'integer', (column) => column.notNull())
    .addColumn('verified', 'real', (column) => column.notNull())
    .addColumn('drawn', 'integer', (column) => column.notNull())
    .addColumn('differing', 'integer', (column) => column.notNull())
    .addColumn('unexplained', 'integer', (column) => column.notNull())
    .addColumn('suspended_until_ms', 'integer', (column) => column.notNull())
    .addColumn('at_ms', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('standings_key', ['contributor', 'workload'])
    .modifyEnd(strictTable)
    .execute();
}

/** Sums over accepted results, for each pair of device classes. */
async function agreements(db: Db): Promise<void> {
  await db.schema
    .createTable('agreements')
    .addColumn('workload', 'text', (column) => column.notNull())
    .addColumn('author', 'text', (column) => column.notNull())
    .addColumn('auditor', 'text', (column) => column.notNull())
    .addColumn('drawn', 'integer', (column) => column.notNull())
    .addColumn('differing', 'integer', (column) => column.notNull())
    .addColumn('unexplained', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('agreements_key', ['workload', 'author', 'auditor'])
    .modifyEnd(strictTable)
    .execute();
}

export async function up(db: Db): Promise<void> {
  await endOpenJobs(db, Date.now());
  await renewPolicies(db);
  await results(db);
  await standings(db);
  await agreements(db);
}
