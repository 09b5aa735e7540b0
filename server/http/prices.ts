import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import * as schemas from '../../shared/schemas.ts';
import type { Prices } from '../prices.ts';
import type { PriceEntry } from '../store/prices.ts';
import type { Store } from '../store/store.ts';
import { anybody } from './openapi.ts';

const viewOf = ({ version, workload, kernelVersion, ratePerUnit, calibration, fromMs }: PriceEntry): schemas.PriceView => ({
  version,
  workload,
  kernelVersion,
  rateMicroCredits: ratePerUnit.toString(),
  fromMs,
  unit: { seconds: 1, gpu: calibration.stated.gpu },
  calibration,
});

/** The price book, for everybody. */
export const priceRoutes =
  ({ prices, store }: { readonly prices: Prices; readonly store: Pick<Store, 'prices'> }): FastifyPluginAsyncTypebox =>
  async (app) => {
    const schema = {
      operationId: 'listPrices',
      tags: ['Service'],
      summary: 'See the price book',
      description:
        'What a work unit of each workload costs, and how the unit is known. One unit is a second of the reference GPU. Entries never change: another price is another version.',
      security: anybody(),
      querystring: schemas.pricesQuery,
      response: { 200: schemas.pricesView },
    };
    app.get('/api/prices', { config: { scope: 'any' }, schema }, async ({ query: { version } }, reply) => {
      reply.header('cache-control', 'no-cache');
      const entry = version === undefined ? undefined : await store.prices.entry(version);
      const entries = version === undefined ? prices.all() : entry ? [entry] : [];
      return { prices: entries.map(viewOf) };
    });
  };
