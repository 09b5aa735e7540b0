import type { AccountId, Transfer } from '../store/store.ts';

/** Balances in memory by the rules of the real ledger: same id once, nothing below zero but the issuer. */
export class SimLedger {
  readonly #balances = new Map<AccountId, bigint>();
  readonly #seen = new Set<string>();

  apply(transfer: Transfer): void {
    if (this.#seen.has(transfer.id)) throw new Error(`transfer ${transfer.id} was made twice`);
    if (transfer.microCredits <= 0n) throw new Error(`transfer ${transfer.id} moves ${transfer.microCredits}`);
    this.#seen.add(transfer.id);
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
