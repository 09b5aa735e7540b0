import type { Generated } from 'kysely';
import type { JobId, OwnerId } from '../../shared/model.ts';

/** Tables of webhooks. Part of schema.ts. */

export interface WebhooksTable {
  seq: Generated<number>;
  id: string;
  owner: OwnerId;
  url: string;
  /** Of `url`, without the port: attempts at one host are capped. */
  host: string;
  events_json: string;
  secret: string;
  created_ms: number;
  failures: number;
  failing_since_ms: number | null;
  disabled_ms: number | null;
  disabled_reason: string | null;
}

/** The outbox: a row waits as long as it has a `next_ms`. */
export interface WebhookDeliveriesTable {
  seq: Generated<number>;
  id: string;
  webhook: string;
  type: string;
  job: JobId | null;
  body: string;
  created_ms: number;
  attempts: number;
  attempted_ms: number | null;
  status: number | null;
  error: string | null;
  next_ms: number | null;
  delivered_ms: number | null;
}
