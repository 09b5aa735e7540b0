import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DAY_MS } from '../../shared/limits.ts';
import type { CreditUnit, LedgerUnit } from '../../shared/model.ts';
import { type AccountId, AlreadyEnded, InsufficientCredits, type Store, type Transfer } from './store.ts';
import { stores } from './stores.testing.ts';
import { contributorIdOf, device, exampleContributor, exampleSite, exampleTransfer, jobIdOf, resultIdOf, siteIdOf } from './testing.ts';

/** In the suite; by hand more: `HISTORIES=10000 npx vitest run server/store/ledger.test.ts`. */
const HISTORIES = Number(process.env.HISTORIES ?? 40);
/** The arithmetic is the same on every database; what differs shows in a few. */
const historiesOf = (name: string): number => (name === 'SQLite' ? HISTORIES : Math.ceil(HISTORIES / 5));

const ada = device('ada');
const issuance = 'operator/issuance' as const;
const accounts: readonly AccountId[] = [issuance, `${ada}/grant`, `${ada}/earned`, `job/${jobIdOf(1)}`, `site/${siteIdOf(1)}`];
const units: readonly LedgerUnit[] = ['test', 'credit', 'token'];
const post = (store: Store, ...transfers: readonly Transfer[]) => store.commit(transfers.map((transfer) => ({ kind: 'transfer', transfer })));

/** Amounts from tiny to beyond what a double holds exactly; all transfers of a run together stay within 63 bits. */
const amount = fc.oneof(fc.bigInt(1n, 20n), fc.bigInt(1n, 2n ** 56n));
/** Every other transfer issues credits, so that there is something to move. */
const sides = fc.oneof(
  fc.tuple(fc.constant(issuance), fc.constantFrom(...accounts.slice(1))),
  fc.shuffledSubarray([...accounts], { minLength: 2, maxLength: 2 }).map(([debit = issuance, credit = issuance]) => [debit, credit] as const),
);
const phases = fc.constantFrom(undefined, 'pending' as const);
const number = fc.integer({ min: 0, max: 60 });
const anyTransfer = fc
  .record({ number, unit: fc.constantFrom(...units), sides, amount, phase: phases })
  .map(({ number, unit, sides: [debit, credit], amount: microCredits, phase }) =>
    exampleTransfer({ id: `t/${number}`, unit, debit, credit, microCredits, kind: 'pay', ...(phase && { phase }) }),
  );
/** Ends some transfer, which may be pending, or posted, or unheard of; `number` makes ends that repeat, and ends that come second. */
const anyEnd = fc.record({ ends: number, number: fc.integer({ min: 0, max: 2 }), phase: fc.constantFrom('post' as const, 'void' as const) });
type End = typeof anyEnd extends fc.Arbitrary<infer Value> ? Value : never;

interface ModelAccount {
  posted: bigint;
  reserved: bigint;
}

/** The ledger as two dozen lines of arithmetic. Returns false when the group must be refused as a whole. */
class Model {
  posted = new Map<string, Transfer>();
  accounts = new Map<string, ModelAccount>();
  ended = new Set<string>();

  /** The transfer that an end is, with the content of what it ends. */
  endOf({ ends, number, phase }: End, group: readonly Transfer[]): Transfer {
    const known = [...this.posted.values(), ...group].filter(({ pending }) => pending === undefined);
    // Mostly one that is pending, ended before or not.
    const begun = known.filter((transfer) => transfer.phase === 'pending' || ends % 8 === 0).at(-1 - (ends % 4)) ?? exampleTransfer({ id: `t/${ends}` });
    return { ...begun, id: `e/${begun.id}/${number}`, phase, pending: begun.id };
  }

  balance(account: AccountId, unit: LedgerUnit): bigint {
    const { posted, reserved } = this.accounts.get(`${account} ${unit}`) ?? { posted: 0n, reserved: 0n };
    return posted - reserved;
  }

  post(group: readonly Transfer[]): boolean {
    const before = structuredClone([this.posted, this.accounts, this.ended] as const);
    if (group.every((transfer) => this.#postOne(transfer))) return true;
    [this.posted, this.accounts, this.ended] = before;
    return false;
  }

  #account(id: string): ModelAccount {
    const account = this.accounts.get(id) ?? { posted: 0n, reserved: 0n };
    this.accounts.set(id, account);
    return account;
  }

  #postOne(transfer: Transfer): boolean {
    const before = this.posted.get(transfer.id);
    if (before) return (['unit', 'debit', 'credit', 'microCredits', 'phase', 'pending'] as const).every((key) => before[key] === transfer[key]);
    const { unit, microCredits, phase, pending } = transfer;
    const [debit, credit] = [this.#account(`${transfer.debit} ${unit}`), this.#account(`${transfer.credit} ${unit}`)];
    if (pending !== undefined) {
      const begun = this.posted.get(pending);
      if (begun?.phase !== 'pending' || this.ended.has(pending)) return false;
      if ((['unit', 'debit', 'credit', 'microCredits'] as const).some((key) => begun[key] !== transfer[key])) return false;
      this.ended.add(pending);
      debit.reserved -= microCredits;
    } else if (debit.posted - debit.reserved < microCredits && transfer.debit !== issuance) return false;
    if (phase === 'pending') debit.reserved += microCredits;
    else if (phase !== 'void') {
      debit.posted -= microCredits;
      credit.posted += microCredits;
    }
    this.posted.set(transfer.id, transfer);
    return true;
  }
}

describe.each(stores)('$name', ({ name, withDatabase, withStore }) => {
  test('any sequence of transfers in one or two phases: sums stay 0, only the operator owes, balances explain themselves', {
    timeout: 60_000 + 400 * HISTORIES,
  }, async () => {
    const seen = { refused: 0, kept: 0, post: 0, void: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.oneof(anyTransfer, anyEnd), { minLength: 1, maxLength: 4 }), { minLength: 4, maxLength: 24 }), (groups) =>
        withStore(async (store) => {
          const model = new Model();
          for (const commands of groups) {
            const group: Transfer[] = [];
            for (const command of commands) group.push('ends' in command ? model.endOf(command, group) : command);
            const accepted = model.post(group);
            if (accepted) await post(store, ...group);
            else await expect(post(store, ...group)).rejects.toThrow(/micro-credits, |with other content|not pending|posted or voided before|with another/);
            seen[accepted ? 'kept' : 'refused']++;
          }
          for (const { phase } of model.posted.values()) if (phase === 'post' || phase === 'void') seen[phase]++;
          for (const unit of units) {
            let sum = 0n;
            for (const account of accounts) {
              const balance = await store.ledger.balance(account, unit);
              expect(balance).toBe(model.balance(account, unit));
              if (account !== issuance) expect(balance).toBeGreaterThanOrEqual(0n);
              const { creditsPosted, debitsPosted } = await store.ledger.sums(account, unit);
              sum += creditsPosted - debitsPosted;
            }
            expect(sum).toBe(0n);
          }
          const audit = await store.ledger.audit();
          for (const row of audit) expect(row).toMatchObject({ sum: 0n, wrongAccounts: 0 });
          expect(audit.reduce((all, { transfers }) => all + transfers, 0)).toBe(model.posted.size);
        }),
      ),
      { numRuns: historiesOf(name) },
    );
    // The property says little unless all of it happened.
    if (name === 'SQLite') for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
  });

  test('a pending transfer reserves; it is posted or voided once, whole, and between the same accounts', () =>
    withStore(async (store) => {
      const earned = `${ada}/earned` as const;
      const pending = exampleTransfer({ id: 'w', debit: earned, credit: 'operator/exchange', unit: 'credit', microCredits: 7n, phase: 'pending' });
      const end = (id: string, phase: 'post' | 'void', own: Partial<Transfer> = {}): Transfer => ({ ...pending, id, phase, pending: 'w', ...own });
      await post(store, exampleTransfer({ id: 'earn', unit: 'credit', debit: 'operator/exchange', credit: earned, microCredits: 10n }), pending);
      expect(await store.ledger.balance(earned, 'credit')).toBe(3n);
      expect(await store.ledger.balance('operator/exchange', 'credit')).toBe(-10n);
      const spend = exampleTransfer({ id: 'spend', unit: 'credit', debit: earned, credit: `job/${jobIdOf(1)}`, microCredits: 4n });
      await expect(post(store, spend)).rejects.toBeInstanceOf(InsufficientCredits);
      for (const other of [{ microCredits: 6n }, { unit: 'test' }, { credit: issuance }, { debit: `${ada}/grant` }] as const)
        await expect(post(store, end('x', 'post', other))).rejects.toThrow('with another');
      await expect(post(store, { ...end('x', 'post'), pending: 'earn' })).rejects.toThrow('not pending');
      await expect(post(store, end('p', 'post'), end('v', 'void'))).rejects.toBeInstanceOf(AlreadyEnded);
      await post(store, end('p', 'post'));
      await post(store, end('p', 'post'));
      await expect(post(store, end('v', 'void'))).rejects.toBeInstanceOf(AlreadyEnded);
      await expect(post(store, end('p2', 'post'))).rejects.toBeInstanceOf(AlreadyEnded);
      expect(await store.ledger.sums(earned, 'credit')).toEqual({ creditsPosted: 10n, debitsPosted: 7n, creditsPending: 0n, debitsPending: 0n });
      expect(await store.ledger.balance('operator/exchange', 'credit')).toBe(-3n);
    }));

  test('amounts below one and beyond 2^56 are refused', () =>
    withStore(async (store) => {
      for (const microCredits of [0n, -1n, 2n ** 56n + 1n, 2n ** 64n])
        await expect(post(store, exampleTransfer({ id: 'a', microCredits }))).rejects.toThrow(/allowed are 1 to 72057594037927936/);
      expect(await store.ledger.audit()).toEqual([]);
    }));

  test('statements and sums read transfers with and without an entry by account alike', { timeout: 60_000 }, () =>
    withStore(async (store) => {
      const credit = `${ada}/earned` as const;
      const numbered = (number: number) => exampleTransfer({ id: `n${number}`, credit, microCredits: 1n, atMs: number < 5000 ? 0 : DAY_MS });
      for (let at = 0; at < 9000; at += 1000) await post(store, ...Array.from({ length: 1000 }, (_, index) => numbered(at + index)));
      const rows = await store.ledger.statement(ada, { limit: 2000 });
      expect(rows.map(({ transfer }) => transfer.id)).toEqual(Array.from({ length: 2000 }, (_, index) => `n${8999 - index}`));
      const older = await store.ledger.statement(ada, { limit: 3, before: 'n100' });
      expect(older.map(({ transfer }) => transfer.id)).toEqual(['n99', 'n98', 'n97']);
      expect(await store.ledger.receivedByDay(credit, 'test', 1)).toEqual({ today: 4000n, best: 5000n });
    }),
  );

  test('a transfer again is ignored, also inside one commit and at a later time; another one under its id is refused', () =>
    withStore(async (store) => {
      const grant = exampleTransfer({ id: 'grant', microCredits: 10n });
      await post(store, grant, grant);
      await post(store, { ...grant, atMs: 9999 });
      expect(await store.ledger.balance(`${ada}/grant`, 'test')).toBe(10n);
      const others: Partial<Transfer>[] = [
        { microCredits: 11n },
        { unit: 'credit' },
        { credit: `${ada}/earned` },
        { kind: 'pay' },
        { job: jobIdOf(1) },
        { at: { pass: 0, tile: 0 } },
      ];
      for (const other of others) {
        await expect(post(store, { ...grant, ...other })).rejects.toThrow('with other content');
        await expect(post(store, exampleTransfer({ id: 'fresh' }), exampleTransfer({ id: 'fresh', ...other }))).rejects.toThrow('with other content');
      }
      expect(await store.ledger.balance(`${ada}/grant`, 'test')).toBe(10n);
    }));

  test('credits of one unit do not pay in the other', () =>
    withStore(async (store) => {
      await post(store, exampleTransfer({ id: 'grant', microCredits: 10n, unit: 'test' }));
      const spend = exampleTransfer({ id: 'hold', debit: `${ada}/grant`, credit: `job/${jobIdOf(1)}`, microCredits: 1n, unit: 'credit' });
      const refusal = await post(store, spend).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(InsufficientCredits);
      expect(refusal).toMatchObject({ needed: 1n, available: 0n });
    }));

  test('order counts inside a commit: received first, then spent', () =>
    withStore(async (store) => {
      const receive = exampleTransfer({ id: 'a', microCredits: 5n });
      const spend = exampleTransfer({ id: 'b', debit: `${ada}/grant`, credit: `job/${jobIdOf(1)}`, microCredits: 5n });
      await expect(post(store, spend, receive)).rejects.toBeInstanceOf(InsufficientCredits);
      await post(store, receive, spend);
      expect(await store.ledger.balance(`job/${jobIdOf(1)}`, 'test')).toBe(5n);
    }));

  test('statement: signed, newest first, own sites included, page by page without gaps', () =>
    withStore(async (store) => {
      await store.people.createSite(exampleSite());
      const transfers: Transfer[] = [];
      for (let number = 0; number < 40; number++) {
        transfers.push(
          exampleTransfer({ id: `g${number}`, microCredits: 10n, atMs: number }),
          exampleTransfer({ id: `h${number}`, kind: 'hold', debit: `${ada}/grant`, credit: `job/${jobIdOf(1)}`, microCredits: 4n, job: jobIdOf(1) }),
          exampleTransfer({
            id: `s${number}`,
            kind: 'site share',
            debit: `job/${jobIdOf(1)}`,
            credit: `site/${siteIdOf(1)}`,
            microCredits: 1n,
            at: { pass: 1, tile: 2 },
          }),
          exampleTransfer({ id: `x${number}`, credit: `${device('bob')}/earned`, unit: 'credit' }),
        );
      }
      await post(store, ...transfers);
      const pages: string[][] = [];
      let before: string | undefined;
      for (;;) {
        const rows = await store.ledger.statement(ada, { limit: 33, ...(before === undefined ? {} : { before }) });
        if (rows.length === 0) break;
        pages.push(rows.map(({ transfer }) => transfer.id));
        before = rows.at(-1)?.transfer.id;
      }
      expect(pages.map(({ length }) => length)).toEqual([33, 33, 33, 21]);
      const expected = transfers.filter(({ id }) => !id.startsWith('x')).map(({ id }) => id);
      expect(pages.flat()).toEqual(expected.reverse());
      const [newest] = await store.ledger.statement(ada, { limit: 1 });
      expect(newest).toEqual({ transfer: transfers.find(({ id }) => id === 's39'), account: 'site', microCredits: 1n });
      const hold = (await store.ledger.statement(ada, { limit: 2 })).at(-1);
      expect(hold).toMatchObject({ account: 'grant', microCredits: -4n });
      expect(await store.ledger.statement(ada, { before: 'unheard of', limit: 5 })).toEqual([]);
      expect(await store.ledger.statement(device('nobody'), { limit: 5 })).toEqual([]);
    }));

  test('statement: what vests leaves one row and enters another, and no page tears the two apart', () =>
    withStore(async (store) => {
      await store.people.createContributor(exampleContributor());
      await store.people.createContributor(exampleContributor({ id: contributorIdOf(2), owner: device('bob') }));
      await store.people.createSite(exampleSite());
      const mine = `vesting/${contributorIdOf(1)}` as const;
      const theirs = `vesting/${contributorIdOf(2)}` as const;
      const vest = { debit: mine, kind: 'vest' } as const;
      await post(
        store,
        exampleTransfer({ id: 'pay/1', kind: 'pay', credit: mine, microCredits: 100n }),
        exampleTransfer({ id: 'pay/2', kind: 'pay', credit: theirs, microCredits: 100n }),
        exampleTransfer({ ...vest, id: 'vest/1', credit: `${ada}/earned`, microCredits: 60n }),
        exampleTransfer({ ...vest, id: 'share/1', kind: 'site share', credit: `site/${siteIdOf(1)}`, microCredits: 30n }),
        exampleTransfer({ ...vest, id: 'void/1', kind: 'void', credit: `${device('bob')}/grant`, microCredits: 10n }),
      );
      const rows = [
        ['void/1', 'vesting', -10n],
        ['share/1', 'site', 30n],
        ['share/1', 'vesting', -30n],
        ['vest/1', 'earned', 60n],
        ['vest/1', 'vesting', -60n],
        ['pay/1', 'vesting', 100n],
      ];
      const pages: unknown[][] = [];
      let before: string | undefined;
      for (;;) {
        const page = await store.ledger.statement(ada, { limit: 2, ...(before === undefined ? {} : { before }) });
        if (page.length === 0) break;
        pages.push(page.map(({ transfer, account, microCredits }) => [transfer.id, account, microCredits]));
        before = page.at(-1)?.transfer.id;
      }
      expect(pages).toEqual([rows.slice(0, 3), rows.slice(3)]);
    }));

  test('what vests is summed by owner and unit; what a result was paid is known, less what was voided', () =>
    withStore(async (store) => {
      for (const [number, owner] of [
        [1, ada],
        [2, ada],
        [3, device('bob')],
      ] as const)
        await store.people.createContributor(exampleContributor({ id: contributorIdOf(number), owner }));
      const pay = (result: number, contributor: number, microCredits: bigint, unit: CreditUnit = 'test') =>
        exampleTransfer({ id: `pay/${resultIdOf(result)}`, kind: 'pay', credit: `vesting/${contributorIdOf(contributor)}`, microCredits, unit });
      const voided = { kind: 'void', debit: `vesting/${contributorIdOf(2)}`, credit: `job/${jobIdOf(1)}` } as const;
      await post(
        store,
        pay(1, 1, 2n ** 53n + 1n),
        pay(2, 2, 5n),
        pay(3, 3, 7n),
        pay(4, 1, 9n, 'credit'),
        exampleTransfer({ ...voided, id: `void/${resultIdOf(2)}`, microCredits: 5n }),
      );
      expect(await store.ledger.vesting(ada, 'test')).toBe(2n ** 53n + 1n);
      expect(await store.ledger.vesting(ada, 'credit')).toBe(9n);
      expect(await store.ledger.vesting(device('bob'), 'test')).toBe(7n);
      expect(await store.ledger.vesting(device('nobody'), 'test')).toBe(0n);
      const asked = Array.from({ length: 200 }, (_, number) => resultIdOf(number));
      expect([...(await store.ledger.paidFor(asked))].sort()).toEqual([
        [resultIdOf(1), 2n ** 53n + 1n],
        [resultIdOf(2), 0n],
        [resultIdOf(3), 7n],
        [resultIdOf(4), 9n],
      ]);
    }));

  test('the database itself refuses what no code may do, and the audit sees a wrong balance', () =>
    withDatabase(async (database) => {
      const store = await database.open();
      await post(store, exampleTransfer({ id: 'grant', microCredits: 10n }), exampleTransfer({ id: 'other', microCredits: 3n, unit: 'credit' }));
      await store.close();

      const insert = (values: string) => database.run(`insert into transfers (id, unit, debit, credit, amount, kind, at_ms, phase) values (${values})`);
      await expect(database.run('update transfers set amount = 99')).rejects.toThrow('append-only');
      await expect(database.run('delete from transfers')).rejects.toThrow('append-only');
      await expect(database.run(`update accounts set debits_posted = 11 where id = '${ada}/grant'`)).rejects.toThrow('accounts_covered');
      await expect(insert(`'a', 'test', '${issuance}', '${ada}/grant', 0, 'grant', 1, 'single'`)).rejects.toThrow(/check/i);
      await expect(insert(`'a', 'test', '${issuance}', '${issuance}', 1, 'grant', 1, 'single'`)).rejects.toThrow('transfers_move');
      // PostgreSQL leaves these to `postTransfers`.
      if (name === 'SQLite') {
        await expect(database.run('delete from accounts')).rejects.toThrow('FOREIGN KEY');
        for (const [unit, credit] of [
          ['test', 'nobody/earned'],
          ['gold', `${ada}/grant`],
        ])
          await expect(insert(`'a', '${unit}', '${issuance}', '${credit}', 1, 'grant', 1, 'single'`)).rejects.toThrow('FOREIGN KEY');
      }
      await database.run(`update accounts set credits_posted = credits_posted + 1 where id = '${ada}/grant' and unit = 'test'`);

      const tampered = await database.open();
      expect(await tampered.ledger.audit()).toEqual([
        { unit: 'credit', sum: 0n, wrongAccounts: 0, transfers: 1 },
        { unit: 'test', sum: 1n, wrongAccounts: 1, transfers: 1 },
      ]);
      await tampered.close();
    }));
});
