import { toBase64Url } from '../shared/formats.ts';
import { limits } from '../shared/limits.ts';
import type { OwnerId } from '../shared/model.ts';
import type { DeliveriesPage, DeliveryView, MadeWebhook, WebhookRequest, WebhookView } from '../shared/schemas.ts';
import { InputError } from '../shared/workload.ts';
import { atCap } from './caps.ts';
import type { Delivering } from './delivering.ts';
import { newWebhookId } from './ids.ts';
import { JobError } from './jobs.ts';
import { OutboundError, refuseTarget } from './outbound.ts';
import type { Store } from './store/store.ts';
import type { StoredDelivery, StoredWebhook } from './store/webhooks.ts';

export interface WebhookDeps {
  readonly store: Store;
  readonly delivering: Delivering;
  /** Whether receivers may be on this machine: only where the coordinator itself is used as localhost. */
  readonly allowsLocal: boolean;
  readonly clock: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** Standard Webhooks wants 24 to 64. */
const SECRET_BYTES = 32;
const MESSAGE_ID_BYTES = 16;
const PAGE_ROWS = 20;
const HTTPS_PORT = 443;
const FREE_PORTS_FROM = 1024;

/** What requesters do with their webhooks. Throws `JobError` or `InputError`; then nothing has changed. */
export class Webhooks {
  readonly #deps: WebhookDeps;

  constructor(deps: WebhookDeps) {
    this.#deps = deps;
  }

  async make(owner: OwnerId, { url: text, events }: WebhookRequest): Promise<MadeWebhook> {
    const { store, clock, randomBytes, allowsLocal } = this.#deps;
    const url = readUrl(text, allowsLocal);
    const secret = `whsec_${Buffer.from(randomBytes(SECRET_BYTES)).toString('base64')}`;
    const webhook: StoredWebhook = {
      id: newWebhookId(randomBytes),
      owner,
      url: url.href,
      host: url.hostname,
      events,
      secret,
      createdMs: clock(),
      failures: 0,
      failingSinceMs: null,
      disabled: null,
    };
    if (!(await store.webhooks.create(webhook)))
      throw atCap('webhooksPerOwnerMax', new JobError('too_many', `At most ${limits.webhooksPerOwnerMax} webhooks.`));
    return { ...webhookView(webhook, null), secret };
  }

  async list(owner: OwnerId): Promise<WebhookView[]> {
    return (await this.#deps.store.webhooks.of(owner)).map(({ webhook, last }) => webhookView(webhook, last));
  }

  async remove(owner: OwnerId, id: string): Promise<void> {
    await this.#deps.store.webhooks.remove((await this.#own(owner, id)).id);
  }

  async deliveries(owner: OwnerId, id: string, { cursor: before, limit = PAGE_ROWS }: { cursor?: string; limit?: number }): Promise<DeliveriesPage> {
    await this.#own(owner, id);
    const rows = await this.#deps.store.webhooks.deliveries(id, { before, limit: limit + 1 });
    if (!rows) throw new InputError('cursor', 'There is no such delivery of this webhook.');
    const shown = rows.slice(0, limit);
    return { rows: shown.map(deliveryView), next: rows.length > limit ? (shown.at(-1)?.id ?? null) : null };
  }

  /** Sends one message now and tells what came of it. A success switches a disabled webhook on again. */
  async test(owner: OwnerId, id: string): Promise<DeliveryView> {
    const { clock, randomBytes, delivering } = this.#deps;
    const { url, host, secret } = await this.#own(owner, id);
    const createdMs = clock();
    const message = { type: 'webhook.test', timestamp: new Date(createdMs).toISOString(), data: { webhook: id } };
    const unsent = { job: null, createdMs, attempts: 0, attemptedMs: null, status: null, error: null, nextMs: null, deliveredMs: null };
    const sent = { id: `msg_${toBase64Url(randomBytes(MESSAGE_ID_BYTES))}`, webhook: id, type: message.type, body: JSON.stringify(message) };
    return deliveryView(await delivering.test({ ...unsent, ...sent, url, host, secret }));
  }

  /** To others it is not there. */
  async #own(owner: OwnerId, id: string): Promise<StoredWebhook> {
    const webhook = await this.#deps.store.webhooks.get(id);
    if (webhook?.owner !== owner) throw new JobError('not_found', 'There is no such webhook.');
    return webhook;
  }
}

/** An address that may be asked; where its name leads is looked at each time. Low ports are other services', which a request might confuse. */
function readUrl(text: string, allowsLocal: boolean): URL {
  const refuse = (why: string, limit = 'a public address by https, such as https://example.com/hooks'): never => {
    throw new InputError('url', why, limit);
  };
  if (!URL.canParse(text)) return refuse('This is no address.');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '' || url.hash !== '') return refuse('An address without a name, a password and a #.');
  if (url.port !== '' && Number(url.port) < FREE_PORTS_FROM && Number(url.port) !== HTTPS_PORT)
    return refuse('This port is not for webhooks.', `${HTTPS_PORT}, or ${FREE_PORTS_FROM} and above`);
  try {
    refuseTarget(url, allowsLocal);
  } catch (error) {
    if (error instanceof OutboundError) return refuse(error.message);
    throw error;
  }
  return url;
}

function deliveryView({ id, type, job, createdMs, attempts, attemptedMs, status, error, nextMs, deliveredMs }: StoredDelivery): DeliveryView {
  const state = deliveredMs !== null ? 'delivered' : nextMs !== null ? 'waiting' : 'failed';
  return { id, type, job, createdMs, state, attempts, attemptedMs, status, error, nextMs };
}

const webhookView = ({ id, url, events, createdMs, failures, disabled }: StoredWebhook, last: StoredDelivery | null): WebhookView => ({
  id,
  url,
  events: [...events],
  createdMs,
  failures,
  disabled,
  lastDelivery: last && deliveryView(last),
});
