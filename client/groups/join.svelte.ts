import type { GroupView, InviteLook } from '../../shared/schemas.ts';
import { ApiError, api, asApiError } from '../net/api.ts';
import { session } from '../net/session.svelte.ts';
import { codeOf } from './groups.svelte.ts';

/** An invite being looked at and, perhaps, taken. */
export class Invitation {
  name = $state('');
  readonly #code: string | undefined;
  #look = $state.raw<InviteLook | null>(null);
  #joined = $state.raw<GroupView | null>(null);
  #busy = $state(false);
  #error = $state.raw<ApiError | null>(null);

  constructor(fragment: string) {
    this.#code = codeOf(fragment);
    void this.load();
  }

  /** What the invite is into; null until the first answer. */
  get look(): InviteLook | null {
    return this.#look;
  }
  get joined(): GroupView | null {
    return this.#joined;
  }
  get busy(): boolean {
    return this.#busy;
  }
  get error(): ApiError | null {
    return this.#error;
  }

  async load(): Promise<void> {
    await this.#attempt(async (code) => {
      this.#look = await api.lookAtInvite(code);
    });
  }

  async join(): Promise<void> {
    await this.#attempt(async (code) => {
      if (!session.account) await session.refresh();
      if (session.error) throw session.error;
      this.#joined = await api.joinGroup(code, this.name.trim());
    });
  }

  async #attempt(what: (code: string) => Promise<void>): Promise<void> {
    this.#busy = true;
    this.#error = null;
    try {
      if (this.#code === undefined) throw new ApiError('bad_input', 'This is not a whole invite link. Copy all of it, also what comes after the #.');
      await what(this.#code);
    } catch (error) {
      this.#error = asApiError(error);
    } finally {
      this.#busy = false;
    }
  }
}
