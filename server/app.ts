import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import cookie from '@fastify/cookie';
import rateLimit from '@fastify/rate-limit';
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import type { Scope } from '../shared/api-schemas.ts';
import { HOUR_MS, limits, MINUTE_MS, SECOND_MS } from '../shared/limits.ts';
import { atCap, type Cap, hit } from './caps.ts';
import { accountRoutes } from './http/account.ts';
import { agreementRoutes } from './http/agreement.ts';
import { apiKeyRoutes } from './http/api-keys.ts';
import { ApiKeys, guardKeys } from './http/bearer.ts';
import { consentRoutes } from './http/consents.ts';
import { shareWithKeys } from './http/cors.ts';
import { Cursors } from './http/cursors.ts';
import type { AppDeps } from './http/deps.ts';
import { erasureRoutes } from './http/erasure.ts';
import { answerError, HttpError } from './http/errors.ts';
import { exampleRoutes } from './http/examples.ts';
import { groupRoutes } from './http/groups.ts';
import { addHealth } from './http/health.ts';
import { addIdempotency } from './http/idempotency.ts';
import { describeApi, serveDescription } from './http/openapi.ts';
import { addPages } from './http/pages.ts';
import { addParsers } from './http/parsing.ts';
import { bareHeaders, secure } from './http/security.ts';
import { Sessions } from './http/session.ts';
import { signInRoutes } from './http/sign-in.ts';
import { siteRoutes } from './http/sites.ts';
import { uploadRoutes } from './http/uploads.ts';
import { workloadRoutes } from './http/workloads.ts';
import { logOptions } from './logging.ts';
import { rawAnswer } from './raw-answer.ts';
import { Uploads } from './uploads.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What an API key must be allowed for this route, `any` where everybody may ask; without it the route is for sessions and guests alone. */
    scope?: Scope | 'any';
    /** Honours `Idempotency-Key`. */
    idempotent?: boolean;
    /** Answered also while nothing new is begun. */
    always?: boolean;
    /** `Authorization: Bearer` here is no API key. */
    ownBearer?: boolean;
    /** Which of `limits` its `rateLimit` is. */
    cap?: Cap;
    /** Refusals to document beside those that every route of its kind has. */
    problems?: readonly number[];
  }
  interface FastifyInstance {
    /** Tells routes that are added later whose session a request has. */
    readonly sessions: Sessions;
    /** Where the lists of those routes go on. */
    readonly cursors: Cursors;
  }
}

/** Addresses whose requests are counted at a time. */
const COUNTED_ADDRESSES_MAX = 50_000;
const BAD_REQUEST = 400;
const CLIENT_ERRORS: Readonly<Record<string, number>> = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 };
/** Connections are looked at so often for whether they have taken too long. */
const TIMEOUTS_CHECKED_MS = SECOND_MS;

/** Fastify leaves these to whoever makes the server. Without them a connection could be held open for ever. */
const timeouts = { requestTimeout: limits.requestMsMax, headersTimeout: limits.headersMsMax, connectionsCheckingInterval: TIMEOUTS_CHECKED_MS };

/**
 * The HTTP edge without a port: tests use `inject`, the process calls `listen`. Routes for jobs and blobs are registered by
 * the caller, who has the coordinator. Everything that is refused leaves as a `Problem`.
 */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const { config } = deps;
  const verbose = config.logLevel === 'debug' || config.logLevel === 'trace';
  const app = Fastify({
    ...logOptions(config, deps.logStream),
    logController: new LogController({ disableRequestLogging: !verbose }),
    // One hop: what stands before the last address in X-Forwarded-For is what the client says of itself.
    trustProxy: config.trustProxy ? (_address, hops) => hops === 0 : false,
    bodyLimit: limits.jsonBodyBytesMax,
    serverFactory: (handler) => (deps.certificate ? createTlsServer({ ...deps.certificate, ...timeouts }, handler) : createServer(timeouts, handler)),
    // Hooks hear of neither.
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply.headers(bareHeaders(config))),
    clientErrorHandler: ({ code }, socket) => {
      const status = CLIENT_ERRORS[code] ?? BAD_REQUEST;
      if (socket.writable) socket.write(rawAnswer(status, 'This is no request that could be understood.', bareHeaders(config)));
      socket.destroy();
    },
  });
  capConnections(app.server);
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  app.setErrorHandler(answerError);
  addParsers(app);
  shareWithKeys(app);
  await secure(app, config);
  await app.register(cookie);
  await describeApi(app, config);
  await app.register(rateLimit, {
    max: limits.requestsPerAddressMinuteMax,
    timeWindow: MINUTE_MS,
    cache: COUNTED_ADDRESSES_MAX,
    errorResponseBuilder: ({ routeOptions }, { after, max }) =>
      atCap(
        routeOptions.config.cap ?? 'requestsPerAddressMinuteMax',
        new HttpError('too_many', `Too many requests; try again in ${after}.`, undefined, `${max} requests`),
      ),
  });
  const countGrant = app.createRateLimit({ max: limits.grantsPerAddressHourMax, timeWindow: HOUR_MS });
  const apiKeys = new ApiKeys(deps);
  const sessions = new Sessions(deps, apiKeys, async (request) => {
    const granted = await countGrant(request);
    const mayGrant = granted.isAllowed || !granted.isExceeded;
    if (!mayGrant) hit('grantsPerAddressHourMax');
    return mayGrant;
  });
  const cursors = new Cursors(await deps.store.keys.of('cursor'));
  app.decorate('sessions', sessions);
  app.decorate('cursors', cursors);
  guardKeys(app, apiKeys);
  addIdempotency(app, { ...deps, ownerOf: sessions.ownerOf });
  serveDescription(app);
  addHealth(app, deps);
  const { blobs, clock, randomBytes, metrics } = deps;
  const uploads = await Uploads.open({ folder: config.uploadsDir, blobs, clock, randomBytes });
  app.addHook('onClose', () => uploads.close());
  const ownerChanged: AppDeps['ownerChanged'] = async (from, to) => {
    await uploads.changeOwner(from, to);
    await deps.ownerChanged(from, to);
  };
  await app.register(accountRoutes(deps, sessions, cursors));
  await app.register(apiKeyRoutes(deps, sessions, cursors));
  await app.register(signInRoutes({ ...deps, ownerChanged }, sessions));
  const erased: AppDeps['erased'] = async (all) => {
    for (const name of all.names) await uploads.removeOf(name);
    await deps.erased(all);
  };
  await app.register(erasureRoutes({ ...deps, erased }, sessions));
  await app.register(consentRoutes(deps, sessions, cursors));
  await app.register(siteRoutes(deps, sessions));
  await app.register(groupRoutes(deps, sessions));
  await app.register(uploadRoutes({ config, blobs, uploads, metrics }, sessions));
  await app.register(agreementRoutes(deps));
  await app.register(workloadRoutes);
  await app.register(exampleRoutes());
  await addPages(app, deps);
  return app;
}

/** What is cut off is counted: headers and bodies that take too long, connections beyond the cap. */
function capConnections(server: Server): void {
  server.maxConnections = limits.connectionsMax;
  server.on('drop', () => hit('connectionsMax'));
  const begun = new WeakSet<object>();
  server.on('request', ({ socket }, response) => {
    begun.add(socket);
    response.once('finish', () => begun.delete(socket));
  });
  server.prependListener('clientError', ({ code }: NodeJS.ErrnoException, socket) => {
    if (code === 'ERR_HTTP_REQUEST_TIMEOUT') hit(begun.has(socket) ? 'requestMsMax' : 'headersMsMax');
  });
}
