import type { TransactionError } from '@solana/kit';
import { type Address, address, type Commitment, getBase64Decoder, getBase64Encoder, lamports } from '@solana/kit';
import { amountOf, holdingOf } from './balances.ts';
import type { Account, Execution } from './engine.ts';
import type { Faults } from './faults.ts';
import { messageOf } from './message.ts';
import { statusOf, transactionJson } from './records.ts';
import type { Landed, LocalChain } from './world.ts';

/** One function for each method of a node. https://solana.com/docs/rpc/http */

export interface Context {
  readonly chain: LocalChain;
  readonly faults: Faults;
  readonly pageMax: number;
}

export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: number;
  readonly data: unknown;
  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** Instead of an answer: the connection is cut. */
export const CUT = Symbol('cut');

type Params = readonly unknown[];
type Config = Readonly<Record<string, unknown>>;

const invalid = (what: string): RpcError => new RpcError(-32602, `Invalid params: ${what}`);
const STATUSES_MAX = 256;
const SIGNATURES_MAX = 1000;
const ACCOUNTS_MAX = 100;
/** Of what a node keeps at hand; anything older only a search in its history finds. */
const RECENT_BLOCKS = 150n;
/** Never: accounts pay no rent. */
const RENT_EPOCH = 2n ** 64n - 1n;

function configOf(params: Params, index: number): Config {
  const config = params[index] ?? {};
  if (typeof config !== 'object' || Array.isArray(config)) throw invalid(`parameter ${index} is an object`);
  return config as Config;
}

function commitmentOf(config: Config): Commitment {
  const commitment = config.commitment ?? 'finalized';
  if (commitment !== 'processed' && commitment !== 'confirmed' && commitment !== 'finalized') throw invalid(`unknown commitment ${String(commitment)}`);
  return commitment;
}

function textOf(value: unknown, what: string): string {
  if (typeof value !== 'string') throw invalid(`${what} is a string`);
  return value;
}

function addressOf(value: unknown): Address {
  try {
    return address(textOf(value, 'an address'));
  } catch {
    throw invalid(`${String(value)} is no address`);
  }
}

function listOf(value: unknown, max: number): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid('a list is expected');
  if (value.length > max) throw invalid(`at most ${max} of them, got ${value.length}`);
  return value;
}

function wireOf(params: Params, config: Config): Uint8Array {
  if (config.encoding !== 'base64') throw invalid('encoding: only base64 here');
  try {
    const wire = new Uint8Array(getBase64Encoder().encode(textOf(params[0], 'a transaction')));
    messageOf(wire);
    return wire;
  } catch (error) {
    throw invalid(`failed to deserialize transaction: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const withContext = (chain: LocalChain, commitment: Commitment, value: unknown) => ({ context: { apiVersion: '3.0.0', slot: chain.slot(commitment) }, value });

function accountJson(account: Account | null) {
  if (!account) return null;
  const { lamports: held, owner, data, executable } = account;
  return { lamports: held, owner, data: [getBase64Decoder().decode(data), 'base64'], executable, rentEpoch: RENT_EPOCH, space: data.length };
}

function simulated(chain: LocalChain, execution: Execution, commitment: Commitment) {
  const { error, logs, computeUnits } = execution;
  return withContext(chain, commitment, {
    ...{ err: error, logs, unitsConsumed: computeUnits, accounts: null, returnData: null, innerInstructions: null, replacementBlockhash: null },
    ...{ fee: null, loadedAddresses: null, preBalances: null, postBalances: null, preTokenBalances: null, postTokenBalances: null },
  });
}

function sendTransaction({ chain, faults }: Context, params: Params): unknown {
  const config = configOf(params, 1);
  const wire = wireOf(params, config);
  const { signature } = messageOf(wire);
  if (config.skipPreflight !== true) {
    const { error, logs } = chain.simulate(wire, { verifiesSignatures: true, replacesBlockhash: false });
    if (error) throw new RpcError(-32002, `Transaction simulation failed: ${told(error)}`, { err: error, logs, accounts: null, unitsConsumed: 0 });
  }
  if (faults.strikes('drop')) return signature;
  if (faults.strikes('reorder')) {
    chain.submitLater(wire, faults.laterBlocks);
    return signature;
  }
  // Without a preflight a node says nothing about what becomes of it.
  const submission = chain.submit(wire);
  if (submission.kind === 'refused' && submission.reason === 'TooLarge') throw invalid(`transaction too large: ${wire.length} bytes`);
  return faults.strikes('landThenTimeOut') ? CUT : signature;
}

const told = (error: TransactionError): string => (typeof error === 'string' ? error : JSON.stringify(error));

function getSignatureStatuses({ chain, faults }: Context, params: Params): unknown {
  const signatures = listOf(params[0], STATUSES_MAX);
  const searches = configOf(params, 1).searchTransactionHistory === true;
  const hidden = faults.strikes('hideStatuses');
  const known = (signature: unknown): Landed | null => {
    const landed = hidden ? null : chain.transaction(textOf(signature, 'a signature'));
    return landed && (searches || landed.slot >= chain.slot('processed') - RECENT_BLOCKS) ? landed : null;
  };
  const values = signatures.map((signature) => {
    const landed = known(signature);
    return landed && statusOf(chain, landed);
  });
  return withContext(chain, 'processed', values);
}

function getSignaturesForAddress({ chain, pageMax }: Context, params: Params): unknown {
  const config = configOf(params, 1);
  const { limit = SIGNATURES_MAX, before, until } = config;
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1 || limit > SIGNATURES_MAX) throw invalid(`limit: 1 to ${SIGNATURES_MAX}`);
  const commitment = commitmentOf(config);
  if (commitment === 'processed') throw invalid('commitment: confirmed or finalized');
  const history = chain.history(addressOf(params[0]), commitment);
  const indexOf = (signature: unknown): number => history.findIndex(({ message }) => message.signature === signature);
  // As a node does: what it does not know as `before` has nothing before it, and as `until` stops nothing.
  const start = before === undefined ? 0 : indexOf(before) + 1 || history.length;
  const stop = until === undefined ? -1 : indexOf(until);
  const page = history.slice(start, stop < 0 ? undefined : stop).slice(0, Math.min(limit, pageMax));
  return page.map((landed) => ({
    ...{ signature: landed.message.signature, slot: landed.slot, err: landed.error, memo: landed.message.memo },
    ...{ blockTime: Math.floor(landed.timeMs / 1000), confirmationStatus: chain.commitmentOf(landed) },
  }));
}

function getTransaction({ chain }: Context, params: Params): unknown {
  const config = configOf(params, 1);
  const landed = chain.transaction(textOf(params[0], 'a signature'));
  if (!landed || landed.slot > chain.slot(commitmentOf(config))) return null;
  if (landed.message.version === 0 && typeof config.maxSupportedTransactionVersion !== 'number')
    throw new RpcError(-32015, 'Transaction version (0) is not supported by the requesting client.');
  const encoding = config.encoding ?? 'json';
  if (encoding !== 'json' && encoding !== 'base64') throw invalid('encoding: json or base64 here');
  return transactionJson(chain, landed, encoding);
}

function simulateTransaction({ chain }: Context, params: Params): unknown {
  const config = configOf(params, 1);
  const options = { verifiesSignatures: config.sigVerify === true, replacesBlockhash: config.replaceRecentBlockhash === true };
  return simulated(chain, chain.simulate(wireOf(params, config), options), commitmentOf(config));
}

function getTokenAccountBalance({ chain }: Context, params: Params): unknown {
  const commitment = commitmentOf(configOf(params, 1));
  const holding = holdingOf(chain.account(addressOf(params[0]), commitment));
  if (!holding) throw invalid('could not find account');
  return withContext(chain, commitment, amountOf(holding.amount, chain.account(holding.mint, commitment)));
}

async function requestAirdrop({ chain }: Context, params: Params): Promise<unknown> {
  const amount = params[1];
  if (typeof amount !== 'number' || !Number.isSafeInteger(amount) || amount < 1) throw invalid('lamports: a whole number from 1');
  return (await chain.airdrop(addressOf(params[0]), lamports(BigInt(amount)))).message.signature;
}

/** A question about one account at a commitment. */
const ofAccount =
  (read: (account: Account | null) => unknown) =>
  ({ chain }: Context, params: Params): unknown => {
    const commitment = commitmentOf(configOf(params, 1));
    return withContext(chain, commitment, read(chain.account(addressOf(params[0]), commitment)));
  };

export const methods: Readonly<Record<string, (context: Context, params: Params) => unknown>> = {
  getHealth: () => 'ok',
  getGenesisHash: ({ chain }) => chain.genesisHash,
  getSlot: ({ chain }, params) => chain.slot(commitmentOf(configOf(params, 0))),
  getBlockHeight: ({ chain }, params) => chain.height(commitmentOf(configOf(params, 0))),
  getLatestBlockhash: ({ chain }, params) => {
    const commitment = commitmentOf(configOf(params, 0));
    return withContext(chain, commitment, chain.lifetime(commitment));
  },
  getMinimumBalanceForRentExemption: ({ chain }, params) => {
    if (!Number.isSafeInteger(params[0]) || (params[0] as number) < 0) throw invalid('size: a whole number of bytes');
    return chain.rentOf(BigInt(params[0] as number));
  },
  getBalance: ofAccount((account) => account?.lamports ?? 0n),
  getAccountInfo: ofAccount(accountJson),
  getMultipleAccounts: ({ chain }, params) => {
    const commitment = commitmentOf(configOf(params, 1));
    const accounts = listOf(params[0], ACCOUNTS_MAX).map((name) => accountJson(chain.account(addressOf(name), commitment)));
    return withContext(chain, commitment, accounts);
  },
  getTokenAccountBalance,
  getSignatureStatuses,
  getSignaturesForAddress,
  getTransaction,
  sendTransaction,
  simulateTransaction,
  requestAirdrop,
};
