import type { Kysely } from 'kysely';
import { columnTypes, strictTable } from '../dialect.ts';

/** Quotes are kept for as long as they can be used; jobs remember what was promised to them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('quotes')
    .addColumn('id', 'text', (column) => column.primaryKey().notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('fingerprint', columnTypes.bytes, (column) => column.notNull())
    .addColumn('rate_per_unit', columnTypes.credits, (column) => column.notNull())
    .addColumn('p50_seconds', 'real')
    .addColumn('p95_seconds', 'real')
    .addColumn('created_ms', 'integer', (column) => column.notNull())
    .addColumn('expires_ms', 'integer', (column) => column.notNull())
    .addColumn('used_by', 'text')
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('quotes_by_expiry').on('quotes').column('expires_ms').execute();
  await db.schema.createIndex('quotes_by_owner').on('quotes').column('owner').execute();
  await db.schema.alterTable('jobs').addColumn('promise_json', 'text').execute();
}
