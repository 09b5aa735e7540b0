import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import Database from 'better-sqlite3';
import { Client } from 'pg';
import { inject } from 'vitest';
import { postgresUrl } from './postgres.testing.ts';
import { openPostgresStore } from './postgres.ts';
import { openSqliteStore } from './sqlite.ts';
import type { Store } from './store.ts';
import { temporaryFolder } from './testing.ts';

/** An empty database, of which stores can be opened one after the other. */
export interface TestDatabase {
  open(): Promise<Store>;
  /** Runs SQL past the store, and answers with its rows. No store may be open: SQLite's would hold the file. */
  run(sql: string): Promise<unknown[]>;
}

interface Stores {
  readonly name: string;
  withDatabase<T>(run: (database: TestDatabase) => Promise<T>): Promise<T>;
  /** With a fresh store, which is closed afterwards if that has not happened yet. */
  withStore<T>(run: (store: Store, database: TestDatabase) => Promise<T>): Promise<T>;
}

/** The database of this folder. */
export const sqliteIn = (folder: string): TestDatabase => ({
  open: () => openSqliteStore(folder),
  async run(sql) {
    const file = new Database(join(folder, 'tessera.sqlite'));
    try {
      file.pragma('foreign_keys = ON');
      const statement = file.prepare(sql);
      if (statement.reader) return statement.all();
      statement.run();
      return [];
    } finally {
      file.close();
    }
  },
});

async function withSqlite<T>(run: (database: TestDatabase) => Promise<T>): Promise<T> {
  const folder = temporaryFolder();
  try {
    return await run(sqliteIn(folder.path));
  } finally {
    folder.remove();
  }
}

/** Databases of this worker that no test is using. They are emptied and used again: making one takes longer than most tests. */
const idle: string[] = [];
let port: Promise<number> | undefined;

/** All rows gone, append-only ones too, and sequences back at their start. */
const EMPTY = `do $$ declare name text; begin
  set local session_replication_role = replica;
  for name in select format('%I', tablename) from pg_tables where schemaname = 'public' and tablename not like 'kysely%' loop
    execute 'delete from ' || name;
  end loop;
  for name in select format('%I', sequencename) from pg_sequences where schemaname = 'public' loop perform setval(name, 1, false); end loop;
end $$`;

export async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Runs with the URL of an empty PostgreSQL database. */
export async function withPostgres<T>(run: (url: string) => Promise<T>): Promise<T> {
  port ??= text(connect(inject('postgres'))).then(Number);
  const server = await port;
  if (!Number.isInteger(server)) throw new Error('PostgreSQL did not start');
  let url = idle.pop();
  if (url === undefined) {
    const name = `test_${randomUUID().replaceAll('-', '')}`;
    await query(postgresUrl(server, 'postgres'), `create database ${name}`);
    url = postgresUrl(server, name);
  }
  try {
    return await run(url);
  } finally {
    await query(url, EMPTY);
    idle.push(url);
  }
}

const storesOf = (name: string, withDatabase: Stores['withDatabase']): Stores => ({
  name,
  withDatabase,
  withStore: (run) =>
    withDatabase(async (database) => {
      const store = await database.open();
      try {
        return await run(store, database);
      } finally {
        await store.close();
      }
    }),
});

/** The suite of the store runs on each of them: `describe.each(stores)('$name', ({ withStore }) => ...)`. */
export const stores: readonly Stores[] = [
  storesOf('SQLite', withSqlite),
  storesOf('PostgreSQL', (run) => withPostgres((url) => run({ open: () => openPostgresStore(url), run: (sql) => query(url, sql) }))),
];
