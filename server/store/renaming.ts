import { type Kysely, sql } from 'kysely';
import type { OwnerId } from '../../shared/model.ts';
import { whileChangeable } from './dialect.ts';
import { seqsOf } from './ledger.ts';
import type { AccountsTable, Tables } from './schema.ts';
import type { AccountId } from './store.ts';

type Db = Kysely<Tables>;

/** How often accounts were renamed: whoever keeps what he has read of the ledger begins anew when this has changed. */
const RENAMINGS = 'account renamings';

export async function readRenamings(db: Db): Promise<number> {
  const row = await db.selectFrom('counters').select('value').where('name', '=', RENAMINGS).executeTakeFirst();
  return row?.value ?? 0;
}

/** All accounts of an owner. */
export const accountsOf = (db: Db, owner: OwnerId): Promise<AccountsTable[]> =>
  // The character behind the slash ends the range.
  db
    .selectFrom('accounts')
    .selectAll()
    .where('id', '>=', `${owner}/` as AccountId)
    .where('id', '<', `${owner}0` as AccountId)
    .execute();

/**
 * Inside the caller's transaction, after `lockLedger`: accounts of each owner are those of another name from here on, which has none yet, in every
 * transfer that there ever was. Nothing but names is written, so no sum can change. Answers with the accounts by their new names.
 */
export async function renameAccounts(trx: Db, names: ReadonlyMap<OwnerId, OwnerId>): Promise<AccountsTable[]> {
  const renamed: AccountsTable[] = [];
  await whileChangeable(trx, 'transfers', async () => {
    for (const [from, to] of names) {
      for (const account of await accountsOf(trx, from)) renamed.push(await rename(trx, account, `${to}${account.id.slice(from.length)}` as AccountId));
      // The grant of test credits is named after its owner.
      await sql`update transfers set id = ${`grant/${to}`} where id = ${`grant/${from}`}`.execute(trx);
    }
  });
  if (renamed.length > 0)
    await trx
      .insertInto('counters')
      .values({ name: RENAMINGS, value: 1 })
      .onConflict((conflict) => conflict.column('name').doUpdateSet((eb) => ({ value: eb('counters.value', '+', 1) })))
      .execute();
  return renamed;
}

/** The new one first: transfers refer to an account that is there. */
async function rename(trx: Db, account: AccountsTable, to: AccountId): Promise<AccountsTable> {
  const { id, unit } = account;
  const renamed = { ...account, id: to };
  await trx.insertInto('accounts').values(renamed).execute();
  for (const side of ['debit', 'credit'] as const)
    await sql`update transfers set ${sql.ref(side)} = ${to} where ${sql.ref(side)} = ${id} and unit = ${unit} and seq in (${await seqsOf(trx, id, unit)})`.execute(
      trx,
    );
  await trx.updateTable('account_entries').set({ account: to }).where('account', '=', id).where('unit', '=', unit).execute();
  await trx.deleteFrom('accounts').where('id', '=', id).where('unit', '=', unit).execute();
  return renamed;
}
