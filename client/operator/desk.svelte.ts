import type { OperatorView } from '../../shared/schemas.ts';
import { type ApiError, asApiError } from '../net/api.ts';
import { operatorApi } from '../net/operator-api.ts';

export const sections = ['Reports', 'Jobs', 'Files', 'Contributors', 'Sites', 'Books', 'Log'] as const;
export type Section = (typeof sections)[number];

/** Something to be done, once its reason is given. */
export interface Asked {
  readonly title: string;
  /** What it does, and to whom. */
  readonly words: string;
  /** The word on the button. */
  readonly verb: string;
  readonly danger?: boolean;
  /** One more thing that it may do. */
  readonly option?: { readonly label: string; readonly help: string; readonly checked: boolean };
  /** Returns what to say when it is done. */
  readonly act: (reason: string, option: boolean) => Promise<string>;
  /** What is shown has to be asked for again. */
  readonly done: () => void;
}

/** The operator's desk: who is there, what the network does, and what is being done. */
export class Desk {
  section = $state<Section>('Reports');
  #view = $state.raw<OperatorView | null>(null);
  #error = $state.raw<ApiError | null>(null);
  #asked = $state.raw<Asked | null>(null);
  #said = $state('');

  /** Null until there is a session. */
  get view(): OperatorView | null {
    return this.#view;
  }
  get error(): ApiError | null {
    return this.#error;
  }
  get asked(): Asked | null {
    return this.#asked;
  }
  /** What was done last, for all to hear. */
  get said(): string {
    return this.#said;
  }

  /** With the token of a link, or the session that there is. */
  async open(token: string | null): Promise<void> {
    try {
      if (token !== null) await operatorApi.enter(token);
      await this.refresh();
    } catch (error) {
      this.#error = asApiError(error);
    }
  }

  async refresh(): Promise<void> {
    try {
      this.#view = await operatorApi.view();
      this.#error = null;
    } catch (error) {
      this.#error = asApiError(error);
      if (this.#error.code === 'signed_out') this.#view = null;
    }
  }

  async leave(): Promise<void> {
    await operatorApi.leave().catch(() => undefined);
    await this.refresh();
  }

  ask(asked: Asked | null): void {
    this.#asked = asked;
  }

  /** Does what was asked. Throws `ApiError`. */
  async perform(reason: string, option: boolean): Promise<void> {
    const asked = this.#asked;
    if (!asked) return;
    const said = await asked.act(reason, option).catch((error: unknown) => Promise.reject(asApiError(error)));
    this.#said = said;
    this.#asked = null;
    asked.done();
    await this.refresh();
  }
}
