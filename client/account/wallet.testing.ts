import type { Wallet } from '@wallet-standard/base';
import { isSolanaWallet, type SolanaWallet } from './wallet-sign-in.ts';

export const testAccount = { address: 'Addr1', publicKey: new Uint8Array(32), chains: ['solana:mainnet'], features: [] } as const;

/** A Solana wallet with one account and these features beside connecting. */
export function testWallet(features: Record<string, object>, name = 'Test'): SolanaWallet {
  const made = {
    version: '1.0.0',
    name,
    icon: 'data:image/svg+xml;base64,',
    chains: ['solana:mainnet'],
    accounts: [],
    features: {
      'standard:connect': { version: '1.0.0', connect: async () => ({ accounts: [testAccount] }) },
      'standard:events': { version: '1.0.0', on: () => () => undefined },
      'solana:signTransaction': { version: '1.0.0' },
      ...features,
    },
  } as unknown as Wallet;
  if (!isSolanaWallet(made)) throw new Error('the test wallet is not compatible');
  return made;
}
