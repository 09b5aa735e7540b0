import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { HOUR_MS, limits, MINUTE_MS } from '../../shared/limits.ts';
import type { OwnerId } from '../../shared/model.ts';
import * as schemas from '../../shared/schemas.ts';
import { JobError } from '../jobs.ts';
import type { Webhooks } from '../webhooks.ts';

export interface WebhookRouteDeps {
  readonly webhooks: Webhooks;
  /** Who the request's session belongs to; undefined without one. */
  readonly ownerOf: (request: FastifyRequest) => Promise<OwnerId | undefined>;
}

const WEBHOOKS_PER_ADDRESS_HOUR_MAX = 60;
const params = Type.Object({ webhook: schemas.webhookId });
const config = { scope: 'webhooks', problems: [422] } as const;
const tags = ['Webhooks'];

/** Addresses of a requester's that are told of his jobs. Those of others are not there. */
export const webhookRoutes =
  ({ webhooks, ownerOf }: WebhookRouteDeps): FastifyPluginAsyncTypebox =>
  async (app) => {
    const signedIn = async (request: FastifyRequest): Promise<OwnerId> => {
      const owner = await ownerOf(request);
      if (!owner) throw new JobError('signed_out', 'Start a session first: POST /api/session.');
      return owner;
    };

    const making = {
      operationId: 'createWebhook',
      tags,
      summary: 'Have an address told of your jobs. The secret that signs deliveries is shown this once.',
      body: schemas.webhookRequest,
      response: { 201: schemas.madeWebhook },
    };
    const seldom = { max: WEBHOOKS_PER_ADDRESS_HOUR_MAX, timeWindow: HOUR_MS };
    app.post('/api/webhooks', { config: { ...config, rateLimit: seldom }, schema: making }, async (request, reply) => {
      const made = await webhooks.make(await signedIn(request), request.body);
      return reply.code(201).header('cache-control', 'no-store').send(made);
    });

    const listing = {
      operationId: 'listWebhooks',
      tags,
      summary: 'Your webhooks, newest first, with their last delivery.',
      response: { 200: Type.Object({ webhooks: Type.Array(schemas.webhookView) }) },
    };
    app.get('/api/webhooks', { config, schema: listing }, async (request) => ({ webhooks: await webhooks.list(await signedIn(request)) }));

    const removing = { operationId: 'deleteWebhook', tags, summary: 'Remove a webhook and its deliveries.', params, response: { 200: Type.Object({}) } };
    app.delete('/api/webhooks/:webhook', { config, schema: removing }, async (request) => {
      await webhooks.remove(await signedIn(request), request.params.webhook);
      return {};
    });

    const looking = {
      operationId: 'listDeliveries',
      tags,
      summary: 'Deliveries of the last 30 days, newest first.',
      params,
      querystring: schemas.deliveriesQuery,
      response: { 200: schemas.deliveriesPage },
    };
    app.get('/api/webhooks/:webhook/deliveries', { config, schema: looking }, async (request) =>
      webhooks.deliveries(await signedIn(request), request.params.webhook, request.query),
    );

    const testing = {
      operationId: 'testWebhook',
      tags,
      summary: 'Send a message of type webhook.test now and tell what came of it. A success switches a disabled webhook on again.',
      params,
      response: { 200: schemas.deliveryView },
    };
    const rateLimit = { max: limits.webhookTestsPerMinuteMax, timeWindow: MINUTE_MS };
    app.post('/api/webhooks/:webhook/test', { config: { ...config, rateLimit, cap: 'webhookTestsPerMinuteMax' }, schema: testing }, async (request) =>
      webhooks.test(await signedIn(request), request.params.webhook),
    );
  };
