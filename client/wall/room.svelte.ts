import type { OperatorContributor, RoomView } from '../../shared/schemas.ts';
import { type ApiError, asApiError } from '../net/api.ts';
import { takeToken } from '../net/link-token.ts';
import { operatorApi } from '../net/operator-api.ts';
import { roomApi } from '../net/room-api.ts';

/** What the operator of a room is told and may do. Everybody else sees the wall without it: there is no view then, and no contributors. */
export class Room {
  #view = $state.raw<RoomView | null>(null);
  #contributors = $state.raw<readonly OperatorContributor[]>([]);
  #error = $state.raw<ApiError | null>(null);
  #killing = $state(false);
  #isOperator = true;

  get view(): RoomView | null {
    return this.#view;
  }
  get contributors(): readonly OperatorContributor[] {
    return this.#contributors;
  }
  /** Of what was asked for last. */
  get error(): ApiError | null {
    return this.#error;
  }
  /** The coordinator was told to die, and has not been back since. */
  get killing(): boolean {
    return this.#killing;
  }

  /** With the token of a link, where the address has one. */
  async enter(): Promise<void> {
    const token = takeToken();
    if (token !== null) await operatorApi.enter(token).catch(() => undefined);
    await this.look();
  }

  /** Once a second. What cannot be had now is asked for again, but of nobody who is no operator. */
  async look(): Promise<void> {
    if (!this.#isOperator) return;
    try {
      const [view, page] = await Promise.all([roomApi.view(), operatorApi.contributors(null)]);
      if (this.#killing && view.kills > (this.#view?.kills ?? 0)) this.#killing = false;
      this.#view = view;
      this.#contributors = page.rows;
    } catch (error) {
      const { code } = asApiError(error);
      if (code === 'signed_out' || code === 'not_found' || code === 'forbidden') this.#isOperator = false;
    }
  }

  plant(liarsPercent: number): Promise<void> {
    return this.#ask(() => roomApi.change({ liarsPercent }));
  }

  async kill(): Promise<void> {
    this.#killing = true;
    await this.#ask(roomApi.kill);
    // It may die before its answer is out: that is no refusal.
    if (this.#error?.code === 'offline') this.#error = null;
    if (this.#error) this.#killing = false;
  }

  async #ask(act: () => Promise<RoomView>): Promise<void> {
    try {
      const view = await act();
      // The answer to a kill is from before it.
      if (!this.#killing) this.#view = view;
      this.#error = null;
    } catch (error) {
      this.#error = asApiError(error);
    }
  }
}
