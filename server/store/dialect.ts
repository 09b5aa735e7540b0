import { type CreateTableBuilder, type Kysely, PostgresAdapter, type QueryExecutorProvider, sql } from 'kysely';
import { creditColumns, type Tables } from './schema.ts';

/*
 * What SQLite and PostgreSQL do not say alike, for queries and migrations. All else is one text for both. Migrations are written for SQLite;
 * `postgres-schema.ts` reads them for PostgreSQL. Locks are PostgreSQL's alone: SQLite has one writer at a time, so its dialect leaves them out.
 *
 *                  SQLite                          PostgreSQL
 *   integer        64 bits                         bigint
 *   real           double, has an infinity         double precision, too
 *   blob           blob                            bytea
 *   text           compared by its bytes           text collate "C"
 *   sequence       autoincrement                   identity, which has gaps, and is in order of commit for transfers alone (see `exclusively`)
 *   transaction    the only one that writes        read committed; what is read to be written is locked; ends again after a deadlock
 */

export const isPostgres = (db: QueryExecutorProvider): boolean => db.getExecutor().adapter instanceof PostgresAdapter;

/** In place of a statement's values, for SQLite: it runs once for each of these, and changes what all of them do. */
export class EachRow {
  readonly rows: readonly (readonly unknown[])[];

  constructor(rows: readonly (readonly unknown[])[]) {
    this.rows = rows;
  }
}

/** Column types by what they hold. */
export const columnTypes = { bytes: 'blob', credits: 'integer' } as const;

/** `seq`: ascending for ever, also after rows were removed. */
export const withSequence = <Name extends string>(table: CreateTableBuilder<Name>): CreateTableBuilder<Name, 'seq'> =>
  table.addColumn('seq', 'integer', (column) => column.primaryKey().autoIncrement());

/** Values must have their column's type. PostgreSQL knows nothing else. */
export const strictTable = sql`strict`;
/** The same for small rows, which lie in their primary key itself where the database can do that. */
export const clusteredTable = sql`strict, without rowid`;

/** The database itself refuses to change or remove a row of this table, but within `whileChangeable`. */
export async function makeAppendOnly<Schema>(db: Kysely<Schema>, table: string): Promise<void> {
  if (isPostgres(db)) {
    const message = sql.lit(`${table} is append-only`);
    await sql`create or replace function refuse_change() returns trigger language plpgsql as $$ begin raise exception '%', tg_argv[0]; end $$`.execute(db);
    const trigger = sql.id(`${table}_append_only`);
    await sql`create trigger ${trigger} before update or delete or truncate on ${sql.table(table)} for each statement execute function refuse_change(${message})`.execute(
      db,
    );
    return;
  }
  for (const action of ['update', 'delete'] as const) await refuse(db, table, action);
}

/** SQLite's half of `makeAppendOnly`. */
async function refuse<Schema>(db: Kysely<Schema>, table: string, action: 'update' | 'delete'): Promise<void> {
  const message = sql.lit(`${table} is append-only`);
  const trigger = sql.id(`${table}_no_${action}`);
  await sql`create trigger ${trigger} before ${sql.raw(action)} on ${sql.table(table)} begin select raise(abort, ${message}); end`.execute(db);
}

/**
 * Inside the caller's transaction: while `run` runs, rows of an append-only table may be changed. Others see neither that nor half of it, and when the
 * transaction fails all is as it was. For the renaming of accounts alone (`renaming.ts`), and after `lockLedger`: PostgreSQL lets nobody else write.
 */
export async function whileChangeable<Schema>(trx: Kysely<Schema>, table: string, run: () => Promise<void>): Promise<void> {
  if (isPostgres(trx)) {
    const trigger = sql.id(`${table}_append_only`);
    await sql`alter table ${sql.table(table)} disable trigger ${trigger}`.execute(trx);
    await run();
    await sql`alter table ${sql.table(table)} enable trigger ${trigger}`.execute(trx);
    return;
  }
  await sql`drop trigger ${sql.id(`${table}_no_update`)}`.execute(trx);
  await run();
  await refuse(trx, table, 'update');
}

/**
 * Outside of transactions: what was deleted is not in the log any more either. SQLite overwrites it in its pages (`secure_delete`), and keeps what they
 * were before in its log until that is written from the beginning again. PostgreSQL has no such promise: rows lie in its pages until others take their place.
 * A full disk is no error here, for nothing depends on it: a later call or the next start empties the log.
 */
export async function emptyLog(db: Kysely<Tables>): Promise<void> {
  if (isPostgres(db)) return;
  await sql`pragma wal_checkpoint(truncate)`.execute(db).catch((error: { code?: unknown }) => {
    if (error.code !== 'SQLITE_FULL') throw error;
  });
}

/**
 * Until the caller's transaction ends, no other one of this name begins what follows. For what no row stands for: how many there are of
 * something, and the order of transfers. Taken in this order, so that no two transactions wait for each other: names of owners and jobs first,
 * then rows, then `ledger`.
 */
export async function exclusively(trx: QueryExecutorProvider, name: string): Promise<void> {
  if (isPostgres(trx)) await sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`.execute(trx);
}

/** `column ${anyOf(db, values)}`: is one of them. One text for any number of them where the database has lists. */
export const anyOf = (db: QueryExecutorProvider, values: readonly string[]) => (isPostgres(db) ? sql`= any(${values}::text[])` : sql`in (${sql.join(values)})`);

/** The same for bytes. */
export const anyBytes = (db: QueryExecutorProvider, values: readonly Uint8Array[]) =>
  isPostgres(db) ? sql`= any(${values}::bytea[])` : sql`in (${sql.join(values)})`;

/** A column of bytes in hexadecimal digits. */
export const hexOf = (db: QueryExecutorProvider, column: string) =>
  isPostgres(db) ? sql<string>`encode(${sql.ref(column)}, 'hex')` : sql<string>`lower(hex(${sql.ref(column)}))`;

/** Text as PostgreSQL can keep it: without half a surrogate pair and without NUL, which it refuses, and with it the whole transaction. */
export const storable = (text: string): string => (text.isWellFormed() && !text.includes('\0') ? text : text.toWellFormed().replaceAll('\0', '\ufffd'));

/** The database's clock, in milliseconds since 1970: those of coordinators may differ, and jump. */
export const databaseNowMs = (db: QueryExecutorProvider) =>
  isPostgres(db) ? sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint` : sql<number>`cast(unixepoch('subsec') * 1000 as integer)`;

/** The one place where integers get their JavaScript type: bigint for the columns that hold credits, number for the rest. */
export function integerOf(column: string, value: bigint | string): bigint | number {
  return creditColumns.has(column) ? BigInt(value) : Number(value);
}
