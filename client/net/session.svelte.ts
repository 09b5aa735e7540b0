import type { CreditUnit } from '../../shared/model.ts';
import type { AccountView } from '../../shared/schemas.ts';
import { type ApiError, api, asApiError } from './api.ts';

/** The account this browser's session belongs to; made when a page first needs one, not when the site is opened. */
class Session {
  #account = $state.raw<AccountView | null>(null);
  #error = $state.raw<ApiError | null>(null);
  #isDeleted = $state(false);
  #settled = Promise.resolve();

  get account(): AccountView | null {
    return this.#account;
  }
  set account(account: AccountView) {
    this.#account = account;
  }
  get error(): ApiError | null {
    return this.#error;
  }
  /** The account was deleted here, and none was made since. */
  get isDeleted(): boolean {
    return this.#isDeleted;
  }

  /** There is no account any more. */
  forget(): void {
    this.#account = null;
    this.#isDeleted = true;
  }

  /** All test credits of this account in micro-credits, spendable for jobs. */
  get testMicroCredits(): bigint | null {
    return this.#spendable('test');
  }

  /** All credits of it that are not test credits. */
  get creditMicroCredits(): bigint | null {
    return this.#spendable('credit');
  }

  /** Asked for last, whatever came of it: what needs the session waits for this. */
  get settled(): Promise<void> {
    return this.#settled;
  }

  refresh(): Promise<void> {
    this.#settled = this.#ask();
    return this.#settled;
  }

  #spendable(unit: CreditUnit): bigint | null {
    const balance = this.#account?.balances.find((each) => each.unit === unit);
    return balance ? BigInt(balance.grantMicroCredits) + BigInt(balance.depositedMicroCredits) + BigInt(balance.earnedMicroCredits) : null;
  }

  async #ask(): Promise<void> {
    try {
      this.#account = await api.session();
      this.#isDeleted = false;
      this.#error = null;
    } catch (error) {
      this.#error = asApiError(error);
    }
  }
}

export const session = new Session();
