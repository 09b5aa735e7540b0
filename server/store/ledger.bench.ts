import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address } from '@solana/kit';
import Database from 'better-sqlite3';
import type { ContributorId, JobId, OwnerId } from '../../shared/model.ts';
import { earnedAccount, jobAccount, vestingAccount } from '../core/ledger.ts';
import { newResultId } from '../ids.ts';
import { Journal } from '../settle/journal.ts';
import { openLocalNet } from '../settle/local/fixture.ts';
import { Machine } from '../settle/machine.ts';
import { orderText, refusalOf, type SignedOrder } from '../settle/order.ts';
import { openSolana } from '../settle/solana.ts';
import { TestWallet } from '../solana.testing.ts';
import { openSqliteStore } from './sqlite.ts';
import type { AccountId, Transfer } from './store.ts';

const ROUNDS = 7;
const COMMITS = 20;
const PER_COMMIT = 1000;
const CONTRIBUTORS = 1000;
const JOBS = 20;
const PAYOUTS = 300;
const BLOCK_MS = 400;
const QUIET_BLOCKS = 170;
const SIGN_INS = 500;
const MICRO = 1_000_000n;

const id = (prefix: string, number: number): string => `${prefix}_${number.toString(36).padStart(16, '0')}`;
const contributors = Array.from({ length: CONTRIBUTORS }, (_, index) => ({
  contributor: id('c', index) as ContributorId,
  owner: `device:${index.toString().padStart(16, '0')}` as OwnerId,
}));

const give = (account: AccountId, unit: 'test' | 'credit', number: number): Transfer => ({
  ...{ id: `grant/${number}/${unit}`, unit, debit: unit === 'test' ? 'operator/issuance' : 'operator/exchange', credit: account },
  ...{ microCredits: 10n ** 15n, kind: 'grant', job: null, at: null, atMs: 1 },
});

/** As a busy coordinator posts them: pay, its vesting, and of every fifty a withdrawal that is held and posted. Thirty results a millisecond. */
function* traffic(): Generator<Transfer> {
  for (let tile = 0; ; tile++) {
    const { contributor, owner } = contributors[(tile * 7919) % CONTRIBUTORS]!;
    const result = newResultId(randomBytes, 1_800_000_000_000 + Math.floor(tile / 30));
    const common = { unit: 'test', microCredits: 1000n, job: id('j', tile % JOBS) as JobId, at: { pass: 0, tile }, atMs: 1_800_000_000_000 + tile } as const;
    yield { ...common, id: `pay/${result}`, debit: jobAccount(common.job), credit: vestingAccount(contributor), kind: 'pay' };
    yield { ...common, id: `vest/${result}`, debit: vestingAccount(contributor), credit: earnedAccount(owner), kind: 'vest' };
    if (tile % 50 !== 0) continue;
    const hold = {
      ...common,
      unit: 'credit',
      id: `withdraw/${result}`,
      debit: earnedAccount(owner),
      credit: 'operator/exchange',
      kind: 'withdrawal',
      job: null,
      at: null,
    } as const;
    yield { ...hold, phase: 'pending' };
    yield { ...hold, id: `${hold.id}/post`, phase: 'post', pending: hold.id };
  }
}

/** The same rows in the plainest way: a prepared insert, and two prepared updates that check as they write. */
class Plain {
  readonly #db: Database.Database;

  constructor(folder: string) {
    this.#db = new Database(join(folder, 'plain.sqlite'));
    this.#db.pragma('journal_mode = WAL');
    this.#db.pragma('synchronous = FULL');
    this.#db.exec(`create table accounts (id text, unit text, balance integer not null check (balance >= 0 or id like 'operator/%'), primary key (id, unit)) strict;
      create table transfers (seq integer primary key, id text unique, unit text, debit text, credit text, amount integer, phase text, kind text, job text, pass integer, tile integer, at_ms integer) strict;
      create index by_debit on transfers (debit, unit, seq); create index by_credit on transfers (credit, unit, seq)`);
  }

  commit(transfers: readonly Transfer[]): void {
    const change = this.#db.prepare('insert into accounts values (?, ?, ?) on conflict do update set balance = balance + excluded.balance');
    const insert = this.#db.prepare(
      'insert into transfers (id, unit, debit, credit, amount, phase, kind, job, pass, tile, at_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#db.transaction(() => {
      for (const { id, unit, debit, credit, microCredits, phase, kind, job, at, atMs } of transfers) {
        if (phase !== 'post') {
          change.run(credit, unit, microCredits);
          this.#db.prepare('update accounts set balance = balance - ? where id = ? and unit = ?').run(microCredits, debit, unit);
        }
        insert.run(id, unit, debit, credit, microCredits, phase ?? null, kind, job, at?.pass ?? null, at?.tile ?? null, atMs);
      }
    })();
  }

  close(): void {
    this.#db.close();
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const spread = (values: readonly number[]): string => `${Math.round(Math.min(...values))} to ${Math.round(Math.max(...values))}`;

function take(source: Generator<Transfer>, count: number): Transfer[] {
  return Array.from({ length: count }, () => source.next().value as Transfer);
}

async function transfers(folder: string): Promise<{ ours: number[]; plain: number[]; imbalance: number; rows: number }> {
  const store = await openSqliteStore(join(folder, 'ours'));
  const peer = new Plain(folder);
  const accounts: AccountId[] = Array.from({ length: JOBS }, (_, index) => jobAccount(id('j', index) as JobId));
  const grants = [
    ...accounts.map((account, index) => give(account, 'test', index)),
    ...contributors.map(({ owner }, index) => give(earnedAccount(owner), 'credit', index)),
  ];
  await store.commit(grants.map((transfer) => ({ kind: 'transfer', transfer })));
  peer.commit(grants.map((grant) => ({ ...grant, debit: 'operator/issuance' })));
  const source = traffic();
  const [ours, plain]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    const groups = Array.from({ length: COMMITS }, () => take(source, PER_COMMIT));
    const rateOf = (started: number): number => (COMMITS * PER_COMMIT * 1000) / (performance.now() - started);
    let started = performance.now();
    for (const group of groups) await store.commit(group.map((transfer) => ({ kind: 'transfer', transfer })));
    ours.push(rateOf(started));
    started = performance.now();
    for (const group of groups) peer.commit(group);
    plain.push(rateOf(started));
  }
  const books = await store.ledger.audit();
  const imbalance = books.reduce((sum, { sum: unit, wrongAccounts }) => sum + Math.abs(Number(unit)) + wrongAccounts, 0);
  await store.close();
  peer.close();
  return { ours, plain, imbalance, rows: books.reduce((sum, { transfers: count }) => sum + count, 0) };
}

function orderOf(wallet: TestWallet, number: number, mint: string): SignedOrder {
  const order = {
    ...{ id: `w_${number.toString().padStart(16, '0')}`, wallet: wallet.address, tokens: 2n * MICRO, openingTokens: MICRO / 2n, mint },
    ...{ chain: 'solana:localnet', origin: 'http://localhost', nonce: number.toString(16).padStart(32, '0') },
    ...{ issuedAt: '2026-01-01T00:00:00.000Z', expiresAt: '2026-01-01T00:05:00.000Z' },
  };
  return { ...order, signature: wallet.answer('', orderText(order)).signature };
}

/** At the network's pace: blocks of 400 ms, final after 32. Half of the wallets have no account yet. */
async function payouts(): Promise<{ perMinute: number; wrong: number; verifyUs: number[] }> {
  const net = await openLocalNet({ blockMs: BLOCK_MS });
  const { chain } = await openSolana({ rpcUrl: net.url, hotKey: net.hotKey, mint: net.mint, treasury: net.treasury.address });
  const journal = Journal.open(':memory:');
  const expected = { origin: 'http://localhost', chain: 'solana:localnet', mint: net.mint as string };
  const marker = (): string => randomBytes(18).toString('base64url');
  const machine = new Machine({ journal, chain, expected, clock: Date.now, marker, dayTokensMax: 10n ** 15n, log: () => undefined });
  const wallets = Array.from({ length: PAYOUTS }, () => new TestWallet());
  for (const [index, { address }] of wallets.entries()) if (index % 2 === 0) await net.chain.mintTo(net.mint, address as Address, 0n);
  net.chain.finalise();
  const orders = wallets.map((wallet, index) => orderOf(wallet, index, net.mint));
  const verifyUs = orders.slice(0, SIGN_INS).map((order) => {
    const started = performance.now();
    if (refusalOf(order) !== null) throw new Error('a right signature was refused');
    return (performance.now() - started) * 1000;
  });
  await machine.recover();
  net.chain.advance(QUIET_BLOCKS);
  await machine.tick({ epoch: 0, root: '-' });
  machine.take(orders);
  const started = performance.now();
  let done = 0;
  while (done < PAYOUTS) {
    await machine.tick({ epoch: 0, root: '-' });
    const untold = journal.untold(PAYOUTS);
    journal.told(untold.map(({ id }) => id));
    done += untold.length;
    await new Promise((resolve) => setTimeout(resolve, BLOCK_MS));
  }
  const perMinute = (PAYOUTS * 60_000) / (performance.now() - started);
  const held = await Promise.all(wallets.map(({ address }) => net.chain.tokenBalance(net.mint, address as Address)));
  const wrong = held.filter((tokens, index) => tokens !== (index % 2 === 0 ? 2n * MICRO : (3n * MICRO) / 2n)).length;
  await net.close();
  return { perMinute, wrong, verifyUs };
}

export async function bench(): Promise<{ suite: string; figures: Record<string, number>; notes: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-ledger-'));
  try {
    const { ours, plain, imbalance, rows } = await transfers(folder);
    const { perMinute, wrong, verifyUs } = await payouts();
    return {
      suite: 'ledger',
      figures: {
        transfers_per_s: Math.round(median(ours)),
        transfers_per_s_plain: Math.round(median(plain)),
        payouts_per_minute: Math.round(perMinute),
        payouts_wrong: wrong,
        signin_verify_us: Math.round(median(verifyUs)),
        imbalance,
        transfers: rows,
      },
      notes: [
        `transfers: ${ROUNDS} rounds by turns of ${COMMITS} commits of ${PER_COMMIT}, SQLite with synchronous=FULL, ${CONTRIBUTORS} contributors, ${JOBS} jobs; medians, ours ${spread(ours)}, plain ${spread(plain)}.`,
        'One transfer: a row with an id of its own, looked up for repeats, both accounts checked and updated in its commit, found by account (in steps of 4096). 49 % pay, 49 % vest, 1 % held, 1 % posted; ids are those of results, time first. It could be gamed by larger commits, fewer accounts or no index by account.',
        'plain: the same rows by better-sqlite3, an insert and two updates each, indices by account at once, no look for repeats, no phases.',
        `payouts: ${PAYOUTS} to as many wallets, half of them without a token account, on litesvm behind JSON-RPC with blocks of ${BLOCK_MS} ms that are final after 32; from the order to finality and in the journal. Eight transactions at a time.`,
        'sign-in: the median of checking one signature over its stored text, the point checks of the key included.',
      ],
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
