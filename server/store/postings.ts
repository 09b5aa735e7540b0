import { type Insertable, type Kysely, type Selectable, sql } from 'kysely';
import type { LedgerUnit } from '../../shared/model.ts';
import { isGone } from '../core/ledger.ts';
import { bulkInsert, inBatches, queryOf, replacing } from './batches.ts';
import { anyOf, exclusively } from './dialect.ts';
import type { AccountsTable, Tables, TransfersTable } from './schema.ts';
import { type AccountId, AlreadyEnded, InsufficientCredits, type Transfer } from './store.ts';

type Db = Kysely<Tables>;

/*
 * The writing half of the ledger, after TigerBeetle (docs.tigerbeetle.com, "Two-phase transfers"): an account has four sums that only grow with
 * what is posted, and what is pending reserves. Whether an account covers a debit is looked at in the transaction that writes it.
 */

/** Only these may owe: they issue credits, or stand for the world outside. The table has the same list as a constraint. */
const issuers: ReadonlySet<AccountId> = new Set<AccountId>(['operator/issuance', 'operator/exchange', 'chain/outside', 'chain/hot']);
export const mayBeNegative = (account: AccountId): boolean => issuers.has(account);

/** Sums of accounts stay within a database's 64-bit integers whatever is posted: sixteen million transfers of this size would be needed. */
export const AMOUNT_MAX = 2n ** 56n;
/** Entries by account are written in steps of so many transfers: one by one they would dirty a page for each, and take longer than the transfers. */
const INDEXED_TOGETHER = 4096;
export const INDEXED = 'account entries';

export const transferOf = (row: Selectable<TransfersTable>): Transfer => ({
  id: row.id,
  unit: row.unit,
  debit: row.debit,
  credit: row.credit,
  microCredits: row.amount,
  ...(row.phase === 'single' ? {} : { phase: row.phase }),
  ...(row.pending === null ? {} : { pending: row.pending }),
  kind: row.kind,
  job: row.job,
  at: row.pass === null || row.tile === null ? null : { pass: row.pass, tile: row.tile },
  atMs: row.at_ms,
});

/** What a transfer moves. Its time is left out: the same transfer built again after a restart is later, and still the same. */
const contentOf = ({ unit, debit, credit, microCredits, phase, pending, kind, job, at }: Transfer): string =>
  JSON.stringify([unit, debit, credit, microCredits.toString(), phase, pending, kind, job, at?.pass, at?.tile]);

/** A transfer as it was posted, with accounts of people who are gone by the names that they had: it is told again by whoever did not hear of that. */
const withNamesOf = ({ debit, credit }: Transfer, before: Transfer): Transfer => ({
  ...before,
  ...(isGone(before.debit) ? { debit } : {}),
  ...(isGone(before.credit) ? { credit } : {}),
});

/**
 * One transaction at a time posts, from here to its end: two that read an account's sums would each write their own, and whoever reads transfers
 * by their running number (statements, entries by account, the audit of the books) must not meet a number below the last one later. Transactions
 * do all else first, so they hold it for a moment. On PostgreSQL, one writer of a ledger is faster than several anyway.
 */
export const lockLedger = (trx: Db): Promise<void> => exclusively(trx, 'ledger');

/**
 * Posts transfers in order, inside the caller's transaction. A transfer whose id is known is ignored if it is the same one.
 * To be the last thing that a transaction does, see `lockLedger`. Throws `InsufficientCredits` when an account would fall below zero, `AlreadyEnded` on a second end of a pending transfer, `RangeError` on an
 * amount that is not from 1 to 2^56, and on an id used for another transfer.
 */
export async function postTransfers(trx: Db, transfers: readonly Transfer[]): Promise<void> {
  if (transfers.length === 0) return;
  await lockLedger(trx);
  await inBatches(trx, transfers, (batch) => postBatch(trx, batch));
  await indexEntries(trx);
}

async function postBatch(trx: Db, batch: readonly Transfer[]): Promise<void> {
  const { fresh, pending } = await unposted(trx, batch);
  if (fresh.length === 0) return;
  const accounts = await apply(trx, fresh, pending);
  // Accounts first: a transfer refers to both of its own.
  await upsertAccounts(trx, accounts);
  await insertTransfers(trx, fresh.map(transferRow));
}

const selectTransfers = queryOf((db, ids) =>
  db
    .selectFrom('transfers')
    .selectAll()
    .where(sql<boolean>`id ${anyOf(db, ids)}`),
);
const selectAccounts = queryOf((db, ids) =>
  db
    .selectFrom('accounts')
    .selectAll()
    .where(sql<boolean>`id ${anyOf(db, ids)}`),
);

const SUMS = ['debits_posted', 'credits_posted', 'debits_pending', 'credits_pending'] as const;

const upsertAccounts = bulkInsert<AccountsTable>('accounts', replacing(['id', 'unit'], SUMS));
const insertTransfers = bulkInsert<Insertable<TransfersTable>>('transfers');

const transferRow = ({ id, unit, debit, credit, microCredits, phase, pending, kind, job, at, atMs }: Transfer): Insertable<TransfersTable> => ({
  id,
  unit,
  debit,
  credit,
  amount: microCredits,
  phase: phase ?? 'single',
  pending: pending ?? null,
  kind,
  job,
  pass: at?.pass ?? null,
  tile: at?.tile ?? null,
  at_ms: atMs,
});

/** Drops what was posted before. Answers also with the pending transfers that the rest ends, those of the batch itself among them. */
async function unposted(trx: Db, batch: readonly Transfer[]): Promise<{ fresh: Transfer[]; pending: ReadonlyMap<string, Transfer> }> {
  const ends = batch.flatMap(({ pending }) => pending ?? []);
  const ids = [...batch.map(({ id }) => id), ...ends];
  const rows = (await selectTransfers(trx, ids)).map(transferOf);
  const known = new Map(rows.map((row) => [row.id, row]));
  const fresh: Transfer[] = [];
  for (const transfer of batch) {
    const before = known.get(transfer.id);
    if (!before) fresh.push(transfer);
    else if (contentOf(withNamesOf(transfer, before)) !== contentOf(transfer)) throw new Error(`transfer ${transfer.id} was posted before with other content`);
    known.set(transfer.id, transfer);
  }
  if (ends.length > 0) await refuseEnded(trx, fresh);
  return { fresh, pending: known };
}

const selectEnds = queryOf((db, ids) =>
  db
    .selectFrom('transfers')
    .select('pending')
    .where(sql<boolean>`pending ${anyOf(db, ids)}`),
);

async function refuseEnded(trx: Db, fresh: readonly Transfer[]): Promise<void> {
  const ends = fresh.flatMap(({ pending }) => pending ?? []);
  const twice = ends.find((id, index) => ends.indexOf(id) !== index);
  const [row] = await selectEnds(trx, ends);
  const ended = twice ?? row?.pending;
  if (ended !== undefined && ended !== null) throw new AlreadyEnded(ended);
}

/** The new sums of all accounts that the transfers touch. */
async function apply(trx: Db, transfers: readonly Transfer[], pending: ReadonlyMap<string, Transfer>): Promise<AccountsTable[]> {
  const keyOf = (id: AccountId, unit: LedgerUnit): string => `${id} ${unit}`;
  const accounts = new Map<string, AccountsTable>();
  for (const { unit, debit, credit } of transfers) for (const id of [debit, credit]) accounts.set(keyOf(id, unit), emptyAccount(id, unit));
  const ids = [...new Set([...accounts.values()].map(({ id }) => id))];
  for (const row of await selectAccounts(trx, ids)) {
    const account = accounts.get(keyOf(row.id, row.unit));
    if (account) Object.assign(account, row);
  }
  for (const transfer of transfers) {
    const debit = accounts.get(keyOf(transfer.debit, transfer.unit));
    const credit = accounts.get(keyOf(transfer.credit, transfer.unit));
    if (!debit || !credit) throw new Error(`an account of ${transfer.id} was not read`);
    move(transfer, debit, credit, pending);
  }
  return [...accounts.values()];
}

const emptyAccount = (id: AccountId, unit: LedgerUnit): AccountsTable => ({
  id,
  unit,
  debits_posted: 0n,
  credits_posted: 0n,
  debits_pending: 0n,
  credits_pending: 0n,
});

/** What may still be taken from an account. */
export const available = ({ credits_posted: credits, debits_posted: posted, debits_pending: pending }: AccountsTable): bigint => credits - posted - pending;

function move(transfer: Transfer, debit: AccountsTable, credit: AccountsTable, pending: ReadonlyMap<string, Transfer>): void {
  const { id, microCredits: amount, phase } = transfer;
  if (amount <= 0n || amount > AMOUNT_MAX) throw new RangeError(`transfer ${id} moves ${amount} micro-credits; allowed are 1 to ${AMOUNT_MAX}`);
  const ends = phase === 'post' || phase === 'void';
  if (ends) {
    refuseOtherEnd(transfer, pending);
    debit.debits_pending -= amount;
    credit.credits_pending -= amount;
  } else if (available(debit) < amount && !mayBeNegative(debit.id)) throw new InsufficientCredits(amount, available(debit));
  if (phase === 'pending') {
    debit.debits_pending += amount;
    credit.credits_pending += amount;
  } else if (phase !== 'void') {
    debit.debits_posted += amount;
    credit.credits_posted += amount;
  }
}

/** An end is of all that is pending, between the same accounts. */
function refuseOtherEnd(end: Transfer, all: ReadonlyMap<string, Transfer>): void {
  const begun = all.get(end.pending ?? '');
  if (begun?.phase !== 'pending') throw new Error(`transfer ${end.id} ends ${end.pending}, which is not pending`);
  for (const field of ['unit', 'debit', 'credit', 'microCredits'] as const)
    if (begun[field] !== end[field]) throw new Error(`transfer ${end.id} ends ${begun.id} with another ${field}: ${end[field]}, not ${begun[field]}`);
}

/** Writes entries by account once enough transfers have none; `tail` tells from where on. */
async function indexEntries(trx: Db): Promise<void> {
  const { rows } = await sql<{ indexed: number | null; last: number }>`
    select (select value from counters where name = ${INDEXED}) as indexed, (select max(seq) from transfers) as last`.execute(trx);
  const { indexed, last } = rows[0] ?? { indexed: null, last: 0 };
  const from = indexed ?? 0;
  if (last - from < INDEXED_TOGETHER) return;
  await sql`
    insert into account_entries (account, unit, seq)
    select account, unit, seq from (
      select debit as account, unit, seq from transfers where seq > ${from}
      union all
      select credit as account, unit, seq from transfers where seq > ${from}
    ) as sides order by account, unit, seq`.execute(trx);
  await trx
    .insertInto('counters')
    .values({ name: INDEXED, value: last })
    .onConflict((conflict) => conflict.column('name').doUpdateSet((eb) => ({ value: eb.ref('excluded.value') })))
    .execute();
}

/** Transfers behind this one have no entries by account yet. */
export async function indexedSeq(db: Db): Promise<number> {
  const row = await db.selectFrom('counters').select('value').where('name', '=', INDEXED).executeTakeFirst();
  return row?.value ?? 0;
}
