import type { Kysely } from 'kysely';
import type { MicroCredits } from '../../shared/credits.ts';
import type { JobId, OwnerId, QuoteId } from '../../shared/model.ts';
import type { Finish } from '../../shared/schemas.ts';
import type { Tables } from './schema.ts';
import { inTransaction } from './transaction.ts';

type Db = Kysely<Tables>;

export interface StoredQuote {
  readonly id: QuoteId;
  readonly owner: OwnerId;
  /** SHA-256 of what was asked for. */
  readonly fingerprint: Uint8Array;
  readonly ratePerUnit: MicroCredits;
  /** The entry of the price book that the rate is from; null: quoted before there was one. */
  readonly priceVersion: number | null;
  readonly finish: Finish | null;
  readonly createdMs: number;
  readonly expiresMs: number;
}

/** Raised when a quote was used for another job. Nothing of the transaction was kept. */
export class QuoteUsed extends Error {
  override readonly name = 'QuoteUsed';
}

export interface QuoteStore {
  /** Keeps it, and forgets those whose time is over. */
  create(quote: StoredQuote, nowMs: number): Promise<void>;
  /** `usedBy`: the job that it was used for. */
  get(id: QuoteId): Promise<(StoredQuote & { readonly usedBy: JobId | null }) | undefined>;
}

/** Inside the transaction that creates the job, or two orders could use it at once. */
export async function writeUsed(trx: Db, id: QuoteId, job: JobId): Promise<void> {
  const { numUpdatedRows } = await trx.updateTable('quotes').set({ used_by: job }).where('id', '=', id).where('used_by', 'is', null).executeTakeFirstOrThrow();
  if (numUpdatedRows !== 1n) throw new QuoteUsed();
}

/** Inside the caller's transaction: quotes of a device go to its wallet. */
export async function moveQuotes(trx: Db, from: OwnerId, to: OwnerId): Promise<void> {
  await trx.updateTable('quotes').set({ owner: to }).where('owner', '=', from).execute();
}

export class SqlQuotes implements QuoteStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async create({ id, owner, fingerprint, ratePerUnit, priceVersion, finish, createdMs, expiresMs }: StoredQuote, nowMs: number): Promise<void> {
    await inTransaction(this.#db, async (trx) => {
      await trx.deleteFrom('quotes').where('expires_ms', '<=', nowMs).execute();
      const times = { created_ms: createdMs, expires_ms: expiresMs };
      const finishes = { p50_seconds: finish?.p50Seconds ?? null, p95_seconds: finish?.p95Seconds ?? null };
      await trx
        .insertInto('quotes')
        .values({ id, owner, fingerprint, rate_per_unit: ratePerUnit, price_version: priceVersion, ...finishes, ...times, used_by: null })
        .execute();
    });
  }

  async get(id: QuoteId): Promise<(StoredQuote & { usedBy: JobId | null }) | undefined> {
    const row = await this.#db.selectFrom('quotes').selectAll().where('id', '=', id).executeTakeFirst();
    if (!row) return undefined;
    const { owner, fingerprint, rate_per_unit: ratePerUnit, price_version: priceVersion, p50_seconds: p50Seconds, p95_seconds: p95Seconds } = row;
    const finish = p50Seconds === null || p95Seconds === null ? null : { p50Seconds, p95Seconds };
    return { id, owner, fingerprint, ratePerUnit, priceVersion, finish, createdMs: row.created_ms, expiresMs: row.expires_ms, usedBy: row.used_by };
  }
}
