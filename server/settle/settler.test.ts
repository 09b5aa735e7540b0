import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Address, address, createKeyPairSignerFromPrivateKeyBytes, getAddressEncoder } from '@solana/kit';
import { getCloseAccountInstruction, getFreezeAccountInstruction } from '@solana-program/token';
import { expect, test } from 'vitest';
import { walletOwner } from '../ids.ts';
import { CREDIT, Earner, type MoneyTest, SETTLE_TOKEN, withMoney } from '../money.testing.ts';
import { temporaryFolder } from '../store/testing.ts';
import { type LocalNet, openLocalNet } from './local/fixture.ts';
import { Settler } from './settler.ts';
import { holder, landing, moving } from './solana.testing.ts';
import { tokenAccountOf } from './transaction.ts';

/** The coordinator's side of money, the settle process and a chain behind a node, all real; blocks are made faster. */

const DECIDED_MS_MAX = 20_000;
const OPENING = 500_000n;

interface Whole extends MoneyTest {
  readonly net: LocalNet;
  readonly folder: string;
  readonly options: Parameters<typeof Settler.start>[0];
  /** Of a wallet, on the chain. */
  holds(wallet: string): Promise<bigint>;
}

async function withWhole(run: (whole: Whole) => Promise<void>): Promise<void> {
  const net = await openLocalNet({ blockMs: 4, finalisedBehind: 8 });
  const folder = temporaryFolder();
  try {
    await withMoney(async (test) => {
      await test.app.listen({ port: 0 });
      const { port } = test.app.server.address() as AddressInfo;
      const options = {
        ...{ coordinatorUrl: `http://127.0.0.1:${port}`, origin: 'http://localhost:8080', token: SETTLE_TOKEN, rpcUrl: net.url },
        ...{ chain: 'solana:localnet', mint: net.mint, treasury: net.treasury.address, hotKey: net.hotKey, dayTokensMax: 10n ** 12n },
        ...{ dir: folder.path, restored: false, roundMs: 20, log: () => undefined },
      };
      const holds = (wallet: string): Promise<bigint> => net.chain.tokenBalance(net.mint, wallet as Address);
      // Its report comes with the first round.
      test.now.ms = Date.now();
      await run({ ...test, net, folder: folder.path, options, holds });
    });
  } finally {
    await net.close();
    folder.remove();
  }
}

async function ordered(earner: Earner, credits: bigint): Promise<void> {
  const asked = await earner.withdraw(credits * CREDIT);
  expect(asked.status).toBe(201);
  expect((await earner.confirm(asked.body)).status).toBe(200);
}

const decided = (earner: Earner, states: readonly string[]) =>
  expect.poll(async () => (await earner.list()).map(({ state }) => state), { timeout: DECIDED_MS_MAX, interval: 50 }).toEqual(states);

/** The settle process has said where and in what it pays. */
const heard = ({ money, net }: Whole) => expect.poll(() => money.view().terms?.mint, { timeout: DECIDED_MS_MAX, interval: 20 }).toBe(net.mint);

test('what is earned arrives on the chain, once, and a deposit in the books, once', { timeout: 60_000 }, () =>
  withWhole(async (whole) => {
    const { net, options, store, holds } = whole;
    const settler = await Settler.start(options);
    await heard(whole);
    // A second one over the same journal is refused.
    await expect(Settler.start(options)).rejects.toThrow('in use by another settle process');
    const [ada, bob] = [await Earner.enter(whole, 20n * CREDIT), await Earner.enter(whole, 9n * CREDIT)];
    await Promise.all([ordered(ada, 12n), ordered(bob, 9n)]);
    await Promise.all([decided(ada, ['paid']), decided(bob, ['paid'])]);
    // Neither wallet had an account of the token.
    expect(await holds(ada.wallet.address)).toBe(12_000_000n - OPENING);
    expect(await holds(bob.wallet.address)).toBe(9_000_000n - OPENING);
    expect(await store.ledger.balance('chain/outside', 'token')).toBe(21_000_000n - 2n * OPENING);
    const proof = await whole.money.proof(ada.wallet.address);
    const carried = net.chain.transaction(proof?.transactions[0] ?? '');
    expect(JSON.stringify(carried?.logs)).toContain(proof?.root);

    const payer = await holder(net, 50_000_000n);
    await net.chain.airdrop(payer.address, 10n ** 9n);
    await landing(net, await moving(net, payer, 7_000_000n).then((transfer) => [transfer]), payer);
    const paidIn = () => store.ledger.balance(`${walletOwner(payer.address)}/deposited`, 'credit');
    await expect.poll(paidIn, { timeout: DECIDED_MS_MAX, interval: 50 }).toBe(7n * CREDIT);
    await settler.close();
    const again = await Settler.start(options);
    await ordered(ada, 8n);
    await decided(ada, ['paid', 'paid']);
    // This time it had one.
    expect(await holds(ada.wallet.address)).toBe(20_000_000n - OPENING);
    expect(await paidIn()).toBe(7n * CREDIT);
    for (const books of await store.ledger.audit()) expect(books).toMatchObject({ sum: 0n, wrongAccounts: 0 });
    await again.close();
  }),
);

test('an account that is closed for its rent costs its owner the next one; a frozen one holds nobody up', { timeout: 60_000 }, () =>
  withWhole(async (whole) => {
    const { net, options, store, holds } = whole;
    const settler = await Settler.start(options);
    await heard(whole);
    const [ada, eve, bob] = [await Earner.enter(whole, 20n * CREDIT), await Earner.enter(whole, 20n * CREDIT), await Earner.enter(whole, 20n * CREDIT)];
    for (const { wallet } of [ada, eve]) await net.chain.mintTo(net.mint, address(wallet.address), 0n);
    const account = await tokenAccountOf(address(eve.wallet.address), net.mint);
    await landing(net, [getFreezeAccountInstruction({ account, mint: net.mint, owner: net.chain.faucet })]);
    await Promise.all([ordered(ada, 10n), ordered(eve, 10n), ordered(bob, 10n)]);
    await Promise.all([decided(ada, ['paid']), decided(bob, ['paid']), decided(eve, ['failed'])]);
    expect(await store.ledger.balance(`${eve.owner}/earned`, 'credit')).toBe(20n * CREDIT);
    expect(await holds(ada.wallet.address)).toBe(10_000_000n);
    expect(await holds(bob.wallet.address)).toBe(10_000_000n - OPENING);

    // Bob sends his tokens away and takes the rent that the hot wallet paid.
    const signer = await createKeyPairSignerFromPrivateKeyBytes(bob.wallet.privateKey);
    await net.chain.airdrop(signer.address, 10n ** 9n);
    await landing(net, [await moving(net, signer, 9_500_000n)], signer);
    const closed = await tokenAccountOf(signer.address, net.mint);
    await landing(net, [getCloseAccountInstruction({ account: closed, destination: signer.address, owner: signer })], signer);
    await ordered(bob, 10n);
    await decided(bob, ['paid', 'paid']);
    expect(await holds(bob.wallet.address)).toBe(10_000_000n - OPENING);
    await settler.close();
  }),
);

test('killed with -9 again and again, over a node that forgets, hides and cuts: each is paid once', { timeout: 120_000 }, () =>
  withWhole(async (whole) => {
    const { net, folder, options, store, holds } = whole;
    const keyFile = join(folder, 'hot.json');
    writeFileSync(keyFile, JSON.stringify([...net.hotKey, ...getAddressEncoder().encode(net.hot.address)]), { mode: 0o600 });
    mkdirSync(join(folder, 'journal'));
    const env = {
      ...{ PATH: process.env.PATH, COORDINATOR_URL: options.coordinatorUrl, PUBLIC_ORIGIN: options.origin, SETTLE_TOKEN, SOLANA_RPC: net.url },
      ...{ SOLANA_CHAIN: options.chain, SOLANA_MINT: net.mint, SOLANA_TREASURY: options.treasury, SETTLE_KEY_FILE: keyFile },
      ...{ SETTLE_DAY_TOKENS: '1000000000000', SETTLE_DIR: join(folder, 'journal'), SETTLE_ROUND_MS: '20' },
    };
    // As a supervisor does: a process that finds the node away at its start ends, and is started again.
    let ending = false;
    let child!: ChildProcess;
    const start = (): void => {
      child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], { env, stdio: 'ignore' });
      child.once('exit', () => ending || start());
    };
    start();
    await heard(whole);
    const earners: Earner[] = [];
    for (let index = 0; index < 8; index++) earners.push(await Earner.enter(whole, 30n * CREDIT));
    Object.assign(net.faults.chances, { drop: 0.3, landThenTimeOut: 0.3, reorder: 0.2, hideStatuses: 0.3, refuse: 0.05 });
    let kills = 0;
    for (const round of [0, 1, 2]) {
      await Promise.all(earners.map((earner) => ordered(earner, BigInt(6 + round))));
      await new Promise((resolve) => setTimeout(resolve, 700 + 300 * round));
      child.kill('SIGKILL');
      kills++;
    }
    await Promise.all(
      earners.map((earner) =>
        expect.poll(async () => (await earner.list()).map(({ state }) => state), { timeout: 90_000, interval: 200 }).toEqual(['paid', 'paid', 'paid']),
      ),
    );
    for (const { wallet } of earners) expect(await holds(wallet.address)).toBe(21_000_000n - OPENING);
    expect(await store.ledger.balance('chain/outside', 'token')).toBe(8n * (21_000_000n - OPENING));
    expect(kills).toBe(3);
    ending = true;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }),
);
