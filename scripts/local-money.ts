import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  address,
  appendTransactionMessageInstructions,
  createKeyPairSignerFromBytes,
  createSolanaRpc,
  createTransactionMessage,
  getBase64EncodedWireTransaction,
  type KeyPairSigner,
  pipe,
  setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash,
  signTransactionMessageWithSigners,
} from '@solana/kit';
import { findAssociatedTokenPda, getTransferInstruction, TOKEN_PROGRAM_ADDRESS } from '@solana-program/token';
import { type Child, startChild } from './child.ts';
import { root } from './pages.ts';

/** A chain of its own and the process that pays on it, for the demo and for stories. */

const READY_MS_MAX = 30_000;
const TOKEN = 'local-settle-token-0123456789abcdef';

export interface LocalMoney {
  readonly url: string;
  readonly mint: string;
  readonly treasury: string;
  /** A wallet with a thousand tokens: bytes as solana-keygen writes them. */
  readonly payerKey: Uint8Array;
  /** What a coordinator has to be started with. */
  readonly coordinatorEnv: NodeJS.ProcessEnv;
  /** The process that pays for a coordinator. `origin`: what browsers call it. */
  settle(coordinatorUrl: string, origin: string): Child;
  /** Base units in a wallet's account of the token, final; 0 where it has none. */
  balance(wallet: string): Promise<bigint>;
  /** Base units of the payer's to the treasury. */
  deposit(tokens: bigint): Promise<void>;
  readonly children: readonly Child[];
}

/** `blockMs` and `final`: the network's are 400 and 32. */
export async function startLocalMoney(dir: string, { blockMs = 400, final = 32, roundMs = 500 } = {}): Promise<LocalMoney> {
  const args = ['server/settle/local/main.ts', '--dir', dir, '--block-ms', String(blockMs), '--final', String(final)];
  const chain = startChild(process.execPath, args, { cwd: root, env: process.env });
  const children = [chain];
  const [, json = ''] = await chain.line(/^Local chain: (\{.*\})$/, READY_MS_MAX);
  const { url, mint, treasury, keyFile, payerFile } = JSON.parse(json) as Record<'url' | 'mint' | 'treasury' | 'keyFile' | 'payerFile', string>;
  const payerKey = Uint8Array.from(JSON.parse(readFileSync(payerFile, 'utf8')) as number[]);
  const payer = await createKeyPairSignerFromBytes(payerKey);
  const rpc = createSolanaRpc(url);
  const accountOf = async (owner: string) =>
    (await findAssociatedTokenPda({ owner: address(owner), mint: address(mint), tokenProgram: TOKEN_PROGRAM_ADDRESS }))[0];
  return {
    ...{ url, mint, treasury, payerKey, children },
    coordinatorEnv: {
      ...{ PAYOUTS: 'on', SETTLE_TOKEN: TOKEN, TOKEN_NAME: 'PLAY', SCREENING: join(root, 'server/settle/local/screening.ts') },
      // What a demonstration earns in a minute is little.
      ...{ PAYOUT_MINIMUM_MICRO_CREDITS: '2000', PAYOUT_OPENING_MICRO_CREDITS: '1000', HOLDBACK_SECONDS: '5' },
    },
    settle(coordinatorUrl, origin) {
      const env = {
        ...{ ...process.env, COORDINATOR_URL: coordinatorUrl, PUBLIC_ORIGIN: origin, SETTLE_TOKEN: TOKEN, SOLANA_RPC: url, SOLANA_CHAIN: 'solana:localnet' },
        ...{ SOLANA_MINT: mint, SOLANA_TREASURY: treasury, SETTLE_KEY_FILE: keyFile, SETTLE_DAY_TOKENS: '1000000000000', SETTLE_DIR: join(dir, 'journal') },
        SETTLE_ROUND_MS: String(roundMs),
      };
      const child = startChild(process.execPath, ['server/settle/main.ts'], { cwd: root, env });
      children.push(child);
      return child;
    },
    async balance(wallet) {
      const { value } = await rpc.getAccountInfo(await accountOf(wallet), { commitment: 'finalized', encoding: 'base64' }).send();
      if (value === null) return 0n;
      return BigInt((await rpc.getTokenAccountBalance(await accountOf(wallet), { commitment: 'finalized' }).send()).value.amount);
    },
    deposit: async (tokens) => {
      const [source, destination] = await Promise.all([accountOf(payer.address), accountOf(treasury)]);
      await send(rpc, payer, getTransferInstruction({ source, destination, authority: payer, amount: tokens }));
    },
  };
}

async function send(rpc: ReturnType<typeof createSolanaRpc>, payer: KeyPairSigner, instruction: ReturnType<typeof getTransferInstruction>): Promise<void> {
  const { value: lifetime } = await rpc.getLatestBlockhash().send();
  const message = pipe(
    createTransactionMessage({ version: 0 }),
    (empty) => setTransactionMessageFeePayerSigner(payer, empty),
    (paid) => setTransactionMessageLifetimeUsingBlockhash(lifetime, paid),
    (lasting) => appendTransactionMessageInstructions([instruction], lasting),
  );
  const wire = getBase64EncodedWireTransaction(await signTransactionMessageWithSigners(message));
  await rpc.sendTransaction(wire, { encoding: 'base64' }).send();
}
