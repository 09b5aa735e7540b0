import type { LedgerUnit } from '../shared/model.ts';
import { mayBeNegative } from './store/postings.ts';
import type { AccountId, AccountSums, LedgerLook, LedgerPlace, PostedTransfer, StoredAccount } from './store/store.ts';

/** What the books of a unit came to. All is right where `imbalance`, `sum` and `wrongAccounts` are 0. Amounts are micro-credits, of tokens base units. */
export interface ProvedUnit {
  readonly unit: LedgerUnit;
  readonly accounts: number;
  readonly transfers: number;
  /** What pending transfers reserve. */
  readonly pending: bigint;
  /** What all stored balances add up to. */
  readonly sum: bigint;
  /** By how much the stored sums of accounts differ from those of their transfers, whatever the direction, added up. */
  readonly imbalance: bigint;
  /** Accounts that differ, that owe and may not, or where a pending transfer was not ended as it was begun, once. */
  readonly wrongAccounts: number;
}

/** An account that is not right, and why. */
export interface WrongAccount {
  readonly id: AccountId;
  readonly unit: LedgerUnit;
  readonly why: string;
}

export interface ProvedBooks {
  /** By name. A unit that nothing was ever moved in is left out. */
  readonly units: readonly ProvedUnit[];
  /** The first of them, of all units. */
  readonly wrong: readonly WrongAccount[];
}

/** Named in a report. */
const NAMED_MAX = 5;
/** Of transfers and of accounts: to read and to add takes 2 to 5 ms, in which nothing else is done. */
const ROWS_PER_LOOK = 500;

type Sums = { -readonly [Name in keyof AccountSums]: AccountSums[Name] };
type Counts = { -readonly [Name in keyof ProvedUnit]: ProvedUnit[Name] };

/** An account as its transfers make it. */
interface Proved extends Sums {
  readonly id: AccountId;
  readonly unit: LedgerUnit;
  /** What is wrong with one of its transfers. */
  fault: string | null;
  /** The walk that has met it. */
  met: number;
}

const NOTHING: AccountSums = { debitsPosted: 0n, creditsPosted: 0n, debitsPending: 0n, creditsPending: 0n };
const names = ['debitsPosted', 'creditsPosted', 'debitsPending', 'creditsPending'] as const;
const absolute = (amount: bigint): bigint => (amount < 0n ? -amount : amount);
const keyOf = (id: AccountId, unit: LedgerUnit): string => `${id} ${unit}`;

/**
 * Proves balances from transfers, without the sums that the ledger keeps of them and without its code: adds up all transfers in the order they were
 * posted, then holds every stored account against that. Piece by piece, each page of accounts against the transfers of its own
 * moment, so that neither the process nor the database is held up. An account takes about 400 bytes.
 */
export class Books {
  readonly #look: (from: LedgerPlace, rowsMax: number) => Promise<LedgerLook>;
  readonly #rowsMax: number;
  readonly #accounts = new Map<string, Proved>();
  readonly #pending = new Map<string, PostedTransfer>();
  readonly #transfers = new Map<LedgerUnit, number>();
  #seq = 0;
  #renamings = 0;
  /** A walk over the accounts, from the first to the last. */
  #walk = { number: 0, at: null as LedgerPlace['account'], expected: 0, met: 0, units: new Map<LedgerUnit, Counts>(), wrong: [] as WrongAccount[] };

  constructor(look: (from: LedgerPlace, rowsMax: number) => Promise<LedgerLook>, rowsMax = ROWS_PER_LOOK) {
    this.#look = look;
    this.#rowsMax = rowsMax;
  }

  /** Reads on. Answers with what came of it whenever all transfers are added and all accounts were looked at; undefined: there is more to read. */
  async step(): Promise<ProvedBooks | undefined> {
    const { transfers, accounts, isLast, renamings } = await this.#look({ seq: this.#seq, account: this.#walk.at }, this.#rowsMax);
    if (renamings !== this.#renamings) {
      this.#renamings = renamings;
      if (this.#seq > 0) return this.#startOver();
    }
    for (const transfer of transfers) this.#add(transfer);
    if (accounts === null) return undefined;
    if (this.#walk.at === null) this.#begin();
    for (const account of accounts) this.#compare(account);
    this.#walk.at = accounts.at(-1) ?? this.#walk.at;
    if (!isLast) return undefined;
    return this.#end();
  }

  /** What an account has by its transfers, less what is reserved. */
  balance(id: AccountId, unit: LedgerUnit): bigint {
    return balanceOf(this.#accounts.get(keyOf(id, unit)) ?? NOTHING);
  }

  #account(id: AccountId, unit: LedgerUnit): Proved {
    const key = keyOf(id, unit);
    let account = this.#accounts.get(key);
    if (!account) {
      // One that comes into being during a walk may lie behind it: the next one will meet it.
      account = { id, unit, ...NOTHING, fault: null, met: this.#walk.number };
      this.#accounts.set(key, account);
    }
    return account;
  }

  #add(transfer: PostedTransfer): void {
    const { seq, unit, microCredits: amount, phase } = transfer;
    const [debit, credit] = [this.#account(transfer.debit, unit), this.#account(transfer.credit, unit)];
    if (phase === 'pending') this.#pending.set(transfer.id, transfer);
    const reserved = phase === 'pending' ? amount : phase === 'single' ? 0n : -amount;
    const posted = phase === 'single' || phase === 'post' ? amount : 0n;
    debit.debitsPending += reserved;
    credit.creditsPending += reserved;
    debit.debitsPosted += posted;
    credit.creditsPosted += posted;
    const fault = phase === 'post' || phase === 'void' ? this.#endingFault(transfer) : null;
    debit.fault ??= fault;
    this.#transfers.set(unit, (this.#transfers.get(unit) ?? 0) + 1);
    this.#seq = seq;
  }

  /** Why this is not the one end of what it ends; null when it is. */
  #endingFault({ id, pending, ...end }: PostedTransfer): string | null {
    const begun = pending === null ? undefined : this.#pending.get(pending);
    if (!begun) return `transfer ${id} ends ${pending}, which is not pending`;
    this.#pending.delete(begun.id);
    const differs = (['unit', 'debit', 'credit', 'microCredits'] as const).find((field) => begun[field] !== end[field]);
    return differs === undefined ? null : `transfer ${id} ends ${pending} with another ${differs}`;
  }

  /** Accounts have other names now: all transfers are read again, as they are by now. */
  #startOver(): undefined {
    this.#accounts.clear();
    this.#pending.clear();
    this.#transfers.clear();
    this.#seq = 0;
    this.#walk.at = null;
  }

  #begin(): void {
    const units = new Map<LedgerUnit, Counts>();
    this.#walk = { number: this.#walk.number + 1, at: null, expected: this.#accounts.size, met: 0, units, wrong: [] };
  }

  #unit(unit: LedgerUnit): Counts {
    const counts = this.#walk.units.get(unit) ?? { unit, accounts: 0, transfers: 0, pending: 0n, sum: 0n, imbalance: 0n, wrongAccounts: 0 };
    this.#walk.units.set(unit, counts);
    return counts;
  }

  #compare(stored: StoredAccount): void {
    const { id, unit } = stored;
    const proved = this.#accounts.get(keyOf(id, unit));
    if (proved && proved.met !== this.#walk.number) {
      proved.met = this.#walk.number;
      this.#walk.met++;
    }
    this.#unit(unit).accounts++;
    this.#judge(stored, proved ?? { id, unit, ...NOTHING, fault: null });
  }

  #judge(stored: AccountSums, { id, unit, fault, ...sums }: Omit<Proved, 'met'>): void {
    const counts = this.#unit(unit);
    let difference = 0n;
    for (const name of names) difference += absolute(stored[name] - sums[name]);
    counts.pending += sums.debitsPending;
    // By their transfers all accounts together have nothing: what is stored adds up to what differs.
    counts.sum += stored.creditsPosted - stored.debitsPosted - (sums.creditsPosted - sums.debitsPosted);
    counts.imbalance += difference;
    const owed = -balanceOf(sums);
    const why = difference > 0n ? `its stored sums differ from its transfers by ${difference}` : owed > 0n && !mayBeNegative(id) ? `it owes ${owed}` : fault;
    if (why === null) return;
    counts.wrongAccounts++;
    if (this.#walk.wrong.length < NAMED_MAX) this.#walk.wrong.push({ id, unit, why });
  }

  #end(): ProvedBooks {
    const { number, expected, met, units, wrong } = this.#walk;
    // Looked for only where one is missing: there may be a million.
    if (met < expected) for (const proved of this.#accounts.values()) if (proved.met !== number) this.#judge(NOTHING, proved);
    for (const [unit, transfers] of this.#transfers) this.#unit(unit).transfers = transfers;
    this.#walk.at = null;
    return { units: [...units.values()].sort((a, b) => (a.unit < b.unit ? -1 : 1)), wrong };
  }
}

const balanceOf = ({ creditsPosted, debitsPosted, debitsPending }: AccountSums): bigint => creditsPosted - debitsPosted - debitsPending;

/** Whether everything is as it must be. */
export const areRight = ({ units }: Pick<ProvedBooks, 'units'>): boolean =>
  units.every(({ sum, imbalance, wrongAccounts }) => sum === 0n && imbalance === 0n && wrongAccounts === 0);
