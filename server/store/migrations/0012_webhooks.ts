import { type Kysely, sql } from 'kysely';
import { strictTable, withSequence } from '../dialect.ts';

/** Addresses that are told of jobs, and what they are told: a delivery is written in the transaction of what it reports. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await withSequence(db.schema.createTable('webhooks'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('url', 'text', (column) => column.notNull())
    .addColumn('host', 'text', (column) => column.notNull())
    .addColumn('events_json', 'text', (column) => column.notNull())
    .addColumn('secret', 'text', (column) => column.notNull())
    .addColumn('created_ms', 'integer', (column) => column.notNull())
    .addColumn('failures', 'integer', (column) => column.notNull())
    .addColumn('failing_since_ms', 'integer')
    .addColumn('disabled_ms', 'integer')
    .addColumn('disabled_reason', 'text')
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('webhooks_by_owner').on('webhooks').column('owner').execute();
  await withSequence(db.schema.createTable('webhook_deliveries'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('webhook', 'text', (column) => column.notNull().references('webhooks.id').onDelete('cascade'))
    .addColumn('type', 'text', (column) => column.notNull())
    .addColumn('job', 'text')
    .addColumn('body', 'text', (column) => column.notNull())
    .addColumn('created_ms', 'integer', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('attempted_ms', 'integer')
    .addColumn('status', 'integer')
    .addColumn('error', 'text')
    .addColumn('next_ms', 'integer')
    .addColumn('delivered_ms', 'integer')
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('webhook_deliveries_by_webhook').on('webhook_deliveries').columns(['webhook', 'seq']).execute();
  await db.schema.createIndex('webhook_deliveries_by_age').on('webhook_deliveries').column('created_ms').execute();
  await sql`create index webhook_deliveries_due on webhook_deliveries (next_ms) where next_ms is not null`.execute(db);
}
