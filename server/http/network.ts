import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import * as schemas from '../../shared/schemas.ts';
import type { Network } from '../network.ts';

const CACHED_SECONDS = 1;

/** How the network does, for everybody. Answered from memory. */
export const networkRoutes =
  ({ network }: { readonly network: Pick<Network, 'view'> }): FastifyPluginAsyncTypebox =>
  async (app) => {
    const schema = {
      operationId: 'getNetwork',
      tags: ['Service'],
      summary: 'How the network does now, by the minute and by the hour.',
      querystring: schemas.networkQuery,
      response: { 200: schemas.networkView },
    };
    app.get('/api/network', { schema }, async (request, reply) => {
      reply.header('cache-control', `public, max-age=${CACHED_SECONDS}`);
      return network.view(request.query.since);
    });
  };
