import { limits, SECOND_MS } from '../../shared/limits.ts';
import type { NetworkNow, NetworkSeries } from '../../shared/schemas.ts';
import { type ApiError, api, asApiError } from '../net/api.ts';
import { merged } from './series.ts';

const LOOK_EVERY_MS = 4 * SECOND_MS;

/** The network's figures, kept up to date while the page is visible: the first answer is whole, later ones bring what is new. */
export class NetworkState {
  #now = $state.raw<NetworkNow | null>(null);
  #minutes = $state.raw<NetworkSeries | null>(null);
  #hours = $state.raw<NetworkSeries | null>(null);
  #error = $state.raw<ApiError | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** Null until the first answer, as the series are. */
  get now(): NetworkNow | null {
    return this.#now;
  }
  get minutes(): NetworkSeries | null {
    return this.#minutes;
  }
  get hours(): NetworkSeries | null {
    return this.#hours;
  }
  get error(): ApiError | null {
    return this.#error;
  }
  /** Nobody is here, and nothing has ever happened. */
  get fresh(): boolean {
    return this.#now?.contributors === 0 && (this.#hours?.tiles.every((tiles) => tiles === 0) ?? false) && this.#now.openJobs === 0;
  }

  /** Now, and every few seconds from now on. */
  async look(): Promise<void> {
    clearTimeout(this.#timer);
    if (document.visibilityState === 'visible') await this.#ask();
    if (!this.#closed) this.#timer = setTimeout(() => void this.look(), LOOK_EVERY_MS);
  }

  async #ask(): Promise<void> {
    try {
      const { now, minutes, hours } = await api.network(this.#minutes?.atMs.at(-1));
      this.#now = now;
      this.#minutes = grown(this.#minutes, minutes, limits.networkMinutesMsMax);
      this.#hours = grown(this.#hours, hours, limits.networkHoursMsMax);
      this.#error = null;
    } catch (error) {
      this.#error = asApiError(error);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}

/** The same object while nothing is new: plots are drawn again for a new one. */
function grown(known: NetworkSeries | null, fresh: NetworkSeries, keptMs: number): NetworkSeries {
  if (!known) return fresh;
  const next = merged(known, fresh, keptMs);
  return JSON.stringify(next) === JSON.stringify(known) ? known : next;
}
