import { createHash } from 'node:crypto';
import Database from 'better-sqlite3';
import { type CompiledQuery, type DatabaseConnection, type Dialect, type Driver, Kysely, type QueryResult, SqliteAdapter } from 'kysely';
import { migrate } from '../store/migrations/migrate.ts';
import type { Tables } from '../store/schema.ts';
import { EmbeddedDialect, PreparedDatabase } from '../store/sqlite-dialect.ts';
import type { Host } from './host.testing.ts';

/** Of statements in a transaction, those whose way is as long as that of its beginning and its end. */
const SLOW_STATEMENTS = 0.1;

/** What is wrong with a database on purpose, to see that it is found. */
export interface Defect {
  /** A statement in place of the one that was asked for. */
  readonly rewrite?: (statement: string) => string;
  /** Of commits, the share that is told to be kept, and is not. */
  readonly forgets?: number;
}

/** What a PostgreSQL that is shut down tells its clients (SQLSTATE 57P01), and what its address tells them meanwhile. */
const ended = () => Object.assign(new Error('terminating connection due to administrator command'), { code: '57P01' });
const away = () => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

/**
 * One SQLite in memory that several coordinators are clients of, each by its host's line: a statement, a commit and their answers take their time on the
 * way, and whoever is killed, or thrown out by a restart, leaves no transaction behind. A commit under way then is kept or not, and nobody is told.
 * Transactions take turns, where PostgreSQL's run side by side: what only those show is left to `npm run chaos`.
 *
 * All runs have the same database: each of them is one transaction, which is taken back at its end. So statements stay prepared, and transactions of
 * the run are savepoints.
 */
export class FaultyDatabase {
  readonly #database: Database.Database;
  readonly #prepared: PreparedDatabase;
  readonly #dialect: EmbeddedDialect;
  #holder: Connection | null = null;
  #waiting: (() => void)[] = [];
  #restarts = 0;
  #isAway = false;
  readonly #defect: Defect;

  private constructor(database: Database.Database, defect: Defect) {
    this.#database = database;
    this.#defect = defect;
    this.#prepared = new PreparedDatabase(database);
    this.#dialect = new EmbeddedDialect(database);
  }

  /** Up to date and empty. Its secrets are always the same, because what is drawn depends on them; its clock is `Date`, which may be a virtual one. */
  static async open(defect: Defect = {}): Promise<FaultyDatabase> {
    const database = new Database(':memory:');
    database.pragma('foreign_keys = ON');
    database.defaultSafeIntegers(true);
    await migrate(new Kysely<Tables>({ dialect: new EmbeddedDialect(database) }));
    database.function('unixepoch', { varargs: true }, () => Date.now() / 1000);
    const keep = database.prepare('insert into secrets (name, bytes) values (?, ?) on conflict (name) do update set bytes = excluded.bytes');
    for (const name of ['draw', 'network', 'lease']) keep.run(name, createHash('sha256').update(name).digest());
    return new FaultyDatabase(database, defect);
  }

  begin(): void {
    this.#database.exec('begin');
  }

  /** Everything since `begin` is gone. */
  takeBack(): void {
    this.#holder = null;
    this.#waiting = [];
    this.#isAway = false;
    this.#database.exec('rollback');
  }

  close(): void {
    this.#database.close();
  }

  client(host: Host): Kysely<Tables> {
    return this.#kysely(() => new Connection(this, host, this.#restarts));
  }

  /** It is there, and nobody is in the middle of a transaction: what is read now was committed. */
  get isQuiet(): boolean {
    return this.#holder === null && !this.#isAway;
  }

  /** Read past all faults. */
  rows<Row>(sql: string, ...values: unknown[]): Row[] {
    return this.#prepared.prepare(sql).all(values) as Row[];
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  get restarts(): number {
    return this.#restarts;
  }

  run(query: CompiledQuery): QueryResult<never> {
    const statement = this.#prepared.prepare(this.#defect.rewrite?.(query.sql) ?? query.sql);
    if (statement.reader) return { rows: statement.all(query.parameters) as never[] };
    const { changes, lastInsertRowid } = statement.run(query.parameters);
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  }

  savepoint(statement: 'savepoint turn' | 'release turn' | 'rollback to turn'): void {
    this.#prepared.prepare(statement).run([]);
  }

  keep({ host }: Connection): void {
    if (host.chance(this.#defect.forgets ?? 0)) this.savepoint('rollback to turn');
    this.savepoint('release turn');
  }

  async take(connection: Connection): Promise<void> {
    while (this.#holder) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#holder = connection;
  }

  give(connection: Connection): void {
    if (this.#holder !== connection) return;
    this.#holder = null;
    this.#waiting.shift()?.();
  }

  /** A host is gone, or its transaction has taken too long. */
  drop(host: Host): void {
    if (this.#holder?.host === host) this.#holder.end();
  }

  /** All connections end at once. Nobody gets another one until `comeBack`. */
  goAway(): void {
    this.#restarts++;
    this.#isAway = true;
    this.#holder?.end();
  }

  comeBack(): void {
    this.#isAway = false;
  }

  #kysely(connect: () => Connection): Kysely<Tables> {
    const dialect: Dialect = {
      createDriver: () => new FaultyDriver(connect),
      createAdapter: () => new PooledAdapter(),
      createQueryCompiler: () => this.#dialect.createQueryCompiler(),
      createIntrospector: (db) => this.#dialect.createIntrospector(db),
    };
    return new Kysely<Tables>({ dialect });
  }
}

/** As a pool has: a connection that cannot be had holds up nobody else. */
class PooledAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

class Connection implements DatabaseConnection {
  readonly host: Host;
  readonly #database: FaultyDatabase;
  readonly #restarts: number;
  #state: 'idle' | 'in transaction' | 'ended' = 'idle';

  constructor(database: FaultyDatabase, host: Host, restarts: number) {
    this.#database = database;
    this.host = host;
    this.#restarts = restarts;
  }

  async connect(): Promise<void> {
    await this.host.trip();
    if (this.#database.isAway) throw away();
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    if (this.#state === 'in transaction') {
      if (this.host.chance(SLOW_STATEMENTS)) await this.#trip();
      return this.#database.run(query);
    }
    await this.#turn();
    const answer = this.#answerOf(query);
    this.#database.give(this);
    await this.#trip();
    return answer();
  }

  /** Kept until it has arrived: a refusal takes its time as well. */
  #answerOf(query: CompiledQuery): () => QueryResult<never> {
    try {
      const result = this.#database.run(query);
      return () => result;
    } catch (error) {
      return () => {
        throw error;
      };
    }
  }

  streamQuery(): never {
    throw new Error('nothing is streamed here');
  }

  async begin(): Promise<void> {
    await this.#turn();
    this.#database.savepoint('savepoint turn');
    this.#state = 'in transaction';
  }

  async commit(): Promise<void> {
    await this.#trip();
    this.#database.keep(this);
    this.#state = 'idle';
    this.#database.give(this);
    await this.#trip();
  }

  rollback(): void {
    if (this.#state === 'in transaction') this.end();
    this.#state = 'idle';
  }

  /** By the database: a transaction that is open is taken back. */
  end(): void {
    if (this.#state === 'in transaction') {
      this.#database.savepoint('rollback to turn');
      this.#database.savepoint('release turn');
    }
    this.#state = 'ended';
    this.#database.give(this);
  }

  async #turn(): Promise<void> {
    await this.#trip();
    await this.#database.take(this);
    // Killed, or thrown out, while it waited.
    if (this.host.isDead || this.#restarts !== this.#database.restarts) this.#database.give(this);
    if (this.host.isDead) await this.host.trip();
    this.#assertHere();
  }

  async #trip(): Promise<void> {
    await this.host.trip();
    this.#assertHere();
  }

  #assertHere(): void {
    if (this.#state === 'ended' || this.#restarts !== this.#database.restarts) throw ended();
  }
}

class FaultyDriver implements Driver {
  readonly #connect: () => Connection;

  constructor(connect: () => Connection) {
    this.#connect = connect;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<Connection> {
    const connection = this.#connect();
    await connection.connect();
    return connection;
  }

  beginTransaction(connection: Connection): Promise<void> {
    return connection.begin();
  }

  commitTransaction(connection: Connection): Promise<void> {
    return connection.commit();
  }

  async rollbackTransaction(connection: Connection): Promise<void> {
    connection.rollback();
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {}
}
