import { SECOND_MS } from '../../shared/limits.ts';
import type { WithdrawalAsked, WithdrawalView } from '../../shared/money-schemas.ts';
import { type ApiError, asApiError } from '../net/api.ts';
import { moneyApi } from '../net/money-api.ts';
import { session } from '../net/session.svelte.ts';
import { wallet } from './wallet.svelte.ts';
import { withdrawalProblem } from './withdrawal-words.ts';

const LOOK_EVERY_MS = 3 * SECOND_MS;
/** Less than this is no time for somebody to read and sign. */
const SIGNING_MS_MIN = 30 * SECOND_MS;

/** One wish to withdraw: the coordinator makes one withdrawal of it, however often it is asked. */
interface Attempt {
  readonly microCredits: bigint;
  readonly key: string;
  /** Asked for, and not answered by the wallet yet. */
  asked: WithdrawalAsked | null;
}

/** Answers after which the same question is worth asking again: whether it arrived is not known. */
const isOpen = (error: unknown): boolean => ['offline', 'busy', 'internal', 'too_many'].includes(asApiError(error).code);

/** The withdrawals of this account, and the one that is being made. */
export class Withdrawals {
  amount = $state('');
  #list = $state.raw<readonly WithdrawalView[] | null>(null);
  #error = $state.raw<ApiError | null>(null);
  #busy = $state<'asking' | 'signing' | 'confirming' | null>(null);
  #problem = $state.raw<{ title: string; detail: string } | null>(null);
  #attempt: Attempt | null = null;

  /** Newest first; null until the first answer. */
  get list(): readonly WithdrawalView[] | null {
    return this.#list;
  }
  /** Of the list. */
  get error(): ApiError | null {
    return this.#error;
  }
  get busy(): 'asking' | 'signing' | 'confirming' | null {
    return this.#busy;
  }
  /** Why the last one was not made. */
  get problem(): { title: string; detail: string } | null {
    return this.#problem;
  }

  async load(): Promise<void> {
    const wasPending = this.#pending;
    try {
      this.#list = await moneyApi.withdrawals();
      this.#error = null;
    } catch (error) {
      this.#error = asApiError(error);
      return;
    }
    // What came to an end has changed the balance.
    if (this.#pending < wasPending) void session.refresh();
  }

  /** Looks again while something waits for its payout and the page is seen. Returns the way to stop. */
  follow(): () => void {
    const look = (): void => {
      if (document.visibilityState === 'visible' && this.#pending > 0) void this.load();
    };
    void this.load();
    const timer = setInterval(look, LOOK_EVERY_MS);
    document.addEventListener('visibilitychange', look);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', look);
    };
  }

  /** Asks, has the wallet sign, confirms. Nothing is held before the last. */
  async withdraw(microCredits: bigint): Promise<void> {
    if (this.#busy) return;
    this.#problem = null;
    try {
      const { withdrawal, challenge } = await this.#ask(microCredits);
      this.#busy = 'signing';
      const { signedMessage, signature } = await wallet.sign(challenge);
      this.#busy = 'confirming';
      // A signature is answered once: the next wish is another.
      this.#attempt = null;
      await this.#confirm(withdrawal.id, { signedMessage, signature });
    } catch (error) {
      this.#problem = withdrawalProblem(error);
    } finally {
      this.#busy = null;
    }
  }

  get #pending(): number {
    return this.#list?.filter(({ state }) => state === 'pending').length ?? 0;
  }

  /** Again what was asked for before, where the wallet said no and there still is time, or no answer came. */
  async #ask(microCredits: bigint): Promise<WithdrawalAsked> {
    const before = this.#attempt?.microCredits === microCredits ? this.#attempt : null;
    if (before?.asked && Date.parse(before.asked.challenge.input.expirationTime) - Date.now() > SIGNING_MS_MIN) return before.asked;
    const attempt = before && !before.asked ? before : { microCredits, key: crypto.randomUUID(), asked: null };
    this.#attempt = attempt;
    this.#busy = 'asking';
    try {
      attempt.asked = await moneyApi.withdraw(microCredits, attempt.key);
      return attempt.asked;
    } catch (error) {
      if (!isOpen(error)) this.#attempt = null;
      throw error;
    }
  }

  async #confirm(id: string, signed: { signedMessage: string; signature: string }): Promise<void> {
    try {
      await moneyApi.confirm(id, signed);
      this.amount = '';
    } catch (error) {
      if (!isOpen(error)) throw error;
      // It may have arrived: the list tells, and nothing else does.
      this.#problem = { title: 'No answer came', detail: 'If the withdrawal arrived, the list below has it as waiting for payout. If not, nothing is held.' };
    }
    await Promise.all([this.load(), session.refresh()]);
  }
}
