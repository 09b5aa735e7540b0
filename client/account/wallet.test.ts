import type { Wallet } from '@wallet-standard/base';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Challenge } from '../../shared/schemas.ts';
import { testAccount, testWallet } from './wallet.testing.ts';
import type { SolanaWallet } from './wallet-sign-in.ts';

/** What is installed in the browser, and who listens for more. */
const registry = vi.hoisted(() => ({ wallets: [] as unknown[], listeners: new Set<() => void>() }));
vi.mock('@wallet-standard/app', () => ({
  getWallets: () => ({
    get: () => registry.wallets,
    on: (_event: string, listener: () => void) => {
      registry.listeners.add(listener);
      return () => registry.listeners.delete(listener);
    },
  }),
}));
const install = (wallet: Wallet) => {
  registry.wallets.push(wallet);
  for (const listener of registry.listeners) listener();
};

const challenge = { nonce: 'n', text: 'Sign me', input: { address: 'Addr1' } } as unknown as Challenge;
type Change = (change: { accounts: readonly object[] }) => void;

/** A wallet that tells who listens to it and how it was connected. */
function observed(accounts: readonly object[] = [testAccount]) {
  const listeners = new Set<Change>();
  const connects: (object | undefined)[] = [];
  const on = (_event: string, listener: Change) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const connect = async (input?: object) => {
    connects.push(input);
    return { accounts };
  };
  const signIn = vi.fn(async () => [{ account: testAccount, signedMessage: Uint8Array.of(1), signature: Uint8Array.of(2) }]);
  const wallet = testWallet({
    'standard:connect': { version: '1.0.0', connect },
    'standard:events': { version: '1.0.0', on },
    'solana:signIn': { version: '1.0.0', signIn },
  });
  const change = (...now: object[]) => {
    for (const listener of listeners) listener({ accounts: now });
  };
  return { wallet, listeners, connects, signIn, change };
}

const asked: string[] = [];
const answers = {
  '/api/account/challenge': challenge,
  '/api/account/sign-in': { wallet: 'Addr1', balances: [] },
  '/api/account/sign-out': { wallet: null, balances: [] },
};
const stored = new Map<string, string>();

beforeEach(() => {
  vi.resetModules();
  registry.wallets = [];
  registry.listeners.clear();
  asked.length = 0;
  stored.clear();
  vi.stubGlobal('localStorage', { getItem: (key: string) => stored.get(key) ?? null, setItem: (key: string, value: string) => stored.set(key, value) });
  vi.stubGlobal('fetch', async (path: keyof typeof answers) => {
    asked.push(path);
    return new Response(JSON.stringify(answers[path]));
  });
});
afterEach(() => vi.unstubAllGlobals());

/** As after the page was loaded, signed in or not. */
async function load(signedIn: string | null = null) {
  const [{ wallet }, { session }] = await Promise.all([import('./wallet.svelte.ts'), import('../net/session.svelte.ts')]);
  session.account = { owner: 'o', wallet: signedIn, balances: [], jobs: 0 };
  return { connector: wallet, session };
}
async function signedIn(wallet: SolanaWallet) {
  install(wallet);
  const page = await load();
  page.connector.detect();
  await page.connector.signIn(wallet);
  return page;
}

describe('wallets of the browser', () => {
  it('appear when they register late, until nobody looks any more', async () => {
    const { connector } = await load();
    const stop = connector.detect();
    expect(connector.wallets).toEqual([]);
    const { wallet } = observed();
    install(wallet);
    expect(connector.wallets).toEqual([wallet]);
    install({ ...wallet, name: 'Of another chain', features: {} } as Wallet);
    expect(connector.wallets).toEqual([wallet]);
    stop();
    expect(registry.listeners.size).toBe(0);
  });
});

describe('a wallet that signs in', () => {
  it('is remembered by name and followed', async () => {
    const { wallet, listeners } = observed();
    const { session } = await signedIn(wallet);
    expect([session.account?.wallet, stored.get('tessera.wallet'), listeners.size]).toEqual(['Addr1', 'Test', 1]);
  });

  it.each([
    ['switches to another account', [{ ...testAccount, address: 'Addr2' }]],
    ['is locked', []],
  ])('signs out when it %s', async (_what, accounts) => {
    const { wallet, change, listeners } = observed();
    const { connector, session } = await signedIn(wallet);
    change(testAccount);
    expect(session.account?.wallet).toBe('Addr1');
    change(...accounts);
    await vi.waitFor(() => expect(session.account?.wallet).toBeNull());
    expect(asked.at(-1)).toBe('/api/account/sign-out');
    expect(connector.news).toContain('locked or switched');
    expect(listeners.size).toBe(0);
  });
});

describe('after a reload', () => {
  const reloaded = async (accounts?: readonly object[], address: string | null = 'Addr1') => {
    const seen = observed(accounts);
    stored.set('tessera.wallet', 'Test');
    install(seen.wallet);
    const page = await load(address);
    page.connector.detect();
    return { ...seen, ...page };
  };

  it('the wallet is followed again without a window, once', async () => {
    const { connects, listeners, connector } = await reloaded();
    await vi.waitFor(() => expect(listeners.size).toBe(1));
    connector.detect();
    await Promise.resolve();
    expect(connects).toEqual([{ silent: true }]);
  });

  it('one that registers late is followed then', async () => {
    stored.set('tessera.wallet', 'Test');
    const { connector } = await load('Addr1');
    connector.detect();
    const { wallet, listeners, connects } = observed();
    install(wallet);
    await vi.waitFor(() => expect(listeners.size).toBe(1));
    expect(connects).toEqual([{ silent: true }]);
  });

  it('one that shows another account signs out', async () => {
    const { session } = await reloaded([{ ...testAccount, address: 'Addr2' }]);
    await vi.waitFor(() => expect(session.account?.wallet).toBeNull());
  });

  it('nothing is connected for whoever is not signed in', async () => {
    const { connects } = await reloaded(undefined, null);
    expect(connects).toEqual([]);
  });
});

describe('signing a withdrawal', () => {
  it('is done by the wallet that signed in', async () => {
    const { wallet, signIn } = observed();
    const { connector } = await signedIn(wallet);
    expect(await connector.sign(challenge)).toEqual({ nonce: 'n', signedMessage: 'AQ', signature: 'Ag' });
    expect(signIn).toHaveBeenCalledTimes(2);
  });

  it('is refused to another account, before it signs', async () => {
    const accounts: object[] = [testAccount];
    const { wallet, signIn } = observed(accounts);
    const { connector } = await signedIn(wallet);
    accounts[0] = { ...testAccount, address: 'Addr2' };
    await expect(connector.sign(challenge)).rejects.toMatchObject({ name: 'WalletAccountError' });
    expect(signIn).toHaveBeenCalledTimes(1);
  });

  it('says so when the wallet is gone', async () => {
    const { connector } = await load('Addr1');
    await expect(connector.sign(challenge)).rejects.toMatchObject({ name: 'WalletNotReadyError' });
  });
});
