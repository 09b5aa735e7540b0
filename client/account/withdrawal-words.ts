import { WalletError } from '@solana/wallet-adapter-base';
import { formatCredits, MICRO, type MicroCredits, parseCredits } from '../../shared/credits.ts';
import { limits } from '../../shared/limits.ts';
import type { PayoutTerms, WithdrawalView } from '../../shared/money-schemas.ts';
import { asApiError } from '../net/api.ts';

/** Base units of the token, rounded down: a credit is one token. */
export const tokensOf = (amount: MicroCredits, { decimals }: Pick<PayoutTerms, 'decimals'>): bigint => (amount * 10n ** BigInt(decimals)) / MICRO;

/** Base units -> `4.5 USDX`, exactly. */
export function tokenWords(tokens: bigint, { decimals, tokenName }: Pick<PayoutTerms, 'decimals' | 'tokenName'>): string {
  const scale = 10n ** BigInt(decimals);
  const fraction = (tokens % scale).toString().padStart(decimals, '0').slice(0, decimals).replace(/0+$/, '');
  return `${tokens / scale}${fraction === '' ? '' : `.${fraction}`} ${tokenName}`;
}

/** What is typed, or null where it is no amount. */
export function typedAmount(text: string): MicroCredits | null {
  try {
    return parseCredits(text);
  } catch {
    return null;
  }
}

/** What is wrong with an amount as typed, naming the limit; undefined while nothing is. The coordinator has the last word. */
export function amountProblem(text: string, terms: PayoutTerms, available: MicroCredits): string | undefined {
  if (text.trim() === '') return undefined;
  const amount = typedAmount(text);
  const [least, most] = [BigInt(terms.minimumMicroCredits), BigInt(terms.maximumMicroCredits)];
  if (amount === null) return 'A number of credits, such as 12.5, with at most 6 decimals.';
  if (amount < least) return `At least ${formatCredits(least)} credits.`;
  if (amount > most) return `At most ${formatCredits(most)} credits at once.`;
  if (amount > available) return `At most ${formatCredits(available)} credits: that is all you have earned and not spent.`;
  // A token with fewer decimals than credits have.
  if ((amount * 10n ** BigInt(terms.decimals)) % MICRO !== 0n) return `At most ${terms.decimals} decimals: ${terms.tokenName} has no more.`;
  return undefined;
}

/** The most that can be withdrawn at once, in steps of the token. */
export function wholeAmount(terms: PayoutTerms, available: MicroCredits): MicroCredits {
  const most = BigInt(terms.maximumMicroCredits);
  const amount = available < most ? available : most;
  return (tokensOf(amount, terms) * MICRO) / 10n ** BigInt(terms.decimals);
}

const openings: Readonly<Record<string, string>> = {
  WalletNotReadyError: 'The wallet is not in this browser',
  WalletConnectionError: 'The wallet did not connect',
  WalletAccountError: 'The wallet answered for another account',
};

/** Why no withdrawal was made: what happened, and that nothing else did. */
export function withdrawalProblem(error: unknown): { title: string; detail: string } {
  if (error instanceof WalletError)
    return { title: openings[error.name] ?? 'The wallet did not sign', detail: `${error.message || 'It gave no reason.'} Nothing is held.` };
  const { code, message, limit } = asApiError(error);
  const title = code === 'offline' ? 'Not connected' : 'Nothing was withdrawn';
  return { title, detail: `${message}${limit === undefined ? '' : ` Accepted: ${limit}.`} Nothing is held.` };
}

/** How a withdrawal stands, in a sentence. Without terms nobody knows what the token is called. */
export function stateWords({ state, paidTokens, tokens, reason, createdMs }: WithdrawalView, terms: PayoutTerms | null, now: number): string {
  if (state === 'pending') return 'Waiting for payout.';
  if (state === 'failed') return `Given back. ${reason ?? 'No reason was given.'}`;
  if (state === 'refused') return `Not made: ${reason ?? 'it was not signed as it should be, or not in time.'} Nothing was held.`;
  if (state === 'asked')
    return createdMs + limits.challengeMsMax < now
      ? 'Not made: it was not signed in time. Nothing was held.'
      : 'Waiting for your wallet’s signature. Nothing is held yet.';
  if (!terms || paidTokens === null) return 'Paid.';
  const kept = BigInt(tokens) - BigInt(paidTokens);
  return `Paid: ${tokenWords(BigInt(paidTokens), terms)}.${kept > 0n ? ` ${tokenWords(kept, terms)} were kept for opening the wallet’s account of it.` : ''}`;
}

/** Where anybody looks a transaction up; null for chains that the explorer does not know. */
export function explorerUrl(chain: string, signature: string): string | null {
  const cluster = { 'solana:mainnet': '', 'solana:devnet': '?cluster=devnet' }[chain];
  return cluster === undefined ? null : `https://explorer.solana.com/tx/${encodeURIComponent(signature)}${cluster}`;
}
