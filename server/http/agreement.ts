import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { workload, workloadIds } from '../../shaders/registry.ts';
import { MINUTE_MS } from '../../shared/limits.ts';
import { type AgreementView, agreementView } from '../../shared/schemas.ts';
import type { AppDeps } from './deps.ts';

/** About 150 kB. Everything that is compared often is among them. */
const PAIRS_MAX = 1000;
const CACHED_MS = MINUTE_MS;

/** How well device classes agree, and what the workloads claim about it: for everybody. */
export const agreementRoutes =
  ({ store, clock }: Pick<AppDeps, 'store' | 'clock'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    const bounds = workloadIds.flatMap((id) => {
      const spec = workload(id)?.spec;
      return spec ? [{ workload: id, ...spec.tolerance }] : [];
    });
    let cached: { readonly view: Promise<AgreementView>; readonly untilMs: number } | undefined;

    const schema = {
      operationId: 'getAgreement',
      tags: ['Service'],
      summary: 'See how well device classes agree',
      description: 'Counted over accepted results. Classes are what devices say of themselves; nothing is decided by them.',
      response: { 200: agreementView },
    };
    app.get('/api/agreement', { config: { scope: 'any' }, schema }, async (_request, reply) => {
      if (!cached || cached.untilMs <= clock()) {
        const view = store.agreements(PAIRS_MAX).then((pairs) => ({ pairs, bounds }));
        cached = { view, untilMs: clock() + CACHED_MS };
        // A failed read is not kept.
        view.catch(() => {
          cached = undefined;
        });
      }
      reply.header('cache-control', `public, max-age=${CACHED_MS / 1000}`);
      return cached.view;
    });
  };
