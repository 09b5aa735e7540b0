import { errorOf, TesseraError } from './error.ts';

export interface HttpOptions {
  /** Origin of the coordinator, such as `https://tessera.example`. In a page of its own: `location.origin`. */
  readonly server: string;
  /** An API key, `tk_...`. Without one the calls are those of a browser's session or of a guest. */
  readonly key?: string;
  /** In place of the global one, to add a proxy or to test. */
  readonly fetch?: typeof fetch;
  /** Tries of a call whose answer was lost, or that was told to wait; 1: none is repeated. Default 5. */
  readonly triesMax?: number;
}

export interface Call {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'DELETE';
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly body?: NonNullable<RequestInit['body']>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Whether the same call twice does no more than once. So are reads, deletions, and whatever carries an idempotency key. */
  readonly repeatable?: boolean;
}

const BACKOFF_MS_MIN = 250;
const BACKOFF_MS_MAX = 20_000;

/** Doubles with every try, half of it by chance, so that clients that broke off together do not come back together. */
export const backoffMs = (tries: number): number => Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** tries) * (0.5 + Math.random() / 2);

export function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

/** Locked, too many requests, bad gateway, unavailable, gateway timeout. */
const passing: ReadonlySet<number> = new Set([423, 429, 502, 503, 504]);
const isPassing = ({ code, status }: TesseraError): boolean => code === 'offline' || passing.has(status);

/** Calls one coordinator: credentials, errors as `TesseraError`, and patience with what passes. */
export class Http {
  readonly server: URL;
  readonly #key: string | undefined;
  readonly #fetch: typeof fetch;
  readonly #triesMax: number;
  /** Outside a browser somebody has to keep it. */
  cookie: string | undefined;

  constructor({ server, key, fetch: given, triesMax = 5 }: HttpOptions) {
    this.server = new URL(server);
    this.#key = key;
    this.#fetch = given ?? ((...request) => fetch(...request));
    this.#triesMax = triesMax;
  }

  async json<T>(path: string, call: Call = {}): Promise<T> {
    return (await (await this.send(path, call)).json()) as T;
  }

  /** The answer, when it is 2xx. Throws `TesseraError`, or the reason of an abort. */
  async send(path: string, call: Call = {}): Promise<Response> {
    const { method = 'GET', headers = {}, repeatable = method === 'GET' || method === 'HEAD' || method === 'DELETE' || 'idempotency-key' in headers } = call;
    for (let tries = 1; ; tries++) {
      try {
        return await this.#once(path, { ...call, method, headers });
      } catch (error) {
        if (!(error instanceof TesseraError) || !repeatable || tries >= this.#triesMax || !isPassing(error)) throw error;
        await wait(error.retryAfterMs ?? backoffMs(tries), call.signal);
      }
    }
  }

  async #once(path: string, { method, json, body, headers, signal }: Call & { method: string }): Promise<Response> {
    const url = new URL(path, this.server);
    const sent = new Headers(headers);
    // A key is for its coordinator, wherever an answer of it may point.
    if (this.#key !== undefined && url.origin === this.server.origin) sent.set('authorization', `Bearer ${this.#key}`);
    if (this.cookie !== undefined && url.origin === this.server.origin) sent.set('cookie', this.cookie);
    if (json !== undefined) sent.set('content-type', 'application/json');
    const content = json === undefined ? body : JSON.stringify(json);
    let response: Response;
    try {
      response = await this.#fetch(url, {
        method,
        headers: sent,
        redirect: 'error',
        ...(content === undefined ? {} : { body: content }),
        ...(signal ? { signal } : {}),
      });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw new TesseraError('offline', `No answer from ${this.server.origin}: ${reasonOf(error)}.`);
    }
    if (!response.ok) throw await errorOf(response);
    const [cookie] = response.headers.getSetCookie();
    if (cookie !== undefined) this.cookie = cookie.split(';')[0];
    return response;
  }
}

/** Node's fetch hides what happened in the cause. */
const reasonOf = (error: unknown): string => {
  const { cause } = error as { cause?: { code?: string } };
  return cause?.code ?? (error instanceof Error ? error.message : String(error));
};
