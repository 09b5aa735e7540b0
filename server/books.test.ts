import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LedgerUnit } from '../shared/model.ts';
import { AuditingBooks } from './auditing-books.ts';
import { areRight, Books, type ProvedBooks } from './books.ts';
import { openSqliteStore } from './store/sqlite.ts';
import type { AccountId, LedgerLook, PostedTransfer, Store, StoredAccount, Transfer } from './store/store.ts';
import { device, exampleTransfer, temporaryFolder, withStore } from './store/testing.ts';

const ada = device('ada');
const ben = device('ben');
const grant = `${ada}/grant` as const;
const earned = `${ben}/earned` as const;
const post = (store: Store, ...transfers: readonly Transfer[]) => store.commit(transfers.map((transfer) => ({ kind: 'transfer', transfer })));
const issue = (id: string, own: Partial<Transfer> = {}): Transfer => exampleTransfer({ id, microCredits: 100n, ...own });
const reserve = (id: string, own: Partial<Transfer> = {}): Transfer =>
  exampleTransfer({ id, phase: 'pending', debit: grant, credit: earned, microCredits: 30n, ...own });

async function prove(books: Books): Promise<{ proved: ProvedBooks; steps: number }> {
  for (let steps = 1; ; steps++) {
    const proved = await books.step();
    if (proved) return { proved, steps };
  }
}
const proveStore = async (store: Store, rowsMax?: number) => (await prove(new Books((from, max) => store.ledger.look(from, max), rowsMax))).proved;

/** Books over rows that no database would take: what a broken or forged one would hold. */
const proveRows = async (transfers: readonly PostedTransfer[], accounts: readonly StoredAccount[]): Promise<ProvedBooks> => {
  const look = async ({ seq }: { seq: number }): Promise<LedgerLook> => ({
    transfers: transfers.filter((each) => each.seq > seq),
    accounts,
    isLast: true,
    renamings: 0,
  });
  return (await prove(new Books(look))).proved;
};

const row = (seq: number, own: Partial<PostedTransfer> = {}): PostedTransfer => ({
  ...{ seq, id: `t/${seq}`, unit: 'test', debit: 'operator/issuance', credit: grant, microCredits: 100n, phase: 'single', pending: null },
  ...own,
});
const account = (id: AccountId, own: Partial<StoredAccount> = {}): StoredAccount => ({
  ...{ id, unit: 'test', debitsPosted: 0n, creditsPosted: 0n, debitsPending: 0n, creditsPending: 0n },
  ...own,
});
const issuance = (debitsPosted: bigint): StoredAccount => account('operator/issuance', { debitsPosted });

test('right books: every phase, every unit, and every size of a look come to the same', () =>
  withStore(async (store) => {
    expect(await proveStore(store)).toEqual({ units: [], wrong: [] });
    await post(
      store,
      issue('a'),
      issue('b', { unit: 'token', debit: 'chain/outside', credit: 'chain/treasury' }),
      reserve('p/1'),
      reserve('p/2'),
      reserve('p/3'),
    );
    await post(store, { ...reserve('e/1'), phase: 'post', pending: 'p/1' }, { ...reserve('e/2'), phase: 'void', pending: 'p/2' });
    const common = { sum: 0n, imbalance: 0n, wrongAccounts: 0 };
    const right = {
      units: [
        { unit: 'test', accounts: 3, transfers: 6, pending: 30n, ...common },
        { unit: 'token', accounts: 2, transfers: 1, pending: 0n, ...common },
      ],
      wrong: [],
    };
    for (const rowsMax of [1, 2, 3, 7, 1000]) expect(await proveStore(store, rowsMax), String(rowsMax)).toEqual(right);
    const books = new Books((from, max) => store.ledger.look(from, max));
    await prove(books);
    expect([books.balance(grant, 'test'), books.balance(earned, 'test'), books.balance('chain/outside', 'token')]).toEqual([40n, 30n, -100n]);
  }));

test('transfers that come in the middle of a walk are no mistake, wherever their accounts lie', () =>
  fc.assert(
    fc.asyncProperty(fc.array(fc.array(fc.nat(30), { maxLength: 3 }), { minLength: 30, maxLength: 30 }), (bursts) =>
      withStore(async (store) => {
        let made = 0;
        let walks = 0;
        const books = new Books((from, max) => store.ledger.look(from, max), 4);
        for (const burst of bursts) {
          await post(store, ...burst.map((name) => issue(`t/${made++}`, { credit: `${device(`d${name}`)}/grant` })));
          const proved = await books.step();
          if (!proved) continue;
          walks++;
          expect(proved.wrong).toEqual([]);
        }
        const { proved } = await prove(books);
        expect(areRight(proved)).toBe(true);
        expect(proved.units[0]?.transfers ?? 0).toBe(made);
        expect(walks).toBeGreaterThan(0);
      }),
    ),
    { numRuns: 4 },
  ));

/** What somebody did to the file behind the ledger's back. */
const tampers: Readonly<Record<string, { sql: string; unit?: LedgerUnit; proved: object; names: readonly string[] }>> = {
  'a balance that was raised': {
    sql: `update accounts set credits_posted = credits_posted + 7 where id = '${grant}'`,
    proved: { sum: 7n, imbalance: 7n, wrongAccounts: 1 },
    names: [grant],
  },
  'two that were moved, and still add up to zero': {
    sql: `update accounts set credits_posted = credits_posted + 5 where id = '${grant}'; update accounts set debits_posted = debits_posted + 5 where id = 'operator/issuance'`,
    proved: { sum: 0n, imbalance: 10n, wrongAccounts: 2 },
    names: [grant, 'operator/issuance'],
  },
  'a reservation that was forgotten': {
    sql: `update accounts set debits_pending = 0 where id = '${grant}'`,
    proved: { sum: 0n, imbalance: 30n, wrongAccounts: 1 },
    names: [grant],
  },
  'an account that was made up': {
    sql: `insert into accounts values ('${device('eve')}/earned', 'test', 0, 9, 0, 0)`,
    proved: { sum: 9n, imbalance: 9n, wrongAccounts: 1, accounts: 4 },
    names: [`${device('eve')}/earned`],
  },
  'an account that is gone': {
    sql: `delete from accounts where id = '${grant}'`,
    proved: { sum: -100n, imbalance: 130n, wrongAccounts: 1, accounts: 2 },
    names: [grant],
  },
  'a transfer that is gone': {
    sql: `delete from transfers where id = 'a'`,
    proved: { sum: 0n, imbalance: 200n, wrongAccounts: 2 },
    names: [grant, 'operator/issuance'],
  },
  'a transfer of another amount': {
    sql: `update transfers set amount = 99 where id = 'a'`,
    proved: { sum: 0n, imbalance: 2n, wrongAccounts: 2 },
    names: [grant, 'operator/issuance'],
  },
};

test.each(Object.entries(tampers))('found: %s', async (_name, { sql, proved, names }) => {
  const folder = temporaryFolder();
  try {
    const store = await openSqliteStore(folder.path);
    await post(store, issue('a'), reserve('p/1'));
    await store.close();
    const file = new Database(join(folder.path, 'tessera.sqlite'));
    file.pragma('foreign_keys = OFF');
    file.exec(`drop trigger transfers_no_update; drop trigger transfers_no_delete; ${sql}`);
    file.close();
    const again = await openSqliteStore(folder.path);
    const { units, wrong } = await proveStore(again, 2);
    expect(units).toMatchObject([{ unit: 'test', ...proved }]);
    expect(wrong.map(({ id }) => id).sort()).toEqual([...names].sort());
    await again.close();
  } finally {
    folder.remove();
  }
});

test('found, though all sums agree: a debt, and a pending transfer that was ended twice, otherwise, or never begun', async () => {
  const owing = await proveRows([row(1, { debit: grant, credit: earned })], [account(grant, { debitsPosted: 100n }), account(earned, { creditsPosted: 100n })]);
  expect(owing).toMatchObject({ units: [{ imbalance: 0n, wrongAccounts: 1 }], wrong: [{ id: grant, why: 'it owes 100' }] });

  const pending = row(1, { phase: 'pending' });
  const end = row(2, { phase: 'post', pending: 't/1' });
  const after = (posted: bigint, reserved: bigint) => [
    account('operator/issuance', { debitsPosted: posted, debitsPending: reserved }),
    account(grant, { creditsPosted: posted, creditsPending: reserved }),
  ];
  expect(areRight(await proveRows([pending, end], after(100n, 0n)))).toBe(true);
  for (const [rows, accounts, why] of [
    [[pending, end, row(3, { phase: 'post', pending: 't/1' })], after(200n, -100n), 'transfer t/3 ends t/1, which is not pending'],
    [[pending, row(2, { phase: 'post', pending: 't/1', microCredits: 60n })], after(60n, 40n), 'transfer t/2 ends t/1 with another microCredits'],
    [[row(1), row(2, { phase: 'void', pending: 't/1' })], after(100n, -100n), 'transfer t/2 ends t/1, which is not pending'],
  ] as const)
    expect(await proveRows(rows, accounts)).toMatchObject({ units: [{ imbalance: 0n, wrongAccounts: 1 }], wrong: [{ id: 'operator/issuance', why }] });
  // Only who issues may owe.
  expect(areRight(await proveRows([row(1)], [issuance(100n), account(grant, { creditsPosted: 100n })]))).toBe(true);
});

test('at most five are named, all are counted', async () => {
  const forged = Array.from({ length: 8 }, (_, index) => account(`${device(`d${index}`)}/earned`, { creditsPosted: 1n }));
  const { units, wrong } = await proveRows([], forged);
  expect(units).toMatchObject([{ wrongAccounts: 8, imbalance: 8n, sum: 8n }]);
  expect(wrong).toHaveLength(5);
});

test('the running audit says once what is wrong, goes on after an error, and ends when it is closed', async () => {
  const said: [fields: { accounts?: string[]; error?: string }, message: string][] = [];
  const now = 5000;
  let broken = false;
  const look = async (): Promise<LedgerLook> => {
    if (broken) throw new Error('the disk is gone');
    return { transfers: [], accounts: [account(grant, { creditsPosted: 3n })], isLast: true, renamings: 0 };
  };
  const auditing = new AuditingBooks({ ledger: { look }, clock: () => now, log: { error: (fields, message) => said.push([fields, message]) } });
  expect(auditing.proved).toBeUndefined();
  expect([await auditing.look(), await auditing.look()]).toEqual([true, true]);
  expect(said).toHaveLength(1);
  expect(said[0]?.[0].accounts).toEqual([`${grant} (test): its stored sums differ from its transfers by 3`]);
  expect(auditing.proved).toMatchObject({ atMs: 5000, units: [{ imbalance: 3n }] });
  broken = true;
  auditing.start();
  await expect.poll(() => said.at(-1)?.[0].error).toBe('Error: the disk is gone');
  await auditing.close();
  expect(said).toHaveLength(2);
});
