import { type CompiledQuery, type Kysely, type RawBuilder, sql } from 'kysely';
import { isPostgres } from './dialect.ts';
import type { Tables } from './schema.ts';

type Db = Kysely<Tables>;

/**
 * Rows in one statement: enough to make its cost per row small. For SQLite every number of them is a text of its own, which is soon prepared;
 * PostgreSQL has one text for all, and each statement costs a round trip.
 */
const ROWS_MAX = { sqlite: 64, postgres: 1000 };

/** Hands out the items in order, in batches that fit one statement. */
export async function inBatches<Item>(db: Db, items: readonly Item[], write: (batch: readonly Item[]) => Promise<void>): Promise<void> {
  const rows = isPostgres(db) ? ROWS_MAX.postgres : ROWS_MAX.sqlite;
  for (let start = 0; start < items.length; start += rows) await write(items.slice(start, start + rows));
}

/** PostgreSQL takes a list as one value, and rows as a list for each column: one text for any number of them. */
const ANY = -1;

/** Names of columns and the table `given`, to put into a statement. */
interface Given {
  /** All of them, with commas between. */
  readonly columns: RawBuilder<unknown>;
  /** The rows, as `with given (columns) as (...)`. */
  readonly rows: RawBuilder<unknown>;
  /** `column = given.column` for each of them but the first, which is the key. */
  readonly changes: RawBuilder<unknown>;
}

/**
 * A statement over rows, which is built once and then runs with other values, because building its text takes longer than running it. Its
 * columns are the keys of the first row; all rows come from one object literal. Answers the number of rows that it changed.
 */
export function bulk<Row extends object>(table: keyof Tables, build: (given: Given) => RawBuilder<unknown>): (db: Db, rows: readonly Row[]) => Promise<number> {
  const compiled = new Map<number, CompiledQuery>();
  return async (db, rows) => {
    const [first] = rows;
    if (!first) return 0;
    const names = Object.keys(first);
    const size = isPostgres(db) ? ANY : rows.length;
    const query = compiled.get(size) ?? build(givenOf(names, isPostgres(db) ? await unnested(db, table, names) : valued(names.length, size))).compile(db);
    compiled.set(size, query);
    const values = rows.map((row) => Object.values(row) as unknown[]);
    const parameters = size === ANY ? names.map((_, column) => arrayText(values, column)) : values.flat();
    if (parameters.length !== query.parameters.length) throw new Error(`a statement of ${query.parameters.length} values was given ${parameters.length}`);
    const { numAffectedRows } = await db.executeQuery({ ...query, parameters });
    return Number(numAffectedRows ?? 0);
  };
}

function givenOf(names: readonly string[], source: RawBuilder<unknown>): Given {
  const columns = sql.join(names.map((name) => sql.id(name)));
  const changes = sql.join(names.slice(1).map((name) => sql`${sql.id(name)} = ${sql.ref(`given.${name}`)}`));
  return { columns, rows: sql`with given (${columns}) as (${source})`, changes };
}

const valued = (columns: number, rows: number): RawBuilder<unknown> => {
  const row = sql`(${sql.join(Array.from({ length: columns }, () => sql.val(null)))})`;
  return sql`values ${sql.join(Array.from({ length: rows }, () => row))}`;
};

/** Every column as a list, of the type that it has in the table. */
async function unnested(db: Db, table: string, names: readonly string[]): Promise<RawBuilder<unknown>> {
  const { rows } = await sql<{ name: string; type: string }>`
    select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute where attrelid = ${table}::regclass and attnum > 0`.execute(db);
  const types = new Map(rows.map(({ name, type }) => [name, type]));
  const typeOf = (name: string): string => {
    const type = types.get(name);
    if (type === undefined) throw new Error(`${table} has no column ${name}`);
    return type;
  };
  return sql`select * from unnest(${sql.join(names.map((name) => sql`${sql.val(null)}::${sql.raw(typeOf(name))}[]`))})`;
}

/** A column of the rows as the text of an array of PostgreSQL. Faster than what `pg` makes of one, and than JSON is to read there. */
function arrayText(rows: readonly (readonly unknown[])[], column: number): string {
  let text = '';
  for (const row of rows) text += text === '' ? elementText(row[column]) : `,${elementText(row[column])}`;
  return `{${text}}`;
}

const QUOTED = /["\\]/;

function elementText(value: unknown): string {
  if (typeof value === 'string') return QUOTED.test(value) ? `"${value.replace(/["\\]/g, '\\$&')}"` : `"${value}"`;
  if (value === null || value === undefined) return 'NULL';
  if (value instanceof Uint8Array) return `"\\\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}"`;
  return String(value);
}

/** `insert into table ...` of the rows; `conflict` is what follows. Nothing is read from the table that is not in the text. */
export const bulkInsert = <Row extends object>(table: keyof Tables, conflict: RawBuilder<unknown> = sql``) =>
  bulk<Row>(
    table,
    // `where true` tells SQLite that `on conflict` is no part of a join.
    ({ columns, rows }) => sql`${rows} insert into ${sql.table(table)} (${columns}) select ${columns} from given where true ${conflict}`,
  );

/** Sets the columns of the rows whose `id`, their first key, is given. */
export const bulkUpdate = <Row extends { readonly id: string }>(table: keyof Tables) =>
  bulk<Row>(table, ({ rows, changes }) => sql`${rows} update ${sql.table(table)} set ${changes} from given where ${sql.ref(`${table}.id`)} = given.id`);

/** `on conflict ... do update`: what is given replaces what is there, or is added to it. */
export const replacing = (keys: readonly string[], columns: readonly string[]): RawBuilder<unknown> =>
  sql`on conflict (${sql.join(keys.map((key) => sql.id(key)))}) do update set ${sql.join(columns.map((name) => sql`${sql.id(name)} = ${sql.ref(`excluded.${name}`)}`))}`;

export const adding = (table: keyof Tables, keys: readonly string[], columns: readonly string[]): RawBuilder<unknown> =>
  sql`on conflict (${sql.join(keys.map((key) => sql.id(key)))}) do update set ${sql.join(
    columns.map((name) => sql`${sql.id(name)} = ${sql.ref(`${table}.${name}`)} + ${sql.ref(`excluded.${name}`)}`),
  )}`;

/** A query whose only values are a list, built once for PostgreSQL and once per length of it for SQLite. */
export function queryOf<Row>(
  build: (db: Db, values: readonly string[]) => { compile(): CompiledQuery<Row> },
): (db: Db, values: readonly string[]) => Promise<Row[]> {
  const compiled = new Map<number, CompiledQuery<Row>>();
  return async (db, values) => {
    const size = isPostgres(db) ? ANY : values.length;
    const query = compiled.get(size) ?? build(db, values).compile();
    compiled.set(size, query);
    return (await db.executeQuery<Row>({ ...query, parameters: size === ANY ? [values] : values })).rows;
  };
}
