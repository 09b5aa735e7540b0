import { type Address, createKeyPairSignerFromPrivateKeyBytes, generateKeyPairSigner, type KeyPairSigner } from '@solana/kit';
import type { Faults } from './faults.ts';
import { type RpcOptions, serveRpc } from './rpc.ts';
import { LocalChain, type LocalOptions } from './world.ts';

/** A chain ready for paying out, behind a node's JSON-RPC. */
export interface LocalNet {
  readonly chain: LocalChain;
  readonly url: string;
  readonly faults: Faults;
  /** A token of six digits; the chain's faucet may mint and freeze it. */
  readonly mint: Address;
  readonly hot: KeyPairSigner;
  /** The 32 bytes of its private key. */
  readonly hotKey: Uint8Array;
  readonly treasury: KeyPairSigner;
  close(): Promise<void>;
}

const HOT_LAMPORTS = 10_000_000_000n;
const HOT_TOKENS = 1_000_000_000_000n;
export const LOCAL_DECIMALS = 6;

/** The hot wallet has 10 SOL and a million tokens; the treasury has lamports and an empty token account. All of that is finalised. */
export async function openLocalNet(options: LocalOptions & RpcOptions = {}): Promise<LocalNet> {
  const chain = await LocalChain.open(options);
  const hotKey = crypto.getRandomValues(new Uint8Array(32));
  const [hot, treasury] = await Promise.all([createKeyPairSignerFromPrivateKeyBytes(hotKey), generateKeyPairSigner()]);
  const mint = await chain.createMint(LOCAL_DECIMALS);
  for (const { address } of [hot, treasury]) await chain.airdrop(address, HOT_LAMPORTS);
  await chain.mintTo(mint, hot.address, HOT_TOKENS);
  await chain.mintTo(mint, treasury.address, 0n);
  chain.finalise();
  const rpc = await serveRpc(chain, options);
  const close = async (): Promise<void> => {
    chain.close();
    await rpc.close();
  };
  return { chain, url: rpc.url, faults: rpc.faults, mint, hot, hotKey, treasury, close };
}
