/**
 * What paying out needs of a chain, and nothing else: `solana.ts` is one over an RPC node, `chain.testing.ts` one in memory. Whatever a
 * node says may be late, missing or a lie; `machine.ts` is written for that. Amounts are base units of the token. Addresses and signatures
 * are base58. Every method may reject (the node is away): then it is asked again.
 */
export interface Chain {
  /** Height of the newest finalised block. */
  finalisedHeight(): Promise<bigint>;
  /** A recent blockhash, and the last block height at which a transaction with it may land. */
  lifetime(): Promise<Lifetime>;
  /** Signs a batch; the same arguments give the same bytes. Throws `BatchTooLarge`. */
  sign(batch: Batch, lifetime: Lifetime): Promise<Signed>;
  /** What would come of it now. Names the payment (its index) that makes it fail, or null when it is none of them. */
  simulate(wire: Uint8Array): Promise<Outcome>;
  /** Hands the bytes to the node. Whether that worked tells nothing about whether they land. */
  send(wire: Uint8Array): Promise<void>;
  /** Of each signature, searched in the node's whole history. */
  statuses(signatures: readonly string[]): Promise<readonly Status[]>;
  /** At finality. `ours`: the batch with this marker has landed. `blocked`: somebody else put money at the address, so it never will. */
  marker(seed: string): Promise<'absent' | 'ours' | 'blocked'>;
  /** Whether this wallet has its associated account of the token. */
  hasTokenAccount(owner: string): Promise<boolean>;
  /** What the hot wallet holds at finality: base units, and lamports for fees. */
  balance(): Promise<{ readonly tokens: bigint; readonly lamports: bigint }>;
  /** What was received at the deposit address and is final, oldest first, after the signature given; null: from the beginning. At most `limit`. */
  deposits(after: string | null, limit: number): Promise<readonly Deposit[]>;
  /** Memos of the hot wallet's finalised transactions that did not fail, oldest first, after the signature given: how a lost journal learns what was paid. */
  memos(after: string | null, limit: number): Promise<readonly { readonly signature: string; readonly memo: string | null }[]>;
}

export interface Lifetime {
  readonly blockhash: string;
  readonly lastValidBlockHeight: bigint;
}

export interface Payment {
  /** The wallet; the tokens go to its associated token account. */
  readonly to: string;
  readonly amount: bigint;
  /** It has no such account yet: the transaction makes it. */
  readonly opensAccount: boolean;
}

/** One transaction: all of it lands, or nothing. */
export interface Batch {
  /**
   * At most 32 ASCII characters. The transaction creates the account (hot wallet, seed) with the hot wallet's address as its owner program:
   * a second transaction with the same seed fails, whatever a node says about the first.
   */
  readonly marker: string;
  readonly memo: string;
  readonly payments: readonly Payment[];
}

export interface Signed {
  /** The whole transaction, at most 1232 bytes. */
  readonly wire: Uint8Array;
  readonly signature: string;
}

export type Outcome = { readonly ok: true } | { readonly ok: false; readonly payment: number | null; readonly reason: string };

export type Status =
  /** The node has not heard of it. */
  | { readonly kind: 'unknown' }
  /** In a block that may still be dropped. */
  | { readonly kind: 'seen' }
  | { readonly kind: 'finalised'; readonly slot: bigint }
  /** In a finalised block, without effect. `payment`: index of the one that made it fail; null: none of them. */
  | { readonly kind: 'failed'; readonly slot: bigint; readonly payment: number | null; readonly reason: string };

export interface Deposit {
  readonly signature: string;
  /** Whose token account it came from; null where that is not one owner alone. */
  readonly from: string | null;
  readonly amount: bigint;
}

/** Its transaction would be larger than the network carries. */
export class BatchTooLarge extends Error {
  override readonly name = 'BatchTooLarge';
}
