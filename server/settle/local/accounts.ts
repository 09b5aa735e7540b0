import type { Address } from '@solana/kit';
import type { Account } from './engine.ts';

interface Version {
  readonly slot: bigint;
  readonly account: Account | null;
}

/** What accounts were, back to the last finalised block: the engine knows only what they are. */
export class Accounts {
  readonly #now: (address: Address) => Account | null;
  readonly #versions = new Map<Address, Version[]>();

  constructor(now: (address: Address) => Account | null) {
    this.#now = now;
  }

  at(address: Address, slot: bigint): Account | null {
    const versions = this.#versions.get(address);
    if (!versions) return this.#now(address);
    return versions.findLast((version) => version.slot <= slot)?.account ?? null;
  }

  /** Runs what may change these accounts, in this block. Nobody asks for a state before `finalSlot`. */
  keep<T>(addresses: readonly Address[], slot: bigint, finalSlot: bigint, change: () => T): T {
    for (const address of addresses) if (!this.#versions.has(address)) this.#versions.set(address, [{ slot: -1n, account: this.#now(address) }]);
    const result = change();
    for (const address of addresses) {
      const versions = this.#versions.get(address)!;
      const first = versions.findLastIndex((version) => version.slot <= finalSlot);
      versions.splice(0, Math.max(0, first));
      if (versions.at(-1)!.slot === slot) versions.pop();
      versions.push({ slot, account: this.#now(address) });
    }
    return result;
  }
}
