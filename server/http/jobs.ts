import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { MINUTE_MS } from '../../shared/limits.ts';
import type { OwnerId } from '../../shared/model.ts';
import * as schemas from '../../shared/schemas.ts';
import { JobError, type Jobs } from '../jobs.ts';
import type { BlobStore } from '../store/store.ts';

export interface JobRouteDeps {
  readonly jobs: Jobs;
  readonly blobs: BlobStore;
  /** Who the request's session belongs to; undefined without one. */
  readonly ownerOf: (request: FastifyRequest) => Promise<OwnerId | undefined>;
}

/** Preparing a scene costs CPU seconds, so quotes and orders are counted apart from other requests. */
const ORDERS_PER_MINUTE_MAX = 60;
const orders = { config: { rateLimit: { max: ORDERS_PER_MINUTE_MAX, timeWindow: MINUTE_MS } } };

const jobPath = Type.Object({ job: schemas.jobId });
/** Not for caches that several people share: a job may become private. */
const immutable = 'private, max-age=31536000, immutable';

/** Quote, order, look at, cancel and download jobs. Whoever has a job's id may look, unless it is private or for a group only; only its requester may cancel it. */
export const jobRoutes =
  (deps: JobRouteDeps): FastifyPluginAsyncTypebox =>
  async (app) => {
    const { jobs, blobs, ownerOf } = deps;
    const signedIn = async (request: FastifyRequest): Promise<OwnerId> => {
      const owner = await ownerOf(request);
      if (!owner) throw new JobError('signed_out', 'Start a session first: POST /api/session.');
      return owner;
    };

    app.post('/api/quotes', { ...orders, schema: { body: schemas.quoteRequest } }, async (request) => {
      await signedIn(request);
      return jobs.quote(request.body);
    });

    app.post('/api/jobs', { ...orders, schema: { body: schemas.jobRequest } }, async (request, reply) => {
      const job = await jobs.submit(request.body, { owner: await signedIn(request), gallery: false });
      return reply.code(201).header('location', `/api/jobs/${job.id}`).send(job);
    });

    app.get(
      '/api/jobs',
      {
        schema: {
          querystring: Type.Object({
            scope: Type.Optional(Type.Union([Type.Literal('public'), Type.Literal('mine')])),
            group: Type.Optional(schemas.groupId),
            status: Type.Optional(schemas.jobView.properties.status),
          }),
        },
      },
      async (request) => {
        const { scope = 'public', group, status } = request.query;
        const owner = await ownerOf(request);
        return { jobs: group === undefined ? await jobs.list(scope, owner, status) : await jobs.ofGroup(group, owner) };
      },
    );

    app.get('/api/jobs/:job', { schema: { params: jobPath } }, async (request) => jobs.view(request.params.job, await ownerOf(request)));

    app.post('/api/jobs/:job/cancel', { schema: { params: jobPath } }, async (request) => jobs.cancel(request.params.job, await signedIn(request)));

    app.get('/api/jobs/:job/results', { schema: { params: jobPath } }, async (request) => ({
      results: await jobs.accepted(request.params.job, await ownerOf(request)),
    }));

    app.get('/api/jobs/:job/results/:result', { schema: { params: Type.Object({ job: schemas.jobId, result: schemas.resultId }) } }, async (request, reply) => {
      const bytes = await jobs.resultBytes(request.params.job, request.params.result, await ownerOf(request));
      return reply
        .header('cache-control', immutable)
        .type('application/octet-stream')
        .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    });

    app.get(
      '/api/jobs/:job/files/:output',
      { schema: { params: Type.Object({ job: schemas.jobId, output: Type.String({ pattern: '^[a-z0-9-]{1,20}$' }) }) } },
      async (request, reply) => {
        await jobs.visible(request.params.job, await ownerOf(request));
        const file = await jobs.file(request.params.job, request.params.output);
        return reply
          .type(file.mediaType)
          .header('cache-control', 'private, no-cache')
          .header('content-disposition', `attachment; filename="${file.name}"`)
          .header('content-length', await blobs.size(file.hash))
          .send(blobs.stream(file.hash));
      },
    );
  };
