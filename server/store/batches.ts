import { type CompiledQuery, type Kysely, type RawBuilder, sql } from 'kysely';
import { EachRow, isPostgres } from './dialect.ts';
import type { Tables } from './schema.ts';

type Db = Kysely<Tables>;

/**
 * Rows in one go. Lists in SQLite's queries are a text of its own for every length, which is soon prepared; PostgreSQL has one text for all, and each
 * statement costs a round trip.
 */
const ROWS_MAX = { sqlite: 64, postgres: 1000 };

/** Hands out the items in order, in batches that fit one statement. */
export async function inBatches<Item>(db: Db, items: readonly Item[], write: (batch: readonly Item[]) => Promise<void>): Promise<void> {
  const rows = isPostgres(db) ? ROWS_MAX.postgres : ROWS_MAX.sqlite;
  for (let start = 0; start < items.length; start += rows) await write(items.slice(start, start + rows));
}

/** PostgreSQL takes a list as one value, and rows as a list for each column: one text for any number of them. */
const ANY = -1;

/** Runs rows through a statement, and answers how many it changed. Their columns are the keys of the first one; all come from one object literal. */
type Bulk<Row> = (db: Db, rows: readonly Row[]) => Promise<number>;

/** The two ways to say a statement, whose text is built once, because that takes longer than running it. */
interface Texts {
  /** For one row: SQLite runs it for each, which takes two thirds of the time of one statement over many. */
  each(names: readonly string[]): RawBuilder<unknown>;
  /** Over `given`, a list of rows. */
  all(names: readonly string[], given: RawBuilder<unknown>): RawBuilder<unknown>;
  /** Values of a row in the order in which `each` has them. */
  readonly order?: (values: unknown[]) => unknown[];
}

function bulk<Row extends object>(table: keyof Tables, { each, all, order = (values) => values }: Texts): Bulk<Row> {
  let one: CompiledQuery | undefined;
  let lists: CompiledQuery | undefined;
  return async (db, rows) => {
    const [first] = rows;
    if (!first) return 0;
    const names = Object.keys(first);
    const values = rows.map((row) => Object.values(row) as unknown[]);
    const isLists = isPostgres(db);
    if (isLists) lists ??= all(names, await unnested(db, table, names)).compile(db);
    else one ??= each(names).compile(db);
    const query = (isLists ? lists : one)!;
    const parameters = isLists ? names.map((_, column) => arrayText(values, column)) : [new EachRow(values.map(order))];
    const width = isLists ? parameters.length : names.length;
    if (width !== query.parameters.length) throw new Error(`a statement of ${query.parameters.length} values was given ${width}`);
    const { numAffectedRows } = await db.executeQuery({ ...query, parameters });
    return Number(numAffectedRows ?? 0);
  };
}

const columnsOf = (names: readonly string[]): RawBuilder<unknown> => sql.join(names.map((name) => sql.id(name)));
const placesOf = (names: readonly string[]): RawBuilder<unknown> => sql.join(names.map(() => sql.val(null)));
const givenOf = (names: readonly string[], source: RawBuilder<unknown>): RawBuilder<unknown> => sql`with given (${columnsOf(names)}) as (${source})`;

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
export const bulkInsert = <Row extends object>(table: keyof Tables, conflict: RawBuilder<unknown> = sql``): Bulk<Row> =>
  bulk(table, {
    each: (names) => sql`insert into ${sql.table(table)} (${columnsOf(names)}) values (${placesOf(names)}) ${conflict}`,
    all: (names, given) =>
      sql`${givenOf(names, given)} insert into ${sql.table(table)} (${columnsOf(names)}) select ${columnsOf(names)} from given ${conflict}`,
  });

/** Sets the columns of the rows whose `id`, their first key, is given. */
export const bulkUpdate = <Row extends { readonly id: string }>(table: keyof Tables): Bulk<Row> => {
  const changes = (names: readonly string[], value: (name: string) => RawBuilder<unknown>) =>
    sql.join(names.slice(1).map((name) => sql`${sql.id(name)} = ${value(name)}`));
  return bulk(table, {
    each: (names) => sql`update ${sql.table(table)} set ${changes(names, () => sql`${sql.val(null)}`)} where id = ${sql.val(null)}`,
    all: (names, given) =>
      sql`${givenOf(names, given)} update ${sql.table(table)} set ${changes(names, (name) => sql`${sql.ref(`given.${name}`)}`)} from given where ${sql.ref(`${table}.id`)} = given.id`,
    order: ([id, ...values]) => [...values, id],
  });
};

/** Removes the rows whose `id` is given. */
export const bulkDelete = (table: keyof Tables): Bulk<{ readonly id: string }> =>
  bulk(table, {
    each: () => sql`delete from ${sql.table(table)} where id = ${sql.val(null)}`,
    all: (names, given) => sql`${givenOf(names, given)} delete from ${sql.table(table)} where id in (select id from given)`,
  });

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
