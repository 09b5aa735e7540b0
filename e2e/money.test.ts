import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalMoney, startLocalMoney } from '../scripts/local-money.ts';
import { fetchAs, launchBrowser, Visitor, WORK_MS_MAX } from './support/browser.ts';
import { shareGpu, stopSharing } from './support/contribute.ts';
import { ledgerOf, TestCoordinator } from './support/coordinator.ts';
import { untilJob } from './support/job.ts';
import { injectWallet, inWallet, keyOf } from './support/wallet.ts';

/** Tokens come in from a customer's wallet, become work, and go out to a contributor's: on a chain of this machine. */

let browser: Browser;
let coordinator: TestCoordinator;
let money: LocalMoney;
const dir = mkdtempSync(join(tmpdir(), 'tessera-money-'));
const MICRO = 1_000_000n;
/** Blocks at ten times the network's pace. */
const DECIDED_MS_MAX = 60_000;
/** A thousand credits a second of the reference GPU: what a test's picture earns is worth a payout. */
const RATE = '1000000000';

beforeAll(async () => {
  [browser, money] = await Promise.all([launchBrowser(), startLocalMoney(dir, { blockMs: 40, final: 8, roundMs: 200 })]);
  coordinator = await TestCoordinator.start(undefined, {
    ...money.coordinatorEnv,
    VESTING_SECONDS: '2',
    HOLDBACK_SECONDS: '4',
    RATE_MICRO_CREDITS_PER_UNIT: RATE,
  });
  money.settle(coordinator.apiUrl, coordinator.url);
});
afterAll(async () => {
  await browser.close();
  await coordinator.dispose();
  for (const child of money.children) await child.kill();
  rmSync(dir, { recursive: true, force: true });
});

interface Balance {
  readonly unit: string;
  readonly depositedMicroCredits: string;
  readonly earnedMicroCredits: string;
  readonly vestingMicroCredits: string;
}

/** In credits that are money. */
async function creditsOf(page: Page): Promise<{ deposited: bigint; earned: bigint; vesting: bigint }> {
  const { balances } = await fetchAs<{ balances: Balance[] }>(page, '/api/account');
  const balance = balances.find(({ unit }) => unit === 'credit');
  const of = (amount: string | undefined): bigint => BigInt(amount ?? '0');
  return { deposited: of(balance?.depositedMicroCredits), earned: of(balance?.earnedMicroCredits), vesting: of(balance?.vestingMicroCredits) };
}

async function connect(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Connect Test Wallet' }).click();
  await page.getByText('Signed in as').waitFor();
}

const withdraw = (page: Page): Promise<void> => page.getByRole('button', { name: 'Withdraw', exact: true }).click();
const newestWithdrawal = (page: Page) => page.getByRole('list', { name: 'Withdrawals' }).getByRole('listitem').first();

interface Withdrawal {
  readonly state: string;
  readonly microCredits: string;
  readonly tokens: string;
  readonly paidTokens: string | null;
}
const withdrawalsOf = async (page: Page): Promise<Withdrawal[]> => (await fetchAs<{ withdrawals: Withdrawal[] }>(page, '/api/account/withdrawals')).withdrawals;

test('tokens come in, a guest’s work earns them, and they go out to his wallet, once', { timeout: 2 * WORK_MS_MAX }, async () => {
  const [customer, helper] = await Promise.all([Visitor.enter(browser), Visitor.enter(browser)]);
  const [payer, wallet] = await Promise.all([injectWallet(customer.page, keyOf(money.payerKey)), injectWallet(helper.page)]);

  // The customer pays in, and orders with what arrived.
  await customer.page.goto(`${coordinator.url}/account`);
  await connect(customer.page);
  await customer.page.getByText(money.treasury).waitFor({ timeout: DECIDED_MS_MAX });
  await money.deposit(400n * MICRO);
  await expect.poll(() => creditsOf(customer.page), { timeout: DECIDED_MS_MAX }).toMatchObject({ deposited: 400n * MICRO });
  const params = { scene: 'cornell', width: 64, height: 48, samples: 64, bounces: 4, lighting: 'auto', layers: 'none' };
  const request = { workload: 'render', params, files: {}, title: 'Paid for', visibility: 'public', seed: 3, unit: 'credit' };
  const job = await customer.page.evaluate(async (body) => {
    const response = await fetch('/api/jobs', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    return (await response.json()) as { id: string; unit: string };
  }, request);
  expect(job.unit).toBe('credit');

  // A guest computes it, and connects with earnings already there.
  await helper.page.goto(coordinator.url);
  await shareGpu(helper.page);
  const done = await untilJob(coordinator, job.id, 'the job is done', ({ status }) => status === 'done');
  const paid = BigInt(done.paidMicroCredits);
  await stopSharing(helper.page);
  await helper.page.goto(`${coordinator.url}/account`);
  await inWallet(helper.page, 'reject');
  await helper.page.getByRole('button', { name: 'Connect Test Wallet' }).click();
  await helper.page.getByText('The wallet did not sign, so you are not signed in').waitFor();
  await connect(helper.page);
  await expect.poll(() => creditsOf(helper.page), { timeout: DECIDED_MS_MAX }).toEqual({ deposited: 0n, earned: paid, vesting: 0n });
  expect((await creditsOf(customer.page)).deposited).toBe(400n * MICRO - paid);

  // It says no, then answers for another account: nothing is held either time. After a reload it signs without connecting anew.
  await helper.page.reload();
  await helper.page.getByText('Signed in as').waitFor();
  await helper.page.getByRole('button', { name: /^All: / }).click();
  await inWallet(helper.page, 'reject');
  await withdraw(helper.page);
  await helper.page.getByText('The wallet did not sign', { exact: true }).waitFor();
  await inWallet(helper.page, 'answer for another');
  await withdraw(helper.page);
  await helper.page.getByText('The wallet answered for another account').waitFor();
  expect((await creditsOf(helper.page)).earned).toBe(paid);
  await withdraw(helper.page);
  await expect.poll(() => newestWithdrawal(helper.page).innerText(), { timeout: DECIDED_MS_MAX }).toContain('Paid: ');

  // The chain has what the statement says, less what opening the wallet's account kept.
  const [newest] = await withdrawalsOf(helper.page);
  expect(newest).toMatchObject({ state: 'paid', microCredits: paid.toString(), tokens: paid.toString(), paidTokens: (paid - 1000n).toString() });
  expect(await money.balance(wallet.address)).toBe(paid - 1000n);
  expect(await creditsOf(helper.page)).toEqual({ deposited: 0n, earned: 0n, vesting: 0n });
  const csv = await helper.page.evaluate(async () => (await fetch('/api/account/statement.csv')).text());
  const amounts = csv
    .trim()
    .split('\r\n')
    .slice(1)
    .map((line) => line.split(','))
    .filter(([, , , , account, unit]) => account === 'earned' && unit === 'credit');
  expect(amounts.reduce((sum, [, , , , , , credits]) => sum + Math.round(Number(credits) * 1e6), 0)).toBe(0);
  expect(amounts.filter(([, , kind, phase]) => kind === 'withdrawal' && phase === 'pending').map(([, , , , , , credits]) => Number(credits))).toEqual([
    -Number(paid) / 1e6,
  ]);

  // The proof is computed in the browser, and a payout carries it.
  await helper.page.getByRole('button', { name: 'Check my earnings' }).click();
  await helper.page.getByText('Computed here: it is about your wallet, leads to the root, and agrees with your statement.').waitFor();

  // Who locks his wallet, or shows another account, is signed out at once; and the payer sees nothing of it.
  await inWallet(helper.page, 'lock');
  await helper.page.getByText('The wallet was locked or switched to another account').waitFor();
  await connect(helper.page);
  await inWallet(helper.page, 'switch');
  await helper.page.getByText('The wallet was locked or switched to another account').waitFor();
  expect(await fetchAs<{ wallet: string | null }>(helper.page, '/api/account')).toMatchObject({ wallet: null });
  expect(await fetchAs<{ wallet: string | null }>(customer.page, '/api/account')).toMatchObject({ wallet: payer.address });

  // What a page asks for in the moment in which its session ends is refused, and asked for again by whoever one is then.
  const problems = [...customer.problems, ...helper.problems].filter((problem) => !/status of 401 .*\/api\/(sites|keys|webhooks)/.test(problem));
  expect(problems).toEqual([]);
  await Promise.all([customer.leave(), helper.leave()]);
  await coordinator.stop();
  const books = ledgerOf(coordinator);
  expect(books.map(({ unit }) => unit).toSorted()).toEqual(['credit', 'test', 'token']);
  for (const { sum, unexplained } of books) expect({ sum, unexplained }).toEqual({ sum: 0, unexplained: 0 });
});
