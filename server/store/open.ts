import type { Config } from '../config.ts';
import { openPostgresStore } from './postgres.ts';
import { type EmbeddedStore, openSqliteStore } from './sqlite.ts';
import type { Store } from './store.ts';

/** The store that the settings name: PostgreSQL where there is a `DATABASE_URL`, else SQLite in the data folder. */
export const openStore = ({ dataDir, databaseUrl }: Pick<Config, 'dataDir' | 'databaseUrl'>): Promise<Store | EmbeddedStore> =>
  databaseUrl === null ? openSqliteStore(dataDir) : openPostgresStore(databaseUrl);
