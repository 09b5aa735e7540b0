import type { AccountId, Transfer } from '../store/store.ts';

/** Balances in memory by the rules of the real ledger: the same id is the same transfer, once; nothing below zero but the issuer. */
export class SimLedger {
  readonly #balances = new Map<AccountId, bigint>();
  /** What was moved under each id. */
  readonly #seen = new Map<string, string>();

  apply(transfer: Transfer): void {
    const content = `${transfer.debit} ${transfer.credit} ${transfer.microCredits}`;
    const before = this.#seen.get(transfer.id);
    if (before === content) return;
    if (before !== undefined) throw new Error(`transfer ${transfer.id} was ${before} and is now ${content}`);
    if (transfer.microCredits <= 0n) throw new Error(`transfer ${transfer.id} moves ${transfer.microCredits}`);
    this.#seen.set(transfer.id, content);
    const left = this.balance(transfer.debit) - transfer.microCredits;
    if (left < 0n && !transfer.debit.startsWith('operator/')) throw new Error(`${transfer.id} takes ${transfer.debit} to ${left}`);
    this.#balances.set(transfer.debit, left);
    this.#balances.set(transfer.credit, this.balance(transfer.credit) + transfer.microCredits);
  }

  balance(account: AccountId): bigint {
    return this.#balances.get(account) ?? 0n;
  }

  /** Zero, always. */
  sum(): bigint {
    return [...this.#balances.values()].reduce((sum, balance) => sum + balance, 0n);
  }
}
