import { type Static, Type } from 'typebox';
import { limits } from './limits.ts';
import type { JobId } from './model.ts';

/** What crosses a wire about webhooks: addresses of a requester's that are told of his jobs. Part of schemas.ts, which exports it. */

const closed = { additionalProperties: false } as const;
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);

export const webhookId = Type.String({ pattern: '^wh_[A-Za-z0-9_-]{16}$' });
/** The header `webhook-id` of a delivery: the same in every attempt. */
export const deliveryId = Type.String({ pattern: '^msg_[A-Za-z0-9_-]{22}$' });

export const webhookEvent = Type.Union([
  Type.Literal('job.done'),
  Type.Literal('job.cancelled'),
  /** A quarter, a half and three quarters of a job are accepted; who jumps over several is told the last. */
  Type.Literal('job.progress'),
]);
export type WebhookEvent = Static<typeof webhookEvent>;
export const webhookEvents: readonly WebhookEvent[] = webhookEvent.anyOf.map((event) => event.const);

export const webhookRequest = Type.Object(
  {
    url: Type.String({ minLength: 1, maxLength: limits.webhookUrlCharsMax }),
    events: Type.Array(webhookEvent, { minItems: 1, maxItems: webhookEvents.length, uniqueItems: true }),
  },
  closed,
);
export type WebhookRequest = Static<typeof webhookRequest>;

export const deliveryView = Type.Object({
  id: deliveryId,
  /** One of `webhookEvent`, or `webhook.test`. */
  type: Type.String(),
  job: orNull(Type.Unsafe<JobId>(Type.String())),
  createdMs: Type.Number(),
  state: Type.Union([Type.Literal('waiting'), Type.Literal('delivered'), Type.Literal('failed')]),
  attempts: Type.Integer(),
  /** Of the last attempt; both null before there was one. The status is null when no answer came. */
  attemptedMs: orNull(Type.Number()),
  status: orNull(Type.Integer()),
  /** Why it was not delivered so far. */
  error: orNull(Type.String()),
  /** When it is tried again. */
  nextMs: orNull(Type.Number()),
});
export type DeliveryView = Static<typeof deliveryView>;

export const webhookView = Type.Object({
  id: webhookId,
  url: Type.String(),
  events: Type.Array(webhookEvent),
  createdMs: Type.Number(),
  /** Attempts without success since the last one that succeeded. */
  failures: Type.Integer(),
  /** Nothing is sent any more until a test succeeds; null: it is on. */
  disabled: orNull(Type.Object({ sinceMs: Type.Number(), reason: Type.String() })),
  lastDelivery: orNull(deliveryView),
});
export type WebhookView = Static<typeof webhookView>;
/** `secret` signs deliveries as in Standard Webhooks: `whsec_` and base64. It is told this once. */
export const madeWebhook = Type.Object({ ...webhookView.properties, secret: Type.String() });
export type MadeWebhook = Static<typeof madeWebhook>;

/** Newest first; `next` is `cursor` of the following page, null on the last. */
export const deliveriesPage = Type.Object({ rows: Type.Array(deliveryView), next: orNull(deliveryId) });
export type DeliveriesPage = Static<typeof deliveriesPage>;
export const deliveriesQuery = Type.Object(
  { cursor: Type.Optional(deliveryId), limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.pageRowsMax })) },
  closed,
);
