import type { MicroCredits } from '../../shared/credits.ts';
import type { ContributorId, CreditUnit, JobId, LedgerUnit, OwnerId, ResultId, SiteId, TileRef } from '../../shared/model.ts';

/**
 * Ledger: double entry, append-only. What an account can spend is credits minus debits, less what is pending; every unit sums to zero over all
 * accounts. Accounts come into being with their first transfer. Only `operator/issuance`, `operator/exchange`, `chain/outside` and `chain/hot` may owe.
 *
 *   <owner>/grant      test credits given to try the product; can be spent on jobs only
 *   <owner>/deposited  credits that were paid for; can be spent on jobs only
 *   <owner>/earned     what verified work earned, once it has vested
 *   vesting/<contributor>  pay for accepted results that a proven lie of this contributor would still void
 *   site/<site>        a site's share of its visitors' earnings
 *   job/<job>          what a job holds until it is paid out or refunded
 *   operator/issuance  owes all test credits there are
 *   operator/exchange  owes all credits there are: those that were deposited less those that were paid out
 *   chain/outside, chain/treasury, chain/hot   tokens: elsewhere, where deposits arrive, where payouts leave (its debt is what the operator put there)
 *   operator/residue   tokens of deposits that are less than a micro-credit
 *   operator/unclaimed tokens that came from nobody's wallet
 *   operator/forfeited what people left who had their data deleted, and what comes to them after that
 */
export type AccountId =
  | `${OwnerId}/${'grant' | 'deposited' | 'earned'}`
  | `vesting/${ContributorId}`
  | `site/${SiteId}`
  | `job/${JobId}`
  | `operator/${'issuance' | 'exchange' | 'residue' | 'unclaimed' | 'forfeited'}`
  | `chain/${'outside' | 'treasury' | 'hot'}`;

/**
 * `pay`: job to vesting · `vest`, `site share`: vesting to earned and to the site · `void`: vesting back · `audit`: job to an auditor's earned.
 * `forfeit`: to the operator, from who had his data deleted · `withdrawal`: earned to the exchange · `deposit`: exchange to deposited · `payout`, `receipt`: the tokens of the two.
 */
export type TransferKind =
  | 'grant'
  | 'hold'
  | 'pay'
  | 'vest'
  | 'site share'
  | 'void'
  | 'audit'
  | 'refund'
  | 'claim'
  | 'forfeit'
  | 'deposit'
  | 'withdrawal'
  | 'receipt'
  | 'payout';

export interface Transfer {
  /** Unique for ever: the same id is the same transfer, applied once. */
  readonly id: string;
  readonly unit: LedgerUnit;
  readonly debit: AccountId;
  readonly credit: AccountId;
  /** Positive, at most 2^56. Base units where the unit is `token`. */
  readonly microCredits: MicroCredits;
  /** `pending` reserves and waits; `post` moves what is reserved, `void` gives it back, one of the two, once. Without one it moves at once. */
  readonly phase?: 'pending' | 'post' | 'void';
  /** The transfer that it ends. */
  readonly pending?: string;
  readonly kind: TransferKind;
  readonly job: JobId | null;
  readonly at: TileRef | null;
  readonly atMs: number;
}

/** Raised when a transfer would take more than an account has. Nothing of its transaction was kept. */
export class InsufficientCredits extends Error {
  override readonly name = 'InsufficientCredits';
  readonly needed: MicroCredits;
  readonly available: MicroCredits;

  constructor(needed: MicroCredits, available: MicroCredits) {
    super(`needs ${needed} micro-credits, ${available} available`);
    this.needed = needed;
    this.available = available;
  }
}

/** Raised when a pending transfer that was posted or voided is to be ended once more. Nothing of that transaction was kept. */
export class AlreadyEnded extends Error {
  override readonly name = 'AlreadyEnded';

  constructor(pending: string) {
    super(`transfer ${pending} was posted or voided before`);
  }
}

/** All that was ever moved out of and into an account, and what is reserved. */
export interface AccountSums {
  readonly debitsPosted: bigint;
  readonly creditsPosted: bigint;
  readonly debitsPending: bigint;
  readonly creditsPending: bigint;
}

/** Right books: the sum of all balances is 0, and no account's sums differ from those of its transfers. */
export interface BooksOfUnit {
  readonly unit: LedgerUnit;
  readonly sum: bigint;
  readonly wrongAccounts: number;
  readonly transfers: number;
}

/** A transfer as the audit reads it. */
export interface PostedTransfer extends Pick<Transfer, 'id' | 'unit' | 'debit' | 'credit' | 'microCredits'> {
  /** Order of posting, from 1. */
  readonly seq: number;
  readonly phase: 'single' | NonNullable<Transfer['phase']>;
  readonly pending: string | null;
}

/** An account as it is stored. */
export interface StoredAccount extends AccountSums {
  readonly id: AccountId;
  readonly unit: LedgerUnit;
}

/** How far an audit has come. */
export interface LedgerPlace {
  /** Of the last transfer that was read; 0 before the first. */
  readonly seq: number;
  /** The last account that was read; null before the first. */
  readonly account: Pick<StoredAccount, 'id' | 'unit'> | null;
}

/** What lies behind a place. */
export interface LedgerLook {
  readonly transfers: readonly PostedTransfer[];
  /** By id and unit, as they are after these transfers. Null: there are more transfers to read first. */
  readonly accounts: readonly StoredAccount[] | null;
  /** No account follows. */
  readonly isLast: boolean;
  /** How often accounts were renamed so far: what was read before the last time names some that are no more. */
  readonly renamings: number;
}

export interface LedgerStore {
  /** What can be taken from an account now. */
  balance(account: AccountId, unit: LedgerUnit): Promise<MicroCredits>;
  sums(account: AccountId, unit: LedgerUnit): Promise<AccountSums>;
  /**
   * The newest `limit` transfers, newest first; `before` is the `id` of the last transfer of the page before. Includes the sites
   * that this owner registered and what its newest contributors have vesting. A transfer between two of these accounts gives
   * two entries, the credit first.
   */
  statement(owner: OwnerId, page: { readonly before?: string; readonly limit: number }): Promise<readonly StatementEntry[]>;
  /** What the contributors of an owner have vesting, all of them together. */
  vesting(owner: OwnerId, unit: CreditUnit): Promise<MicroCredits>;
  /** What these results were paid, less what was voided again; unpaid ones are left out. */
  paidFor(results: readonly ResultId[]): Promise<ReadonlyMap<ResultId, MicroCredits>>;
  /** What an account received on that UTC day (days since 1970), and on the best of the days before. */
  receivedByDay(account: AccountId, unit: CreditUnit, day: number): Promise<{ readonly today: MicroCredits; readonly best: MicroCredits }>;
  /** Proves the books from all transfers there are, at once: what else wants the database waits until it is done. `Books` proves them piece by piece. */
  audit(): Promise<readonly BooksOfUnit[]>;
  /** The next transfers and accounts, at most `rowsMax` of each, in one transaction. */
  look(from: LedgerPlace, rowsMax: number): Promise<LedgerLook>;
}

export interface StatementEntry {
  readonly transfer: Transfer;
  readonly account: 'grant' | 'deposited' | 'earned' | 'vesting' | 'site';
  /** By how much it changed what the account can spend. */
  readonly microCredits: MicroCredits;
}
