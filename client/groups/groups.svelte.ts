import type { GroupId } from '../../shared/model.ts';
import type { GroupDetails, GroupView, JobView, MadeInvite } from '../../shared/schemas.ts';
import { type ApiError, api, asApiError } from '../net/api.ts';
import { session } from '../net/session.svelte.ts';

/** What is being waited for, and how the last of it ended. */
class Doing {
  #busy = $state(false);
  #error = $state.raw<ApiError | null>(null);

  get busy(): boolean {
    return this.#busy;
  }
  get error(): ApiError | null {
    return this.#error;
  }

  /** True when it was done; false leaves the reason in `error`. */
  protected async attempt(what: () => Promise<void>): Promise<boolean> {
    this.#busy = true;
    this.#error = null;
    try {
      await what();
      return true;
    } catch (error) {
      this.#error = asApiError(error);
      return false;
    } finally {
      this.#busy = false;
    }
  }
}

/** The groups that this account is in. */
export class Groups extends Doing {
  name = $state('');
  #list = $state.raw<readonly GroupView[] | null>(null);

  /** Null until the first answer. */
  get list(): readonly GroupView[] | null {
    return this.#list;
  }

  load(): Promise<boolean> {
    return this.attempt(async () => {
      if (!session.account) await session.refresh();
      if (session.error) throw session.error;
      this.#list = await api.groups();
    });
  }

  make(): Promise<boolean> {
    return this.attempt(async () => {
      await api.makeGroup(this.name.trim());
      this.name = '';
      this.#list = await api.groups();
    });
  }
}

/** One group: its people, invites and jobs. */
export class Group extends Doing {
  readonly id: GroupId;
  #details = $state.raw<GroupDetails | null>(null);
  #jobs = $state.raw<readonly JobView[]>([]);
  #made = $state.raw<MadeInvite | null>(null);

  constructor(id: GroupId) {
    super();
    this.id = id;
  }

  get details(): GroupDetails | null {
    return this.#details;
  }
  get jobs(): readonly JobView[] {
    return this.#jobs;
  }
  /** The invite just made: nobody can read its code again. */
  get made(): MadeInvite | null {
    return this.#made;
  }

  load(): Promise<boolean> {
    return this.attempt(() => this.#read());
  }

  invite(): Promise<boolean> {
    return this.attempt(async () => {
      this.#made = await api.makeInvite(this.id);
      await this.#read();
    });
  }

  withdraw(invite: string): Promise<boolean> {
    return this.attempt(async () => {
      await api.revokeInvite(this.id, invite);
      if (this.#made?.id === invite) this.#made = null;
      await this.#read();
    });
  }

  remove(member: string): Promise<boolean> {
    return this.attempt(async () => {
      await api.removeMember(this.id, member);
      await this.#read();
    });
  }

  leave(): Promise<boolean> {
    return this.attempt(async () => void (await api.leaveGroup(this.id)));
  }

  async #read(): Promise<void> {
    [this.#details, this.#jobs] = await Promise.all([api.group(this.id), api.groupJobs(this.id)]);
  }
}

/** The code comes behind the #, which browsers keep to themselves: it never stands in a log of the coordinator or of a proxy. */
export const inviteLink = (origin: string, code: string): string => `${origin}/join#${code}`;

/** The code of an invite link's fragment, or undefined when it is none. */
export function codeOf(fragment: string): string | undefined {
  const code = fragment.replace(/^#/, '');
  return /^[A-Za-z0-9_-]{16}[.][A-Za-z0-9_-]{43}$/.test(code) ? code : undefined;
}
