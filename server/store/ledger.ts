import type { Insertable, Kysely, Selectable } from 'kysely';
import { sql } from 'kysely';
import type { MicroCredits } from '../../shared/credits.ts';
import { DAY_MS } from '../../shared/limits.ts';
import type { CreditUnit, OwnerId, ResultId } from '../../shared/model.ts';
import { inBatches, reusable } from './batches.ts';
import type { AccountsTable, Tables, TransfersTable } from './schema.ts';
import { type AccountId, InsufficientCredits, type LedgerStore, type StatementEntry, type Transfer } from './store.ts';

type Db = Kysely<Tables>;
type Account = Pick<AccountsTable, 'id' | 'unit'>;

/** Only these may be negative: they issue credits. */
export const mayBeNegative = (account: AccountId): boolean => account.startsWith('operator/');

const transferOf = (row: Selectable<TransfersTable>): Transfer => ({
  id: row.id,
  unit: row.unit,
  debit: row.debit,
  credit: row.credit,
  microCredits: row.micro_credits,
  kind: row.kind,
  job: row.job,
  at: row.pass === null || row.tile === null ? null : { pass: row.pass, tile: row.tile },
  atMs: row.at_ms,
});

/** What a transfer moves. Its time is left out: the same transfer built again after a restart is later, and still the same. */
const contentOf = ({ unit, debit, credit, microCredits, kind, job, at }: Transfer): string =>
  JSON.stringify([unit, debit, credit, microCredits.toString(), kind, job, at?.pass, at?.tile]);

/**
 * Posts transfers in order, inside the caller's transaction. A transfer whose id is known is ignored if it is the same one.
 * Throws `InsufficientCredits` when an account would fall below zero, and on an id used for another transfer.
 */
export async function postTransfers(trx: Db, transfers: readonly Transfer[]): Promise<void> {
  await inBatches(transfers, (batch) => postBatch(trx, batch));
}

async function postBatch(trx: Db, batch: readonly Transfer[]): Promise<void> {
  const fresh = await unposted(trx, batch);
  if (fresh.length === 0) return;
  const balances = await applyToBalances(trx, fresh);
  // Accounts first: a transfer refers to both of its own. In order of their ids, so that two writers of a larger database never deadlock.
  await upsertAccounts(trx, balances);
  await insertTransfers(trx, fresh.map(transferRow));
}

const upsertAccounts = reusable<AccountsTable>((db, rows) =>
  db
    .insertInto('accounts')
    .values(rows)
    .onConflict((conflict) => conflict.columns(['id', 'unit']).doUpdateSet({ balance: (eb) => eb.ref('excluded.balance') })),
);

const insertTransfers = reusable<Insertable<TransfersTable>>((db, rows) => db.insertInto('transfers').values(rows));

const transferRow = ({ id, unit, debit, credit, microCredits, kind, job, at, atMs }: Transfer): Insertable<TransfersTable> => ({
  id,
  unit,
  debit,
  credit,
  micro_credits: microCredits,
  kind,
  job,
  pass: at?.pass ?? null,
  tile: at?.tile ?? null,
  at_ms: atMs,
});

/** Drops what was posted before. */
async function unposted(trx: Db, batch: readonly Transfer[]): Promise<Transfer[]> {
  const ids = batch.map(({ id }) => id);
  const posted = await trx.selectFrom('transfers').selectAll().where('id', 'in', ids).execute();
  const known = new Map(posted.map((row) => [row.id, contentOf(transferOf(row))]));
  const fresh: Transfer[] = [];
  for (const transfer of batch) {
    const content = contentOf(transfer);
    const before = known.get(transfer.id);
    if (before === undefined) fresh.push(transfer);
    else if (before !== content) throw new Error(`transfer ${transfer.id} was posted before with other content`);
    known.set(transfer.id, content);
  }
  return fresh;
}

/** The new balances of all accounts that the transfers touch. */
async function applyToBalances(trx: Db, transfers: readonly Transfer[]): Promise<AccountsTable[]> {
  const keyOf = (unit: CreditUnit, id: AccountId): string => `${id} ${unit}`;
  const accounts = new Map<string, AccountsTable>();
  for (const { unit, debit, credit } of transfers) for (const id of [debit, credit]) accounts.set(keyOf(unit, id), { id, unit, balance: 0n });
  const ids = [...new Set([...accounts.values()].map(({ id }) => id))];
  for (const row of await trx.selectFrom('accounts').selectAll().where('id', 'in', ids).execute()) {
    const account = accounts.get(keyOf(row.unit, row.id));
    if (account) account.balance = row.balance;
  }
  const change = (unit: CreditUnit, id: AccountId, amount: MicroCredits): void => {
    const account = accounts.get(keyOf(unit, id));
    if (!account) throw new Error(`account ${id} was not read`);
    if (amount < 0n && account.balance + amount < 0n && !mayBeNegative(id)) throw new InsufficientCredits(-amount, account.balance);
    account.balance += amount;
  };
  for (const { id, unit, debit, credit, microCredits } of transfers) {
    if (microCredits <= 0n) throw new RangeError(`transfer ${id} moves ${microCredits} micro-credits`);
    change(unit, debit, -microCredits);
    change(unit, credit, microCredits);
  }
  return [...accounts.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

export async function readBalance(db: Db, account: AccountId, unit: CreditUnit): Promise<MicroCredits> {
  const row = await db.selectFrom('accounts').select('balance').where('id', '=', account).where('unit', '=', unit).executeTakeFirst();
  return row?.balance ?? 0n;
}

/** One side of the newest transfers of an account, from `beforeSeq` (exclusive) backwards. */
const sideOf = (db: Db, side: 'debit' | 'credit', { id, unit }: Account, beforeSeq: number, limit: number) =>
  db.selectFrom('transfers').selectAll().where(side, '=', id).where('unit', '=', unit).where('seq', '<', beforeSeq).orderBy('seq', 'desc').limit(limit);

/** Of one owner in a statement, the newest. */
const CONTRIBUTORS_MAX = 100;

export class SqlLedger implements LedgerStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  balance(account: AccountId, unit: CreditUnit): Promise<MicroCredits> {
    return readBalance(this.#db, account, unit);
  }

  async vesting(owner: OwnerId, unit: CreditUnit): Promise<MicroCredits> {
    const { rows } = await sql<{ balance: bigint }>`
      select cast(coalesce(sum(accounts.balance), 0) as bigint) as balance from contributors
      join accounts on accounts.id = 'vesting/' || contributors.id and accounts.unit = ${unit}
      where contributors.owner = ${owner}`.execute(this.#db);
    return rows[0]?.balance ?? 0n;
  }

  async receivedByDay(account: AccountId, unit: CreditUnit, day: number): Promise<{ today: MicroCredits; best: MicroCredits }> {
    const { rows } = await sql<{ day: number; micro_credits: bigint }>`
      select at_ms / ${DAY_MS} as day, cast(sum(micro_credits) as bigint) as micro_credits from transfers
      where credit = ${account} and unit = ${unit} group by 1`.execute(this.#db);
    const sums = new Map(rows.map((row) => [row.day, row.micro_credits]));
    const before = [...sums].filter(([each]) => each < day).map(([, sum]) => sum);
    return { today: sums.get(day) ?? 0n, best: before.reduce((best, sum) => (sum > best ? sum : best), 0n) };
  }

  async paidFor(results: readonly ResultId[]): Promise<ReadonlyMap<ResultId, MicroCredits>> {
    const paid = new Map<ResultId, MicroCredits>();
    await inBatches(results, async (batch) => {
      const ids = batch.flatMap((result) => [`pay/${result}`, `void/${result}`]);
      for (const { id, kind, micro_credits: amount } of await this.#db
        .selectFrom('transfers')
        .select(['id', 'kind', 'micro_credits'])
        .where('id', 'in', ids)
        .execute()) {
        const result = id.slice(id.indexOf('/') + 1) as ResultId;
        paid.set(result, (paid.get(result) ?? 0n) + (kind === 'void' ? -amount : amount));
      }
    });
    return paid;
  }

  /** Reads at most `limit` rows per account and side through their indices, however long the history is, then merges. No transfer is torn apart by a page's end. */
  async statement(owner: OwnerId, page: { readonly before?: string; readonly limit: number }): Promise<readonly StatementEntry[]> {
    return this.#db.transaction().execute(async (trx) => {
      const before = await this.#seqBefore(trx, page.before);
      const entries: { seq: number; entry: StatementEntry }[] = [];
      for (const { name, ...account } of await this.#accountsOf(trx, owner)) {
        for (const side of ['debit', 'credit'] as const) {
          for (const row of await sideOf(trx, side, account, before, page.limit).execute()) {
            const microCredits = side === 'debit' ? -row.micro_credits : row.micro_credits;
            entries.push({ seq: row.seq, entry: { transfer: transferOf(row), account: name, microCredits } });
          }
        }
      }
      const shown = new Set([...new Set(entries.map(({ seq }) => seq))].sort((a, b) => b - a).slice(0, page.limit));
      return entries
        .filter(({ seq }) => shown.has(seq))
        .sort((a, b) => b.seq - a.seq || Number(b.entry.microCredits - a.entry.microCredits))
        .map(({ entry }) => entry);
    });
  }

  /** No `before`: everything. An unknown one: nothing. */
  async #seqBefore(trx: Db, before: string | undefined): Promise<number> {
    if (before === undefined) return Number.MAX_SAFE_INTEGER;
    const row = await trx.selectFrom('transfers').select('seq').where('id', '=', before).executeTakeFirst();
    return row?.seq ?? 0;
  }

  async #accountsOf(trx: Db, owner: OwnerId): Promise<(Account & { name: StatementEntry['account'] })[]> {
    const sites = await trx.selectFrom('sites').select('id').where('owner', '=', owner).execute();
    const contributors = await trx.selectFrom('contributors').select('id').where('owner', '=', owner).orderBy('seq', 'desc').limit(CONTRIBUTORS_MAX).execute();
    const named: readonly { id: AccountId; name: StatementEntry['account'] }[] = [
      { id: `${owner}/grant`, name: 'grant' },
      { id: `${owner}/earned`, name: 'earned' },
      ...sites.map(({ id }) => ({ id: `site/${id}` as const, name: 'site' as const })),
      ...contributors.map(({ id }) => ({ id: `vesting/${id}` as const, name: 'vesting' as const })),
    ];
    const names = new Map(named.map(({ id, name }) => [id, name]));
    const rows = await trx
      .selectFrom('accounts')
      .select(['id', 'unit'])
      .where('id', 'in', [...names.keys()])
      .execute();
    return rows.map(({ id, unit }) => ({ id, unit, name: names.get(id) ?? 'earned' }));
  }

  async audit(): ReturnType<LedgerStore['audit']> {
    return this.#db.transaction().execute(async (trx) => {
      const { rows } = await sql<{ unit: CreditUnit; balance: bigint; wrong: number; transfers: number }>`
        with moved as (
          select id, unit, sum(amount) as amount from (
            select credit as id, unit, micro_credits as amount from transfers
            union all
            select debit as id, unit, -micro_credits as amount from transfers
          ) as sides group by id, unit
        )
        select accounts.unit as unit,
               cast(sum(accounts.balance) as bigint) as balance,
               sum(case when accounts.balance = coalesce(moved.amount, 0) then 0 else 1 end) as wrong,
               (select count(*) from transfers where transfers.unit = accounts.unit) as transfers
        from accounts left join moved on moved.id = accounts.id and moved.unit = accounts.unit
        group by accounts.unit order by accounts.unit`.execute(trx);
      return rows.map(({ unit, balance, wrong, transfers }) => ({ unit, sum: balance, wrongAccounts: wrong, transfers }));
    });
  }
}
