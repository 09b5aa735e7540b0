import type { HistoryRow } from '../../../shared/schemas.ts';
import { type ApiError, api, asApiError, type ContributorKey } from '../../net/api.ts';

/** What was handed in and what became of it, newest first, fetched a page at a time. */
export class ResultHistory {
  readonly #key: ContributorKey | null;
  #rows = $state.raw<readonly HistoryRow[] | null>(null);
  #next = $state<string | null>(null);
  #busy = $state(false);
  #error = $state.raw<ApiError | null>(null);

  /** Of one contributor, or of all that belong to this account when `key` is null. */
  constructor(key: ContributorKey | null) {
    this.#key = key;
  }

  /** Null until the first answer. */
  get rows(): readonly HistoryRow[] | null {
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

  /** The next page, or the first. */
  async more(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    this.#error = null;
    try {
      const { rows, next } = await api.history(this.#key, this.#next);
      this.#rows = [...(this.#rows ?? []), ...rows];
      this.#next = next;
    } catch (error) {
      this.#error = asApiError(error);
    } finally {
      this.#busy = false;
    }
  }

  /** From the newest on again. */
  async refresh(): Promise<void> {
    if (this.#busy) return;
    this.#rows = null;
    this.#next = null;
    await this.more();
  }
}
