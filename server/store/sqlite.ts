import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import { emptyLog } from './dialect.ts';
import { migrate } from './migrations/migrate.ts';
import type { Tables } from './schema.ts';
import { SqlStore } from './sql-store.ts';
import { copyDatabase, EmbeddedDialect, openDatabaseFile } from './sqlite-dialect.ts';
import type { Store } from './store.ts';

/** A store in a file of its own, which nobody else can read while it is open. */
export interface EmbeddedStore extends Store {
  /** Writes a consistent copy of the database there, while it goes on working. */
  copyTo(path: string): Promise<void>;
}

/**
 * Opens, or makes, the database in this folder and holds it for this process alone. Throws a plain sentence when another
 * coordinator has it. What `commit` has acknowledged survives a kill of the process and a loss of power.
 */
export async function openSqliteStore(folder: string): Promise<EmbeddedStore> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const database = openDatabaseFile(join(folder, 'tessera.sqlite'), folder);
  const db = new Kysely<Tables>({ dialect: new EmbeddedDialect(database) });
  try {
    await migrate(db);
    // What a killed process left there may have been deleted since.
    await emptyLog(db);
    await db.deleteFrom('sessions').where('expires_ms', '<=', Date.now()).execute();
    return Object.assign(new SqlStore(db), { copyTo: (path: string) => copyDatabase(database, path) });
  } catch (error) {
    await db.destroy();
    throw error;
  }
}
