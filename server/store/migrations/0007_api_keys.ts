import { type Kysely, sql } from 'kysely';
import { columnTypes, strictTable, withSequence } from '../dialect.ts';

/** Keys by which programs act for an owner, which jobs each has ordered, and answers kept for requests that are sent again. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await withSequence(db.schema.createTable('api_keys'))
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('secret_hash', columnTypes.bytes, (column) => column.notNull())
    .addColumn('scopes_json', 'text', (column) => column.notNull())
    .addColumn('budget', columnTypes.credits)
    .addColumn('paid', columnTypes.credits, (column) => column.notNull())
    .addColumn('created_ms', 'integer', (column) => column.notNull())
    .addColumn('expires_ms', 'integer')
    .addColumn('used_ms', 'integer')
    .addColumn('revoked_ms', 'integer')
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('api_keys_by_owner').on('api_keys').columns(['owner', 'seq']).execute();
  await db.schema.alterTable('jobs').addColumn('api_key', 'text').execute();
  await sql`create index jobs_by_api_key on jobs (api_key, status) where api_key is not null`.execute(db);
  await db.schema
    .createTable('idempotent_requests')
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('route', 'text', (column) => column.notNull())
    .addColumn('key_hash', columnTypes.bytes, (column) => column.notNull())
    .addColumn('fingerprint', columnTypes.bytes, (column) => column.notNull())
    .addColumn('made', 'text')
    .addColumn('answer', columnTypes.bytes)
    .addColumn('at_ms', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('idempotent_requests_key', ['owner', 'route', 'key_hash'])
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('idempotent_requests_by_age').on('idempotent_requests').column('at_ms').execute();
}
