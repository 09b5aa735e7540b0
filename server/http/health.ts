import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { SECOND_MS } from '../../shared/limits.ts';
import type { JobId } from '../../shared/model.ts';
import type { Load, Unready } from '../load.ts';
import type { Metrics } from '../metrics.ts';
import type { Store } from '../store/store.ts';
import { HttpError } from './errors.ts';

export interface HealthDeps {
  readonly store: Pick<Store, 'jobs'>;
  readonly load: Load;
  readonly metrics: Metrics;
  /** Something else that stands in the way; null: nothing. */
  readonly unready?: () => Unready | null;
}

const STORE_MS_MAX = SECOND_MS;
const STORE_RETRY_MS = 5 * SECOND_MS;
/** A row that is not there: looking for it reads one page of an index. */
const NOBODYS = 'j_0000000000000000' as JobId;

const busy = ({ reason, retryMs }: Unready): HttpError => new HttpError('busy', reason, undefined, undefined, { retryAfterS: retryMs / SECOND_MS });

async function isReachable(store: Pick<Store, 'jobs'>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), STORE_MS_MAX);
  const asked = store.jobs.get(NOBODYS).then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([asked, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * `GET /healthz`: the process answers. `GET /readyz`: it may be sent requests. Requests are timed and counted as under way; none but those of routes
 * with `always` begins while the process ends or does not keep up.
 */
export function addHealth(app: FastifyInstance, { store, load, metrics, unready }: HealthDeps): void {
  app.addHook('onRequest', async (request, reply) => {
    // Also of one whose reader has gone: Fastify calls that no response.
    reply.raw.once('close', load.begin());
    // For whoever reports a problem: the log has it as `reqId`.
    reply.header('x-request-id', request.id);
    if (request.routeOptions.config.always) return;
    const refusal = load.refusal();
    if (!refusal) return;
    // The next request of this connection may go to another process.
    reply.header('connection', 'close');
    throw busy(refusal);
  });
  app.addHook('onResponse', async (request, reply) => {
    metrics.request(request.method, request.is404 ? 'none' : (request.routeOptions.url ?? 'none'), reply.statusCode, reply.elapsedTime);
  });

  const tags = ['Service'];
  const answering = { operationId: 'getHealth', tags, summary: 'See whether it answers', response: { 200: Type.Object({ ok: Type.Boolean() }) } };
  app.get('/healthz', { config: { scope: 'any', always: true }, schema: answering }, async () => ({ ok: true }));

  const ready = {
    operationId: 'getReadiness',
    tags,
    summary: 'See whether it takes work',
    description: 'Busy while it is about to restart, does not keep up or cannot reach its database: `Retry-After` says when to ask again.',
    response: { 200: Type.Object({ ready: Type.Boolean() }) },
  };
  app.get('/readyz', { config: { scope: 'any', always: true }, schema: ready }, async (_request, reply) => {
    const refusal = load.refusal() ?? unready?.() ?? null;
    if (refusal) throw busy(refusal);
    if (!(await isReachable(store))) throw busy({ reason: 'The database does not answer.', retryMs: STORE_RETRY_MS });
    return reply.header('cache-control', 'no-store').send({ ready: true });
  });
}
