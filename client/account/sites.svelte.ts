import type { SiteId } from '../../shared/model.ts';
import type { OwnSiteView, SiteRequest, SiteState } from '../../shared/schemas.ts';
import { type ApiError, api, asApiError } from '../net/api.ts';

/** Sites that this account embeds the widget on. */
export class Sites {
  name = $state('');
  origin = $state('');
  sharePercent = $state<number | null>(20);
  #list = $state.raw<readonly OwnSiteView[] | null>(null);
  #busy = $state(false);
  #error = $state.raw<ApiError | null>(null);
  /** What is being asked about one site, and what went wrong there. */
  #asking = $state<SiteId | null>(null);
  #problem = $state.raw<{ readonly site: SiteId; readonly message: string } | null>(null);

  get list(): readonly OwnSiteView[] | null {
    return this.#list;
  }
  get busy(): boolean {
    return this.#busy;
  }
  get error(): ApiError | null {
    return this.#error;
  }
  isBusy(site: SiteId): boolean {
    return this.#asking === site;
  }
  problemOf(site: SiteId): string | null {
    return this.#problem?.site === site ? this.#problem.message : null;
  }

  async load(): Promise<void> {
    try {
      this.#list = await api.sites();
      this.#error = null;
    } catch (error) {
      this.#error = asApiError(error);
    }
  }

  async register(): Promise<void> {
    this.#busy = true;
    this.#error = null;
    try {
      const request: SiteRequest = { name: this.name.trim(), origin: this.origin.trim(), sharePercent: this.sharePercent ?? 0 };
      await api.makeSite(request);
      this.name = '';
      this.origin = '';
      await this.load();
    } catch (error) {
      this.#error = asApiError(error);
    } finally {
      this.#busy = false;
    }
  }

  /** Asks the coordinator to read the proof now. */
  prove(site: SiteId): Promise<void> {
    return this.#change(site, () => api.proveSite(site));
  }

  /** Cards of a site that is switched off stop at once. */
  switch(site: SiteId, on: boolean): Promise<void> {
    return this.#change(site, () => api.switchSite(site, on));
  }

  async #change(site: SiteId, act: () => Promise<OwnSiteView>): Promise<void> {
    this.#asking = site;
    this.#problem = null;
    try {
      const changed = await act();
      this.#list = this.#list?.map((each) => (each.id === site ? changed : each)) ?? null;
    } catch (error) {
      const { message, limit } = asApiError(error);
      this.#problem = { site, message: limit ? `${message} Needed: ${limit}.` : message };
    } finally {
      this.#asking = null;
    }
  }
}

export const stateWords: Readonly<Record<SiteState, string>> = {
  ready: 'On: visitors can help.',
  unproven: 'Waits for proof that the domain is yours.',
  off: 'Switched off by you.',
  suspended: 'Suspended by the operator of this coordinator.',
};

/** What is wrong with an origin as typed, or undefined. The coordinator has the last word. */
export function originProblem(text: string): string | undefined {
  if (text.trim() === '') return undefined;
  if (/^https?:\/\/[a-z0-9.-]{1,253}(:[0-9]{1,5})?$/.test(text.trim())) return undefined;
  return 'Scheme and host only, such as https://museum.example, without a path.';
}
