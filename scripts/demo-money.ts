import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getAddressDecoder } from '@solana/kit';
import type { Tessera } from '../client/sdk/index.ts';
import { formatCredits } from '../shared/credits.ts';
import type { WithdrawalAsked, WithdrawalView } from '../shared/money-schemas.ts';
import type { AccountView, Challenge, ConsentGrant } from '../shared/schemas.ts';
import type { Child } from './child.ts';
import { startLocalMoney } from './local-money.ts';

/** The demo with money: a customer deposits tokens on a chain of this machine, a contributor's wallet withdraws what it earned to it. */

const POLL_MS = 250;
/** Ten times the network's pace: nobody watches a demo for the two minutes that its real finality takes. */
const BLOCK_MS = 40;
const FINAL_BLOCKS = 32;
const DEPOSIT_TOKENS = 50_000_000n;
const KEY_BYTES = 32;
/** RFC 8410: what stands before the 32 bytes of an Ed25519 key. */
const PKCS8_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex');

export interface DemoMoney {
  /** Of the coordinator. */
  readonly env: NodeJS.ProcessEnv;
  /** Signs both wallets in and waits for the deposit. Returns the file of the contributor's identity. */
  begin(url: string, customer: Tessera): Promise<string>;
  /** Waits until this much has vested for the contributor. */
  earned(microCredits: bigint, signal: AbortSignal): Promise<bigint>;
  /** Withdraws all of it, and compares the chain with the books. */
  payOut(signal: AbortSignal): Promise<void>;
}

interface Wallet {
  readonly address: string;
  readonly key: KeyObject;
}

function walletOf(key: KeyObject): Wallet {
  const publicKey = Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
  return { address: getAddressDecoder().decode(publicKey), key };
}

/** One account of a coordinator, by its session's cookie. */
class Session {
  readonly #url: string;
  readonly #wallet: Wallet;
  cookie = '';

  constructor(url: string, wallet: Wallet) {
    this.#url = url;
    this.#wallet = wallet;
  }

  async ask<T>(method: string, path: string, body?: object): Promise<T> {
    const headers = { cookie: this.cookie, origin: this.#url, ...(body && { 'content-type': 'application/json' }) };
    const response = await fetch(this.#url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    const [cookie] = response.headers.getSetCookie();
    if (cookie) this.cookie = cookie.split(';')[0] ?? '';
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  answer({ text }: Challenge): { signedMessage: string; signature: string } {
    const message = Buffer.from(text);
    return { signedMessage: message.toString('base64url'), signature: sign(null, message, this.#wallet.key).toString('base64url') };
  }

  async signIn(): Promise<void> {
    const challenge = await this.ask<Challenge>('POST', '/api/account/challenge', { address: this.#wallet.address });
    await this.ask('POST', '/api/account/sign-in', { nonce: challenge.nonce, ...this.answer(challenge) });
  }

  async credits(which: 'depositedMicroCredits' | 'earnedMicroCredits'): Promise<bigint> {
    const { balances } = await this.ask<AccountView>('GET', '/api/account');
    return BigInt(balances.find(({ unit }) => unit === 'credit')?.[which] ?? '0');
  }
}

async function until<T>(look: () => Promise<T>, holds: (value: T) => boolean, signal?: AbortSignal): Promise<T> {
  for (;;) {
    const value = await look();
    if (holds(value)) return value;
    await sleep(POLL_MS, undefined, signal && { signal });
  }
}

export async function openDemoMoney(dir: string, children: Child[]): Promise<DemoMoney> {
  const local = await startLocalMoney(dir, { blockMs: BLOCK_MS, final: FINAL_BLOCKS, roundMs: 200 });
  children.push(...local.children);
  const contributor = walletOf(generateKeyPairSync('ed25519').privateKey);
  const payer = walletOf(createPrivateKey({ key: Buffer.concat([PKCS8_HEADER, local.payerKey.subarray(0, KEY_BYTES)]), format: 'der', type: 'pkcs8' }));
  let session!: Session;
  return {
    env: { ...local.coordinatorEnv, VESTING_SECONDS: '2', HOLDBACK_SECONDS: '2' },
    async begin(url, customer) {
      children.push(local.settle(url, url));
      console.log(`Chain     litesvm in a process of its own, behind JSON-RPC at ${local.url}; the token is ${local.mint}`);
      const paying = new Session(url, payer);
      paying.cookie = customer.cookie ?? '';
      await paying.signIn();
      customer.cookie = paying.cookie;
      await local.deposit(DEPOSIT_TOKENS);
      const deposited = await until(
        () => paying.credits('depositedMicroCredits'),
        (amount) => amount > 0n,
      );
      console.log(`Deposit   ${formatCredits(deposited)} credits for as many tokens from ${payer.address}`);
      session = new Session(url, contributor);
      await session.ask('POST', '/api/session', {});
      await session.signIn();
      const { workloads } = await session.ask<{ workloads: { id: string }[] }>('GET', '/api/workloads');
      const identity = await session.ask<ConsentGrant>('POST', '/api/consents', { kinds: workloads.map(({ id }) => id), site: null });
      const path = join(dir, 'identity.json');
      writeFileSync(path, JSON.stringify(identity), { mode: 0o600 });
      return path;
    },
    earned: (microCredits, signal) =>
      until(
        () => session.credits('earnedMicroCredits'),
        (amount) => amount >= microCredits,
        signal,
      ),
    async payOut(signal) {
      const all = await session.credits('earnedMicroCredits');
      const { withdrawal, challenge } = await session.ask<WithdrawalAsked>('POST', '/api/account/withdrawals', { microCredits: all.toString() });
      await session.ask('POST', `/api/account/withdrawals/${withdrawal.id}/confirm`, session.answer(challenge));
      const look = async (): Promise<WithdrawalView | undefined> =>
        (await session.ask<{ withdrawals: WithdrawalView[] }>('GET', '/api/account/withdrawals')).withdrawals[0];
      const ended = await until(look, (view) => view?.state === 'paid' || view?.state === 'failed', signal);
      if (ended?.state !== 'paid') throw new Error(`the withdrawal ended as ${ended?.state}: ${ended?.reason}`);
      const held = await local.balance(contributor.address);
      if (held.toString() !== ended.paidTokens) throw new Error(`the chain has ${held} base units for the wallet, the books say ${ended.paidTokens}`);
      const kept = BigInt(ended.tokens) - held;
      console.log(`Payout    ${formatCredits(held)} tokens on the chain for ${contributor.address}, ${formatCredits(kept)} kept for opening its account`);
      console.log(`          in transaction ${ended.signature}; the balance on the chain is what the books say`);
    },
  };
}
