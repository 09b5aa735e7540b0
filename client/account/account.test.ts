import type { Wallet } from '@wallet-standard/base';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ApiKeyView, Challenge } from '../../shared/schemas.ts';
import { snippetOf } from '../ui/snippet.ts';
import { ApiKeys, budgetProblem, budgetWords, isStanding, stateWords } from './api-keys.svelte.ts';
import { originProblem } from './sites.svelte.ts';
import { accountWords, kindWords } from './statement-words.ts';
import { testAccount as account, testWallet as wallet } from './wallet.testing.ts';
import { connectWallet, isSolanaWallet, readyState, signChallenge } from './wallet-sign-in.ts';
import { walletProblem } from './wallet-words.ts';
import { deliveryWords, urlProblem, stateWords as webhookWords } from './webhooks.svelte.ts';

afterEach(() => vi.unstubAllGlobals());

const challenge = { nonce: 'n', text: 'Sign me', input: { address: 'Addr1' } } as unknown as Challenge;
const signed = { account, signedMessage: Uint8Array.of(1, 2, 3), signature: Uint8Array.of(255, 254) };

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
    const words = (kind: string, microCredits = '1') => kindWords({ kind, microCredits });
    expect(words('pay')).toBe('Tile accepted');
    expect(words('payout')).toBe('payout');
    expect(words('void')).toContain('Taken back');
    expect(accountWords.vesting).toBe('vesting');
  });
});

describe('the statement of money', () => {
  it('says of a withdrawal whether it is held, paid or given back, and what was paid in', () => {
    const words = ['-5', '0', '5'].map((microCredits) => kindWords({ kind: 'withdrawal', microCredits }));
    expect(words).toEqual(['Held for a withdrawal', 'Withdrawal paid out', 'Withdrawal given back']);
    expect(kindWords({ kind: 'deposit', microCredits: '5' })).toBe('Paid in from the wallet');
  });
});

describe('webhooks', () => {
  it('have an address by https, or on this machine', () => {
    for (const url of ['', 'https://example.com/hooks', 'http://localhost:9000/hook', 'http://me.localhost/']) expect(urlProblem(url)).toBeUndefined();
    for (const url of ['http://example.com', 'example.com', 'https://', 'http://localhost.example.com/']) expect(urlProblem(url)).toContain('https://');
  });

  it('say how they stand and what became of the last delivery', () => {
    expect(webhookWords({ disabled: null, failures: 0 })).toBe('On.');
    expect(webhookWords({ disabled: null, failures: 3 })).toBe('On, but the last 3 attempts failed.');
    expect(webhookWords({ disabled: { sinceMs: 0, reason: 'Gone.' }, failures: 3 })).toMatch(/^Disabled since .*1970.* Gone. A test/);
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

describe('API keys', () => {
  const key = {
    id: 'tk_AAAAAAAAAAAAAAAA',
    name: 'Farm',
    scopes: ['jobs:read'],
    budgetMicroCredits: '2500000',
    spentMicroCredits: '1250000',
    createdMs: 0,
    expiresMs: null,
    usedMs: null,
    revokedMs: null,
  } as unknown as ApiKeyView;

  it('say what they have spent, and whether they stand', () => {
    expect(budgetWords(key)).toBe('1.25 of 2.50 credits spent');
    expect(budgetWords({ ...key, budgetMicroCredits: null })).toBe('1.25 credits spent, no budget');
    expect([isStanding(key, 5), isStanding({ ...key, expiresMs: 5 }, 5), isStanding({ ...key, revokedMs: 1 }, 5)]).toEqual([true, false, false]);
    expect(stateWords(key, 5)).toBe('Never used, ends when you revoke it');
    expect(stateWords({ ...key, expiresMs: 86_400_000, usedMs: 0 }, 5)).toMatch(/^Last used Jan 1, 1970, ends Jan 2, 1970$/);
    expect(stateWords({ ...key, expiresMs: 5 }, 5)).toMatch(/^Expired/);
    expect(stateWords({ ...key, revokedMs: 1 }, 5)).toMatch(/^Revoked/);
  });

  it('take a budget in credits, or none', () => {
    for (const good of ['', ' ', '0', '12.5', '0.000001']) expect(budgetProblem(good), good).toBeUndefined();
    for (const bad of ['-1', 'much', '1.0000001', '1,5']) expect(budgetProblem(bad), bad).toBeTruthy();
  });

  it('are made with what was chosen, shown once, and revoked', async () => {
    const asked: [string, string, unknown][] = [];
    const made = { ...key, key: `tk_AAAAAAAAAAAAAAAA_${'B'.repeat(43)}` };
    vi.stubGlobal('fetch', async (path: string, { method = 'GET', body }: { method?: string; body?: string }) => {
      asked.push([method, path, body && JSON.parse(body)]);
      return new Response(JSON.stringify(method === 'POST' ? made : { keys: [key], next: null }), { status: 200 });
    });
    const keys = new ApiKeys();
    expect(keys.valid).toBe(false);
    keys.name = ' Farm ';
    keys.budget = '2.5';
    keys.choose('jobs:write', false);
    keys.choose('account:read', true);
    await keys.make();
    expect(asked[0]).toEqual(['POST', '/api/keys', { name: 'Farm', scopes: ['jobs:read', 'account:read'], budgetMicroCredits: '2500000', expiresMs: null }]);
    expect([keys.made, keys.name, keys.list.rows]).toEqual([made.key, '', [key]]);
    keys.forget();
    expect(keys.made).toBeNull();
    await keys.revoke(key.id);
    expect(asked.at(-2)).toEqual(['DELETE', `/api/keys/${key.id}`, undefined]);
    keys.choose('jobs:read', false);
    keys.choose('account:read', false);
    keys.name = 'Farm';
    expect(keys.valid).toBe(false);
  });
});
