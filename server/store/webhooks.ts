import { createHash } from 'node:crypto';
import type { Kysely, Selectable } from 'kysely';
import { toBase64Url } from '../../shared/formats.ts';
import { limits } from '../../shared/limits.ts';
import type { JobId, OwnerId } from '../../shared/model.ts';
import type { JobView, WebhookEvent } from '../../shared/schemas.ts';
import { hit } from '../caps.ts';
import { exclusively, isPostgres } from './dialect.ts';
import type { Tables } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { WebhookDeliveriesTable, WebhooksTable } from './webhook-schema.ts';

export interface StoredWebhook {
  readonly id: string;
  readonly owner: OwnerId;
  readonly url: string;
  /** Of `url`, without the port. */
  readonly host: string;
  readonly events: readonly WebhookEvent[];
  /** `whsec_` and base64. */
  readonly secret: string;
  readonly createdMs: number;
  /** Attempts without success since the last one that succeeded, and since when. */
  readonly failures: number;
  readonly failingSinceMs: number | null;
  readonly disabled: { readonly sinceMs: number; readonly reason: string } | null;
}

export interface StoredDelivery {
  readonly id: string;
  readonly webhook: string;
  readonly type: string;
  readonly job: JobId | null;
  readonly body: string;
  readonly createdMs: number;
  readonly attempts: number;
  /** Of the last attempt. */
  readonly attemptedMs: number | null;
  readonly status: number | null;
  readonly error: string | null;
  /** When it is tried again; null: it is delivered, or given up. */
  readonly nextMs: number | null;
  readonly deliveredMs: number | null;
}

/** What came of one attempt. */
export interface Attempt {
  readonly atMs: number;
  readonly status: number | null;
  /** Null: it was taken. */
  readonly error: string | null;
  readonly nextMs: number | null;
  /** The receiver wants nothing more, ever. */
  readonly isGone: boolean;
}

export interface DueDelivery extends StoredDelivery {
  readonly url: string;
  readonly host: string;
  readonly secret: string;
}

/** Webhooks, and the outbox that `commit` fills. */
export interface WebhookStore {
  /** False when its owner has as many as allowed. */
  create(webhook: StoredWebhook): Promise<boolean>;
  get(id: string): Promise<StoredWebhook | undefined>;
  /** Newest first. */
  of(owner: OwnerId): Promise<readonly { readonly webhook: StoredWebhook; readonly last: StoredDelivery | null }[]>;
  /** With its deliveries. */
  remove(id: string): Promise<void>;
  /** What is to be sent by now, what waits longest first; without these deliveries and hosts. */
  due(nowMs: number, without: { readonly deliveries: readonly string[]; readonly hosts: readonly string[] }, limit: number): Promise<DueDelivery[]>;
  /**
   * Takes one that is due before it is sent: other coordinators on this database leave it alone until `untilMs`, when it is due again unless its
   * attempt was noted. False when one of them has it. Where there can be no other, nothing is written, and a restart sends it at once.
   */
  claim(delivery: Pick<StoredDelivery, 'id' | 'nextMs'>, untilMs: number): Promise<boolean>;
  /** When the next one is to be sent that is not yet. */
  nextAfter(nowMs: number): Promise<number | null>;
  /** Notes what came of a delivery and what follows for its webhook, in one transaction. One that is not stored yet, a test, is stored. */
  attempted(delivery: StoredDelivery, attempt: Attempt): Promise<void>;
  /** Newest first, those older than `before`; undefined when `before` is none of this webhook's. */
  deliveries(webhook: string, page: { readonly before?: string | undefined; readonly limit: number }): Promise<StoredDelivery[] | undefined>;
  /** Forgets what was created before and waits no more. */
  prune(beforeMs: number): Promise<void>;
}

type Db = Kysely<Tables>;

const webhookOf = (row: Selectable<WebhooksTable>): StoredWebhook => ({
  id: row.id,
  owner: row.owner,
  url: row.url,
  host: row.host,
  events: JSON.parse(row.events_json),
  secret: row.secret,
  createdMs: row.created_ms,
  failures: row.failures,
  failingSinceMs: row.failing_since_ms,
  disabled: row.disabled_ms === null ? null : { sinceMs: row.disabled_ms, reason: row.disabled_reason ?? '' },
});

const deliveryOf = (row: Omit<Selectable<WebhookDeliveriesTable>, 'seq'>): StoredDelivery => ({
  id: row.id,
  webhook: row.webhook,
  type: row.type,
  job: row.job,
  body: row.body,
  createdMs: row.created_ms,
  attempts: row.attempts,
  attemptedMs: row.attempted_ms,
  status: row.status,
  error: row.error,
  nextMs: row.next_ms,
  deliveredMs: row.delivered_ms,
});

const unsent = (delivery: Pick<StoredDelivery, 'id' | 'webhook' | 'type' | 'job' | 'body' | 'createdMs'>, nextMs: number | null) => ({
  id: delivery.id,
  webhook: delivery.webhook,
  type: delivery.type,
  job: delivery.job,
  body: delivery.body,
  created_ms: delivery.createdMs,
  attempts: 0,
  next_ms: nextMs,
});

interface Reported {
  readonly id: JobId;
  readonly type: WebhookEvent;
  /** The milestone of `job.progress`. */
  readonly percent: number | null;
  readonly atMs: number;
  readonly parts: JobView['parts'];
}

/**
 * Inside the transaction of what it reports: one delivery for every webhook of the job's owner that wants to hear of it. Ids follow from what is
 * reported, so nothing is told twice that is only written twice.
 */
export async function queueDeliveries(trx: Db, { id, type, percent, atMs, parts }: Reported): Promise<void> {
  const job = await trx.selectFrom('jobs').select(['owner', 'title', 'status', 'extensions']).where('id', '=', id).executeTakeFirst();
  if (!job) throw new Error(`the unknown job ${id} is reported`);
  // They stay until the end of the transaction: a delivery of one that was removed would be refused, and all else with it.
  const webhooks = await trx.selectFrom('webhooks').selectAll().where('owner', '=', job.owner).where('disabled_ms', 'is', null).forKeyShare().execute();
  const data = { job: { id, title: job.title, status: job.status, parts } };
  const body = JSON.stringify({ type, timestamp: new Date(atMs).toISOString(), data });
  for (const webhook of webhooks.map(webhookOf).filter(({ events }) => events.includes(type))) {
    const what = [webhook.id, id, type, percent ?? '', job.extensions].join(' ');
    const message = `msg_${toBase64Url(createHash('sha256').update(what).digest().subarray(0, 16))}`;
    await trx
      .insertInto('webhook_deliveries')
      .values(unsent({ id: message, webhook: webhook.id, type, job: id, body, createdMs: atMs }, atMs))
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute();
  }
}

export class SqlWebhooks implements WebhookStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async create({ id, owner, url, host, events, secret, createdMs }: StoredWebhook): Promise<boolean> {
    return inTransaction(this.#db, async (trx) => {
      await exclusively(trx, `webhooks of ${owner}`);
      const { count } = await trx
        .selectFrom('webhooks')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('owner', '=', owner)
        .executeTakeFirstOrThrow();
      if (count >= limits.webhooksPerOwnerMax) return false;
      const row = { id, owner, url, host, events_json: JSON.stringify(events), secret, created_ms: createdMs, failures: 0 };
      await trx.insertInto('webhooks').values(row).execute();
      return true;
    });
  }

  async get(id: string): Promise<StoredWebhook | undefined> {
    const row = await this.#db.selectFrom('webhooks').selectAll().where('id', '=', id).executeTakeFirst();
    return row && webhookOf(row);
  }

  async of(owner: OwnerId): Promise<{ webhook: StoredWebhook; last: StoredDelivery | null }[]> {
    const rows = await this.#db.selectFrom('webhooks').selectAll().where('owner', '=', owner).orderBy('seq', 'desc').execute();
    return Promise.all(rows.map(async (row) => ({ webhook: webhookOf(row), last: (await this.deliveries(row.id, { limit: 1 }))?.[0] ?? null })));
  }

  async remove(id: string): Promise<void> {
    await this.#db.deleteFrom('webhooks').where('id', '=', id).execute();
  }

  async due(nowMs: number, without: { deliveries: readonly string[]; hosts: readonly string[] }, limit: number): Promise<DueDelivery[]> {
    let query = this.#db
      .selectFrom('webhook_deliveries')
      .innerJoin('webhooks', 'webhooks.id', 'webhook_deliveries.webhook')
      .selectAll('webhook_deliveries')
      .select(['webhooks.url', 'webhooks.host', 'webhooks.secret'])
      .where('webhook_deliveries.next_ms', '<=', nowMs);
    if (without.deliveries.length > 0) query = query.where('webhook_deliveries.id', 'not in', without.deliveries);
    if (without.hosts.length > 0) query = query.where('webhooks.host', 'not in', without.hosts);
    const rows = await query.orderBy('webhook_deliveries.next_ms').limit(limit).execute();
    return rows.map((row) => ({ ...deliveryOf(row), url: row.url, host: row.host, secret: row.secret }));
  }

  async claim({ id, nextMs }: Pick<StoredDelivery, 'id' | 'nextMs'>, untilMs: number): Promise<boolean> {
    if (!isPostgres(this.#db)) return true;
    const change = this.#db.updateTable('webhook_deliveries').set({ next_ms: untilMs }).where('id', '=', id).where('next_ms', '=', nextMs);
    return (await change.executeTakeFirstOrThrow()).numUpdatedRows === 1n;
  }

  async nextAfter(nowMs: number): Promise<number | null> {
    const row = await this.#db.selectFrom('webhook_deliveries').select('next_ms').where('next_ms', '>', nowMs).orderBy('next_ms').limit(1).executeTakeFirst();
    return row?.next_ms ?? null;
  }

  async attempted(delivery: StoredDelivery, { atMs, status, error, nextMs, isGone }: Attempt): Promise<void> {
    await inTransaction(this.#db, async (trx) => {
      const row = await trx.selectFrom('webhooks').selectAll().where('id', '=', delivery.webhook).forNoKeyUpdate().executeTakeFirst();
      // Removed meanwhile, and its deliveries with it.
      if (!row) return;
      const outcome = { attempted_ms: atMs, status, error, next_ms: nextMs, delivered_ms: error === null ? atMs : null };
      await trx
        .insertInto('webhook_deliveries')
        .values({ ...unsent(delivery, null), ...outcome, attempts: 1 })
        .onConflict((conflict) => conflict.column('id').doUpdateSet((eb) => ({ ...outcome, attempts: eb('webhook_deliveries.attempts', '+', 1) })))
        .execute();
      await this.#judge(trx, webhookOf(row), error, isGone, atMs);
    });
  }

  /** One success clears everything; too many failures over too long a time, or a farewell, disable it, and what waits is given up. */
  async #judge(trx: Db, webhook: StoredWebhook, error: string | null, isGone: boolean, atMs: number): Promise<void> {
    const change = trx.updateTable('webhooks').where('id', '=', webhook.id);
    if (error === null) {
      await change.set({ failures: 0, failing_since_ms: null, disabled_ms: null, disabled_reason: null }).execute();
      return;
    }
    const failures = webhook.failures + 1;
    const since = webhook.failingSinceMs ?? atMs;
    await change.set({ failures, failing_since_ms: since }).execute();
    const isLost = failures >= limits.webhookFailuresMax && atMs - since >= limits.webhookFailingMsMax;
    if (webhook.disabled !== null || !(isGone || isLost)) return;
    if (!isGone) hit('webhookFailuresMax');
    const reason = isGone ? error : `${failures} attempts in a row failed. The last: ${error}`;
    await change.set({ disabled_ms: atMs, disabled_reason: reason }).execute();
    await trx.updateTable('webhook_deliveries').set({ next_ms: null }).where('webhook', '=', webhook.id).where('next_ms', 'is not', null).execute();
  }

  async deliveries(webhook: string, { before, limit }: { before?: string | undefined; limit: number }): Promise<StoredDelivery[] | undefined> {
    let query = this.#db.selectFrom('webhook_deliveries').selectAll().where('webhook', '=', webhook);
    if (before !== undefined) {
      const from = await this.#db.selectFrom('webhook_deliveries').select('seq').where('id', '=', before).where('webhook', '=', webhook).executeTakeFirst();
      if (!from) return undefined;
      query = query.where('seq', '<', from.seq);
    }
    return (await query.orderBy('seq', 'desc').limit(limit).execute()).map(deliveryOf);
  }

  async prune(beforeMs: number): Promise<void> {
    await this.#db.deleteFrom('webhook_deliveries').where('created_ms', '<', beforeMs).where('next_ms', 'is', null).execute();
  }
}
