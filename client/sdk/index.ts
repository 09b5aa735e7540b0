import type { JobId, ResultId } from '../../shared/model.ts';
import type {
  AcceptedView,
  AccountView,
  DeliveryView,
  ExtensionQuote,
  ExtensionRequest,
  JobFile,
  JobRequest,
  JobView,
  MadeWebhook,
  NetworkView,
  PriceView,
  Quote,
  QuoteRequest,
  StatementRow,
  WebhookRequest,
  WebhookView,
  WorkloadField,
  WorkloadView,
} from '../../shared/schemas.ts';
import { TesseraError } from './error.ts';
import { readEvents } from './events.ts';
import { backoffMs, Http, type HttpOptions, wait } from './http.ts';
import { type Uploaded, type UploadOptions, upload } from './upload.ts';

export { TesseraError } from './error.ts';
export type { HttpOptions as TesseraOptions } from './http.ts';
export type { Uploaded, UploadOptions } from './upload.ts';
export { verifyWebhook, WebhookError } from './webhooks.ts';
export type {
  AcceptedView,
  AccountView,
  DeliveryView,
  ExtensionQuote,
  ExtensionRequest,
  JobFile,
  JobId,
  JobRequest,
  JobView,
  MadeWebhook,
  NetworkView,
  PriceView,
  Quote,
  QuoteRequest,
  ResultId,
  StatementRow,
  WebhookRequest,
  WebhookView,
  WorkloadField,
  WorkloadView,
};

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Give it as `cursor` for the next page; null: this was the last. */
  readonly next: string | null;
}

export type JobEvent =
  | { readonly type: 'job'; readonly job: JobView }
  | { readonly type: 'tile'; readonly result: AcceptedView }
  /** An accepted result counts no more: its contributor was proven wrong. */
  | { readonly type: 'revoked'; readonly result: ResultId }
  | { readonly type: 'end'; readonly job: JobView };

interface Abortable {
  readonly signal?: AbortSignal;
}
interface Paged extends Abortable {
  readonly limit?: number;
  readonly cursor?: string;
}

const newIdempotencyKey = (): string => crypto.randomUUID();

/** Rests between looks at a job whose stream of events cannot be had. */
const LOOK_MS = 2000;

const queryOf = (values: Readonly<Record<string, string | number | undefined>>): string => {
  const given = Object.entries(values).flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, String(value)]]));
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
};

/**
 * A requester's way to a coordinator, in browsers and in Node, without a dependency. Every method throws `TesseraError` when it is refused, with the
 * field and the limit; what passes (no network, busy, too many requests) is tried again first. Orders carry an idempotency key, so that
 * one whose answer was lost is not placed twice.
 */
export class Tessera {
  readonly #http: Http;

  constructor(options: HttpOptions) {
    this.#http = new Http(options);
  }

  /** Begins a guest's session, which is granted test credits, in place of an API key. Node has to keep its cookie: see `cookie`. */
  session = (): Promise<AccountView> => this.#http.json('/api/session', { method: 'POST', json: {} });

  /** The session outside a browser, `name=value`: whoever keeps it goes on with the same account. */
  get cookie(): string | undefined {
    return this.#http.cookie;
  }
  set cookie(value: string | undefined) {
    this.#http.cookie = value;
  }

  account = ({ signal }: Abortable = {}): Promise<AccountView> => this.#http.json('/api/account', { signal });

  async statement({ limit, cursor, signal }: Paged = {}): Promise<Page<StatementRow>> {
    return this.#http.json(`/api/account/statement${queryOf({ limit, cursor })}`, { signal });
  }

  /** What can be ordered here. */
  async workloads({ signal }: Abortable = {}): Promise<readonly WorkloadView[]> {
    return (await this.#http.json<{ workloads: readonly WorkloadView[] }>('/api/workloads', { signal })).workloads;
  }

  /** What a work unit of each workload costs now, or in the version that a quote, a job or a statement names. */
  async prices({ version, signal }: Abortable & { readonly version?: number } = {}): Promise<readonly PriceView[]> {
    return (await this.#http.json<{ prices: readonly PriceView[] }>(`/api/prices${queryOf({ version })}`, { signal })).prices;
  }

  /** A file for a job. A `Blob` of Node's `openAsBlob` is read from the disk as it goes. */
  upload = (file: Blob, options: UploadOptions = {}): Promise<Uploaded> => upload(this.#http, file, options);

  /** Price and finish, promised for ten minutes to whoever names the quote's id in `submit`. */
  quote = (request: QuoteRequest, { signal }: Abortable = {}): Promise<Quote> =>
    this.#http.json('/api/quotes', { method: 'POST', json: request, signal, repeatable: true });

  /** Holds the price and opens the job. The same `idempotencyKey` twice is one job. */
  submit = (request: JobRequest, { idempotencyKey = newIdempotencyKey(), signal }: Abortable & { readonly idempotencyKey?: string } = {}): Promise<JobView> =>
    this.#http.json('/api/jobs', { method: 'POST', json: request, headers: { 'idempotency-key': idempotencyKey }, signal });

  /** Newest first. */
  async jobs({ scope = 'mine', limit, cursor, signal }: Paged & { readonly scope?: 'mine' | 'public' } = {}): Promise<Page<JobView>> {
    const { jobs, next } = await this.#http.json<{ jobs: JobView[]; next: string | null }>(`/api/jobs${queryOf({ scope, limit, cursor })}`, { signal });
    return { rows: jobs, next };
  }

  job = (id: JobId, { signal }: Abortable = {}): Promise<JobView> => this.#http.json(`/api/jobs/${id}`, { signal });

  cancel = (id: JobId): Promise<JobView> => this.#change(id, 'cancel', {});
  /** Nothing more of it is given out until `resume`; what is under way may end. */
  pause = (id: JobId): Promise<JobView> => this.#change(id, 'pause', {});
  resume = (id: JobId): Promise<JobView> => this.#change(id, 'resume', {});
  setVisibility = (id: JobId, visibility: JobView['visibility']): Promise<JobView> => this.#change(id, 'visibility', { visibility });

  /** Accepted results, each the total over some parts of a tile. */
  async results(id: JobId, { limit, cursor, signal }: Paged = {}): Promise<Page<AcceptedView>> {
    const { results, next } = await this.#http.json<{ results: AcceptedView[]; next: string | null }>(`/api/jobs/${id}/results${queryOf({ limit, cursor })}`, {
      signal,
    });
    return { rows: results, next };
  }

  async resultBytes(id: JobId, result: ResultId, { signal }: Abortable = {}): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await (await this.#http.send(`/api/jobs/${id}/results/${result}`, { signal })).arrayBuffer());
  }

  /** What the job ends in, done or not. */
  async files(id: JobId, { signal }: Abortable = {}): Promise<readonly JobFile[]> {
    return (await this.#http.json<{ files: readonly JobFile[] }>(`/api/jobs/${id}/files`, { signal })).files;
  }

  /** The file of one output, as it comes: it may be larger than memory. */
  async download(id: JobId, output: string, { signal }: Abortable = {}): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const { body } = await this.#http.send(`/api/jobs/${id}/files/${output}`, { signal });
    if (!body) throw new TesseraError('internal', 'The coordinator sent no file.');
    return body;
  }

  /** Signed; `/receipt.html` of the coordinator, or scripts/verify-receipt.mjs, says whether it holds. */
  receipt = (id: JobId, { signal }: Abortable = {}): Promise<unknown> => this.#http.json(`/api/jobs/${id}/receipt`, { signal });

  /** What happens to a job, from now to its end. A broken connection is made anew, and then tells what was missed; results may come twice. */
  async *events(id: JobId, { signal }: Abortable = {}): AsyncGenerator<JobEvent> {
    let last = '';
    for (let tries = 0; ; tries++) {
      try {
        const headers = { accept: 'text/event-stream', ...(last === '' ? {} : { 'last-event-id': last }) };
        const { body } = await this.#http.send(`/api/jobs/${id}/events`, { headers, signal });
        for await (const event of readEvents(body!)) {
          tries = 0;
          last = event.id || last;
          const told = eventOf(event.type, event.data);
          if (told) yield told;
          if (told?.type === 'end') return;
        }
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        const refused = error instanceof TesseraError && error.status >= 400 && error.status < 500 && error.status !== 429;
        if (refused) throw error;
      }
      await wait(backoffMs(tries), signal);
    }
  }

  /** The job once it has ended, whatever it ended as; `progress` on the way there. */
  async wait(id: JobId, { progress, signal }: Abortable & { readonly progress?: (job: JobView) => void } = {}): Promise<JobView> {
    for await (const event of this.events(id, signal ? { signal } : {})) {
      if (event.type === 'job') progress?.(event.job);
      if (event.type === 'end') return event.job;
    }
    await wait(LOOK_MS, signal);
    return this.job(id, signal ? { signal } : {});
  }

  /** What more of a finished job would cost: parameters to raise, such as `{ samples: 512 }`. */
  quoteExtension = (id: JobId, params: ExtensionRequest['params'], { signal }: Abortable = {}): Promise<ExtensionQuote> =>
    this.#http.json(`/api/jobs/${id}/extend/quote`, { method: 'POST', json: { params }, signal, repeatable: true });

  /** Opens a finished job again with more to compute; nothing happens when that costs more than `holdMicroCreditsMax` by now. */
  extend = (id: JobId, request: ExtensionRequest): Promise<JobView> => this.#change(id, 'extend', request);

  /** Deletes the bytes of a job that has ended: results, files and inputs. */
  delete = (id: JobId): Promise<JobView> => this.#http.json(`/api/jobs/${id}`, { method: 'DELETE' });

  /** `secret` is told this once; `verifyWebhook` takes it. */
  makeWebhook = (request: WebhookRequest): Promise<MadeWebhook> => this.#http.json('/api/webhooks', { method: 'POST', json: request });

  async webhooks({ signal }: Abortable = {}): Promise<readonly WebhookView[]> {
    return (await this.#http.json<{ webhooks: readonly WebhookView[] }>('/api/webhooks', { signal })).webhooks;
  }

  deleteWebhook = (id: string): Promise<unknown> => this.#http.json(`/api/webhooks/${id}`, { method: 'DELETE' });

  /** Sends a message now and tells what came of it. */
  testWebhook = (id: string): Promise<DeliveryView> => this.#http.json(`/api/webhooks/${id}/test`, { method: 'POST' });

  deliveries = (id: string, { limit, cursor, signal }: Paged = {}): Promise<Page<DeliveryView>> =>
    this.#http.json(`/api/webhooks/${id}/deliveries${queryOf({ limit, cursor })}`, { signal });

  /** How the network does; `sinceMs` leaves out what had ended by then. */
  network = ({ sinceMs, signal }: Abortable & { readonly sinceMs?: number } = {}): Promise<NetworkView> =>
    this.#http.json(`/api/network${queryOf({ since: sinceMs })}`, { signal });

  #change(id: JobId, what: string, json: object): Promise<JobView> {
    return this.#http.json(`/api/jobs/${id}/${what}`, { method: 'POST', json, headers: { 'idempotency-key': newIdempotencyKey() } });
  }
}

function eventOf(type: string, data: string): JobEvent | null {
  const content = JSON.parse(data) as unknown;
  switch (type) {
    case 'job':
    case 'end':
      return { type, job: content as JobView };
    case 'tile':
      return { type, result: content as AcceptedView };
    case 'revoked':
      return { type, result: (content as { result: ResultId }).result };
    default:
      return null;
  }
}
