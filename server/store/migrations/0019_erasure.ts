import { type Kysely, sql } from 'kysely';
import { strictTable } from '../dialect.ts';

/**
 * Which devices became whose: ledger and results keep the name that was good when they were written, and whoever deletes his data has to be found
 * under all of them. Of those that signed in before, what the database still tells: by claims, by results and by what jobs were held from.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('owner_aliases')
    .addColumn('alias', 'text', (column) => column.primaryKey().notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('owner_aliases_by_owner').on('owner_aliases').column('owner').execute();
  const { rows: claims } = await sql<{ debit: string; credit: string }>`select distinct debit, credit from transfers where kind = 'claim'`.execute(db);
  const { rows: results } = await sql<{ alias: string; owner: string }>`
    select distinct results.owner as alias, contributors.owner as owner from results
    join contributors on contributors.id = results.contributor where results.owner <> contributors.owner`.execute(db);
  const { rows: jobs } = await sql<{ owner: string; held: string }>`
    select owner, held_from_json as held from jobs where owner like 'wallet:%' and held_from_json like '%"device:%'`.execute(db);
  const ownerOf = (account: string): string => account.slice(0, account.lastIndexOf('/'));
  const held = jobs.flatMap(({ owner, held }) =>
    (JSON.parse(held) as { account: string }[]).map(({ account }): [string, string] => [ownerOf(account), owner]).filter(([alias]) => alias !== owner),
  );
  const known = new Map([
    ...claims.map(({ debit, credit }): [string, string] => [ownerOf(debit), ownerOf(credit)]),
    ...results.map(({ alias, owner }): [string, string] => [alias, owner]),
    ...held,
  ]);
  for (const [alias, owner] of known) await sql`insert into owner_aliases (alias, owner) values (${alias}, ${owner})`.execute(db);
}
