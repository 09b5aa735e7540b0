import { type Static, Type } from 'typebox';
import { address, challenge, microCredits, text } from './schemas.ts';

/** Everything about deposits, withdrawals and what proves them. */
const closed = { additionalProperties: false } as const;

export const withdrawalId = Type.String({ pattern: '^w_[A-Za-z0-9_-]{16}$' });
/** Not negative, no larger than what a token of Solana can count (u64). */
const wholeAmount = Type.String({ pattern: '^(0|[1-9][0-9]{0,19})$' });
const txSignature = Type.String({ pattern: '^[1-9A-HJ-NP-Za-km-z]{64,88}$' });
const isoTime = Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$' });
const base64url = (bytes: number) => Type.String({ pattern: `^[A-Za-z0-9_-]{${Math.ceil((bytes * 4) / 3)}}$` });
const time = Type.Number();

/** Where and in what is paid, once the settle process has said so. */
export const payoutTerms = Type.Object({
  /** As wallets know it: `solana:mainnet`. */
  chain: Type.String(),
  mint: address,
  tokenName: Type.String(),
  decimals: Type.Integer({ minimum: 0, maximum: 18 }),
  /** Where deposits go, from the wallet that is signed in. */
  treasury: address,
  /** Least that may be withdrawn; it covers what opening an account of the token keeps. */
  minimumMicroCredits: microCredits,
  /** Kept of a withdrawal to a wallet that has no account of the token yet. */
  openingMicroCredits: microCredits,
  /** Most that may be withdrawn at once. */
  maximumMicroCredits: microCredits,
  /** Why payouts wait, in a sentence; null: they do not. */
  waiting: Type.Union([Type.String(), Type.Null()]),
});
export type PayoutTerms = Static<typeof payoutTerms>;

/** `off`: credits are never money here. `away`: the process that pays has not been heard of for a minute. */
export const moneyView = Type.Object({
  payouts: Type.Union([Type.Literal('off'), Type.Literal('away'), Type.Literal('on')]),
  terms: Type.Union([payoutTerms, Type.Null()]),
});
export type MoneyView = Static<typeof moneyView>;

export const withdrawalRequest = Type.Object({ microCredits: wholeAmount }, closed);

/** `asked`: waits for the wallet's signature. `refused`: it was not signed as it should be, or not in time. `failed`: the credits came back. */
export const withdrawalState = Type.Union([
  Type.Literal('asked'),
  Type.Literal('refused'),
  Type.Literal('pending'),
  Type.Literal('paid'),
  Type.Literal('failed'),
]);
export const withdrawalView = Type.Object({
  id: withdrawalId,
  state: withdrawalState,
  wallet: address,
  microCredits,
  /** Base units of the token that were asked for; of those, what arrived. */
  tokens: wholeAmount,
  paidTokens: Type.Union([wholeAmount, Type.Null()]),
  /** Of the transaction. */
  signature: Type.Union([Type.String(), Type.Null()]),
  reason: Type.Union([Type.String(), Type.Null()]),
  chain: Type.String(),
  createdMs: time,
  endedMs: Type.Union([time, Type.Null()]),
});
export type WithdrawalView = Static<typeof withdrawalView>;
export const withdrawalPage = Type.Object({ withdrawals: Type.Array(withdrawalView) });

/** What the wallet has to sign before anything is held. */
export const withdrawalAsked = Type.Object({ withdrawal: withdrawalView, challenge });
export type WithdrawalAsked = Static<typeof withdrawalAsked>;
export const withdrawalSignature = Type.Object({ signedMessage: text(4096, 1), signature: text(128, 1) }, closed);
export type WithdrawalSignature = Static<typeof withdrawalSignature>;

/** The leaf of the wallet that is signed in, and what leads to the root (`shared/earnings.ts`). Null before its first epoch. */
export const earningsProof = Type.Object({
  epoch: Type.Integer(),
  atMs: time,
  wallet: address,
  creditsMicroCredits: microCredits,
  debitsMicroCredits: microCredits,
  salt: base64url(16),
  index: Type.Integer(),
  wallets: Type.Integer(),
  siblings: Type.Array(Type.Union([base64url(32), Type.Null()])),
  /** Base64url, as memos have it. */
  root: base64url(32),
  /** Transactions whose memo has this root. */
  transactions: Type.Array(Type.String()),
});
export type EarningsProof = Static<typeof earningsProof>;
export const earningsAnswer = Type.Object({ proof: Type.Union([earningsProof, Type.Null()]) });

/* The settle process and the coordinator: every few seconds one tells all it knows, the other answers with all it wants. */

export const SETTLE_ORDERS_MAX = 100;
export const SETTLE_DEPOSITS_MAX = 100;

const ended = Type.Object(
  {
    id: withdrawalId,
    outcome: Type.Union([
      Type.Object({ kind: Type.Literal('paid'), signature: Type.String({ maxLength: 100 }), tokens: wholeAmount, epoch: Type.Integer({ minimum: 0 }) }, closed),
      Type.Object({ kind: Type.Literal('failed'), reason: text(300) }, closed),
    ]),
  },
  closed,
);
const deposit = Type.Object({ signature: txSignature, from: Type.Union([address, Type.Null()]), amount: wholeAmount }, closed);
export const settleReport = Type.Object(
  {
    chain: Type.String({ pattern: '^solana:[a-z0-9-]{1,32}$' }),
    mint: address,
    decimals: Type.Integer({ minimum: 0, maximum: 18 }),
    treasury: address,
    hotTokens: wholeAmount,
    dayTokensMax: wholeAmount,
    waiting: Type.Union([text(200), Type.Null()]),
    ended: Type.Array(ended, { maxItems: SETTLE_ORDERS_MAX }),
    deposits: Type.Array(deposit, { maxItems: SETTLE_DEPOSITS_MAX }),
  },
  closed,
);
export type SettleReport = Static<typeof settleReport>;

/** `SignedOrder` of the settle process, with its amounts in decimal. */
const order = Type.Object({
  id: withdrawalId,
  wallet: address,
  tokens: wholeAmount,
  openingTokens: wholeAmount,
  mint: address,
  chain: Type.String(),
  origin: Type.String(),
  nonce: Type.String(),
  issuedAt: isoTime,
  expiresAt: isoTime,
  signature: Type.String(),
});
export const settleAnswer = Type.Object({
  orders: Type.Array(order),
  epoch: Type.Integer(),
  root: Type.String(),
  /** Ends that are in the books. */
  told: Type.Array(withdrawalId),
});
export type SettleAnswer = Static<typeof settleAnswer>;
