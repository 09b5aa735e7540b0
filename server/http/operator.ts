import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { HOUR_MS, limits } from '../../shared/limits.ts';
import type { OperatorPage, OperatorView } from '../../shared/schemas.ts';
import * as schemas from '../../shared/schemas.ts';
import type { Actor, Operating } from '../operating.ts';
import type { AppDeps } from './deps.ts';
import { OperatorSessions } from './operator-session.ts';
import { siteStateOf } from './sites.ts';

const LINKS_PER_ADDRESS_HOUR_MAX = 20;

/** One row more than is shown tells whether there is a next page. */
const PAGE = { limit: limits.operatorRowsMax + 1 };

function pageOf<Row extends { readonly seq: number }>(rows: readonly Row[]): OperatorPage<Row> {
  const shown = rows.slice(0, limits.operatorRowsMax);
  return { rows: shown, next: rows.length > shown.length ? (shown.at(-1)?.seq ?? null) : null };
}

const path = {
  job: Type.Object({ job: schemas.jobId }),
  report: Type.Object({ report: schemas.reportId }),
  hash: Type.Object({ hash: schemas.blobHash }),
  contributor: Type.Object({ contributor: schemas.contributorId }),
  site: Type.Object({ site: schemas.siteId }),
};
/** No part of the requesters' API. */
const hide = true;

export interface OperatorRouteDeps extends Pick<AppDeps, 'config' | 'store' | 'clock' | 'randomBytes' | 'isSuspended'> {
  readonly operating: Operating;
}

/** The operator's page: looks at everything, acts with a reason. No route here answers without an operator's session but the one that makes it. */
export const operatorRoutes =
  ({ operating, ...deps }: OperatorRouteDeps): FastifyPluginAsyncTypebox =>
  async (app) => {
    const { store, isSuspended } = deps;
    const { tables } = store.moderation;
    const sessions = new OperatorSessions(deps);
    const actor = async (request: FastifyRequest<{ Body: { reason: string } }>): Promise<Actor> => ({
      session: (await sessions.require(request)).id,
      reason: request.body.reason,
    });
    app.addHook('onSend', async (_request, reply) => void reply.header('cache-control', 'no-store'));

    const rateLimit = { max: LINKS_PER_ADDRESS_HOUR_MAX, timeWindow: HOUR_MS };
    app.post('/api/operator/session', { config: { rateLimit }, schema: { hide, body: schemas.operatorToken } }, async (request, reply) => {
      await sessions.begin(request, reply, request.body.token);
      return {};
    });
    app.delete('/api/operator/session', { schema: { hide } }, async (request, reply) => {
      await sessions.end(request, reply);
      return {};
    });

    app.get('/api/operator', { schema: { hide } }, async (request): Promise<OperatorView> => {
      const { id, expiresMs } = await sessions.require(request);
      return { session: id, expiresMs, openReports: await tables.countOpenReports(), paused: operating.paused, drills: operating.drills };
    });

    app.get('/api/operator/reports', { schema: { hide, querystring: schemas.reportsQuery } }, async (request) => {
      await sessions.require(request);
      const { before, closed = false } = request.query;
      return pageOf(await tables.reports({ ...PAGE, before, closed }));
    });
    app.post('/api/operator/reports/:report/dismiss', { schema: { hide, params: path.report, body: schemas.operatorAction } }, async (request) => {
      await operating.dismissReport(request.params.report, await actor(request));
      return {};
    });

    app.get('/api/operator/jobs', { schema: { hide, querystring: schemas.rowsQuery } }, async (request) => {
      await sessions.require(request);
      return pageOf(await tables.jobs({ ...PAGE, before: request.query.before }));
    });
    app.post('/api/operator/jobs/:job/hide', { schema: { hide, params: path.job, body: schemas.hideRequest } }, async (request) => {
      await operating.hide(request.params.job, request.body.hidden, await actor(request));
      return {};
    });
    app.post('/api/operator/jobs/:job/take-down', { schema: { hide, params: path.job, body: schemas.takeDownRequest } }, async (request) =>
      operating.takeDown(request.params.job, request.body.ban, await actor(request)),
    );

    app.get('/api/operator/contents', { schema: { hide, querystring: schemas.rowsQuery } }, async (request) => {
      await sessions.require(request);
      return pageOf(await tables.contents({ ...PAGE, before: request.query.before }));
    });
    app.post('/api/operator/contents', { schema: { hide, body: schemas.banRequest } }, async (request) =>
      operating.ban(request.body.hash, await actor(request)),
    );
    app.post('/api/operator/contents/:hash/lift', { schema: { hide, params: path.hash, body: schemas.operatorAction } }, async (request) => {
      await operating.liftBan(request.params.hash, await actor(request));
      return {};
    });

    app.get('/api/operator/contributors', { schema: { hide } }, async (request) => {
      await sessions.require(request);
      return { rows: await operating.contributors(), next: null };
    });
    app.post(
      '/api/operator/contributors/:contributor/pardon',
      { schema: { hide, params: path.contributor, body: schemas.operatorAction } },
      async (request) => {
        await operating.pardon(request.params.contributor, await actor(request));
        return {};
      },
    );

    app.get('/api/operator/sites', { schema: { hide, querystring: schemas.rowsQuery } }, async (request) => {
      await sessions.require(request);
      const { rows, next } = pageOf(await tables.sites({ ...PAGE, before: request.query.before }));
      const shown = rows.map((site) => {
        const { id, name, origin, sharePercent, createdMs } = site;
        return { id, name, origin, sharePercent, createdMs, state: siteStateOf(site, isSuspended) };
      });
      return { rows: shown, next };
    });
    app.post('/api/operator/sites/:site/suspend', { schema: { hide, params: path.site, body: schemas.suspendRequest } }, async (request) => {
      await operating.suspendSite(request.params.site, request.body.suspended, await actor(request));
      return {};
    });

    app.get('/api/operator/ledger', { schema: { hide } }, async (request): Promise<schemas.LedgerView> => {
      await sessions.require(request);
      const [units, accounts] = await Promise.all([store.ledger.audit(), tables.accounts()]);
      return {
        units: units.map(({ sum, ...unit }) => ({ ...unit, sumMicroCredits: sum.toString() })),
        accounts: accounts.map(({ microCredits, ...account }) => ({ ...account, microCredits: microCredits.toString() })),
      };
    });

    app.post('/api/operator/pause', { schema: { hide, body: schemas.operatorAction } }, async (request) => {
      await operating.pauseNetwork(await actor(request));
      return {};
    });
    app.post('/api/operator/resume', { schema: { hide, body: schemas.operatorAction } }, async (request) => {
      await operating.resumeNetwork(await actor(request));
      return {};
    });

    app.get('/api/operator/log', { schema: { hide, querystring: schemas.logQuery } }, async (request) => {
      await sessions.require(request);
      return pageOf(await tables.log({ ...PAGE, ...request.query }));
    });
  };
