import type { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { JobView } from '../../shared/schemas.ts';
import * as schemas from '../../shared/schemas.ts';
import type { Jobs, Told } from '../jobs.ts';
import type { Watching } from '../watching.ts';
import { type EventStreams, endIdOf, eventText } from './event-streams.ts';
import { anybody } from './openapi.ts';
import type { Session } from './session.ts';

export interface EventRouteDeps {
  readonly jobs: Pick<Jobs, 'visible' | 'view' | 'told'>;
  readonly watching: Watching;
  readonly streams: EventStreams;
  /** The request's session; undefined without one. */
  readonly sessionOf: (request: FastifyRequest) => Promise<Pick<Session, 'owner' | 'hash'> | undefined>;
}

/** Milliseconds of what was told last, and whether that was the end. */
const lastId = /^(\d{1,15})(\.end)?$/;

const schema = {
  operationId: 'jobEvents',
  tags: ['Jobs'],
  summary: 'Follow a job',
  security: anybody('jobs:read'),
  description:
    'What happens to a job, as server-sent events: `job` (JobView), `tile` (AcceptedView), `revoked` ({result}) and, last, `end` (JobView). Starts with the ' +
    'job and the results accepted since Last-Event-ID; each is told at least once.',
  params: Type.Object({ job: schemas.jobId }),
  response: {
    200: { description: 'A stream of events', content: { 'text/event-stream': { schema: Type.Unsafe<Readable>(Type.String()) } } },
    204: Type.Unsafe<undefined>(Type.Null({ description: 'Everything was told before: do not connect again.' })),
  },
};

/** Jobs for whoever cannot, or does not want to, open a socket. */
export const eventRoutes =
  ({ jobs, watching, streams, sessionOf }: EventRouteDeps): FastifyPluginAsyncTypebox =>
  async (app) => {
    watching.add(streams);
    app.addHook('preClose', async () => streams.close());

    // A HEAD would be a stream that nobody reads.
    app.get('/api/jobs/:job/events', { config: { scope: 'jobs:read' }, exposeHeadRoute: false, schema }, async (request, reply) => {
      const { job: id } = request.params;
      const last = String(request.headers['last-event-id'] ?? '');
      const session = await sessionOf(request);
      const owner = session?.owner;
      const stored = await jobs.visible(id, owner);
      if (stored.status !== 'open' && last === endIdOf(stored)) return reply.code(204).send();
      // Open before the past is read: something may then be told twice, but never missed.
      const stream = streams.open({ job: id, owner, address: request.ip, session: session?.hash ?? null });
      try {
        const view = await jobs.view(id, owner);
        stream.mine = view.mine;
        const since = lastId.exec(last)?.[1];
        const told = await jobs.told(id, owner, since === undefined ? null : Number(since));
        void stream.begin(past(view, told), view.status !== 'open');
      } catch (error) {
        stream.gone();
        throw error;
      }
      return reply.type('text/event-stream').header('cache-control', 'no-store').header('x-accel-buffering', 'no').send(stream.body);
    });
  };

function* past(view: JobView, told: readonly Told[]): Iterable<string> {
  yield eventText('job', view);
  for (const { atMs, accepted, result } of told) {
    if (accepted) yield eventText('tile', accepted, String(atMs));
    else yield eventText('revoked', { result }, String(atMs));
  }
  if (view.status !== 'open') yield eventText('end', view, endIdOf(view));
}
