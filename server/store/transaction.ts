import { setTimeout as wait } from 'node:timers/promises';
import type { Kysely, Transaction } from 'kysely';

/** A transaction that the database has given up for another one is begun again, as a whole, this often in all. */
const ATTEMPTS_MAX = 8;
/** Up to this long after the first attempt, twice as long after each further one. */
const WAIT_MS_MAX = 8;

/** Serialisation failure and deadlock of PostgreSQL (appendix A of its manual): nothing was kept, and the same again may succeed. */
const again: ReadonlySet<unknown> = new Set(['40001', '40P01']);

/**
 * All or nothing. `run` may be called several times and changes nothing but the database. A commit whose answer is lost with its connection is
 * an error like any other: it may have been kept.
 */
export async function inTransaction<Schema, T>(db: Kysely<Schema>, run: (trx: Transaction<Schema>) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction().execute(run);
    } catch (error) {
      if (attempt >= ATTEMPTS_MAX || !again.has((error as { code?: unknown }).code)) throw error;
      await wait(Math.random() * WAIT_MS_MAX * 2 ** (attempt - 1));
    }
  }
}

/** Everything that `run` reads is of one moment. It writes nothing. */
export const inSnapshot = <Schema, T>(db: Kysely<Schema>, run: (trx: Transaction<Schema>) => Promise<T>): Promise<T> =>
  db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(run);
