import { PostgresDialect, type PostgresPool, type PostgresPoolClient, type PostgresQueryResult } from 'kysely';
import pg from 'pg';
import { SECOND_MS } from '../../shared/limits.ts';
import { integerOf, storable } from './dialect.ts';

/** How PostgreSQL is opened and spoken to. */

/** Of one process; every one of them is a process of the server. Commits take turns, so more would wait. */
const CONNECTIONS_MAX = 10;
const CONNECT_MS_MAX = 10 * SECOND_MS;
const STATEMENT_MS_MAX = 60 * SECOND_MS;
/** For a lock, which others hold for the time of a commit. */
const LOCK_MS_MAX = 30 * SECOND_MS;
/** A process that stops in the middle of a transaction must not keep its locks from the others. */
const IDLE_IN_TRANSACTION_MS_MAX = 15 * SECOND_MS;
/** The server has said nothing at all: it is gone, or the way to it. */
const ANSWER_MS_MAX = STATEMENT_MS_MAX + 10 * SECOND_MS;
/** Statements that a connection keeps prepared; those beyond are parsed each time. */
const STATEMENTS_MAX = 500;

const { INT8, NUMERIC, BYTEA } = pg.types.builtins;
const integers: ReadonlySet<number> = new Set([INT8, NUMERIC]);

const asText = (value: string): string => value;
const asBytes = (value: string): Uint8Array => new Uint8Array(Buffer.from(value.slice('\\x'.length), 'hex'));

/** For the connections of this pool alone. Integers get their type by their column's name, once the row is read. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (type, format) => {
    if (format === 'binary') return pg.types.getTypeParser(type, format);
    if (integers.has(type)) return asText;
    return type === BYTEA ? asBytes : pg.types.getTypeParser(type, format);
  },
};

function readable({ fields, rows }: pg.QueryResult<Record<string, unknown>>): void {
  const names = fields.filter(({ dataTypeID }) => integers.has(dataTypeID)).map(({ name }) => name);
  if (names.length === 0) return;
  for (const row of rows) for (const name of names) if (row[name] !== null) row[name] = integerOf(name, row[name] as string);
}

/** Prepares statements once a connection, under names that follow from the order in which their texts were first met. */
class Statements {
  readonly #names = new Map<string, string>();

  query(text: string, values: readonly unknown[]): pg.QueryConfig {
    let name = this.#names.get(text);
    if (name === undefined && this.#names.size < STATEMENTS_MAX) {
      name = `s${this.#names.size}`;
      this.#names.set(text, name);
    }
    const kept = values.map((value) => (typeof value === 'string' ? storable(value) : value));
    return name === undefined ? { text, values: kept } : { name, text, values: kept };
  }
}

/** node-postgres as Kysely wants it. A lost connection is an error of the call that had it; the next call gets another one. */
class PreparedPool implements PostgresPool {
  readonly #pool: pg.Pool;
  readonly #statements = new Statements();
  readonly #clients = new WeakMap<pg.PoolClient, PostgresPoolClient>();

  constructor(pool: pg.Pool) {
    this.#pool = pool;
    // What waits in the pool, and what is in use between two queries: the next query tells, or the pool leaves it out.
    pool.on('error', () => undefined);
    pool.on('connect', (client) => client.on('error', () => undefined));
  }

  async connect(): Promise<PostgresPoolClient> {
    const client = await this.#pool.connect();
    const known = this.#clients.get(client);
    if (known) return known;
    const prepared: PostgresPoolClient = {
      query: async <R>(text: unknown, values?: readonly unknown[]): Promise<PostgresQueryResult<R>> => {
        if (typeof text !== 'string') throw new Error('a streamed query would hold its connection');
        // Nothing of a transaction's own has values, and is worth a name.
        const result = await client.query<Record<string, unknown>>(values?.length ? this.#statements.query(text, values) : text);
        readable(result);
        return result as unknown as PostgresQueryResult<R>;
      },
      release: (discard) => client.release(discard),
    } as PostgresPoolClient;
    this.#clients.set(client, prepared);
    return prepared;
  }

  get options(): pg.PoolOptions {
    return this.#pool.options;
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }
}

const setting = (name: string, value: string | number): string => `-c ${name}=${value}`;

/**
 * Plans are made for the tables as they are: one that was kept from when they were empty would read them from end to end. A page anywhere costs
 * what the next one does, as on every disk without an arm: with the server's default, a thousand rows found by id are such a reading, too.
 */
const session = [
  setting('plan_cache_mode', 'force_custom_plan'),
  setting('random_page_cost', 1.1),
  setting('lock_timeout', LOCK_MS_MAX),
  setting('idle_in_transaction_session_timeout', IDLE_IN_TRANSACTION_MS_MAX),
].join(' ');

/** TLS comes with the URL (`?sslmode=verify-full`), as the rest of what a connection needs. */
export function openDialect(url: string): PostgresDialect {
  const pool = new pg.Pool({
    connectionString: url,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    statement_timeout: STATEMENT_MS_MAX,
    query_timeout: ANSWER_MS_MAX,
    application_name: 'tessera',
    keepAlive: true,
    options: session,
    types,
  });
  return new PostgresDialect({ pool: new PreparedPool(pool) });
}

/** A single connection without limits of time, for what changes the schema. */
export const openMigrationDialect = (url: string): PostgresDialect =>
  new PostgresDialect({ pool: new PreparedPool(new pg.Pool({ connectionString: url, max: 1, connectionTimeoutMillis: CONNECT_MS_MAX, types })) });
