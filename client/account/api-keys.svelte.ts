import { parseCredits } from '../../shared/credits.ts';
import { DAY_MS } from '../../shared/limits.ts';
import type { ApiKeyId } from '../../shared/model.ts';
import type { ApiKeyView, Scope } from '../../shared/schemas.ts';
import { type ApiError, api, asApiError } from '../net/api.ts';
import { PagedList } from '../net/paged-list.svelte.ts';
import { credits, day } from '../ui/format.ts';

/** What is wrong with a budget as typed, or undefined. Empty: none. */
export function budgetProblem(budget: string): string | undefined {
  if (budget.trim() === '') return undefined;
  try {
    if (parseCredits(budget) >= 0n) return undefined;
  } catch {
    // Not a number: said below.
  }
  return 'A number of credits, such as 12.5, with at most 6 decimals.';
}

export const isStanding = ({ revokedMs, expiresMs }: ApiKeyView, now: number): boolean => revokedMs === null && (expiresMs === null || expiresMs > now);

export function stateWords({ revokedMs, expiresMs, usedMs }: ApiKeyView, now: number): string {
  if (revokedMs !== null) return `Revoked ${day(revokedMs)}`;
  const used = usedMs === null ? 'Never used' : `Last used ${day(usedMs)}`;
  if (expiresMs === null) return `${used}, ends when you revoke it`;
  return expiresMs > now ? `${used}, ends ${day(expiresMs)}` : `Expired ${day(expiresMs)}`;
}

export const budgetWords = ({ budgetMicroCredits, spentMicroCredits }: ApiKeyView): string =>
  budgetMicroCredits === null
    ? `${credits(spentMicroCredits)} credits spent, no budget`
    : `${credits(spentMicroCredits)} of ${credits(budgetMicroCredits)} credits spent`;

/** The API keys of this account, and the one that is being made. */
export class ApiKeys {
  name = $state('');
  budget = $state('');
  days = $state<number | null>(null);
  readonly list = new PagedList(async (cursor) => {
    const { keys, next } = await api.apiKeys(cursor);
    return { rows: keys, next };
  });
  #scopes = $state.raw<ReadonlySet<Scope>>(new Set<Scope>(['jobs:read', 'jobs:write']));
  #made = $state<string | null>(null);
  #busy = $state(false);
  #revoking = $state<ApiKeyId | null>(null);
  #error = $state.raw<ApiError | null>(null);

  get scopes(): ReadonlySet<Scope> {
    return this.#scopes;
  }
  /** The key that was just made: nobody can tell it again. */
  get made(): string | null {
    return this.#made;
  }
  get busy(): boolean {
    return this.#busy;
  }
  get revoking(): ApiKeyId | null {
    return this.#revoking;
  }
  get error(): ApiError | null {
    return this.#error;
  }
  get valid(): boolean {
    return this.name.trim() !== '' && this.#scopes.size > 0 && budgetProblem(this.budget) === undefined && (this.days === null || this.days >= 1);
  }

  choose(scope: Scope, wanted: boolean): void {
    this.#scopes = new Set([...this.#scopes].filter((each) => each !== scope).concat(wanted ? [scope] : []));
  }

  async make(): Promise<void> {
    if (!this.valid || this.#busy) return;
    this.#busy = true;
    this.#error = null;
    try {
      const { key } = await api.makeApiKey({
        name: this.name.trim(),
        scopes: [...this.#scopes],
        budgetMicroCredits: this.budget.trim() === '' ? null : parseCredits(this.budget).toString(),
        expiresMs: this.days === null ? null : Date.now() + this.days * DAY_MS,
      });
      this.#made = key;
      this.name = '';
      this.budget = '';
      await this.list.refresh();
    } catch (error) {
      this.#error = asApiError(error);
    } finally {
      this.#busy = false;
    }
  }

  /** The key was kept by its owner. */
  forget(): void {
    this.#made = null;
  }

  async revoke(id: ApiKeyId): Promise<void> {
    this.#revoking = id;
    this.#error = null;
    try {
      await api.revokeApiKey(id);
      await this.list.refresh();
    } catch (error) {
      this.#error = asApiError(error);
    } finally {
      this.#revoking = null;
    }
  }
}
