import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { MINUTE_MS } from '../../shared/limits.ts';
import * as schemas from '../../shared/schemas.ts';
import { newGoneOwner } from '../ids.ts';
import { ErasureRefused } from '../store/erasure.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';
import type { Sessions } from './session.ts';

const TRIES = 20;
/** Each may read and rename a long history. No `Idempotency-Key`: its row would name who is gone. A second request finds no session. */
const erasing = { rateLimit: { max: TRIES, timeWindow: 10 * MINUTE_MS }, problems: [409] };

/** A person's right to be forgotten (GDPR, article 17). For sessions alone. */
export const erasureRoutes =
  ({ store, clock, randomBytes, erased, siteEnded, sessionEnded, consentEnded, groupsChanged }: AppDeps, sessions: Sessions): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.delete(
      '/api/account',
      {
        config: erasing,
        schema: {
          operationId: 'deleteAccount',
          tags: ['Account'],
          summary: 'Delete all data of the account',
          description:
            'Sessions, keys, jobs with their files, groups, sites and texts go; the ledger keeps amounts, under a random name. Refused while jobs or withdrawals are open, and while credits are left unless `forfeit` is true. It cannot be undone.',
          body: schemas.erasureRequest,
          response: { 200: schemas.nothing },
        },
      },
      async (request, reply) => {
        const { owner } = await sessions.require(request);
        const { forfeit = false } = request.body;
        const all = await store.erasure.erase({ owner, forfeit, newName: () => newGoneOwner(randomBytes), atMs: clock() }).catch((error: unknown) => {
          throw error instanceof ErasureRefused ? new HttpError('conflict', error.message, error.field, error.limit) : error;
        });
        sessions.clearCookie(request, reply);
        for (const hash of all.sessions) sessionEnded(hash);
        for (const consent of all.consents) consentEnded(consent);
        for (const site of all.sites) siteEnded(site, 'This site does not run here any more.');
        await erased(all);
        for (const { owner: member, group } of all.dismissed) await groupsChanged(member, group);
        return {};
      },
    );
  };
