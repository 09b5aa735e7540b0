import { open } from 'node:fs/promises';
import Database from 'better-sqlite3';
import {
  CompiledQuery,
  type DatabaseConnection,
  type DialectAdapter,
  type Driver,
  type QueryCompiler,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  SqliteDriver,
  SqliteQueryCompiler,
  type SqliteStatement,
} from 'kysely';
import { EachRow, integerOf } from './dialect.ts';

/** How SQLite is opened and spoken to. `postgres-dialect.ts` does the same for PostgreSQL; the queries beside them are the same for both. */

/** Kept prepared statements; queries differ by the number of rows in a batch, so there are a few hundred at most. */
const STATEMENTS_MAX = 1000;

/**
 * Opens the file for this process alone: WAL, every commit on disk before it is acknowledged. The lock is the operating
 * system's, so it ends with the process however that ends. Throws when another process has the file open.
 */
export function openDatabaseFile(path: string, folder: string): Database.Database {
  const database = new Database(path, { timeout: 0 });
  try {
    database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    // What is deleted is overwritten. The pages are written anyway: no completion is slower (coordinator.bench.ts), a pack of results by 5 %.
    database.pragma('secure_delete = ON');
    database.pragma('cache_size = -131072');
    // Everybody waits for a checkpoint: one of 8192 pages takes 250 ms here, half of them to have the file on the disk, one of 1000 takes 25.
    database.pragma('wal_autocheckpoint = 1000');
    // Exclusive locking takes its lock with the first access, not with the pragma.
    database.exec('BEGIN EXCLUSIVE; COMMIT');
    database.defaultSafeIntegers(true);
    return database;
  } catch (error) {
    database.close();
    const busy = error instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(error.code);
    throw busy ? new Error(`${folder} is in use by another coordinator. Stop that one first, or set DATA_DIR to another folder.`, { cause: error }) : error;
  }
}

/** Bytes are a Uint8Array, whatever the database. */
function readable(row: unknown): unknown {
  const columns = row as Record<string, unknown>;
  for (const name in columns) {
    const value = columns[name];
    if (typeof value === 'bigint') columns[name] = integerOf(name, value);
    else if (Buffer.isBuffer(value)) columns[name] = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  return columns;
}

/** A copy of one moment, on disk when this resolves. What this connection writes meanwhile is in it too, and goes on between its steps. */
export async function copyDatabase(database: Database.Database, path: string): Promise<void> {
  await database.backup(path);
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** better-sqlite3 as Kysely wants it, with statements prepared once. */
export class PreparedDatabase implements SqliteDatabase {
  readonly #database: Database.Database;
  readonly #statements = new Map<string, SqliteStatement>();

  constructor(database: Database.Database) {
    this.#database = database;
  }

  prepare(text: string): SqliteStatement {
    const known = this.#statements.get(text);
    if (known) return known;
    const statement = this.#database.prepare<unknown[]>(text);
    const prepared: SqliteStatement = {
      reader: statement.reader,
      all: (parameters) => statement.all(...parameters).map(readable),
      run: (parameters) => (parameters[0] instanceof EachRow ? runEach(statement, parameters[0].rows) : statement.run(...parameters)),
      iterate: () => {
        throw new Error('a streamed query would hold the only connection');
      },
    };
    if (this.#statements.size >= STATEMENTS_MAX) this.#statements.clear();
    this.#statements.set(text, prepared);
    return prepared;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }
}

function runEach(statement: Database.Statement<unknown[]>, rows: readonly (readonly unknown[])[]): { changes: number; lastInsertRowid: bigint } {
  let changes = 0;
  for (const row of rows) changes += Number(statement.run(row as unknown[]).changes);
  return { changes, lastInsertRowid: 0n };
}

class ImmediateDriver extends SqliteDriver {
  /** A transaction that takes the write lock first cannot fail half-way for want of it. */
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }
}

class TransactionalAdapter extends SqliteAdapter {
  /** SQLite's DDL is transactional: an interrupted migration leaves nothing behind. Kysely says otherwise to stay careful. */
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** One transaction runs at a time: there is nothing to lock a row against. */
class LockFreeCompiler extends SqliteQueryCompiler {
  protected override visitSelectModifier(): void {}
}

export class EmbeddedDialect extends SqliteDialect {
  readonly #database: SqliteDatabase;

  constructor(database: Database.Database) {
    const prepared = new PreparedDatabase(database);
    super({ database: prepared });
    this.#database = prepared;
  }

  override createDriver(): Driver {
    return new ImmediateDriver({ database: this.#database });
  }

  override createAdapter(): DialectAdapter {
    return new TransactionalAdapter();
  }

  override createQueryCompiler(): QueryCompiler {
    return new LockFreeCompiler();
  }
}
