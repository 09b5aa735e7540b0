import type { JobView } from '../../shared/schemas.ts';
import { type ApiError, api, asApiError } from '../net/api.ts';

/** Often enough to see a picture grow, rarely enough for a page left open all day. */
const REFRESH_MS = 5000;

export type Scope = 'public' | 'mine';
export type Filter = 'all' | 'open' | 'done';

/** `fresh`, the newest page, in place of what was there; of what was shown only older jobs stay. */
export function withFresh(shown: readonly JobView[], fresh: readonly JobView[]): readonly JobView[] {
  const last = fresh.at(-1);
  if (!last) return [];
  const ids = new Set(fresh.map(({ id }) => id));
  return [...fresh, ...shown.filter(({ id, createdMs }) => !ids.has(id) && createdMs <= last.createdMs)];
}

/** A list of jobs, a page at a time, whose newest page keeps itself up to date while it is shown. */
export class JobList {
  #scope = $state<Scope>('public');
  #filter = $state<Filter>('all');
  #jobs = $state.raw<readonly JobView[] | null>(null);
  #next = $state<string | null>(null);
  #busy = $state(false);
  #error = $state.raw<ApiError | null>(null);
  /** More than the newest page is shown. */
  #grown = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  get scope(): Scope {
    return this.#scope;
  }
  get filter(): Filter {
    return this.#filter;
  }
  /** Null until the first answer. */
  get jobs(): readonly JobView[] | null {
    return this.#jobs;
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

  show(scope: Scope, filter: Filter): void {
    this.#scope = scope;
    this.#filter = filter;
    this.#jobs = null;
    this.#next = null;
    this.#grown = false;
    void this.refresh();
  }

  /** The newest page again, now and every few seconds from now on. */
  async refresh(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#take(null, ({ jobs, next }) => {
      this.#jobs = this.#grown ? withFresh(this.#jobs ?? [], jobs) : jobs;
      if (!this.#grown) this.#next = next;
    });
    if (!this.#closed) this.#timer = setTimeout(() => void this.refresh(), REFRESH_MS);
  }

  /** The next page, of older jobs. */
  async more(): Promise<void> {
    if (this.#next === null || this.#busy) return;
    this.#busy = true;
    await this.#take(this.#next, ({ jobs, next }) => {
      const known = new Set(this.#jobs?.map(({ id }) => id));
      this.#jobs = [...(this.#jobs ?? []), ...jobs.filter(({ id }) => !known.has(id))];
      this.#next = next;
      this.#grown = true;
    });
    this.#busy = false;
  }

  async #take(cursor: string | null, use: (page: Awaited<ReturnType<typeof api.jobPage>>) => void): Promise<void> {
    const [scope, filter] = [this.#scope, this.#filter];
    const isStill = (): boolean => scope === this.#scope && filter === this.#filter;
    try {
      const page = await api.jobPage(scope, filter === 'all' ? null : filter, cursor);
      if (!isStill()) return;
      use(page);
      this.#error = null;
    } catch (error) {
      if (isStill()) this.#error = asApiError(error);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
