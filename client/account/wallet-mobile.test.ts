import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Authorization } from '@solana-mobile/wallet-standard-mobile';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const world = vi.hoisted(() => ({ loaded: 0, registered: [] as Record<string, unknown>[] }));
vi.mock('@solana-mobile/wallet-standard-mobile', () => {
  world.loaded++;
  return {
    registerMwa: (config: Record<string, unknown>) => world.registered.push(config),
    createDefaultAuthorizationCache: () => ({ get: async () => undefined, set: async () => undefined, clear: async () => undefined }),
    createDefaultChainSelector: () => ({ select: async ([chain]: string[]) => chain }),
    createDefaultWalletNotFoundHandler: () => async () => undefined,
  };
});

beforeEach(() => {
  vi.resetModules();
  Object.assign(world, { loaded: 0, registered: [] });
  vi.stubGlobal('location', { origin: 'https://tessera.example' });
});
afterEach(() => vi.unstubAllGlobals());

const visit = async (userAgent: string) => {
  vi.stubGlobal('navigator', { userAgent });
  return import('./wallet-mobile.ts');
};

const others = {
  iPhone: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1',
  Windows: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36',
  Linux: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36',
};

/** Of all pages, but for their tests. */
function linesOf(wanted: RegExp): string[] {
  const root = resolve(import.meta.dirname, '..');
  const files = globSync('**/*.{ts,svelte}', { cwd: root }).filter((path) => !path.endsWith('.test.ts'));
  return files.flatMap((path) =>
    readFileSync(resolve(root, path), 'utf8')
      .split('\n')
      .filter((line) => wanted.test(line))
      .map((line) => `${path}: ${line.trim()}`),
  );
}

describe('wallet apps of phones', () => {
  it('are registered once on Android, for mainnet', async () => {
    const { registerMobileWallets } = await visit('Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36');
    await Promise.all([registerMobileWallets(), registerMobileWallets()]);
    expect(world.registered).toHaveLength(1);
    expect(world.registered[0]).toMatchObject({ chains: ['solana:mainnet'], appIdentity: { name: 'Tessera', uri: 'https://tessera.example' } });
  });

  it.each(Object.entries(others))('are not even loaded on %s', async (_name, userAgent) => {
    await (await visit(userAgent)).registerMobileWallets();
    expect([world.loaded, world.registered]).toEqual([0, []]);
  });

  it('are imported by this one file, when it is called, which the account page alone has', () => {
    expect(linesOf(/from '@solana-mobile|import\('@solana-mobile/)).toEqual([
      "account/wallet-mobile.ts: import type { AuthorizationCache } from '@solana-mobile/wallet-standard-mobile';",
      "account/wallet-mobile.ts: const mobile = await import('@solana-mobile/wallet-standard-mobile');",
    ]);
    expect(linesOf(/wallet-mobile\.ts'/)).toEqual(["account/WalletPanel.svelte: import { registerMobileWallets } from './wallet-mobile.ts';"]);
  });
});

it('what an app allowed before answers once, so that every later text is signed anew', async () => {
  const { askedOnce } = await visit(others.Linux);
  let kept: Authorization | undefined = { auth_token: 'a' } as Authorization;
  const cache = askedOnce({
    get: async () => kept,
    set: async (authorization) => {
      kept = authorization;
    },
    clear: async () => {
      kept = undefined;
    },
  });
  expect(await cache.get()).toEqual({ auth_token: 'a' });
  await cache.set({ auth_token: 'b' } as Authorization);
  expect([kept.auth_token, await cache.get()]).toEqual(['b', undefined]);
  await cache.clear();
  expect(kept).toBeUndefined();
});
