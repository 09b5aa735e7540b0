import { SvelteSet } from 'svelte/reactivity';
import type { DeliveryView, MadeWebhook, WebhookEvent, WebhookView } from '../../shared/schemas.ts';
import { type ApiError, api, asApiError } from '../net/api.ts';
import { moment } from '../ui/format.ts';

/** Addresses that are told of this account's jobs. */
export class Webhooks {
  url = $state('');
  readonly events = new SvelteSet<WebhookEvent>(['job.done', 'job.cancelled']);
  #list = $state.raw<readonly WebhookView[] | null>(null);
  #made = $state.raw<MadeWebhook | null>(null);
  #busy = $state(false);
  #error = $state.raw<ApiError | null>(null);
  /** The one that something is being done with, and what went wrong there. */
  #asking = $state<string | null>(null);
  #problem = $state.raw<{ readonly id: string; readonly message: string } | null>(null);

  get list(): readonly WebhookView[] | null {
    return this.#list;
  }
  /** The last that was added here, with its secret; null once that was put away. */
  get made(): MadeWebhook | null {
    return this.#made;
  }
  get busy(): boolean {
    return this.#busy;
  }
  /** Of the list as a whole. */
  get error(): ApiError | null {
    return this.#error?.field === undefined ? this.#error : null;
  }
  get urlProblem(): string | undefined {
    if (this.#error?.field === undefined) return urlProblem(this.url);
    return this.#error.limit ? `${this.#error.message} Accepted: ${this.#error.limit}.` : this.#error.message;
  }
  get canAdd(): boolean {
    return this.url.trim() !== '' && urlProblem(this.url) === undefined && this.events.size > 0;
  }
  isBusy(id: string): boolean {
    return this.#asking === id;
  }
  problemOf(id: string): string | null {
    return this.#problem?.id === id ? this.#problem.message : null;
  }

  async load(): Promise<void> {
    try {
      this.#list = await api.webhooks();
      this.#error = null;
    } catch (error) {
      this.#error = asApiError(error);
    }
  }

  choose(event: WebhookEvent, wanted: boolean): void {
    if (wanted) this.events.add(event);
    else this.events.delete(event);
  }

  /** What was refused is being corrected. */
  edited(): void {
    if (this.#error?.field !== undefined) this.#error = null;
  }

  async add(): Promise<void> {
    this.#busy = true;
    this.#error = null;
    try {
      this.#made = await api.makeWebhook({ url: this.url.trim(), events: [...this.events] });
      this.url = '';
      await this.load();
    } catch (error) {
      this.#error = asApiError(error);
    } finally {
      this.#busy = false;
    }
  }

  /** The secret is stored by whoever needs it: it is not shown again. */
  putAway(): void {
    this.#made = null;
  }

  /** Sends a message now; the list then has what came of it. */
  test(id: string): Promise<void> {
    return this.#act(id, () => api.testWebhook(id));
  }

  remove(id: string): Promise<void> {
    if (this.#made?.id === id) this.#made = null;
    return this.#act(id, () => api.removeWebhook(id));
  }

  async #act(id: string, act: () => Promise<unknown>): Promise<void> {
    this.#asking = id;
    this.#problem = null;
    try {
      await act();
      await this.load();
    } catch (error) {
      this.#problem = { id, message: asApiError(error).message };
    } finally {
      this.#asking = null;
    }
  }
}

export const eventWords: Readonly<Record<WebhookEvent, string>> = {
  'job.done': 'A job is done',
  'job.cancelled': 'A job is cancelled',
  'job.progress': 'A job is at 25, 50 and 75 %',
};

/** How a webhook stands, in a sentence. */
export function stateWords({ disabled, failures }: Pick<WebhookView, 'disabled' | 'failures'>): string {
  if (disabled) return `Disabled since ${moment(disabled.sinceMs)}. ${disabled.reason} A test that arrives enables it again.`;
  return failures === 0 ? 'On.' : `On, but the last ${failures === 1 ? 'attempt' : `${failures} attempts`} failed.`;
}

/** What became of a delivery. */
export function deliveryWords({ type, state, createdMs, attempts, error, nextMs }: DeliveryView): string {
  const what = `${type}, ${moment(createdMs)}`;
  if (state === 'delivered') return `${what}: delivered${attempts > 1 ? ` at attempt ${attempts}` : ''}.`;
  if (state === 'failed') return `${what}: not delivered. ${error ?? 'It was given up.'}`;
  return `${what}: ${error === null ? 'waits to be sent.' : `${error} Next attempt ${moment(nextMs ?? createdMs)}.`}`;
}

/** What is wrong with an address as typed, or undefined. The coordinator has the last word. */
export function urlProblem(text: string): string | undefined {
  const url = text.trim();
  if (url === '' || (/^https:\/\/\S+$/.test(url) && URL.canParse(url)) || /^http:\/\/([a-z0-9-]+\.)*localhost[:/]/.test(url)) return undefined;
  return 'An address that begins with https://, such as https://example.com/hooks.';
}
