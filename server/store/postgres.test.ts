import { expect, test } from 'vitest';
import type { QuoteId } from '../../shared/model.ts';
import type { Claim } from './idempotency.ts';
import { openPostgresStore } from './postgres.ts';
import { QuoteUsed } from './quotes.ts';
import { type AccountId, InsufficientCredits, type LedgerStore, type Store, type Transfer } from './store.ts';
import { query, withPostgres } from './stores.testing.ts';
import { bytesOf, contributorIdOf, device, exampleContributor, exampleJob, exampleTransfer, jobIdOf, wallet } from './testing.ts';

/** What several coordinators do to one database at once. All else is the suite of every store. */

const ada = device('ada');
const post = (store: Store, ...transfers: readonly Transfer[]) => store.commit(transfers.map((transfer) => ({ kind: 'transfer', transfer })));
const grant = (id: string, credit: AccountId, microCredits: bigint): Transfer => exampleTransfer({ id, credit, microCredits });
const kept = (all: readonly PromiseSettledResult<unknown>[]): number => all.filter(({ status }) => status === 'fulfilled').length;

/** Runs with two stores on one empty database, as two coordinators have them. */
const withTwo = <T>(run: (one: Store, other: Store, url: string) => Promise<T>): Promise<T> =>
  withPostgres(async (url) => {
    const [one, other] = await Promise.all([openPostgresStore(url), openPostgresStore(url)]);
    try {
      return await run(one, other, url);
    } finally {
      await Promise.all([one.close(), other.close()]);
    }
  });

/** All that a statement tells, page by page. */
async function statementOf(ledger: LedgerStore): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const page = await ledger.statement(ada, { limit: 1000, ...(ids.length > 0 && { before: ids.at(-1)! }) });
    if (page.length === 0) return ids;
    ids.push(...page.map(({ transfer }) => transfer.id));
  }
}

test('two that start at once on an empty database both work, with the same secrets and another number each', () =>
  withTwo(async (one, other) => {
    expect((await Promise.all([one.nextEpoch(), other.nextEpoch()])).sort()).toEqual([1, 2]);
    const [mine, theirs] = await Promise.all([one.secret('lease'), other.secret('lease')]);
    expect(mine).toEqual(theirs);
  }));

test('two writers neither overdraw an account nor lose what came in, and no statement skips a transfer', () =>
  withTwo(async (one, other) => {
    const accounts: readonly AccountId[] = ['grant', 'earned', 'deposited'].flatMap((kind) =>
      [ada, device('bob')].map((owner) => `${owner}/${kind}` as AccountId),
    );
    const at = (index: number): AccountId => accounts[index % accounts.length]!;
    // More than `INDEXED_TOGETHER` in all, so that both also write entries by account.
    const commits = Array.from(
      { length: 30 },
      (_, commit) => async (store: Store) =>
        post(
          store,
          ...Array.from({ length: 300 }, (_, row) => grant(`g${commit}/${row}`, at(commit + row), 5n)),
          ...Array.from({ length: 5 }, (_, row) =>
            exampleTransfer({ id: `m${commit}/${row}`, debit: at(commit * 7 + row), credit: at(commit * 5 + row + 1), microCredits: 40n + BigInt(row) }),
          ).filter(({ debit, credit }) => debit !== credit),
        ),
    );
    const settled = await Promise.allSettled(commits.map((commit, index) => commit(index % 2 === 0 ? one : other)));
    for (const each of settled) if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(InsufficientCredits);
    expect(kept(settled)).toBeGreaterThan(20);
    expect(await one.ledger.audit()).toMatchObject([{ unit: 'test', sum: 0n, wrongAccounts: 0 }]);
    let balance = 0n;
    for (const kind of ['grant', 'earned', 'deposited'] as const) balance += await other.ledger.balance(`${ada}/${kind}`, 'test');
    let told = 0n;
    for (const { microCredits } of await one.ledger.statement(ada, { limit: 100_000 })) told += microCredits;
    expect(told).toBe(balance);
    expect(new Set(await statementOf(other.ledger)).size).toBe(
      new Set((await one.ledger.statement(ada, { limit: 100_000 })).map(({ transfer }) => transfer.id)).size,
    );
  }));

test('the first transfers to an account, and the same transfer from two at once, are counted once each', () =>
  withTwo(async (one, other) => {
    const both = (number: number) => [post(one, grant(`a${number}`, `${ada}/grant`, 1n)), post(other, grant(`b${number}`, `${ada}/grant`, 1n))];
    const same = (number: number) => [one, other].map((store) => post(store, grant(`same${number}`, `${ada}/earned`, 1n)));
    await Promise.all(Array.from({ length: 10 }, (_, number) => [...both(number), ...same(number)]).flat());
    expect(await one.ledger.balance(`${ada}/grant`, 'test')).toBe(20n);
    expect(await other.ledger.balance(`${ada}/earned`, 'test')).toBe(10n);
  }));

test('of orders at two coordinators as many are taken as the owner may have open, can pay, and has quotes for', () =>
  withTwo(async (one, other) => {
    await post(one, grant('g', `${ada}/grant`, 100n));
    const order = (number: number, microCredits: bigint, more: Parameters<Store['jobs']['create']>[2]) => {
      const id = jobIdOf(number);
      const hold = exampleTransfer({ id: `hold/${id}`, kind: 'hold', debit: `${ada}/grant`, credit: `job/${id}`, microCredits, job: id });
      return (number % 2 === 0 ? one : other).jobs.create(exampleJob({ id, workHeld: microCredits, checksHeld: 0n }), [hold], more);
    };
    const orders = (from: number, microCredits: bigint, more: Parameters<Store['jobs']['create']>[2]) =>
      Promise.allSettled(Array.from({ length: 6 }, (_, index) => order(from + index, microCredits, more)));
    expect(kept(await orders(0, 1n, { openMax: 4 }))).toBe(4);
    const quote = { id: 'q_0000000000000001' as QuoteId, owner: ada, fingerprint: bytesOf(1), ratePerUnit: 1n, priceVersion: null, finish: null };
    await one.quotes.create({ ...quote, createdMs: 1, expiresMs: 9 }, 1);
    const quoted = await orders(10, 1n, { quote: quote.id });
    expect(kept(quoted)).toBe(1);
    for (const each of quoted) if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(QuoteUsed);
    const claim: Claim = { owner: ada, route: 'POST /api/jobs', keyHash: bytesOf(2), fingerprint: bytesOf(3), atMs: 1000 };
    const repeated = await orders(20, 1n, { claim });
    expect(kept(repeated)).toBe(1);
    for (const each of repeated) if (each.status === 'rejected') expect(each.reason).toMatchObject({ name: 'RequestRepeated' });
    const key = { id: 'tk_AAAAAAAAAAAAAAAA' as never, owner: ada, name: 'Farm', secretHash: bytesOf(1), scopes: [], budget: 6n };
    await one.apiKeys.create({ ...key, createdMs: 0, expiresMs: null, usedMs: null, revokedMs: null });
    expect(kept(await orders(30, 2n, { apiKey: key.id }))).toBe(3);
    // 88 of the 100 are left.
    expect(kept(await orders(40, 20n, {}))).toBe(4);
    expect(await one.ledger.audit()).toMatchObject([{ sum: 0n, wrongAccounts: 0 }]);
  }));

test('what works once works once: a challenge, a place among members, a price, a withdrawal of what was earned, a delivery', () =>
  withTwo(async (one, other) => {
    const twice = <T>(ask: (store: Store) => Promise<T>): Promise<[T, T]> => Promise.all([ask(one), ask(other)]);
    await one.people.putChallenge({ nonce: 'n', address: 'a', text: 't', sessionHash: bytesOf(1), expiresMs: 9e12 });
    expect((await twice(({ people }) => people.takeChallenge('n'))).filter(Boolean)).toHaveLength(1);
    const group = { id: 'g_0000000000000001' as never, name: 'Studio', owner: ada, createdMs: 5 };
    await one.groups.create(group, { id: 'm_0', group: group.id, owner: ada, name: '', joinedMs: 1 });
    let number = 0;
    const join = ({ groups }: Store) =>
      groups.addMember({ id: `m_${++number}`, group: group.id, owner: device(`x${number}`), name: '', joinedMs: 1 }, { members: 2, groups: 9 });
    expect((await twice(join)).sort()).toEqual(['full', 'in']);
    const price = { workload: 'a', kernelVersion: 1, ratePerUnit: 5n, calibration: { some: 1 } as never, fromMs: 1 };
    const [first, second] = await twice(({ prices }) => prices.append(price));
    expect(first).toEqual(second);
    await post(one, grant('e', `${ada}/earned`, 70n));
    await one.people.createContributor(exampleContributor({ id: contributorIdOf(1) }));
    let nonce = 0;
    await twice(({ people }) => people.signIn(wallet('So1'), ada, bytesOf(1), bytesOf(10 + ++nonce), 9000, `nonce${nonce}`, 4000));
    expect(await one.ledger.balance(`${wallet('So1')}/earned`, 'test')).toBe(70n);
    const hook = { id: 'w_1', owner: ada, url: 'https://a.example', host: 'a.example', events: ['job.done'] as never, secret: 's', createdMs: 1 };
    await one.webhooks.create({ ...hook, failures: 0, failingSinceMs: null, disabled: null });
    await one.jobs.create(exampleJob({ workHeld: 0n, checksHeld: 0n }), []);
    const parts = { total: 1, accepted: 1, checking: 0, leased: 0 };
    const summary = {
      parts,
      contributors: 1,
      checksDone: { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 0 },
      paidMicroCredits: '0',
    };
    await one.commit([{ kind: 'jobEnded', id: jobIdOf(1), status: 'done', atMs: 5, summary }]);
    const [due] = await other.webhooks.due(10, { deliveries: [], hosts: [] }, 9);
    expect((await twice(({ webhooks }) => webhooks.claim(due!, 100))).sort()).toEqual([false, true]);
    expect(await one.webhooks.due(99, { deliveries: [], hosts: [] }, 9)).toEqual([]);
    expect(await one.webhooks.due(100, { deliveries: [], hosts: [] }, 9)).toHaveLength(1);
  }));

test('a lost connection is an error of what used it; idle ones are replaced, and the next call is answered', () =>
  withTwo(async (one, other, url) => {
    await Promise.all(Array.from({ length: 4 }, () => one.nextEpoch()));
    const slow = one.ledger.audit();
    await query(url, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tessera' and datname = current_database()");
    await slow.catch(() => undefined);
    // Those that were lost while they waited are known as such once the socket has told.
    await expect.poll(() => one.nextEpoch().then(Number.isInteger, () => false), { timeout: 5000 }).toBe(true);
    await expect
      .poll(
        () =>
          other.secret('draw').then(
            (secret) => secret.length,
            () => 0,
          ),
        { timeout: 5000 },
      )
      .toBe(32);
  }));
