import { type Kysely, sql } from 'kysely';
import { columnTypes, makeAppendOnly, strictTable, withSequence } from '../dialect.ts';

type Db = Kysely<unknown>;

/**
 * Two-phase transfers and a third unit. Both tables are made anew, because no constraint of theirs can be changed in place; the transfers
 * of before move at once (`single`). Their indices by account are replaced by `account_entries`, which is filled in large steps.
 */
export async function up(db: Db): Promise<void> {
  const amount = (name: string) => [name, columnTypes.credits] as const;
  await db.schema
    .createTable('accounts_anew')
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('unit', 'text', (column) => column.notNull().check(sql`unit in ('test', 'credit', 'token')`))
    .addColumn(...amount('debits_posted'), (column) => column.notNull().check(sql`debits_posted >= 0`))
    .addColumn(...amount('credits_posted'), (column) => column.notNull().check(sql`credits_posted >= 0`))
    .addColumn(...amount('debits_pending'), (column) => column.notNull().check(sql`debits_pending >= 0`))
    .addColumn(...amount('credits_pending'), (column) => column.notNull().check(sql`credits_pending >= 0`))
    .addPrimaryKeyConstraint('accounts_key', ['id', 'unit'])
    // The issuers alone: see `mayBeNegative`.
    .addCheckConstraint(
      'accounts_covered',
      sql`debits_posted + debits_pending <= credits_posted or id in ('operator/issuance', 'operator/exchange', 'chain/outside', 'chain/hot')`,
    )
    .modifyEnd(strictTable)
    .execute();
  await withSequence(db.schema.createTable('transfers_anew'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('unit', 'text', (column) => column.notNull())
    .addColumn('debit', 'text', (column) => column.notNull())
    .addColumn('credit', 'text', (column) => column.notNull())
    .addColumn('amount', columnTypes.credits, (column) => column.notNull().check(sql`amount > 0`))
    .addColumn('phase', 'text', (column) => column.notNull().check(sql`phase in ('single', 'pending', 'post', 'void')`))
    .addColumn('pending', 'text', (column) => column.references('transfers_anew.id'))
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('job', 'text')
    .addColumn('pass', 'integer')
    .addColumn('tile', 'integer')
    .addColumn('at_ms', 'integer', (column) => column.notNull())
    .addCheckConstraint('transfers_move', sql`debit <> credit`)
    .addCheckConstraint('transfers_end', sql`(pending is not null) = (phase in ('post', 'void'))`)
    .addForeignKeyConstraint('transfers_debit', ['debit', 'unit'], 'accounts_anew', ['id', 'unit'])
    .addForeignKeyConstraint('transfers_credit', ['credit', 'unit'], 'accounts_anew', ['id', 'unit'])
    .modifyEnd(strictTable)
    .execute();
  await copy(db);
  await db.schema.dropTable('transfers').execute();
  await db.schema.dropTable('accounts').execute();
  await sql`alter table accounts_anew rename to accounts`.execute(db);
  await sql`alter table transfers_anew rename to transfers`.execute(db);
  // Ended once, whoever tries.
  await sql`create unique index transfers_ending on transfers (pending) where pending is not null`.execute(db);
  await makeAppendOnly(db, 'transfers');
  await db.schema
    .createTable('account_entries')
    .addColumn('account', 'text', (column) => column.notNull())
    .addColumn('unit', 'text', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('account_entries_key', ['account', 'unit', 'seq'])
    .modifyEnd(strictTable)
    .execute();
}

async function copy(db: Db): Promise<void> {
  await sql`
    insert into accounts_anew (id, unit, debits_posted, credits_posted, debits_pending, credits_pending)
    select accounts.id, accounts.unit,
      (select coalesce(sum(micro_credits), 0) from transfers where debit = accounts.id and transfers.unit = accounts.unit),
      (select coalesce(sum(micro_credits), 0) from transfers where credit = accounts.id and transfers.unit = accounts.unit), 0, 0
    from accounts`.execute(db);
  await sql`
    insert into transfers_anew (seq, id, unit, debit, credit, amount, phase, pending, kind, job, pass, tile, at_ms)
    select seq, id, unit, debit, credit, micro_credits, 'single', null, kind, job, pass, tile, at_ms from transfers`.execute(db);
}
