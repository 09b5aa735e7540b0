import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import { migrate } from './migrations/migrate.ts';
import type { Tables } from './schema.ts';
import { SqlStore } from './sql-store.ts';
import { EmbeddedDialect, openDatabaseFile } from './sqlite-dialect.ts';
import type { Store } from './store.ts';

/**
 * Opens, or makes, the database in this folder and holds it for this process alone. Throws a plain sentence when another
 * coordinator has it. What `commit` has acknowledged survives a kill of the process and a loss of power.
 */
export async function openSqliteStore(folder: string): Promise<Store> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const db = new Kysely<Tables>({ dialect: new EmbeddedDialect(openDatabaseFile(join(folder, 'tessera.sqlite'), folder)) });
  try {
    await migrate(db);
    await db.deleteFrom('sessions').where('expires_ms', '<=', Date.now()).execute();
    return new SqlStore(db);
  } catch (error) {
    await db.destroy();
    throw error;
  }
}
