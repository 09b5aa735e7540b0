import type { Address } from '@solana/kit';
import { AccountState, getMintDecoder, getMintSize, getTokenDecoder, getTokenSize, TOKEN_PROGRAM_ADDRESS } from '@solana-program/token';
import type { Account } from './engine.ts';

export const TOKEN_2022_PROGRAM_ADDRESS = 'TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb' as Address;
/** A multisignature account of the token programs is told from others by this size alone. */
const MULTISIG_BYTES = 355;

/** In the words of a node. */
export interface TokenBalance {
  readonly accountIndex: number;
  readonly mint: Address;
  readonly owner: Address;
  readonly programId: Address;
  readonly uiTokenAmount: TokenAmount;
}

interface TokenAmount {
  readonly amount: string;
  readonly decimals: number;
  readonly uiAmount: number;
  readonly uiAmountString: string;
}

/** What a token account holds; null where it is none. Extensions of Token-2022 come behind the same bytes. */
export function holdingOf(account: Account | null) {
  if (!account || (account.owner !== TOKEN_PROGRAM_ADDRESS && account.owner !== TOKEN_2022_PROGRAM_ADDRESS)) return null;
  if (account.data.length < getTokenSize() || account.data.length === MULTISIG_BYTES) return null;
  const holding = getTokenDecoder().decode(account.data.subarray(0, getTokenSize()));
  return holding.state === AccountState.Uninitialized ? null : { ...holding, programId: account.owner };
}

export function amountOf(amount: bigint, mint: Account | null): TokenAmount {
  const decimals = mint ? getMintDecoder().decode(mint.data.subarray(0, getMintSize())).decimals : 0;
  const digits = amount.toString().padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, '');
  const uiAmountString = fraction ? `${whole}.${fraction}` : whole;
  return { amount: amount.toString(), decimals, uiAmount: Number(uiAmountString), uiAmountString };
}

/** Of those of a transaction's accounts that are token accounts. */
export function balancesOf(accounts: readonly Address[], some: readonly Address[], read: (address: Address) => Account | null): TokenBalance[] {
  return accounts.flatMap((address, accountIndex) => {
    const holding = some.includes(address) ? holdingOf(read(address)) : null;
    if (!holding) return [];
    const { mint, owner, programId, amount } = holding;
    return [{ accountIndex, mint, owner, programId, uiTokenAmount: amountOf(amount, read(mint)) }];
  });
}
