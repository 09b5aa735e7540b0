import type { JobView } from '../../shared/schemas.ts';
import { type ApiError, api, asApiError } from '../net/api.ts';

/** Often enough to see a picture grow, rarely enough for a page left open all day. */
const REFRESH_MS = 5000;

export type Scope = 'public' | 'mine';

/** A list of jobs that keeps itself up to date while it is shown. */
export class JobList {
  #scope = $state<Scope>('public');
  #jobs = $state.raw<readonly JobView[] | null>(null);
  #error = $state.raw<ApiError | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  get scope(): Scope {
    return this.#scope;
  }
  /** Null until the first answer. */
  get jobs(): readonly JobView[] | null {
    return this.#jobs;
  }
  get error(): ApiError | null {
    return this.#error;
  }

  show(scope: Scope): void {
    this.#scope = scope;
    this.#jobs = null;
    void this.refresh();
  }

  async refresh(): Promise<void> {
    clearTimeout(this.#timer);
    const scope = this.#scope;
    try {
      const jobs = await api.jobs(scope);
      if (scope !== this.#scope) return;
      this.#jobs = jobs;
      this.#error = null;
    } catch (error) {
      this.#error = asApiError(error);
    }
    if (!this.#closed) this.#timer = setTimeout(() => void this.refresh(), REFRESH_MS);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
