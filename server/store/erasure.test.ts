import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { GroupId, OwnerId } from '../../shared/model.ts';
import { areRight, Books, type ProvedBooks } from '../books.ts';
import { proofOf } from '../earnings.ts';
import { newGoneOwner } from '../ids.ts';
import { statementCsv } from '../statement-csv.ts';
import { bob, endWithdrawal, enter, enterBob, everything, found, MARK, type Person, SESSION_MS, withdraw } from './erasure.testing.ts';
import { type Erased, ErasureRefused } from './erasure.ts';
import type { AccountId, Store, Transfer } from './store.ts';
import { stores, type TestDatabase } from './stores.testing.ts';
import { bytesOf, contributorIdOf, exampleContributor, exampleJob, exampleResult, exampleTransfer, jobIdOf, resultIdOf, siteIdOf } from './testing.ts';

/** Of coordinators, operators and the network, and `account_entries`, which a test of its own fills. */
const impersonal: ReadonlySet<string> = new Set([
  ...[
    'account_entries',
    'banned_contents',
    'blocks',
    'coordinators',
    'counters',
    'epoch_transactions',
    'job_decisions',
    'key_versions',
    'network_pauses',
    'network_samples',
  ],
  ...['operator_log', 'operator_sessions', 'prices', 'secrets', 'agreements', 'shares', 'socket_io_attachments'],
]);
const RUNS = Number(process.env.HISTORIES ?? 8);
const newName = (): OwnerId => newGoneOwner(randomBytes);
const erase = (store: Store, owner: OwnerId, forfeit = true): Promise<Erased> => store.erasure.erase({ owner, forfeit, newName, atMs: 7000 });
const post = (store: Store, ...transfers: readonly Transfer[]) => store.commit(transfers.map((transfer) => ({ kind: 'transfer', transfer })));

async function prove(books: Books): Promise<ProvedBooks> {
  for (;;) {
    const proved = await books.step();
    if (proved) return proved;
  }
}
async function expectRightBooks(store: Store): Promise<void> {
  for (const books of await store.ledger.audit()) expect(books).toMatchObject({ sum: 0n, wrongAccounts: 0 });
  expect(areRight(await prove(new Books((from, max) => store.ledger.look(from, max))))).toBe(true);
}
/** Why it was refused. */
const refusal = (erasing: Promise<unknown>): Promise<unknown> =>
  erasing.then(
    () => undefined,
    (error: unknown) => (error instanceof ErasureRefused ? [error.field, error.limit] : error),
  );
/** All that a transfer is, but for the names in it. */
const moved = (tables: Awaited<ReturnType<typeof everything>>): string[] =>
  (tables.get('transfers') ?? []).map(({ seq, unit, amount, phase, kind, job }) => [seq, unit, amount, phase, kind, job].join(' ')).sort();

describe.each(stores)('erasure on $name', ({ name, withDatabase, withStore }) => {
  const isSqlite = name === 'SQLite';
  const withPerson = (run: (store: Store, person: Person) => Promise<void>): Promise<void> =>
    withStore(async (store) => {
      await enterBob(store);
      await run(store, await enter(store, 0));
    });
  /** In a store that is open for this alone: what follows looks at the database itself. */
  async function inStore<T>(database: TestDatabase, run: (store: Store) => Promise<T>): Promise<T> {
    const store = await database.open();
    try {
      return await run(store);
    } finally {
      await store.close();
    }
  }

  test('nothing of a person is found in any column of any table; others keep what is theirs, and the books are right', () =>
    withDatabase(async (database) => {
      const [ada, eve] = await inStore(database, async (store) => {
        await enterBob(store);
        return [await enter(store, 0), await enter(store, 1)] as const;
      });
      const before = await everything(database, isSqlite);
      expect(found(before, ada.traces).length).toBeGreaterThan(30);
      // Whatever a table can hold of a person is there: a new one is filled by `erasure.testing.ts`, or named here because it holds nothing of anybody.
      const empty = [...before].flatMap(([table, rows]) => (rows.length === 0 ? [table] : []));
      expect(empty.filter((table) => !impersonal.has(table))).toEqual([]);
      const csvOf = async (store: Store, owner: OwnerId) => {
        let text = '';
        for await (const line of statementCsv(store, owner)) text += line;
        return text;
      };
      const [statement, erased] = await inStore(database, async (store) => [await csvOf(store, bob), await erase(store, ada.wallet)] as const);
      const after = await everything(database, isSqlite);
      expect(found(after, ada.traces)).toEqual([]);
      const ofEve = (tables: typeof after) => found(tables, eve.traces).filter((each) => !each.startsWith('epochs'));
      expect(ofEve(after)).toEqual(ofEve(before));
      // Not one transfer is another but for names; what was left went to the operator.
      expect(moved(after).filter((row) => !row.includes('forfeit'))).toEqual(moved(before));
      expect(after.get('operator_log')).toMatchObject([{ action: 'account deleted', target: erased.owner, session: '' }]);
      await inStore(database, async (store) => {
        await expectRightBooks(store);
        expect(await csvOf(store, bob)).toBe(statement);
        expect(erased).toMatchObject({ names: [ada.wallet, ada.device], jobs: [jobIdOf(10)], dismissed: [{ owner: bob, group: 'g_0000000000000010' }] });
        expect([erased.contributors.length, erased.consents.length, erased.sites, erased.sessions.length]).toEqual([2, 2, [siteIdOf(10)], 2]);
        expect(erased.forgotten.map(({ inputs, files }) => [inputs.length, files])).toEqual([[1, [{ hash: 'ab'.repeat(32), madeMs: 9000 }]]]);
        expect(await store.ledger.balance('operator/forfeited', 'credit')).toBe(330n);
        // Granted less what the job paid, earned before and after signing in, and the site's share.
        expect(await store.ledger.balance('operator/forfeited', 'test')).toBe(5000n - 7n + 4n + 1n + 6n);
        // The pay of Bob's tile is his as soon as it vests; taken back, it goes to nobody's account.
        expect((await store.jobs.vesting()).find(({ job }) => job === jobIdOf(10))?.vesting?.refundTo).toBe('operator/forfeited');
        expect((await store.people.consentsOf(bob)).filter(({ revokedMs }) => revokedMs === null)).toHaveLength(2);
        expect((await store.groups.idsOf(bob)).length).toBe(2);
        // Proofs of others hold, and there is none of his.
        const epoch = await store.money.newestEpoch();
        if (!epoch) throw new Error('unreachable');
        const proof = (owner: OwnerId) => proofOf(epoch, owner.slice('wallet:'.length));
        expect([proof(eve.wallet)?.root, proof(ada.wallet)]).toEqual([epoch.root, null]);
        expect(await store.money.earnings()).toHaveLength(1);
      });
    }));

  test('refused, with the name of what stands in the way, as long as something does; then nothing has changed', () =>
    withDatabase(async (database) => {
      const ada = await inStore(database, async (store) => {
        await enterBob(store);
        return enter(store, 0);
      });
      const unchanged = async (change: (store: Store) => Promise<void>, forfeit: boolean, reason: unknown): Promise<void> => {
        await inStore(database, change);
        const before = await everything(database, isSqlite);
        expect(await inStore(database, (store) => refusal(erase(store, ada.wallet, forfeit)))).toEqual(reason);
        expect(await everything(database, isSqlite)).toEqual(before);
      };
      const job = exampleJob({ id: jobIdOf(90), owner: ada.wallet, heldFrom: [], workHeld: 0n, checksHeld: 0n });
      const shared = { ...job, id: jobIdOf(91), owner: bob, group: { id: 'g_0000000000000010' as never, mode: 'only' as const } };
      const ended = { kind: 'jobEnded', status: 'cancelled', atMs: 1, summary: { paidMicroCredits: '0', parts: {} } as never } as const;
      await unchanged((store) => store.jobs.create(job, []), true, ['jobs', '1 open']);
      await unchanged((store) => store.commit([{ ...ended, id: job.id }]), false, ['forfeit', '0.00033 credits to spend, 0.00 vesting']);
      await unchanged((store) => store.jobs.create(shared, []), true, ['groups', '1 open']);
      const { number, wallet: me } = ada;
      const vesting = exampleTransfer({
        id: 'v',
        unit: 'credit',
        debit: 'operator/exchange',
        credit: `vesting/${contributorIdOf(number)}`,
        microCredits: 4_000_000n,
      });
      const spend = (['earned', 'deposited'] as const).map((account, index) =>
        exampleTransfer({
          id: `spend/${account}`,
          unit: 'credit',
          debit: `${me}/${account}`,
          credit: 'operator/exchange',
          microCredits: index === 0 ? 30n : 300n,
        }),
      );
      await unchanged(
        async (store) => {
          await store.commit([{ ...ended, id: shared.id }]);
          await post(store, vesting, ...spend);
        },
        false,
        ['forfeit', '0.00 credits to spend, 4.00 vesting'],
      );
      await unchanged(
        async (store) => {
          await post(store, exampleTransfer({ id: 'more', unit: 'credit', debit: 'operator/exchange', credit: `${me}/earned`, microCredits: 5_000_000n }));
          await withdraw(store, me, 'w_open', 5_000_000n);
        },
        true,
        ['withdrawals', '5.00 credits under way'],
      );
      await inStore(database, async (store) => {
        await endWithdrawal(store, me, 'w_open', 5_000_000n);
        await erase(store, me);
        await expectRightBooks(store);
      });
      expect(found(await everything(database, isSqlite), ada.traces)).toEqual([]);
    }));

  test('breaks off at its last step: all is as it was, and the ledger still refuses to be changed', () =>
    withDatabase(async (database) => {
      const ada = await inStore(database, async (store) => {
        await enterBob(store);
        return enter(store, 0);
      });
      const taken = newName();
      await inStore(database, (store) => post(store, exampleTransfer({ id: 'taken', credit: `${taken}/earned` })));
      const before = await everything(database, isSqlite);
      const broken = inStore(database, (store) => store.erasure.erase({ owner: ada.wallet, forfeit: true, newName: () => taken, atMs: 1 }));
      await expect(broken).rejects.toThrow();
      expect(await everything(database, isSqlite)).toEqual(before);
      const changes = ["update transfers set debit = 'site/x'", 'update transfers set amount = 1', 'delete from transfers'];
      for (const change of changes) await expect(database.run(change)).rejects.toThrow('transfers is append-only');
      await inStore(database, (store) => erase(store, ada.wallet));
      for (const change of changes) await expect(database.run(change)).rejects.toThrow('transfers is append-only');
    }));

  test('twice at once and once more is once; the wallet comes back as somebody new, with nothing', () =>
    withPerson(async (store, ada) => {
      await Promise.all([erase(store, ada.wallet), erase(store, ada.wallet), erase(store, ada.wallet)]);
      expect(await store.ledger.balance('operator/forfeited', 'credit')).toBe(330n);
      const visitor = 'device:new0000000000000' as OwnerId;
      await store.people.createDevice(visitor, bytesOf(70), SESSION_MS, null);
      await store.people.signIn(ada.wallet, visitor, bytesOf(70), bytesOf(71), SESSION_MS, 'again', 8000);
      expect(await store.people.sessionOwner(bytesOf(71), 1)).toBe(ada.wallet);
      expect(await store.ledger.statement(ada.wallet, { limit: 10 })).toEqual([]);
      expect(await store.people.contributorsOf(ada.wallet)).toEqual([]);
      expect(await store.jobs.list({ owner: ada.wallet, limit: 10 })).toEqual([]);
      await expectRightBooks(store);
    }));

  test('what was on its way is swept up, unless somebody has the name again', () =>
    withDatabase(async (database) => {
      const [ada, eve, gone] = await inStore(database, async (store) => {
        await enterBob(store);
        const [one, other] = [await enter(store, 0), await enter(store, 1)];
        const erased = [await erase(store, one.wallet), await erase(store, other.wallet)] as const;
        for (const { wallet: owner, number } of [one, other]) {
          const late = exampleResult({ id: resultIdOf(number + 5), contributor: contributorIdOf(number), owner });
          await store.commit([{ kind: 'result', result: late }]);
          await post(store, exampleTransfer({ id: `vest/${late.id}`, credit: `${owner}/earned`, microCredits: 12n }));
          await store.people.createContributor(exampleContributor({ id: contributorIdOf(number + 7), owner }));
          await store.groups.create(
            { id: `g_late${number}` as GroupId, name: 'Late', owner, createdMs: 1 },
            { id: `m_late${number}`, group: `g_late${number}` as GroupId, owner, name: '', joinedMs: 1 },
          );
          // Told once more by somebody who had not heard of it: it is known.
          await post(
            store,
            exampleTransfer({ id: `earn/${number}`, unit: 'credit', debit: 'operator/exchange', credit: `${owner}/earned`, microCredits: 50n, kind: 'vest' }),
          );
        }
        await store.people.createDevice(other.wallet, bytesOf(90), SESSION_MS, null);
        return [one, other, erased] as const;
      });
      const forfeited = (store: Store) => store.ledger.balance('operator/forfeited', 'test');
      await inStore(database, async (store) => {
        const before = await forfeited(store);
        for (const erased of gone) await store.erasure.sweep(erased, erased.names, newName, 8000);
        expect((await forfeited(store)) - before).toBe(12n);
        expect(await store.ledger.balance(`${eve.wallet}/earned`, 'test')).toBe(12n);
        await expectRightBooks(store);
      });
      expect(found(await everything(database, isSqlite), ada.traces)).toEqual([]);
    }));

  test('a long history is renamed to its first transfer, entries by account too', () =>
    withDatabase(async (database) => {
      const [ada, gone, before] = await inStore(database, async (store) => {
        await enterBob(store);
        const person = await enter(store, 0);
        const credit: AccountId = `${person.wallet}/earned`;
        const many = Array.from({ length: 9000 }, (_, index) => exampleTransfer({ id: `many/${index}`, credit, microCredits: 1n }));
        await post(store, ...many);
        const statement = await store.ledger.statement(person.wallet, { limit: 20_000 });
        return [person, await erase(store, person.wallet), statement] as const;
      });
      const tables = await everything(database, isSqlite);
      expect(tables.get('account_entries')?.length).toBeGreaterThan(18_000);
      expect(found(tables, ada.traces)).toEqual([]);
      await inStore(database, async (store) => {
        const after = await store.ledger.statement(gone.owner, { limit: 20_000 });
        expect(after.filter(({ transfer }) => transfer.kind !== 'forfeit').map(({ transfer }) => transfer.microCredits)).toEqual(
          before.map(({ transfer }) => transfer.microCredits),
        );
        await expectRightBooks(store);
      });
    }));

  test('whoever proves the books all the time begins anew, and finds them right', () =>
    withPerson(async (store, ada) => {
      const books = new Books((from, max) => store.ledger.look(from, max), 5);
      expect(areRight(await prove(books))).toBe(true);
      await books.step();
      await erase(store, ada.wallet);
      const proved = await prove(books);
      expect([areRight(proved), proved.wrong]).toEqual([true, []]);
      expect(books.balance('operator/forfeited', 'credit')).toBe(330n);
    }));

  test('after any history of jobs, pay, deposits and withdrawals the sums are 0, and only names have changed', { timeout: 60_000 + 4000 * RUNS }, async () => {
    const amount = fc.bigInt(1n, 10n ** 6n);
    const unit = fc.constantFrom('test' as const, 'credit' as const);
    const whose = fc.constantFrom('wallet' as const, 'device' as const);
    const step = fc.record({
      kind: fc.constantFrom('deposit', 'pay', 'vest', 'hold', 'refund', 'share', 'withdraw', 'withdraw and fail'),
      amount,
      unit,
      whose,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), (steps) =>
        withDatabase(async (database) => {
          const ada = await inStore(database, async (store) => {
            await enterBob(store);
            const person = await enter(store, 0);
            for (const [index, each] of steps.entries()) await play(store, person, index, each).catch(() => undefined);
            return person;
          });
          const before = await everything(database, isSqlite);
          await inStore(database, async (store) => {
            await erase(store, ada.wallet);
            await expectRightBooks(store);
          });
          const after = await everything(database, isSqlite);
          expect(found(after, [...ada.traces, MARK])).toEqual([]);
          expect(moved(after).filter((row) => !row.includes('forfeit'))).toEqual(moved(before));
          const left = (after.get('accounts') ?? []).filter(({ id }) => String(id).startsWith('gone:') || id === `site/${siteIdOf(ada.number)}`);
          for (const { credits_posted: credits, debits_posted: debits } of left) expect(BigInt(credits as string)).toBe(BigInt(debits as string));
        }),
      ),
      { numRuns: isSqlite ? RUNS : Math.ceil(RUNS / 3) },
    );
  });
});

interface Step {
  readonly kind: string;
  readonly amount: bigint;
  readonly unit: 'test' | 'credit';
  readonly whose: 'wallet' | 'device';
}

/** What is not covered is refused, and has not happened. */
async function play(store: Store, person: Person, index: number, { kind, amount: microCredits, unit, whose }: Step): Promise<void> {
  const { number, wallet: me } = person;
  const [vesting, job]: AccountId[] = [`vesting/${contributorIdOf(number)}`, `job/${jobIdOf(1)}`];
  const source = unit === 'test' ? 'operator/issuance' : 'operator/exchange';
  const owner = person[whose];
  const sides: Readonly<Record<string, readonly [debit: AccountId, credit: AccountId]>> = {
    deposit: [source, `${owner}/deposited`],
    pay: [source, vesting!],
    vest: [vesting!, `${owner}/earned`],
    hold: [`${owner}/${unit === 'test' ? 'earned' : 'deposited'}`, job!],
    refund: [job!, `${owner}/deposited`],
    share: [vesting!, `site/${siteIdOf(number)}`],
  };
  const [debit, credit] = sides[kind] ?? [];
  if (debit && credit) return post(store, exampleTransfer({ id: `${kind}/${index}`, unit, debit, credit, microCredits, kind: 'pay' }));
  await withdraw(store, me, `w_${index}`, microCredits);
  return endWithdrawal(store, me, `w_${index}`, microCredits, kind === 'withdraw');
}
