import { type Kysely, sql } from 'kysely';
import { columnTypes, strictTable, withSequence } from '../dialect.ts';

/** Withdrawals, and what wallets had earned at each epoch. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await withSequence(db.schema.createTable('withdrawals'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull().check(sql`state in ('asked', 'refused', 'pending', 'paid', 'failed')`))
    .addColumn('amount', columnTypes.credits, (column) => column.notNull())
    .addColumn('order_json', 'text', (column) => column.notNull())
    .addColumn('session_hash', columnTypes.bytes, (column) => column.notNull())
    .addColumn('signature', 'text')
    .addColumn('transaction_signature', 'text')
    .addColumn('paid_tokens', 'text')
    .addColumn('reason', 'text')
    .addColumn('created_ms', 'integer', (column) => column.notNull())
    .addColumn('expires_ms', 'integer', (column) => column.notNull())
    .addColumn('ended_ms', 'integer')
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('withdrawals_by_owner').on('withdrawals').columns(['owner', 'seq']).execute();
  await sql`create index withdrawals_open on withdrawals (seq) where state in ('asked', 'pending')`.execute(db);
  await db.schema
    .createTable('epochs')
    .addColumn('number', 'integer', (column) => column.primaryKey().notNull())
    .addColumn('root', 'text', (column) => column.notNull())
    .addColumn('leaves_json', 'text', (column) => column.notNull())
    .addColumn('at_ms', 'integer', (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
  await db.schema
    .createTable('epoch_transactions')
    .addColumn('epoch', 'integer', (column) => column.notNull().references('epochs.number').onDelete('cascade'))
    .addColumn('signature', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('epoch_transactions_key', ['epoch', 'signature'])
    .modifyEnd(strictTable)
    .execute();
}
