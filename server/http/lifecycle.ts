import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { OwnerId } from '../../shared/model.ts';
import * as schemas from '../../shared/schemas.ts';
import { JobError } from '../jobs.ts';
import type { Lifecycle } from '../lifecycle.ts';
import { anybody } from './openapi.ts';

export interface LifecycleRouteDeps {
  readonly lifecycle: Lifecycle;
  /** Who the request's session belongs to; undefined without one. */
  readonly ownerOf: (request: FastifyRequest) => Promise<OwnerId | undefined>;
}

const params = Type.Object({ job: schemas.jobId });
const config = { scope: 'jobs:write', idempotent: true, problems: [402] } as const;
const tags = ['Jobs'];
const response = { 200: schemas.jobView };

/** What only its requester does with a job after it was ordered. To whom a job is not visible, it is not there. */
export const lifecycleRoutes =
  ({ lifecycle, ownerOf }: LifecycleRouteDeps): FastifyPluginAsyncTypebox =>
  async (app) => {
    const signedIn = async (request: FastifyRequest): Promise<OwnerId> => {
      const owner = await ownerOf(request);
      if (!owner) throw new JobError('signed_out', 'Start a session first: POST /api/session.');
      return owner;
    };

    const pausing = {
      operationId: 'pauseJob',
      tags,
      summary: 'Pause a job',
      description: 'Nothing more of it is given out; what is under way is finished and paid.',
      params,
      response,
    };
    app.post('/api/jobs/:job/pause', { config, schema: pausing }, async (request) => lifecycle.setPaused(request.params.job, await signedIn(request), true));

    const resuming = { operationId: 'resumeJob', tags, summary: 'Resume a paused job', params, response };
    app.post('/api/jobs/:job/resume', { config, schema: resuming }, async (request) => lifecycle.setPaused(request.params.job, await signedIn(request), false));

    const quoting = {
      operationId: 'quoteExtension',
      tags,
      summary: 'Quote an extension',
      description: 'What more of a finished job would cost.',
      params,
      body: schemas.extensionRequest,
      response: { 200: schemas.extensionQuote },
    };
    app.post('/api/jobs/:job/extend/quote', { config, schema: quoting }, async (request) =>
      lifecycle.quoteExtension(request.params.job, await signedIn(request), request.body.params),
    );

    const extending = {
      operationId: 'extendJob',
      tags,
      summary: 'Extend a finished job',
      description: 'Opens it again with more to compute. What is there stays; only what is new is held and paid.',
      params,
      body: schemas.extensionRequest,
      response,
    };
    app.post('/api/jobs/:job/extend', { config, schema: extending }, async (request) =>
      lifecycle.extend(request.params.job, await signedIn(request), request.body),
    );

    const seeing = {
      operationId: 'setVisibility',
      tags,
      summary: 'Say who sees a job',
      description: 'Contributors receive its inputs either way.',
      params,
      body: schemas.visibilityRequest,
      response,
    };
    app.post('/api/jobs/:job/visibility', { config, schema: seeing }, async (request) =>
      lifecycle.setVisibility(request.params.job, await signedIn(request), request.body.visibility),
    );

    const deleting = {
      operationId: 'deleteJob',
      tags,
      summary: 'Delete a job that has ended',
      description: 'Its results, files and inputs. Its figures and its receipt stay, for its requester.',
      params,
      response,
    };
    app.delete('/api/jobs/:job', { config, schema: deleting }, async (request) => lifecycle.remove(request.params.job, await signedIn(request)));

    const listing = {
      operationId: 'listFiles',
      tags,
      summary: 'List the files of a job',
      description: 'What it ends in, there once it is done. Each is made when it is first asked for.',
      security: anybody('jobs:read'),
      params,
      response: { 200: Type.Object({ files: Type.Array(schemas.jobFile) }) },
    };
    app.get('/api/jobs/:job/files', { config: { scope: 'jobs:read' }, schema: listing }, async (request) => ({
      files: await lifecycle.files(request.params.job, await ownerOf(request)),
    }));
  };
