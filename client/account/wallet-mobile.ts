import type { AuthorizationCache } from '@solana-mobile/wallet-standard-mobile';

const isAndroid = (): boolean => /android/i.test(navigator.userAgent);

let registering: Promise<void> | null = null;

/**
 * Answers with what a wallet app allowed before only once, which is to follow it again after a reload. The adapter would answer every further
 * request to sign in from it too, without asking the app: with the signature under another text, or with none.
 */
export function askedOnce(cache: AuthorizationCache): AuthorizationCache {
  let asked = false;
  return {
    get: () => {
      if (asked) return Promise.resolve(undefined);
      asked = true;
      return cache.get();
    },
    set: (authorization) => cache.set(authorization),
    clear: () => cache.clear(),
  };
}

/** Wallet apps of Android phones become wallets of this browser. Everywhere else there is nothing to load. */
export function registerMobileWallets(): Promise<void> {
  if (!isAndroid()) return Promise.resolve();
  registering ??= register().catch(() => {
    // Offline: the next visit of the page tries again. Other wallets work without it.
    registering = null;
  });
  return registering;
}

async function register(): Promise<void> {
  const mobile = await import('@solana-mobile/wallet-standard-mobile');
  mobile.registerMwa({
    appIdentity: { name: 'Tessera', uri: location.origin, icon: 'icon-192.png' },
    authorizationCache: askedOnce(mobile.createDefaultAuthorizationCache()),
    chains: ['solana:mainnet'],
    chainSelector: mobile.createDefaultChainSelector(),
    onWalletNotFound: mobile.createDefaultWalletNotFoundHandler(),
  });
}
