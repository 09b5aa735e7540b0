import type { StatementRow } from '../../shared/schemas.ts';
import { type ApiError, api, asApiError } from '../net/api.ts';

/** Rows of the statement, newest first, fetched a page at a time. */
export class Statement {
  #rows = $state.raw<readonly StatementRow[] | null>(null);
  #next = $state<string | null>(null);
  #busy = $state(false);
  #error = $state.raw<ApiError | null>(null);

  /** Null until the first answer. */
  get rows(): readonly StatementRow[] | null {
    return this.#rows;
  }
  get hasMore(): boolean {
    return this.#next !== null;
  }
  get busy(): boolean {
    return this.#busy;
  }
  get error(): ApiError | null {
    return this.#error;
  }

  async more(): Promise<void> {
    this.#busy = true;
    this.#error = null;
    try {
      const { rows, next } = await api.statement(this.#next);
      this.#rows = [...(this.#rows ?? []), ...rows];
      this.#next = next;
    } catch (error) {
      this.#error = asApiError(error);
    } finally {
      this.#busy = false;
    }
  }
}

const kinds: Readonly<Record<string, string>> = {
  grant: 'Test credits granted',
  hold: 'Held for a job',
  pay: 'Tile accepted',
  vest: 'Vested',
  void: 'Taken back: proven wrong before it vested',
  audit: 'Audit of another’s result',
  'site share': 'Share of a visitor’s tile',
  refund: 'Back from a job',
  claim: 'Moved to the wallet',
};

/** The account that a row changes, where the kind does not say it. */
export const accountWords: Readonly<Record<StatementRow['account'], string>> = { grant: 'granted', earned: 'earned', vesting: 'vesting', site: 'site' };

/** Words for a kind of transfer; one that this page does not know yet is shown as it is. */
export const kindWords = (kind: string): string => kinds[kind] ?? kind;
