import { type Kysely, type Selectable, sql } from 'kysely';
import type { MicroCredits } from '../../shared/credits.ts';
import type { OwnerId } from '../../shared/model.ts';
import type { Order } from '../settle/order.ts';
import { exclusively } from './dialect.ts';
import { type Claim, writeMade } from './idempotency.ts';
import type { Transfer } from './ledger-store.ts';
import type { WithdrawalsTable } from './money-schema.ts';
import { postTransfers } from './postings.ts';
import type { Tables } from './schema.ts';
import { inTransaction } from './transaction.ts';

type Db = Kysely<Tables>;

/** asked -> pending -> paid or failed; asked -> refused. */
export interface StoredWithdrawal {
  readonly id: string;
  readonly owner: OwnerId;
  readonly state: 'asked' | 'refused' | 'pending' | 'paid' | 'failed';
  readonly microCredits: MicroCredits;
  readonly order: Order;
  /** The session that asked: no other one may answer. */
  readonly sessionHash: Uint8Array;
  /** The wallet's, once it is pending. */
  readonly signature: string | null;
  readonly transaction: string | null;
  readonly paidTokens: bigint | null;
  readonly reason: string | null;
  readonly createdMs: number;
  /** Until when it may be signed. */
  readonly expiresMs: number;
  readonly endedMs: number | null;
}

/** What a wallet had earned and spent in all; the salt is base64url. */
export type Leaf = readonly [wallet: string, credits: string, debits: string, salt: string];
/** Of a wallet whose owner has had his data deleted: its hash alone (base64url), which the proofs of all others need. */
export type SealedLeaf = readonly [hash: string];

export interface Epoch {
  readonly number: number;
  /** Base64url. */
  readonly root: string;
  readonly leaves: readonly (Leaf | SealedLeaf)[];
  readonly atMs: number;
  /** Transactions that carry it. */
  readonly transactions: readonly string[];
}

/** How a withdrawal ended: with the transfers that say so in the books. */
export interface WithdrawalEnd {
  readonly id: string;
  readonly state: 'paid' | 'failed';
  readonly transaction: string | null;
  readonly epoch: number | null;
  readonly paidTokens: bigint | null;
  readonly reason: string | null;
  readonly atMs: number;
  readonly transfers: readonly Transfer[];
}

export interface MoneyStore {
  /** Makes one that waits for its signature. False when this owner has `openMax` that wait for anything. */
  ask(withdrawal: StoredWithdrawal, openMax: number, claim: Claim | null): Promise<boolean>;
  withdrawal(id: string): Promise<StoredWithdrawal | undefined>;
  /** Newest first. */
  withdrawalsOf(owner: OwnerId, limit: number): Promise<StoredWithdrawal[]>;
  /** Takes the one chance to sign it: it is refused from here on, until `confirm`. Undefined when it does not wait for that. */
  takeAsked(id: string, owner: OwnerId): Promise<StoredWithdrawal | undefined>;
  /** It was signed: holds its amount, in one transaction. Throws `InsufficientCredits`; then it stays refused. */
  confirm(id: string, signature: string, hold: Transfer): Promise<void>;
  /** Those that are signed and not paid, oldest first. */
  pending(limit: number): Promise<StoredWithdrawal[]>;
  /** Ends one that is pending, with its transfers, in one transaction. One that ended before, the same way, is left as it is. */
  end(end: WithdrawalEnd): Promise<void>;
  /** Refuses what was not signed in time. */
  expire(nowMs: number): Promise<void>;
  /** Posts the transfers of deposits; known ones are ignored. */
  post(transfers: readonly Transfer[]): Promise<void>;
  /** Of all wallets, by address: micro-credits that were ever posted to what they earned, and from it. */
  earnings(): Promise<{ readonly wallet: string; readonly credits: bigint; readonly debits: bigint }[]>;
  addEpoch(epoch: Omit<Epoch, 'transactions'>, kept: number): Promise<void>;
  newestEpoch(): Promise<Epoch | undefined>;
  /** The newest one that a transaction carries. */
  carriedEpoch(): Promise<Epoch | undefined>;
}

const bigints = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value);

function orderOf(json: string): Order {
  const order = JSON.parse(json) as Omit<Order, 'tokens' | 'openingTokens'> & { tokens: string; openingTokens: string };
  return { ...order, tokens: BigInt(order.tokens), openingTokens: BigInt(order.openingTokens) };
}

const withdrawalOf = (row: Selectable<WithdrawalsTable>): StoredWithdrawal => ({
  id: row.id,
  owner: row.owner,
  state: row.state,
  microCredits: row.amount,
  order: orderOf(row.order_json),
  sessionHash: row.session_hash,
  signature: row.signature,
  transaction: row.transaction_signature,
  paidTokens: row.paid_tokens === null ? null : BigInt(row.paid_tokens),
  reason: row.reason,
  createdMs: row.created_ms,
  expiresMs: row.expires_ms,
  endedMs: row.ended_ms,
});

/** What a withdrawal is until its wallet has signed, in time and as asked. */
const UNSIGNED = 'It was not signed by its wallet, or not in time.';

/** Notes that this transaction carries the epoch, if that is still kept. */
async function carryEpoch(trx: Db, epoch: number, signature: string): Promise<void> {
  const known = await trx.selectFrom('epochs').select('number').where('number', '=', epoch).forKeyShare().executeTakeFirst();
  if (!known) return;
  await trx
    .insertInto('epoch_transactions')
    .values({ epoch, signature })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

export class SqlMoney implements MoneyStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  ask(withdrawal: StoredWithdrawal, openMax: number, claim: Claim | null): Promise<boolean> {
    return inTransaction(this.#db, async (trx) => {
      await exclusively(trx, `withdrawals of ${withdrawal.owner}`);
      const { open } = await trx
        .selectFrom('withdrawals')
        .select((eb) => eb.fn.countAll<number>().as('open'))
        .where('owner', '=', withdrawal.owner)
        .where('state', 'in', ['asked', 'pending'])
        .executeTakeFirstOrThrow();
      if (open >= openMax) return false;
      await trx
        .insertInto('withdrawals')
        .values({
          id: withdrawal.id,
          owner: withdrawal.owner,
          state: 'asked',
          amount: withdrawal.microCredits,
          order_json: JSON.stringify(withdrawal.order, bigints),
          session_hash: withdrawal.sessionHash,
          created_ms: withdrawal.createdMs,
          expires_ms: withdrawal.expiresMs,
        })
        .execute();
      if (claim) await writeMade(trx, claim, withdrawal.id);
      return true;
    });
  }

  async withdrawal(id: string): Promise<StoredWithdrawal | undefined> {
    const row = await this.#db.selectFrom('withdrawals').selectAll().where('id', '=', id).executeTakeFirst();
    return row && withdrawalOf(row);
  }

  async withdrawalsOf(owner: OwnerId, limit: number): Promise<StoredWithdrawal[]> {
    const rows = await this.#db.selectFrom('withdrawals').selectAll().where('owner', '=', owner).orderBy('seq', 'desc').limit(limit).execute();
    return rows.map(withdrawalOf);
  }

  async takeAsked(id: string, owner: OwnerId): Promise<StoredWithdrawal | undefined> {
    const row = await this.#db
      .updateTable('withdrawals')
      .set({ state: 'refused', reason: UNSIGNED })
      .where('id', '=', id)
      .where('owner', '=', owner)
      .where('state', '=', 'asked')
      .returningAll()
      .executeTakeFirst();
    return row && withdrawalOf(row);
  }

  confirm(id: string, signature: string, hold: Transfer): Promise<void> {
    return inTransaction(this.#db, async (trx) => {
      const { numUpdatedRows } = await trx
        .updateTable('withdrawals')
        .set({ state: 'pending', signature, reason: null })
        .where('id', '=', id)
        .where('state', '=', 'refused')
        .where('signature', 'is', null)
        .executeTakeFirstOrThrow();
      if (numUpdatedRows !== 1n) throw new Error(`withdrawal ${id} was confirmed before`);
      await postTransfers(trx, [hold]);
    });
  }

  async pending(limit: number): Promise<StoredWithdrawal[]> {
    const rows = await this.#db.selectFrom('withdrawals').selectAll().where('state', '=', 'pending').orderBy('seq').limit(limit).execute();
    return rows.map(withdrawalOf);
  }

  end({ id, state, transaction, epoch, paidTokens, reason, atMs, transfers }: WithdrawalEnd): Promise<void> {
    return inTransaction(this.#db, async (trx) => {
      await trx
        .updateTable('withdrawals')
        .set({ state, transaction_signature: transaction, paid_tokens: paidTokens?.toString() ?? null, reason, ended_ms: atMs })
        .where('id', '=', id)
        .where('state', '=', 'pending')
        .execute();
      if (epoch !== null && transaction !== null) await carryEpoch(trx, epoch, transaction);
      await postTransfers(trx, transfers);
    });
  }

  async expire(nowMs: number): Promise<void> {
    await this.#db
      .updateTable('withdrawals')
      .set({ state: 'refused', reason: UNSIGNED, ended_ms: nowMs })
      .where('state', '=', 'asked')
      .where('expires_ms', '<=', nowMs)
      .execute();
  }

  async post(transfers: readonly Transfer[]): Promise<void> {
    await inTransaction(this.#db, (trx) => postTransfers(trx, transfers));
  }

  async earnings(): Promise<{ wallet: string; credits: bigint; debits: bigint }[]> {
    const rows = await this.#db
      .selectFrom('accounts')
      .selectAll()
      .where('unit', '=', 'credit')
      .where(sql<boolean>`id like 'wallet:%/earned'`)
      .orderBy('id')
      .execute();
    return rows.map(({ id, credits_posted: credits, debits_posted: debits }) => ({ wallet: id.slice('wallet:'.length, -'/earned'.length), credits, debits }));
  }

  async addEpoch({ number, root, leaves, atMs }: Omit<Epoch, 'transactions'>, kept: number): Promise<void> {
    await inTransaction(this.#db, async (trx) => {
      await trx
        .insertInto('epochs')
        .values({ number, root, leaves_json: JSON.stringify(leaves), at_ms: atMs })
        .execute();
      await trx
        .deleteFrom('epochs')
        .where('number', '<=', number - kept)
        .execute();
    });
  }

  newestEpoch(): Promise<Epoch | undefined> {
    return this.#epoch(sql`select number from epochs order by number desc limit 1`);
  }

  carriedEpoch(): Promise<Epoch | undefined> {
    return this.#epoch(sql`select epoch from epoch_transactions order by epoch desc limit 1`);
  }

  async #epoch(number: ReturnType<typeof sql>): Promise<Epoch | undefined> {
    const row = await this.#db.selectFrom('epochs').selectAll().where(sql<boolean>`number = (${number})`).executeTakeFirst();
    if (!row) return undefined;
    const carried = await this.#db.selectFrom('epoch_transactions').select('signature').where('epoch', '=', row.number).execute();
    return {
      number: row.number,
      root: row.root,
      leaves: JSON.parse(row.leaves_json) as Epoch['leaves'],
      atMs: row.at_ms,
      transactions: carried.map(({ signature }) => signature),
    };
  }
}
