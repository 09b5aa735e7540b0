import type { Kysely } from 'kysely';
import { limits } from '../../shared/limits.ts';
import type { OwnerId } from '../../shared/model.ts';
import type { IdempotentRequestsTable, Tables } from './schema.ts';
import { inTransaction } from './transaction.ts';

type Db = Kysely<Tables>;

/** A request with an idempotency key, by which it is known when it comes again. */
export interface Claim {
  readonly owner: OwnerId;
  /** Method and pattern, such as `POST /api/jobs`. */
  readonly route: string;
  /** SHA-256 of the key. */
  readonly keyHash: Uint8Array;
  /** SHA-256 of what was asked for. */
  readonly fingerprint: Uint8Array;
  readonly atMs: number;
}

export interface KnownRequest {
  readonly fingerprint: Uint8Array;
  /** Id of what the request made, in the transaction that made it. */
  readonly made: string | null;
  /** Null when the process ended between making it and keeping the answer. */
  readonly answer: Uint8Array | null;
}

export interface IdempotencyStore {
  /** What is known of it, if that is not older than `limits.idempotencyMsMax`. */
  find(claim: Omit<Claim, 'fingerprint'>): Promise<KnownRequest | undefined>;
  /** Keeps its answer, and forgets what has become too old. */
  keepAnswer(claim: Claim, answer: Uint8Array): Promise<void>;
}

const rowOf = ({ owner, route, keyHash, fingerprint, atMs }: Claim, more: Pick<IdempotentRequestsTable, 'made' | 'answer'>): IdempotentRequestsTable => ({
  owner,
  route,
  key_hash: keyHash,
  fingerprint,
  at_ms: atMs,
  ...more,
});

/** Raised when the request was made elsewhere at the same time. Nothing of the transaction was kept. */
export class RequestRepeated extends Error {
  override readonly name = 'RequestRepeated';
}

/**
 * Inside the transaction that makes something: the request is known by it from then on, whatever becomes of its answer. Throws `RequestRepeated`
 * when another transaction was first: two coordinators may have the same request.
 */
export async function writeMade(trx: Db, claim: Claim, made: string): Promise<void> {
  const row = rowOf(claim, { made, answer: null });
  const isTooOld = (column: 'idempotent_requests.at_ms') => [column, '<=', claim.atMs - limits.idempotencyMsMax] as const;
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('idempotent_requests')
    .values(row)
    .onConflict((conflict) =>
      conflict
        .columns(['owner', 'route', 'key_hash'])
        .doUpdateSet(row)
        .where(...isTooOld('idempotent_requests.at_ms')),
    )
    .executeTakeFirstOrThrow();
  if (numInsertedOrUpdatedRows !== 1n) throw new RequestRepeated();
}

/** Inside the caller's transaction: what a device has asked for is its wallet's. */
export async function moveIdempotentRequests(trx: Db, from: OwnerId, to: OwnerId): Promise<void> {
  await trx
    .deleteFrom('idempotent_requests')
    .where('owner', '=', from)
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('idempotent_requests as known')
          .select('known.route')
          .where('known.owner', '=', to)
          .whereRef('known.route', '=', 'idempotent_requests.route')
          .whereRef('known.key_hash', '=', 'idempotent_requests.key_hash'),
      ),
    )
    .execute();
  await trx.updateTable('idempotent_requests').set({ owner: to }).where('owner', '=', from).execute();
}

export class SqlIdempotency implements IdempotencyStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async find({ owner, route, keyHash, atMs }: Omit<Claim, 'fingerprint'>): Promise<KnownRequest | undefined> {
    return this.#db
      .selectFrom('idempotent_requests')
      .select(['fingerprint', 'made', 'answer'])
      .where('owner', '=', owner)
      .where('route', '=', route)
      .where('key_hash', '=', keyHash)
      .where('at_ms', '>', atMs - limits.idempotencyMsMax)
      .executeTakeFirst();
  }

  async keepAnswer(claim: Claim, answer: Uint8Array): Promise<void> {
    await inTransaction(this.#db, async (trx) => {
      await trx
        .deleteFrom('idempotent_requests')
        .where('at_ms', '<=', claim.atMs - limits.idempotencyMsMax)
        .execute();
      await trx
        .insertInto('idempotent_requests')
        .values(rowOf(claim, { made: null, answer }))
        .onConflict((conflict) => conflict.columns(['owner', 'route', 'key_hash']).doUpdateSet({ fingerprint: claim.fingerprint, answer }))
        .execute();
    });
  }
}
