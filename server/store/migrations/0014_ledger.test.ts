import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { expect, test } from 'vitest';
import { openSqliteStore } from '../sqlite.ts';
import { EmbeddedDialect, openDatabaseFile } from '../sqlite-dialect.ts';
import { device, temporaryFolder } from '../testing.ts';
import * as start from './0001_start.ts';

test('transfers of before keep their order and move at once; balances are as they were, and later transfers come behind', async () => {
  const folder = temporaryFolder();
  const path = join(folder.path, 'tessera.sqlite');
  const db = new Kysely({ dialect: new EmbeddedDialect(openDatabaseFile(path, folder.path)) });
  expect((await new Migrator({ db, provider: { getMigrations: async () => ({ '0001_start': start }) } }).migrateToLatest()).error).toBeUndefined();
  await db.destroy();
  const [ada, bob] = [`${device('ada')}/grant` as const, `${device('bob')}/grant` as const];
  const file = new Database(path);
  file.exec(`insert into accounts (id, unit, balance) values ('operator/issuance', 'test', -9007199254740995), ('${ada}', 'test', 9007199254740990), ('${bob}', 'test', 5);
    insert into transfers (seq, id, unit, debit, credit, micro_credits, kind, at_ms) values
      (7, 'a', 'test', 'operator/issuance', '${ada}', 9007199254740995, 'grant', 1), (9, 'b', 'test', '${ada}', '${bob}', 5, 'claim', 2)`);
  file.close();
  const store = await openSqliteStore(folder.path);
  expect(await store.ledger.balance(ada, 'test')).toBe(9007199254740990n);
  expect(await store.ledger.sums(ada, 'test')).toEqual({ creditsPosted: 9007199254740995n, debitsPosted: 5n, creditsPending: 0n, debitsPending: 0n });
  const transfer = { id: 'c', unit: 'test', debit: ada, credit: bob, microCredits: 1n, kind: 'claim', job: null, at: null, atMs: 3 } as const;
  await store.commit([{ kind: 'transfer', transfer }]);
  const rows = await store.ledger.statement(device('bob'), { limit: 5 });
  expect(rows.map(({ transfer, microCredits }) => [transfer.id, microCredits])).toEqual([
    ['c', 1n],
    ['b', 5n],
  ]);
  expect(await store.ledger.audit()).toEqual([{ unit: 'test', sum: 0n, wrongAccounts: 0, transfers: 3 }]);
  await store.close();
  folder.remove();
});
