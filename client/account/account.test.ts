import type { Wallet } from '@wallet-standard/base';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Challenge } from '../../shared/schemas.ts';
import { snippetOf } from '../ui/snippet.ts';
import { originProblem } from './sites.svelte.ts';
import { accountWords, kindWords } from './statement-words.ts';
import { connectWallet, isSolanaWallet, readyState, type SolanaWallet, signChallenge } from './wallet-sign-in.ts';
import { walletProblem } from './wallet-words.ts';
import { deliveryWords, stateWords, urlProblem } from './webhooks.svelte.ts';

afterEach(() => vi.unstubAllGlobals());

const account = { address: 'Addr1', publicKey: new Uint8Array(32), chains: ['solana:mainnet'], features: [] } as const;
const challenge = { nonce: 'n', text: 'Sign me', input: { address: 'Addr1' } } as unknown as Challenge;
const signed = { account, signedMessage: Uint8Array.of(1, 2, 3), signature: Uint8Array.of(255, 254) };

function wallet(features: Record<string, object>): SolanaWallet {
  const made = {
    version: '1.0.0',
    name: 'Test',
    icon: 'data:image/svg+xml;base64,',
    chains: ['solana:mainnet'],
    accounts: [],
    features: {
      'standard:connect': { version: '1.0.0', connect: async () => ({ accounts: [account] }) },
      'standard:events': { version: '1.0.0', on: () => () => undefined },
      'solana:signTransaction': { version: '1.0.0' },
      ...features,
    },
  } as unknown as Wallet;
  if (!isSolanaWallet(made)) throw new Error('the test wallet is not compatible');
  return made;
}
const signsIn = (signIn: (input: object) => Promise<object[]>) => wallet({ 'solana:signIn': { version: '1.0.0', signIn } });

describe('wallets', () => {
  it('are Solana wallets when they connect, tell changes and sign transactions', () => {
    expect(isSolanaWallet({ features: { 'standard:connect': {}, 'standard:events': {} } } as unknown as Wallet)).toBe(false);
    expect(readyState(wallet({}))).toBe('Unsupported');
    expect(readyState(signsIn(async () => []))).toBe('Installed');
  });

  it('connect to their first Solana account', async () => {
    const other = { ...account, address: 'Eth', chains: ['eip155:1'] };
    const connect = { version: '1.0.0', connect: async () => ({ accounts: [other, account] }) };
    expect(await connectWallet(wallet({ 'solana:signMessage': {}, 'standard:connect': connect }))).toBe(account);
  });

  it('say when connecting was refused', async () => {
    const connect = { version: '1.0.0', connect: () => Promise.reject(new Error('User rejected the request.')) };
    const refusing = wallet({ 'solana:signMessage': {}, 'standard:connect': connect });
    const error = await connectWallet(refusing).catch((problem: unknown) => problem);
    expect(walletProblem(error)).toEqual({ title: 'The wallet did not connect', detail: 'User rejected the request.' });
    expect(await connectWallet(refusing, true)).toBeNull();
  });
});

describe('signChallenge', () => {
  it('signs in with the input of the challenge', async () => {
    const signIn = vi.fn(async () => [signed]);
    expect(await signChallenge(signsIn(signIn), account, challenge)).toEqual({ nonce: 'n', signedMessage: 'AQID', signature: '__4' });
    expect(signIn).toHaveBeenCalledWith(challenge.input);
  });

  it('signs the same text as a message where signing in is missing', async () => {
    const signMessage = vi.fn(async () => [{ signedMessage: Uint8Array.of(1, 2, 3), signature: Uint8Array.of(255, 254) }]);
    await signChallenge(wallet({ 'solana:signMessage': { version: '1.0.0', signMessage } }), account, challenge);
    expect(signMessage).toHaveBeenCalledWith({ account, message: new TextEncoder().encode('Sign me') });
  });

  it('refuses the signature of another account', async () => {
    const other = signsIn(async () => [{ ...signed, account: { ...account, address: 'Addr2' } }]);
    await expect(signChallenge(other, account, challenge)).rejects.toMatchObject({ name: 'WalletAccountError' });
  });

  it('says that nothing changed when the wallet gives no reason', async () => {
    const error = await signChallenge(
      signsIn(() => Promise.reject(new Error(''))),
      account,
      challenge,
    ).catch((problem: unknown) => problem);
    expect(walletProblem(error)).toEqual({ title: 'The wallet did not sign, so you are not signed in', detail: 'It gave no reason. Nothing was changed.' });
  });
});

describe('the statement', () => {
  it('shows a kind of row it does not know as it is', () => {
    expect(kindWords('pay')).toBe('Tile accepted');
    expect(kindWords('payout')).toBe('payout');
    expect(kindWords('void')).toContain('Taken back');
    expect(accountWords.vesting).toBe('vesting');
  });
});

describe('webhooks', () => {
  it('have an address by https, or on this machine', () => {
    for (const url of ['', 'https://example.com/hooks', 'http://localhost:9000/hook', 'http://me.localhost/']) expect(urlProblem(url)).toBeUndefined();
    for (const url of ['http://example.com', 'example.com', 'https://', 'http://localhost.example.com/']) expect(urlProblem(url)).toContain('https://');
  });

  it('say how they stand and what became of the last delivery', () => {
    expect(stateWords({ disabled: null, failures: 0 })).toBe('On.');
    expect(stateWords({ disabled: null, failures: 3 })).toBe('On, but the last 3 attempts failed.');
    expect(stateWords({ disabled: { sinceMs: 0, reason: 'Gone.' }, failures: 3 })).toMatch(/^Disabled since .*1970.* Gone. A test/);
    const delivery = { id: 'msg_1', type: 'job.done', job: null, createdMs: 0, state: 'waiting', attempts: 0, attemptedMs: null, status: null } as const;
    const waiting = { ...delivery, error: null, nextMs: 5 };
    expect(deliveryWords(waiting)).toMatch(/waits to be sent.$/);
    expect(deliveryWords({ ...waiting, attempts: 1, error: 'It answered with status 500.' })).toMatch(/status 500. Next attempt .*1970/);
    expect(deliveryWords({ ...waiting, state: 'delivered', attempts: 2, nextMs: null })).toMatch(/delivered at attempt 2.$/);
    expect(deliveryWords({ ...waiting, state: 'failed', nextMs: null, error: 'No.' })).toMatch(/not delivered. No.$/);
  });
});

describe('sites', () => {
  it('are registered by origin, without a path', () => {
    expect(originProblem('')).toBeUndefined();
    expect(originProblem('https://museum.example')).toBeUndefined();
    expect(originProblem('http://localhost:8080')).toBeUndefined();
    expect(originProblem('https://museum.example/page')).toContain('without a path');
    expect(originProblem('museum.example')).toContain('https://museum.example');
  });

  it('paste a script and an element', () => {
    expect(snippetOf('https://tessera.example', 's_1')).toBe(
      '<script src="https://tessera.example/widget.js" async></script>\n<tessera-widget site="s_1"><svg width="320" height="96"></svg></tessera-widget>',
    );
  });
});
