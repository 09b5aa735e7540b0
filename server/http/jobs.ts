import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { limits, MINUTE_MS } from '../../shared/limits.ts';
import type { JobId } from '../../shared/model.ts';
import * as schemas from '../../shared/schemas.ts';
import type { Jobs } from '../jobs.ts';
import type { BlobStore } from '../store/store.ts';
import { type Cursors, NEWEST } from './cursors.ts';
import { claimOf } from './idempotency.ts';
import { anybody, bytesOf } from './openapi.ts';
import type { Sessions } from './session.ts';

export interface JobRouteDeps {
  readonly jobs: Jobs;
  readonly blobs: BlobStore;
  readonly sessions: Sessions;
  readonly cursors: Cursors;
}

/** Preparing files costs CPU seconds, so quotes and orders are counted apart from other requests. */
const ORDERS_PER_MINUTE_MAX = 60;
const ordering = { scope: 'jobs:write', rateLimit: { max: ORDERS_PER_MINUTE_MAX, timeWindow: MINUTE_MS } } as const;
const reading = { scope: 'jobs:read' } as const;
const tags = ['Jobs'];
const guests = anybody('jobs:read');

const jobPath = Type.Object({ job: schemas.jobId });
const resultPath = Type.Object({ job: schemas.jobId, result: schemas.resultId });
const outputPath = Type.Object({ job: schemas.jobId, output: Type.String({ pattern: '^[a-z0-9-]{1,20}$' }) });
const closed = { additionalProperties: false } as const;
const listQuery = Type.Object(
  {
    scope: Type.Optional(
      Type.Union([Type.Literal('public'), Type.Literal('mine')], { description: '`public`, also when left out: jobs listed for everybody. `mine`: your own.' }),
    ),
    group: Type.Optional(schemas.groupId),
    status: Type.Optional(schemas.jobView.properties.status),
    ...schemas.pageQuery(),
  },
  closed,
);
const resultsQuery = Type.Object(schemas.pageQuery(limits.resultPageRowsMax, limits.resultPageRowsMax), closed);
/** Not for caches that several people share: a job may become private. */
const immutable = 'private, max-age=31536000, immutable';

/** Quote, order, look at, cancel and download jobs. Whoever has a job's id may look, unless it is private or for a group only; only its requester may cancel it. */
export const jobRoutes =
  (deps: JobRouteDeps): FastifyPluginAsyncTypebox =>
  async (app) => {
    const { jobs, sessions } = deps;

    const quoting = {
      operationId: 'quoteJob',
      tags,
      summary: 'Quote a job',
      description:
        'Prepares the inputs and tells what the job would cost and when it would be done. Nothing is held. Price and finish are promised for ten minutes to the one job that names the quote.',
      body: schemas.quoteRequest,
      response: { 200: schemas.quote },
    };
    app.post('/api/quotes', { config: { ...ordering, problems: [422] }, schema: quoting }, async (request) => {
      const { owner } = await sessions.require(request);
      return jobs.quote(request.body, owner);
    });

    const submitting = {
      operationId: 'submitJob',
      tags,
      summary: 'Submit a job',
      description: 'Holds the price and opens the job. What is not needed comes back when it ends.',
      body: schemas.jobRequest,
      response: { 201: schemas.jobView },
    };
    app.post('/api/jobs', { config: { ...ordering, idempotent: true, problems: [402, 404] }, schema: submitting }, async (request, reply) => {
      const { owner, apiKey } = await sessions.require(request);
      const { claim = null, made = null } = claimOf(request) ?? {};
      const job = made === null ? await jobs.submit(request.body, { owner, gallery: false, apiKey, claim }) : await jobs.submitted(made as JobId, owner);
      return reply.code(201).header('location', `/api/jobs/${job.id}`).send(job);
    });

    const viewing = { operationId: 'getJob', tags, summary: 'See a job', security: guests, params: jobPath, response: { 200: schemas.jobView } };
    app.get('/api/jobs/:job', { config: reading, schema: viewing }, async (request) => jobs.view(request.params.job, await sessions.ownerOf(request)));

    const cancelling = {
      operationId: 'cancelJob',
      tags,
      summary: 'Cancel a job',
      description: 'Nothing more of it is given out. It ends, and the rest of what it holds comes back, once what was handed in is decided.',
      params: jobPath,
      response: { 200: schemas.jobView },
    };
    const ending = { scope: 'jobs:write', idempotent: true } as const;
    app.post('/api/jobs/:job/cancel', { config: ending, schema: cancelling }, async (request) =>
      jobs.cancel(request.params.job, (await sessions.require(request)).owner),
    );

    addLists(app, deps);
    addDownloads(app, deps);
  };

type App = Parameters<FastifyPluginAsyncTypebox>[0];

function addLists(app: App, { jobs, sessions, cursors }: JobRouteDeps): void {
  const listing = {
    operationId: 'listJobs',
    tags,
    summary: 'List jobs',
    description: 'Newest first.',
    security: guests,
    querystring: listQuery,
    response: { 200: schemas.jobPage },
  };
  app.get('/api/jobs', { config: reading, schema: listing }, async (request) => {
    const { scope = 'public', group, status, limit = limits.pageRowsDefault, cursor } = request.query;
    const owner = await sessions.ownerOf(request);
    const list = `jobs ${group ?? (scope === 'mine' ? owner : scope)} ${status ?? ''}`;
    const page = { from: cursors.decodeNumber(list, cursor, NEWEST), limit };
    const found = group === undefined ? await jobs.list(scope, owner, page, status) : await jobs.ofGroup(group, owner, page);
    return { jobs: found.jobs, next: cursors.encode(list, found.nextSeq) };
  });

  const results = {
    operationId: 'listResults',
    tags,
    summary: 'List accepted results of a job',
    description: 'In the order in which they were handed in. What is accepted later may belong on a page that you have read already.',
    security: guests,
    params: jobPath,
    querystring: resultsQuery,
    response: { 200: schemas.acceptedPage },
  };
  app.get('/api/jobs/:job/results', { config: reading, schema: results }, async (request) => {
    const { limit = limits.resultPageRowsMax, cursor } = request.query;
    const { job } = request.params;
    const list = `results ${job}`;
    const page = { from: cursors.decodeNumber(list, cursor, 0), limit };
    const found = await jobs.acceptedPage(job, await sessions.ownerOf(request), page);
    return { results: found.results, next: cursors.encode(list, found.nextSeq) };
  });
}

function addDownloads(app: App, { jobs, blobs, sessions }: JobRouteDeps): void {
  const result = {
    operationId: 'getResult',
    tags,
    summary: 'Download an accepted result',
    description: 'Sums of one tile over some of its parts, as `shared/formats.ts` lays them out.',
    security: guests,
    params: resultPath,
    response: { 200: bytesOf('The bytes of the result.') },
  };
  app.get('/api/jobs/:job/results/:result', { config: reading, schema: result }, async (request, reply) => {
    const bytes = await jobs.resultBytes(request.params.job, request.params.result, await sessions.ownerOf(request));
    return reply
      .header('cache-control', immutable)
      .type('application/octet-stream')
      .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  });

  const file = {
    operationId: 'getFile',
    tags,
    summary: 'Download a file of a finished job',
    security: guests,
    params: outputPath,
    response: { 200: bytesOf('The file, of the kind that the job’s list of files tells.', '*/*') },
  };
  app.get('/api/jobs/:job/files/:output', { config: { ...reading, problems: [409] }, schema: file }, async (request, reply) => {
    await jobs.visible(request.params.job, await sessions.ownerOf(request));
    const { mediaType, name, hash } = await jobs.file(request.params.job, request.params.output);
    return reply
      .type(mediaType)
      .header('cache-control', 'private, no-cache')
      .header('content-disposition', `attachment; filename="${name}"`)
      .header('content-length', await blobs.size(hash))
      .send(await blobs.stream(hash));
  });
}
