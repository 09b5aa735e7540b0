import {
  type Address,
  address,
  signature as asSignature,
  type Base64EncodedWireTransaction,
  createKeyPairSignerFromBytes,
  createKeyPairSignerFromPrivateKeyBytes,
  createSolanaRpc,
  getBase64Decoder,
  getBase64Encoder,
  type KeyPairSigner,
  type Rpc,
  type SolanaRpcApi,
  type TransactionError,
} from '@solana/kit';
import { AccountState, getMintDecoder, getMintSize, getTokenDecoder, getTokenSize, type Token as Holding, TOKEN_PROGRAM_ADDRESS } from '@solana-program/token';
import type { Batch, Chain, Deposit, Lifetime, Outcome, Signed, Status } from './chain.ts';
import { received } from './deposits.ts';
import { blamed, reasonOf } from './failure.ts';
import { type Entry, entriesAfter, Reader, transactionOf } from './history.ts';
import { final, limited } from './request.ts';
import { markerAddress, outlineOf, signBatch, type Token, tokenAccountOf } from './transaction.ts';

/** A node's own limit. */
const STATUSES_MAX = 256;

export interface SolanaOptions {
  readonly rpcUrl: string;
  /** The hot wallet: 64 bytes as wallets export them (private key, then public key), or the 32 of the private key alone. */
  readonly hotKey: Uint8Array;
  /** Address of the token. It must be one of the SPL Token program. */
  readonly mint: string;
  /** The wallet whose associated token account receives deposits. */
  readonly treasury: string;
}

export interface OpenChain {
  readonly chain: Chain;
  /** Digits of the token after the point. */
  readonly decimals: number;
  readonly hotAddress: string;
}

/** Asks the node what the token is. Throws where it is none of which all that is sent arrives, or the node is away. */
export async function openSolana({ rpcUrl, hotKey, mint, treasury }: SolanaOptions): Promise<OpenChain> {
  const hot = await signerOf(hotKey);
  const rpc = createSolanaRpc(rpcUrl);
  const token = await tokenOf(rpc, address(mint));
  const [source, deposited] = await Promise.all([tokenAccountOf(hot.address, token.mint), tokenAccountOf(address(treasury), token.mint)]);
  return { chain: new SolanaChain(rpc, hot, token, source, deposited), decimals: token.decimals, hotAddress: hot.address };
}

function signerOf(hotKey: Uint8Array): Promise<KeyPairSigner> {
  if (hotKey.length === 64) return createKeyPairSignerFromBytes(hotKey);
  if (hotKey.length === 32) return createKeyPairSignerFromPrivateKeyBytes(hotKey);
  throw new RangeError(`hotKey: 32 or 64 bytes, got ${hotKey.length}`);
}

const bytesOf = ([base64]: readonly [string, string]): Uint8Array => new Uint8Array(getBase64Encoder().encode(base64));
const encoded = (wire: Uint8Array): Base64EncodedWireTransaction => getBase64Decoder().decode(wire) as Base64EncodedWireTransaction;

async function tokenOf(rpc: Rpc<SolanaRpcApi>, mint: Address): Promise<Token> {
  const { value } = await rpc.getAccountInfo(mint, { ...final, encoding: 'base64' }).send(limited());
  if (!value) throw new Error(`mint ${mint}: there is no such account on this chain`);
  // Extensions of Token-2022 may keep a part of each transfer, or let others take tokens back.
  if (value.owner !== TOKEN_PROGRAM_ADDRESS)
    throw new Error(`mint ${mint}: it belongs to the program ${value.owner}; only tokens of SPL Token (${TOKEN_PROGRAM_ADDRESS}) are paid out, not Token-2022`);
  const data = bytesOf(value.data);
  if (data.length !== getMintSize()) throw new Error(`mint ${mint}: it is no mint, which has ${getMintSize()} bytes; it has ${data.length}`);
  const { decimals, isInitialized } = getMintDecoder().decode(data);
  if (!isInitialized) throw new Error(`mint ${mint}: not initialised`);
  return { mint, decimals };
}

/** A chain over the JSON-RPC of a node. What decides is asked at finality; a node at another one's mercy may still lie, see `machine.ts`. */
class SolanaChain implements Chain {
  readonly #rpc: Rpc<SolanaRpcApi>;
  readonly #hot: KeyPairSigner;
  readonly #token: Token;
  /** The token account that pays. */
  readonly #source: Address;
  readonly #deposits: Reader<Deposit>;
  readonly #memos: Reader<{ readonly signature: string; readonly memo: string | null }>;

  constructor(rpc: Rpc<SolanaRpcApi>, hot: KeyPairSigner, token: Token, source: Address, deposited: Address) {
    this.#rpc = rpc;
    this.#hot = hot;
    this.#token = token;
    this.#source = source;
    this.#deposits = new Reader(
      (after) => entriesAfter(rpc, deposited, after),
      async ({ signature }) => {
        const deposit = received(await transactionOf(rpc, signature), deposited, token.mint);
        return deposit && { signature, ...deposit };
      },
    );
    this.#memos = new Reader(
      (after) => entriesAfter(rpc, hot.address, after),
      async (entry) => ({ signature: entry.signature, memo: await this.#ownMemo(entry) }),
    );
  }

  finalisedHeight(): Promise<bigint> {
    return this.#rpc.getBlockHeight(final).send(limited());
  }

  async lifetime(): Promise<Lifetime> {
    return (await this.#rpc.getLatestBlockhash({ commitment: 'confirmed' }).send(limited())).value;
  }

  sign(batch: Batch, lifetime: Lifetime): Promise<Signed> {
    return signBatch(this.#hot, this.#token, batch, lifetime);
  }

  async simulate(wire: Uint8Array): Promise<Outcome> {
    const config = { commitment: 'confirmed', encoding: 'base64', sigVerify: false, replaceRecentBlockhash: false } as const;
    const { err } = (await this.#rpc.simulateTransaction(encoded(wire), config).send(limited())).value;
    return err === null ? { ok: true } : { ok: false, payment: await this.#paymentOf(err, outlineOf(wire).programs), reason: reasonOf(err) };
  }

  async send(wire: Uint8Array): Promise<void> {
    // We send again ourselves, and know better when to stop.
    await this.#rpc.sendTransaction(encoded(wire), { encoding: 'base64', skipPreflight: true, maxRetries: 0n }).send(limited());
  }

  async statuses(signatures: readonly string[]): Promise<readonly Status[]> {
    const statuses: Status[] = [];
    for (let start = 0; start < signatures.length; start += STATUSES_MAX) {
      const some = signatures.slice(start, start + STATUSES_MAX).map(asSignature);
      const { value } = await this.#rpc.getSignatureStatuses(some, { searchTransactionHistory: true }).send(limited());
      if (value.length !== some.length) throw new Error(`statuses: asked for ${some.length}, got ${value.length}`);
      for (const [index, told] of value.entries()) {
        if (!told) statuses.push({ kind: 'unknown' });
        else if (told.confirmationStatus !== 'finalized') statuses.push({ kind: 'seen' });
        else if (told.err === null) statuses.push({ kind: 'finalised', slot: told.slot });
        else statuses.push(await this.#failed(some[index]!, told.slot, told.err));
      }
    }
    return statuses;
  }

  async marker(seed: string): Promise<'absent' | 'ours' | 'blocked'> {
    const marker = await markerAddress(this.#hot.address, seed);
    const { value } = await this.#rpc.getAccountInfo(marker, { ...final, encoding: 'base64' }).send(limited());
    if (!value) return 'absent';
    return value.owner === this.#hot.address ? 'ours' : 'blocked';
  }

  async hasTokenAccount(owner: string): Promise<boolean> {
    // An account that its wallet has given away is none: opening it anew then fails, where paying into it would pay another.
    return (await this.#holding(await tokenAccountOf(address(owner), this.#token.mint)))?.owner === owner;
  }

  async balance(): Promise<{ tokens: bigint; lamports: bigint }> {
    const [holding, { value }] = await Promise.all([this.#holding(this.#source), this.#rpc.getBalance(this.#hot.address, final).send(limited())]);
    return { tokens: holding?.amount ?? 0n, lamports: value };
  }

  deposits(after: string | null, limit: number): Promise<readonly Deposit[]> {
    return this.#deposits.take(after, limit);
  }

  memos(after: string | null, limit: number): Promise<readonly { readonly signature: string; readonly memo: string | null }[]> {
    return this.#memos.take(after, limit);
  }

  /** Anybody may name the hot wallet in a transaction, with a memo of his own; only what it paid for itself is its word. */
  async #ownMemo({ signature, memo }: Entry): Promise<string | null> {
    if (memo === null || (await transactionOf(this.#rpc, signature)).feePayer !== this.#hot.address) return null;
    return memo.replace(/^\[\d+\] /, '');
  }

  async #failed(signature: string, slot: bigint, error: TransactionError): Promise<Status> {
    const { programs } = await transactionOf(this.#rpc, signature);
    return { kind: 'failed', slot, payment: await this.#paymentOf(error, programs), reason: reasonOf(error) };
  }

  /** An account of ours that is frozen or gone makes the first payment fail, through no fault of its own. */
  async #paymentOf(error: TransactionError, programs: readonly Address[]): Promise<number | null> {
    const payment = blamed(error, programs);
    if (payment === null) return null;
    const source = await this.#holding(this.#source);
    return source?.state === AccountState.Initialized && source.owner === this.#hot.address ? payment : null;
  }

  async #holding(account: Address): Promise<Holding | null> {
    const { value } = await this.#rpc.getAccountInfo(account, { ...final, encoding: 'base64' }).send(limited());
    if (value?.owner !== TOKEN_PROGRAM_ADDRESS) return null;
    const data = bytesOf(value.data);
    return data.length === getTokenSize() ? getTokenDecoder().decode(data) : null;
  }
}
