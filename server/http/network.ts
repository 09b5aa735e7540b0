import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import * as schemas from '../../shared/schemas.ts';
import type { Network } from '../network.ts';
import { anybody } from './openapi.ts';

const CACHED_SECONDS = 1;

/** How the network does, for everybody. Answered from memory. */
export const networkRoutes =
  ({ network }: { readonly network: Pick<Network, 'view'> }): FastifyPluginAsyncTypebox =>
  async (app) => {
    const schema = {
      operationId: 'getNetwork',
      tags: ['Service'],
      summary: 'See how the network does',
      description: 'Now, by the minute for a day and by the hour for a month.',
      security: anybody(),
      querystring: schemas.networkQuery,
      response: { 200: schemas.networkView },
    };
    app.get('/api/network', { config: { scope: 'any' }, schema }, async (request, reply) => {
      reply.header('cache-control', `public, max-age=${CACHED_SECONDS}`);
      return network.view(request.query.since);
    });
  };
