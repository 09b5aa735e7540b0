import { type Kysely, sql } from 'kysely';
import { readRenamings } from './renaming.ts';
import type { AccountsTable, Tables } from './schema.ts';
import type { LedgerLook, LedgerPlace } from './store.ts';

/**
 * What the audit of the books reads next; for the caller to put into a transaction. With more than `rowsMax` transfers to come there are no
 * accounts: sums can be held against accounts only where all transfers are in the sums.
 */
export async function lookAtLedger(db: Kysely<Tables>, { seq, account }: LedgerPlace, rowsMax: number): Promise<LedgerLook> {
  const rows = await db
    .selectFrom('transfers')
    .select(['seq', 'id', 'unit', 'debit', 'credit', 'amount', 'phase', 'pending'])
    .where('seq', '>', seq)
    .orderBy('seq')
    .limit(rowsMax)
    .execute();
  const transfers = rows.map(({ amount, ...row }) => ({ ...row, microCredits: amount }));
  const renamings = await readRenamings(db);
  if (rows.length === rowsMax) return { transfers, accounts: null, isLast: false, renamings };
  const { rows: accounts } = await sql<AccountsTable>`
    select id, unit, debits_posted, credits_posted, debits_pending, credits_pending from accounts
    where (id, unit) > (${account?.id ?? ''}, ${account?.unit ?? ''}) order by id, unit limit ${rowsMax}`.execute(db);
  return {
    transfers,
    accounts: accounts.map((row) => ({
      id: row.id,
      unit: row.unit,
      debitsPosted: row.debits_posted,
      creditsPosted: row.credits_posted,
      debitsPending: row.debits_pending,
      creditsPending: row.credits_pending,
    })),
    isLast: accounts.length < rowsMax,
    renamings,
  };
}
