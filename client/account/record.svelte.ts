import type { ContributorView } from '../../shared/schemas.ts';
import { type ApiError, api, asApiError } from '../net/api.ts';
import { rememberedGrant } from '../net/grant.ts';

/** What the coordinator has on record of this browser's contributor. */
export class OwnRecord {
  #view = $state.raw<ContributorView | null>(null);
  #error = $state.raw<ApiError | null>(null);
  /** False when this browser never contributed here, so that there is nothing to ask about. */
  readonly exists: boolean;

  constructor() {
    this.exists = rememberedGrant() !== null;
    if (this.exists) void this.load();
  }

  /** Null until the first answer. */
  get view(): ContributorView | null {
    return this.#view;
  }
  get error(): ApiError | null {
    return this.#error;
  }

  async load(): Promise<void> {
    const grant = rememberedGrant();
    if (!grant) return;
    try {
      this.#view = await api.contributor(grant.contributor);
      this.#error = null;
    } catch (error) {
      this.#error = asApiError(error);
    }
  }
}
