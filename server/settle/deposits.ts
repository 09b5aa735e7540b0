import type { Address, TokenBalance } from '@solana/kit';
import type { Deposit } from './chain.ts';

/** What a transaction did to balances of tokens. */
export interface Movement {
  /** By the index that balances name. */
  readonly accounts: readonly Address[];
  readonly before: readonly TokenBalance[];
  readonly after: readonly TokenBalance[];
}

/** What one account received of a token, and from whom; null: nothing. Somebody who names the account without paying it has not paid. */
export function received({ accounts, before, after }: Movement, account: Address, mint: Address): Omit<Deposit, 'signature'> | null {
  let amount = 0n;
  /** Null is the owner whom the node does not name. */
  const changes = new Map<string | null, bigint>();
  const count = (balances: readonly TokenBalance[], sign: bigint): void => {
    for (const balance of balances) {
      if (balance.mint !== mint) continue;
      const change = sign * BigInt(balance.uiTokenAmount.amount);
      if (accounts[balance.accountIndex] === account) amount += change;
      else changes.set(balance.owner ?? null, (changes.get(balance.owner ?? null) ?? 0n) + change);
    }
  };
  count(before, -1n);
  count(after, 1n);
  if (amount <= 0n) return null;
  const givers = [...changes].filter(([, change]) => change < 0n);
  return { amount, from: givers.length === 1 ? givers[0]![0] : null };
}
