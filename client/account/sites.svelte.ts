import type { SiteRequest, SiteView } from '../../shared/schemas.ts';
import { type ApiError, api, asApiError } from '../net/api.ts';

/** Sites that this account embeds the widget on. */
export class Sites {
  name = $state('');
  origin = $state('');
  sharePercent = $state<number | null>(20);
  #list = $state.raw<readonly SiteView[] | null>(null);
  #busy = $state(false);
  #error = $state.raw<ApiError | null>(null);

  get list(): readonly SiteView[] | null {
    return this.#list;
  }
  get busy(): boolean {
    return this.#busy;
  }
  get error(): ApiError | null {
    return this.#error;
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
}

/** What is wrong with an origin as typed, or undefined. The coordinator has the last word. */
export function originProblem(text: string): string | undefined {
  if (text.trim() === '') return undefined;
  if (/^https?:\/\/[a-z0-9.-]{1,253}(:[0-9]{1,5})?$/.test(text.trim())) return undefined;
  return 'Scheme and host only, such as https://museum.example, without a path.';
}

/** What a site pastes into its page. */
export const snippetOf = (origin: string, site: string): string =>
  `<script src="${origin}/widget.js" async></script>\n<tessera-widget site="${site}"></tessera-widget>`;
