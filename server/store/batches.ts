import type { Compilable, CompiledQuery, Kysely } from 'kysely';
import type { Tables } from './schema.ts';

/** Rows in one statement: enough to make its cost per row small, few enough that every size is soon prepared. */
const BATCH_ROWS_MAX = 64;

/** Hands out the items in order, in batches that fit one statement. */
export async function inBatches<Item>(items: readonly Item[], write: (batch: readonly Item[]) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += BATCH_ROWS_MAX) await write(items.slice(start, start + BATCH_ROWS_MAX));
}

/**
 * A statement that Kysely builds once per number of rows and that then runs with other values, because building its text
 * takes longer than running it. Values are bound in the order of the rows' keys, row after row: all rows come from one object
 * literal whose keys stand in the statement's order. Answers the number of rows that it changed.
 */
export function reusable<Row extends object>(
  build: (db: Kysely<Tables>, rows: readonly Row[]) => Compilable,
): (db: Kysely<Tables>, rows: readonly Row[]) => Promise<number> {
  const compiled = new Map<number, CompiledQuery>();
  return async (db, rows) => {
    const query = compiled.get(rows.length) ?? build(db, rows).compile();
    compiled.set(rows.length, query);
    const parameters = rows.flatMap((row) => Object.values(row) as unknown[]);
    if (parameters.length !== query.parameters.length) throw new Error(`a statement of ${query.parameters.length} values was given ${parameters.length}`);
    const { numAffectedRows } = await db.executeQuery({ ...query, parameters });
    return Number(numAffectedRows ?? 0);
  };
}

/** The same for a query whose only values are a list, in the order given: built once per length of it. */
export function reusableQuery<Row>(
  build: (db: Kysely<Tables>, values: readonly string[]) => Compilable<Row>,
): (db: Kysely<Tables>, values: readonly string[]) => Promise<Row[]> {
  const compiled = new Map<number, CompiledQuery<Row>>();
  return async (db, values) => {
    const query = compiled.get(values.length) ?? build(db, values).compile();
    compiled.set(values.length, query);
    if (values.length !== query.parameters.length) throw new Error(`a query of ${query.parameters.length} values was given ${values.length}`);
    return (await db.executeQuery<Row>({ ...query, parameters: values })).rows;
  };
}
