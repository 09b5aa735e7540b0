import { setTimeout as sleep } from 'node:timers/promises';
import { AwsV4Signer } from 'aws4fetch';
import { MINUTE_MS, SECOND_MS } from '../../shared/limits.ts';
import type { S3Config } from '../config.ts';
import { BlobsUnavailable } from './blob-store.ts';

export interface S3Log {
  error(fields: object, message: string): void;
}

export interface S3Request {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  /** Below the bucket; the bucket itself when it is empty. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Blob;
}

const ATTEMPTS_MAX = 4;
const RETRY_MS_FIRST = 100;
/** Until an answer begins. A body that is sent has time for its bytes besides. */
const ANSWER_MS_MAX = 10 * SECOND_MS;
const SENT_BYTES_PER_MS_MIN = 256;
/** Of a body that is read: a store that sends nothing for so long is taken for dead. */
const STALL_MS_MAX = 30 * SECOND_MS;
/** Requests at a time, and those that wait for one to be over; one more is refused. */
const REQUESTS_MAX = 64;
const WAITING_MAX = 4096;
/** Addresses are the same for so long, so that browsers find what they have; each can be used for as long again. */
const ADDRESS_S = 300;

const AWAY = 'The store of files does not answer; try again.';

/** What passes when one waits: overload, restarts, and answers that were late. */
const isPassingStatus = (status: number): boolean => status >= 500 || status === 408 || status === 429;

export interface S3ClientOptions {
  /** For an answer to begin, in milliseconds; tests have less patience. */
  readonly answerMsMax?: number;
  readonly stallMsMax?: number;
  readonly retryMsFirst?: number;
  readonly log?: S3Log;
}

/** Signed requests to one bucket of an S3-compatible store, by path. Every request may be sent again, so each must come to the same when it is. */
export class S3Client {
  readonly #config: S3Config;
  readonly #options: Required<S3ClientOptions>;
  readonly #keys = new Map<string, ArrayBuffer>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(
    config: S3Config,
    { answerMsMax = ANSWER_MS_MAX, stallMsMax = STALL_MS_MAX, retryMsFirst = RETRY_MS_FIRST, log = { error: () => undefined } }: S3ClientOptions = {},
  ) {
    this.#config = config;
    this.#options = { answerMsMax, stallMsMax, retryMsFirst, log };
  }

  /** The answer to it, whose body must be read or cancelled: 2xx, or 404. Throws `BlobsUnavailable` for all others, once trying again did not help. */
  async send(request: S3Request): Promise<Response> {
    if (this.#waiting.length >= WAITING_MAX) throw new BlobsUnavailable('Too much waits for the store of files; try again.');
    if (this.#running >= REQUESTS_MAX) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await this.#sendAgain(request);
    } finally {
      // Whoever waits takes the place.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }

  async #sendAgain(request: S3Request): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      let failure: string;
      try {
        const response = await this.#sendOnce(request);
        if (response.ok || response.status === 404) return response;
        failure = `status ${response.status} ${codeOf(await response.text().catch(() => ''))}`;
        if (!isPassingStatus(response.status)) attempt = ATTEMPTS_MAX;
      } catch (error) {
        failure = String((error as Error).cause ?? error);
      }
      if (attempt >= ATTEMPTS_MAX) {
        this.#options.log.error({ method: request.method, key: request.key, failure }, 'the S3 store could not be used');
        throw new BlobsUnavailable(AWAY, { cause: failure });
      }
      await sleep(this.#options.retryMsFirst * 2 ** (attempt - 1) * (0.5 + Math.random()));
    }
  }

  async #sendOnce({ method, key, query = {}, headers = {}, body }: S3Request): Promise<Response> {
    const url = this.#url(this.#config.endpoint, key);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const { accessKeyId, secretAccessKey, region } = this.#config;
    const signer = new AwsV4Signer({ method, url: url.href, headers, accessKeyId, secretAccessKey, region, service: 's3', cache: this.#keys });
    const signed = await signer.sign();
    const late = new AbortController();
    const msMax = this.#options.answerMsMax + (body?.size ?? 0) / SENT_BYTES_PER_MS_MIN;
    const timer = setTimeout(() => late.abort(new Error(`no answer within ${Math.round(msMax)} ms`)), msMax);
    try {
      return await fetch(signed.url, { method, headers: signed.headers, body: body ?? null, signal: late.signal, redirect: 'manual' });
    } finally {
      clearTimeout(timer);
    }
  }

  /** The bytes of an answer. Throws `BlobsUnavailable` when they stop coming. */
  async *bytesOf(response: Response): AsyncGenerator<Uint8Array> {
    const reader = response.body?.getReader();
    if (!reader) return;
    let isOver = false;
    try {
      while (!isOver) {
        const stall = Promise.withResolvers<never>();
        const timer = setTimeout(() => stall.reject(new Error('the store has stopped sending')), this.#options.stallMsMax);
        const { done, value } = await Promise.race([reader.read(), stall.promise]).finally(() => clearTimeout(timer));
        isOver = done;
        if (value) yield value;
      }
    } catch (error) {
      throw new BlobsUnavailable(AWAY, { cause: error });
    } finally {
      await reader.cancel().catch(() => undefined);
    }
  }

  /** Where anybody may read this object without a key, for `seconds` at least; null where no browser reaches the store. */
  async address(key: string, nowMs: number): Promise<{ url: string; seconds: number } | null> {
    const { publicEndpoint, accessKeyId, secretAccessKey, region } = this.#config;
    if (publicEndpoint === null) return null;
    const url = this.#url(publicEndpoint, key);
    url.searchParams.set('X-Amz-Expires', String(2 * ADDRESS_S));
    const since = new Date(Math.floor(nowMs / (ADDRESS_S * SECOND_MS)) * ADDRESS_S * SECOND_MS);
    const datetime = since.toISOString().replace(/[:-]|\.\d{3}/g, '');
    const query = { method: 'GET', url: url.href, accessKeyId, secretAccessKey, region, service: 's3', signQuery: true, datetime, cache: this.#keys };
    const signed = await new AwsV4Signer(query).sign();
    return { url: signed.url.href, seconds: ADDRESS_S };
  }

  get bucket(): string {
    return this.#config.bucket;
  }

  #url(endpoint: string, key: string): URL {
    return new URL(`${endpoint}/${this.#config.bucket}${key === '' ? '' : `/${key}`}`);
  }
}

/** What the store calls the mistake. */
const codeOf = (xml: string): string => /<Code>([A-Za-z]{1,60})<\/Code>/.exec(xml)?.[1] ?? '';

/** Longer than any request of ours takes with all its attempts. */
export const REQUEST_MS_MAX = MINUTE_MS;
