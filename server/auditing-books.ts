import { SECOND_MS } from '../shared/limits.ts';
import { areRight, Books, type ProvedBooks } from './books.ts';
import { Rounds } from './rounds.ts';
import type { LedgerStore } from './store/store.ts';

export interface AuditingBooksDeps {
  readonly ledger: Pick<LedgerStore, 'look'>;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly log: { error(fields: object, message: string): void };
}

/** Between two looks: the rest of the process has most of the time, also while a large ledger is read for the first time. */
const BREATH_MS = 10;
/** From one proof to the next. */
const ROUND_MS = 10 * SECOND_MS;

/** Proves the books again and again while the coordinator runs. After a start it reads everything anew: what it knows is in memory alone. */
export class AuditingBooks {
  readonly #deps: AuditingBooksDeps;
  readonly #books: Books;
  readonly #rounds: Rounds;
  #proved: (ProvedBooks & { readonly atMs: number }) | undefined;
  #said = '';

  constructor(deps: AuditingBooksDeps) {
    this.#deps = deps;
    this.#books = new Books((from, rowsMax) => deps.ledger.look(from, rowsMax));
    this.#rounds = new Rounds({
      step: () => this.look(),
      breathMs: BREATH_MS,
      roundMs: ROUND_MS,
      failed: (error) => deps.log.error({ error: String(error) }, 'the books could not be read'),
    });
  }

  /** What the last proof came to, and when it was done; undefined before the first. */
  get proved(): (ProvedBooks & { readonly atMs: number }) | undefined {
    return this.#proved;
  }

  start(): void {
    this.#rounds.start();
  }

  /** Resolves when it reads nothing more. */
  close(): Promise<void> {
    return this.#rounds.close();
  }

  /** Reads on; true when the books were proved to their end. */
  async look(): Promise<boolean> {
    const proved = await this.#books.step();
    if (!proved) return false;
    this.#proved = { ...proved, atMs: this.#deps.clock() };
    this.#tell(proved);
    return true;
  }

  /** Once, not every ten seconds: again only when other accounts are wrong. */
  #tell(proved: ProvedBooks): void {
    const accounts = proved.wrong.map(({ id, unit, why }) => `${id} (${unit}): ${why}`);
    const said = areRight(proved) ? '' : proved.wrong.map(({ id, unit }) => `${id} ${unit}`).join();
    if (said !== '' && said !== this.#said) {
      const units = proved.units.map(({ unit, imbalance, wrongAccounts }) => ({ unit, imbalance: imbalance.toString(), wrongAccounts }));
      this.#deps.log.error({ units, accounts }, 'the books are wrong: balances are not what their transfers make them');
    }
    this.#said = said;
  }
}
