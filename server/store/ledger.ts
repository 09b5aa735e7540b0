import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { MicroCredits } from '../../shared/credits.ts';
import { DAY_MS } from '../../shared/limits.ts';
import type { CreditUnit, LedgerUnit, OwnerId, ResultId } from '../../shared/model.ts';
import { inBatches, queryOf } from './batches.ts';
import { anyOf } from './dialect.ts';
import { lookAtLedger } from './ledger-audit.ts';
import { available, indexedSeq, transferOf } from './postings.ts';
import type { AccountsTable, Tables } from './schema.ts';
import type { AccountId, AccountSums, BooksOfUnit, LedgerLook, LedgerPlace, LedgerStore, StatementEntry, Transfer } from './store.ts';
import { inSnapshot } from './transaction.ts';

type Db = Kysely<Tables>;
type Account = Pick<AccountsTable, 'id' | 'unit'>;

/** What can be taken from an account now. */
export async function readBalance(db: Db, account: AccountId, unit: LedgerUnit): Promise<MicroCredits> {
  const row = await db.selectFrom('accounts').selectAll().where('id', '=', account).where('unit', '=', unit).executeTakeFirst();
  return row ? available(row) : 0n;
}

/** The running numbers of an account's transfers, as a query: those with an entry, and the newest ones that have none yet. */
export const seqsOf = async (db: Db, account: AccountId, unit: LedgerUnit) => sql`
  select seq from account_entries where account = ${account} and unit = ${unit}
  union
  select seq from transfers where seq > ${await indexedSeq(db)} and unit = ${unit} and (debit = ${account} or credit = ${account})`;

/** How a transfer changes what an account on that side of it can spend. */
function changeOf({ microCredits: amount, phase }: Transfer, side: 'debit' | 'credit'): MicroCredits {
  if (side === 'debit') return phase === 'post' ? 0n : phase === 'void' ? amount : -amount;
  return phase === undefined || phase === 'post' ? amount : 0n;
}

const selectPaid = queryOf((db, ids) =>
  db
    .selectFrom('transfers')
    .select(['id', 'kind', 'amount'])
    .where(sql<boolean>`id ${anyOf(db, ids)}`),
);

/** Of one owner in a statement, the newest. */
const CONTRIBUTORS_MAX = 100;

export class SqlLedger implements LedgerStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  balance(account: AccountId, unit: LedgerUnit): Promise<MicroCredits> {
    return readBalance(this.#db, account, unit);
  }

  async sums(account: AccountId, unit: LedgerUnit): Promise<AccountSums> {
    const row = await this.#db.selectFrom('accounts').selectAll().where('id', '=', account).where('unit', '=', unit).executeTakeFirst();
    return {
      debitsPosted: row?.debits_posted ?? 0n,
      creditsPosted: row?.credits_posted ?? 0n,
      debitsPending: row?.debits_pending ?? 0n,
      creditsPending: row?.credits_pending ?? 0n,
    };
  }

  async vesting(owner: OwnerId, unit: CreditUnit): Promise<MicroCredits> {
    const { rows } = await sql<{ balance: bigint }>`
      select cast(coalesce(sum(accounts.credits_posted - accounts.debits_posted), 0) as bigint) as balance from contributors
      join accounts on accounts.id = 'vesting/' || contributors.id and accounts.unit = ${unit}
      where contributors.owner = ${owner}`.execute(this.#db);
    return rows[0]?.balance ?? 0n;
  }

  async receivedByDay(account: AccountId, unit: CreditUnit, day: number): Promise<{ today: MicroCredits; best: MicroCredits }> {
    const { rows } = await sql<{ day: number; amount: bigint }>`
      select at_ms / ${DAY_MS} as day, cast(sum(amount) as bigint) as amount from transfers
      where credit = ${account} and phase in ('single', 'post') and seq in (${await seqsOf(this.#db, account, unit)}) group by 1`.execute(this.#db);
    const sums = new Map(rows.map((row) => [row.day, row.amount]));
    const before = [...sums].filter(([each]) => each < day).map(([, sum]) => sum);
    return { today: sums.get(day) ?? 0n, best: before.reduce((best, sum) => (sum > best ? sum : best), 0n) };
  }

  async paidFor(results: readonly ResultId[]): Promise<ReadonlyMap<ResultId, MicroCredits>> {
    const paid = new Map<ResultId, MicroCredits>();
    await inBatches(this.#db, results, async (batch) => {
      const ids = batch.flatMap((result) => [`pay/${result}`, `void/${result}`]);
      for (const { id, kind, amount } of await selectPaid(this.#db, ids)) {
        const result = id.slice(id.indexOf('/') + 1) as ResultId;
        paid.set(result, (paid.get(result) ?? 0n) + (kind === 'void' ? -amount : amount));
      }
    });
    return paid;
  }

  /** Reads at most `limit` running numbers per account, however long the history is, then merges. No transfer is torn apart by a page's end. */
  async statement(owner: OwnerId, page: { readonly before?: string; readonly limit: number }): Promise<readonly StatementEntry[]> {
    return inSnapshot(this.#db, async (trx) => {
      const accounts = await this.#accountsOf(trx, owner);
      if (accounts.size === 0) return [];
      const seqs = await this.#newest(trx, accounts, await this.#seqBefore(trx, page.before), page.limit);
      if (seqs.length === 0) return [];
      const rows = await trx.selectFrom('transfers').selectAll().where('seq', 'in', seqs).orderBy('seq', 'desc').execute();
      return rows.flatMap((row): StatementEntry[] => {
        const transfer = transferOf(row);
        // Of a transfer between two of the accounts, what came in stands first.
        return (['credit', 'debit'] as const).flatMap((side) => {
          const account = accounts.get(`${row[side]} ${row.unit}`);
          return account === undefined ? [] : { transfer, account: account.name, microCredits: changeOf(transfer, side) };
        });
      });
    });
  }

  /** Running numbers of the newest transfers of these accounts that are older than `before`, at most `limit`. */
  async #newest(trx: Db, accounts: ReadonlyMap<string, Account>, before: number, limit: number): Promise<number[]> {
    const ids = [...new Set([...accounts.values()].map(({ id }) => id))];
    const tail = await trx
      .selectFrom('transfers')
      .select(['seq', 'debit', 'credit', 'unit'])
      .where('seq', '>', await indexedSeq(trx))
      .where('seq', '<', before)
      .where((eb) => eb.or([eb('debit', 'in', ids), eb('credit', 'in', ids)]))
      .orderBy('seq', 'desc')
      .execute();
    const mine = tail.filter(({ debit, credit, unit }) => accounts.has(`${debit} ${unit}`) || accounts.has(`${credit} ${unit}`)).map(({ seq }) => seq);
    const seqs = new Set(mine.slice(0, limit));
    for (const { id, unit } of accounts.values())
      for (const { seq } of await trx
        .selectFrom('account_entries')
        .select('seq')
        .where('account', '=', id)
        .where('unit', '=', unit)
        .where('seq', '<', before)
        .orderBy('seq', 'desc')
        .limit(limit)
        .execute())
        seqs.add(seq);
    return [...seqs].sort((a, b) => b - a).slice(0, limit);
  }

  /** No `before`: everything. An unknown one: nothing. */
  async #seqBefore(trx: Db, before: string | undefined): Promise<number> {
    if (before === undefined) return Number.MAX_SAFE_INTEGER;
    const row = await trx.selectFrom('transfers').select('seq').where('id', '=', before).executeTakeFirst();
    return row?.seq ?? 0;
  }

  /** By id and unit. */
  async #accountsOf(trx: Db, owner: OwnerId): Promise<ReadonlyMap<string, Account & { name: StatementEntry['account'] }>> {
    const sites = await trx.selectFrom('sites').select('id').where('owner', '=', owner).execute();
    const contributors = await trx.selectFrom('contributors').select('id').where('owner', '=', owner).orderBy('seq', 'desc').limit(CONTRIBUTORS_MAX).execute();
    const named: readonly { id: AccountId; name: StatementEntry['account'] }[] = [
      { id: `${owner}/grant`, name: 'grant' },
      { id: `${owner}/deposited`, name: 'deposited' },
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
    return new Map(rows.map(({ id, unit }) => [`${id} ${unit}`, { id, unit, name: names.get(id) ?? 'earned' }]));
  }

  look(from: LedgerPlace, rowsMax: number): Promise<LedgerLook> {
    return inSnapshot(this.#db, (trx) => lookAtLedger(trx, from, rowsMax));
  }

  async audit(): Promise<readonly BooksOfUnit[]> {
    return inSnapshot(this.#db, async (trx) => {
      const { rows } = await sql<{ unit: LedgerUnit; balance: bigint; wrong: number; transfers: number }>`
        with sides as (
          select credit as id, unit, phase, 0 as debit, amount as credit from transfers
          union all
          select debit as id, unit, phase, amount as debit, 0 as credit from transfers
        ), moved as (
          select id, unit,
            sum(case when phase in ('single', 'post') then debit else 0 end) as debits_posted,
            sum(case when phase in ('single', 'post') then credit else 0 end) as credits_posted,
            sum(case phase when 'pending' then debit when 'post' then -debit when 'void' then -debit else 0 end) as debits_pending,
            sum(case phase when 'pending' then credit when 'post' then -credit when 'void' then -credit else 0 end) as credits_pending
          from sides group by id, unit
        )
        select accounts.unit as unit,
          cast(sum(accounts.credits_posted - accounts.debits_posted) as bigint) as balance,
          sum(case when accounts.debits_posted = coalesce(moved.debits_posted, 0) and accounts.credits_posted = coalesce(moved.credits_posted, 0)
              and accounts.debits_pending = coalesce(moved.debits_pending, 0) and accounts.credits_pending = coalesce(moved.credits_pending, 0)
            then 0 else 1 end) as wrong,
          (select count(*) from transfers where transfers.unit = accounts.unit) as transfers
        from accounts left join moved on moved.id = accounts.id and moved.unit = accounts.unit
        group by accounts.unit order by accounts.unit`.execute(trx);
      return rows.map(({ unit, balance, wrong, transfers }) => ({ unit, sum: balance, wrongAccounts: wrong, transfers }));
    });
  }
}
