import type { MoneyView } from '../../shared/money-schemas.ts';
import { type ApiError, asApiError } from './api.ts';
import { moneyApi } from './money-api.ts';

/** Whether credits are money here, asked when a page first shows credits that are no test credits. */
class Money {
  #view = $state.raw<MoneyView | null>(null);
  #error = $state.raw<ApiError | null>(null);

  /** Null until the first answer. */
  get view(): MoneyView | null {
    return this.#view;
  }
  get error(): ApiError | null {
    return this.#error;
  }

  async load(): Promise<void> {
    try {
      this.#view = await moneyApi.view();
      this.#error = null;
    } catch (error) {
      this.#error = asApiError(error);
    }
  }
}

export const money = new Money();
