import { createHmac } from 'node:crypto';
import { HOUR_MS, limits, MINUTE_MS, SECOND_MS } from '../shared/limits.ts';
import { hit } from './caps.ts';
import type { Event } from './core/state.ts';
import { JobError } from './jobs.ts';
import { type OutboundAnswer, OutboundError, type OutboundRequest } from './outbound.ts';
import type { Store } from './store/store.ts';
import type { Attempt, DueDelivery, StoredDelivery } from './store/webhooks.ts';

export interface DeliveringDeps {
  readonly store: Store;
  /** `ask` of outbound.ts. */
  readonly ask: (url: URL, request: OutboundRequest, options: { readonly signal: AbortSignal }) => Promise<OutboundAnswer>;
  readonly clock: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly log: { error(fields: object, message: string): void };
}

/** 10 s, then three times as long after each failure, up to 6 h: eleven attempts a day. */
const FIRST_RETRY_MS = 10 * SECOND_MS;
const RETRY_FACTOR = 3;
const RETRY_MS_MAX = 6 * HOUR_MS;
/** Each wait is changed by up to a quarter, so that what failed together does not come back together. */
const JITTER = 0.25;
/** The outbox is looked at this often even when nothing is due: clocks are turned. */
const LOOK_MS_MAX = MINUTE_MS;
/** Another coordinator leaves what is being sent alone for as long as an attempt may take, and its outcome to be stored. */
const CLAIM_MS = limits.webhookAttemptMsMax + 30 * SECOND_MS;
/** After the database has failed. */
const REST_MS = 30 * SECOND_MS;
/** Of the receiver, for good. */
const GONE = 410;

/** How long to wait after so many attempts; `chance` from 0 to 1. */
export function retryMsAfter(attempts: number, chance: number): number {
  const base = Math.min(RETRY_MS_MAX, FIRST_RETRY_MS * RETRY_FACTOR ** (attempts - 1));
  return Math.round(base * (1 - JITTER + 2 * JITTER * chance));
}

/** `webhook-signature` of Standard Webhooks 1.0.0, symmetric: HMAC-SHA256 over id, timestamp (seconds) and body, each after a full stop. */
export function signatureOf(secret: string, id: string, timestampS: number, body: string): string {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  return `v1,${createHmac('sha256', key).update(`${id}.${timestampS}.${body}`).digest('base64')}`;
}

const reports = (event: Event): boolean => event.type === 'write' && (event.write.kind === 'jobEnded' || event.write.kind === 'jobProgress');

/**
 * Empties the outbox of webhooks: what is due is sent, a few at a time and fewer at one host, and what came of it is stored. A row waits until
 * then, so a coordinator that is killed sends it again: at least once. Nothing else waits for a receiver.
 */
export class Delivering {
  readonly #deps: DeliveringDeps;
  /** Hosts of what is being sent, by delivery. */
  readonly #sending = new Map<string, string>();
  readonly #attempts = new Set<Promise<unknown>>();
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | null = null;
  #again = false;
  #prunedMs = 0;

  constructor(deps: DeliveringDeps) {
    this.#deps = deps;
  }

  /** To be told of the coordinator's events, which are durable by then. */
  readonly heard = (events: readonly Event[]): void => {
    if (events.some(reports)) this.wake();
  };

  /** Sends what is due. Also at the start: something may have waited. */
  wake(): void {
    if (this.#stop.signal.aborted) return;
    this.#again = true;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
      if (this.#again) this.wake();
    });
  }

  /** One attempt of something that is not in the outbox, now; it is stored with its outcome. Throws `JobError` when too many are under way. */
  async test(delivery: DueDelivery): Promise<StoredDelivery> {
    const cap = this.#capOf(delivery.host);
    if (cap !== null) hit(cap);
    if (cap !== null || this.#stop.signal.aborted) throw new JobError('too_many', 'Other deliveries are under way. Try again in a moment.');
    const attempt = await this.#begin(delivery, async (outcome) => {
      const single = { ...outcome, nextMs: null };
      await this.#deps.store.webhooks.attempted(delivery, single);
      return single;
    });
    if (!attempt) throw new JobError('conflict', 'The coordinator is shutting down.');
    const { atMs, status, error } = attempt;
    return { ...delivery, attempts: 1, attemptedMs: atMs, status, error, nextMs: null, deliveredMs: error === null ? atMs : null };
  }

  /** Gives up what is being sent, without counting it: the next start sends it again. */
  async close(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    this.#again = false;
    await Promise.allSettled([this.#looking, ...this.#attempts]);
  }

  async #look(): Promise<void> {
    clearTimeout(this.#timer);
    const { store, clock, log } = this.#deps;
    try {
      while (this.#again && !this.#stop.signal.aborted) {
        this.#again = false;
        await this.#prune();
        while (await this.#sendSome());
      }
      const nextMs = (await store.webhooks.nextAfter(clock())) ?? Number.POSITIVE_INFINITY;
      this.#wakeIn(Math.min(LOOK_MS_MAX, nextMs - clock()));
    } catch (error) {
      log.error({ error: String(error) }, 'the outbox of webhooks could not be read');
      this.#wakeIn(REST_MS);
    }
  }

  #wakeIn(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#stop.signal.aborted) this.#timer = setTimeout(() => this.wake(), Math.max(1, ms));
  }

  /** False when there is nothing left that may be sent now. */
  async #sendSome(): Promise<boolean> {
    const free = limits.webhookAttemptsMax - this.#sending.size;
    if (free <= 0) hit('webhookAttemptsMax');
    if (free <= 0 || this.#stop.signal.aborted) return false;
    const without = { deliveries: [...this.#sending.keys()], hosts: [...new Set(this.#sending.values())].filter((host) => this.#capOf(host) !== null) };
    const { store, clock } = this.#deps;
    const due = await store.webhooks.due(clock(), without, free);
    let begun = false;
    for (const delivery of due) {
      const cap = this.#capOf(delivery.host);
      if (cap !== null) hit(cap);
      if (cap !== null || this.#stop.signal.aborted) continue;
      begun = true;
      if (!(await store.webhooks.claim(delivery, clock() + CLAIM_MS))) continue;
      void this.#begin(delivery, (outcome) => store.webhooks.attempted(delivery, outcome)).then(
        () => this.wake(),
        (error: unknown) => {
          this.#deps.log.error({ error: String(error), delivery: delivery.id }, 'the outcome of a delivery could not be stored');
          this.#wakeIn(REST_MS);
        },
      );
    }
    return begun;
  }

  /** What another attempt at this host would go beyond. */
  #capOf(host: string): 'webhookAttemptsMax' | 'webhookAttemptsPerHostMax' | null {
    if (this.#sending.size >= limits.webhookAttemptsMax) return 'webhookAttemptsMax';
    let count = 0;
    for (const each of this.#sending.values()) if (each === host) count++;
    return count >= limits.webhookAttemptsPerHostMax ? 'webhookAttemptsPerHostMax' : null;
  }

  /** Sends, and has its outcome stored before another attempt may begin. Undefined when it was given up for the shutdown. */
  async #begin<T>(delivery: DueDelivery, store: (attempt: Attempt) => Promise<T>): Promise<T | undefined> {
    this.#sending.set(delivery.id, delivery.host);
    const attempt = this.#attempt(delivery)
      .then((outcome) => outcome && store(outcome))
      .finally(() => {
        this.#sending.delete(delivery.id);
        this.#attempts.delete(attempt);
      });
    this.#attempts.add(attempt);
    return attempt;
  }

  async #attempt({ id, url, secret, body, attempts, createdMs }: DueDelivery): Promise<Attempt | undefined> {
    const { clock, ask, randomBytes } = this.#deps;
    const timestampS = Math.floor(clock() / SECOND_MS);
    const headers = {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'user-agent': 'tessera-webhooks',
      'webhook-id': id,
      'webhook-timestamp': String(timestampS),
      'webhook-signature': signatureOf(secret, id, timestampS, body),
    };
    const question = { method: 'POST', headers, body, msMax: limits.webhookAttemptMsMax, bytesMax: limits.webhookAnswerBytesMax } as const;
    let status: number | null = null;
    let error: string | null = null;
    try {
      ({ status } = await ask(new URL(url), question, { signal: this.#stop.signal }));
      if (status < 200 || status > 299) error = refusalWords(status);
    } catch (problem) {
      if (this.#stop.signal.aborted) return undefined;
      if (!(problem instanceof OutboundError)) throw problem;
      error = problem.message;
      if (problem.isLate) hit('webhookAttemptMsMax');
    }
    const atMs = clock();
    const [chance = 0] = randomBytes(1);
    const nextMs = atMs + retryMsAfter(attempts + 1, chance / 255);
    const isGone = status === GONE;
    if (error !== null && !isGone && nextMs > createdMs + limits.webhookRetryMsMax) hit('webhookRetryMsMax');
    const isOver = error === null || isGone || nextMs > createdMs + limits.webhookRetryMsMax;
    return { atMs, status, error, nextMs: isOver ? null : nextMs, isGone };
  }

  async #prune(): Promise<void> {
    const now = this.#deps.clock();
    if (now - this.#prunedMs < HOUR_MS) return;
    this.#prunedMs = now;
    await this.#deps.store.webhooks.prune(now - limits.webhookDeliveriesMsMax);
  }
}

function refusalWords(status: number): string {
  if (status === GONE) return 'It answered with status 410: it wants nothing more.';
  if (status >= 300 && status < 400) return `It answered with status ${status}; redirects are not followed.`;
  return `It answered with status ${status}; any of 200 to 299 takes a delivery.`;
}
