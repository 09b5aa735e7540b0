import { randomBytes } from 'node:crypto';
import { type Kysely, sql } from 'kysely';

const TOKEN_BYTES = 24;

/**
 * Consents say how much of the GPU they cover; those of before had no cap. Sites prove their domain with a token, can be switched off,
 * and remember the network they were registered from. Sites of before are unproven: their cards wait until their owner has proven them.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('consents')
    .addColumn('power_percent', 'integer', (column) => column.notNull().defaultTo(100))
    .execute();
  await db.schema
    .alterTable('sites')
    .addColumn('token', 'text', (column) => column.notNull().defaultTo(''))
    .execute();
  await db.schema.alterTable('sites').addColumn('proven_ms', 'integer').execute();
  await db.schema.alterTable('sites').addColumn('switched_off_ms', 'integer').execute();
  await db.schema.alterTable('sites').addColumn('network', 'text').execute();
  const { rows } = await sql<{ id: string }>`select id from sites`.execute(db);
  for (const { id } of rows) await sql`update sites set token = ${randomBytes(TOKEN_BYTES).toString('base64url')} where id = ${id}`.execute(db);
  await db.schema.createIndex('consents_by_site').on('consents').columns(['site', 'seq']).execute();
}
