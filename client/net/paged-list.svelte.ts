import { type ApiError, asApiError } from './api.ts';

interface Page<Row> {
  readonly rows: readonly Row[];
  /** `cursor` of the next page, null at the end. */
  readonly next: string | null;
}

/** Rows of the coordinator's, newest first, fetched a page at a time. */
export class PagedList<Row> {
  readonly #fetch: (cursor: string | null) => Promise<Page<Row>>;
  #rows = $state.raw<readonly Row[] | null>(null);
  #next = $state<string | null>(null);
  #busy = $state(false);
  #error = $state.raw<ApiError | null>(null);

  constructor(fetch: (cursor: string | null) => Promise<Page<Row>>) {
    this.#fetch = fetch;
  }

  /** Null until the first answer. */
  get rows(): readonly Row[] | null {
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
      const { rows, next } = await this.#fetch(this.#next);
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
