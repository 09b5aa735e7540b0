import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { workload, workloadIds } from '../../shaders/registry.ts';
import { HOUR_MS } from '../../shared/limits.ts';
import * as schemas from '../../shared/schemas.ts';
import { anybody } from './openapi.ts';

/** What can be ordered here, with the schema that orders are checked with: for everybody. */
export const workloadRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const workloads = workloadIds.map(async (id): Promise<schemas.WorkloadView> => {
    const entry = workload(id);
    if (!entry) throw new Error(`the registry lists ${id} and does not know it`);
    const { version, title, summary, defaults } = entry.spec;
    const { params, fields } = await entry.form();
    return { id, version, title, summary, defaults: defaults as Record<string, unknown>, params, fields: fields as schemas.WorkloadField[] };
  });
  const answer = { workloads: await Promise.all(workloads) };

  app.get(
    '/api/workloads',
    {
      config: { scope: 'any' },
      schema: {
        operationId: 'listWorkloads',
        tags: ['Jobs'],
        summary: 'List what can be ordered',
        security: anybody(),
        description: 'Every kind of job, with the JSON Schema of its parameters and the controls of its form.',
        response: { 200: Type.Object({ workloads: Type.Array(schemas.workloadView) }) },
      },
    },
    async (_request, reply) => reply.header('cache-control', `public, max-age=${HOUR_MS / 1000}`).send(answer),
  );
};
