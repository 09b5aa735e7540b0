import { Kysely } from 'kysely';
import { migrate } from './migrations/migrate.ts';
import { openDialect, openMigrationDialect } from './postgres-dialect.ts';
import { PostgresSchema } from './postgres-schema.ts';
import type { Tables } from './schema.ts';
import { SqlStore } from './sql-store.ts';
import type { Store } from './store.ts';

/**
 * Opens the database behind this URL (`postgres://user:password@host/database`), which any number of coordinators may do, and makes or updates its
 * tables first: one of them does, the others wait. What `commit` has acknowledged is as durable as the server makes its commits.
 */
export async function openPostgresStore(url: string): Promise<Store> {
  const schema = new Kysely<unknown>({ dialect: openMigrationDialect(url), plugins: [new PostgresSchema()] });
  try {
    await migrate(schema);
  } finally {
    await schema.destroy();
  }
  const db = new Kysely<Tables>({ dialect: openDialect(url) });
  try {
    await db.deleteFrom('sessions').where('expires_ms', '<=', Date.now()).execute();
    return new SqlStore(db);
  } catch (error) {
    await db.destroy();
    throw error;
  }
}
