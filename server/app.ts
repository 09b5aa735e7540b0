import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import cookie from '@fastify/cookie';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import type { Scope } from '../shared/api-schemas.ts';
import { HOUR_MS, limits, MINUTE_MS } from '../shared/limits.ts';
import { accountRoutes } from './http/account.ts';
import { agreementRoutes } from './http/agreement.ts';
import { consentRoutes } from './http/consents.ts';
import type { AppDeps } from './http/deps.ts';
import { answerError, HttpError } from './http/errors.ts';
import { exampleRoutes } from './http/examples.ts';
import { groupRoutes } from './http/groups.ts';
import { addPages } from './http/pages.ts';
import { addParsers } from './http/parsing.ts';
import { secure } from './http/security.ts';
import { Sessions } from './http/session.ts';
import { signInRoutes } from './http/sign-in.ts';
import { siteRoutes } from './http/sites.ts';
import { uploadRoutes } from './http/uploads.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What an API key must be allowed for this route; without it the route is for sessions and guests alone. */
    scope?: Scope;
  }
  interface FastifyInstance {
    /** Tells routes that are added later whose session a request has. */
    readonly sessions: Sessions;
  }
}

/** Generous: a page that opens a finished job of thousands of tiles fetches each of them once. */
const REQUESTS_PER_MINUTE_MAX = 12_000;
/** Addresses whose requests are counted at a time. */
const COUNTED_ADDRESSES_MAX = 50_000;
/** A whole upload over a slow line. Without a cap a connection could be held open for ever. */
const REQUEST_MS_MAX = 10 * MINUTE_MS;

/** Fastify leaves these to whoever makes the server. */
const timeouts = { requestTimeout: REQUEST_MS_MAX };

/**
 * The HTTP edge without a port: tests use `inject`, the process calls `listen`. Routes for jobs and blobs are registered by
 * the caller, who has the coordinator. Everything that is refused leaves as an `ErrorBody`.
 */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const { config } = deps;
  const verbose = config.logLevel === 'debug' || config.logLevel === 'trace';
  const app = Fastify({
    logger: config.logLevel === 'silent' ? false : { level: config.logLevel },
    logController: new LogController({ disableRequestLogging: !verbose }),
    // One hop: what stands before the last address in X-Forwarded-For is what the client says of itself.
    trustProxy: config.trustProxy ? (_address, hops) => hops === 0 : false,
    bodyLimit: limits.jsonBodyBytesMax,
    serverFactory: (handler) => (deps.certificate ? createTlsServer({ ...deps.certificate, ...timeouts }, handler) : createServer(timeouts, handler)),
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply),
  });
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  app.setErrorHandler(answerError);
  addParsers(app);
  await secure(app, config);
  await app.register(cookie);
  await app.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'Tessera', version: '1' } } });
  await app.register(rateLimit, {
    max: REQUESTS_PER_MINUTE_MAX,
    timeWindow: MINUTE_MS,
    cache: COUNTED_ADDRESSES_MAX,
    errorResponseBuilder: (_request, { after, max }) => new HttpError('too_many', `Too many requests; try again in ${after}.`, undefined, `${max} requests`),
  });
  const countGrant = app.createRateLimit({ max: limits.grantsPerAddressHourMax, timeWindow: HOUR_MS });
  const sessions = new Sessions(deps, async (request) => {
    const granted = await countGrant(request);
    return granted.isAllowed || !granted.isExceeded;
  });
  app.decorate('sessions', sessions);
  app.get('/healthz', async () => ({ ok: true }));
  await app.register(accountRoutes(deps, sessions));
  await app.register(signInRoutes(deps, sessions));
  await app.register(consentRoutes(deps, sessions));
  await app.register(siteRoutes(deps, sessions));
  await app.register(groupRoutes(deps, sessions));
  await app.register(uploadRoutes(deps, sessions));
  await app.register(agreementRoutes(deps));
  await app.register(exampleRoutes());
  await addPages(app, deps);
  return app;
}
