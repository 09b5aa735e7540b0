import { createSignInMessageText } from '@solana/wallet-standard-util';
import { fromBase64Url } from '../../shared/formats.ts';
import { isSignatureOf, signingKey } from '../solana.ts';

/**
 * A withdrawal as the wallet signed for it. The coordinator asks the wallet with `orderText`, and the settle process makes the same text anew
 * from what it is told: whoever takes over the coordinator can pay nobody but the wallet that signed, and no more than it signed for.
 */
export interface Order {
  readonly id: string;
  /** Base58; it signs, and it is paid. */
  readonly wallet: string;
  /** Base units of the token. */
  readonly tokens: bigint;
  /** Kept of them where the wallet has no account of the token yet and the payment opens one. */
  readonly openingTokens: bigint;
  readonly mint: string;
  /** As wallets know it: `solana:mainnet`. */
  readonly chain: string;
  /** Of the coordinator, as browsers see it. */
  readonly origin: string;
  readonly nonce: string;
  /** ISO 8601. */
  readonly issuedAt: string;
  readonly expiresAt: string;
}

/** Ed25519 over the UTF-8 bytes of `orderText`, base64url. */
export interface SignedOrder extends Order {
  readonly signature: string;
}

/** The fields of Sign-In With Solana for it, whose statement names the amount and the withdrawal. */
export const orderInput = ({ id, wallet, tokens, openingTokens, mint, chain, origin, nonce, issuedAt, expiresAt }: Order) => ({
  domain: new URL(origin).host,
  address: wallet,
  statement:
    `Withdraw ${tokens} base units of the token ${mint} to this wallet, as withdrawal ${id}. ` +
    `If it has no account of that token yet, ${openingTokens} of them are kept for opening one.`,
  uri: origin,
  version: '1',
  chainId: chain,
  nonce,
  issuedAt,
  expirationTime: expiresAt,
});

export const orderText = (order: Order): string => createSignInMessageText(orderInput(order));

/** Why an order must not be paid; null: its wallet asked for it. */
export function refusalOf({ signature, ...order }: SignedOrder): string | null {
  const key = signingKey(order.wallet);
  if (!key) return 'wallet: no address that a wallet can sign for';
  if (order.tokens <= order.openingTokens || order.openingTokens < 0n) return 'tokens: not more than what opening an account keeps';
  return isSignatureOf(key, new TextEncoder().encode(orderText(order)), fromBase64Url(signature)) ? null : 'signature: not one of this wallet for this text';
}
