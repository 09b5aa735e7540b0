import { timingSafeEqual } from 'node:crypto';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { workloadIds } from '../../shaders/registry.ts';
import { fromBase64Url, toBase64Url } from '../../shared/formats.ts';
import { HOUR_MS, limits } from '../../shared/limits.ts';
import type { ContributorId, OwnerId } from '../../shared/model.ts';
import type { ConsentGrant, ConsentRequest, ContributorView, HistoryPage } from '../../shared/schemas.ts';
import * as schemas from '../../shared/schemas.ts';
import { InputError } from '../../shared/workload.ts';
import { newConsentId, newContributorId } from '../ids.ts';
import type { Store, StoredConsent, StoredContributor } from '../store/store.ts';
import type { Cursors } from './cursors.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';
import { consentView, contributorView, historyOf } from './record.ts';
import { refuseUnlessOwnPage } from './security.ts';
import { digestOf, type Sessions } from './session.ts';
import { requireReady } from './sites.ts';

const SECRET_BYTES = 32;
const CONSENTS_PER_ADDRESS_HOUR_MAX = 600;
const credential = /^Contributor (c_[A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})$/;

/** The contributor that knows this secret; undefined for anybody else. */
async function contributorWith(store: Store, id: ContributorId, secret: string): Promise<StoredContributor | undefined> {
  const contributor = await store.people.contributor(id);
  return contributor && timingSafeEqual(contributor.secretHash, digestOf(fromBase64Url(secret))) ? contributor : undefined;
}

/** By the header `authorization: Contributor <id>.<secret>`; undefined without one. Throws on one that is wrong. */
async function contributorOf(store: Store, request: FastifyRequest): Promise<StoredContributor | undefined> {
  const { authorization } = request.headers;
  if (authorization === undefined) return undefined;
  const [, id, secret] = credential.exec(authorization) ?? [];
  const contributor = id && secret ? await contributorWith(store, id as ContributorId, secret) : undefined;
  if (!contributor) throw new HttpError('forbidden', 'This contributor is not known here.', 'authorization');
  return contributor;
}

type Identity = ConsentGrant['contributor'];

/** An identity goes on as long as it belongs to the one who asks; a browser that changed hands gets a new one. */
async function identityFor({ store, clock, randomBytes }: AppDeps, known: ConsentRequest['contributor'], owner: OwnerId): Promise<Identity> {
  if (known) {
    const contributor = await contributorWith(store, known.id, known.secret);
    if (!contributor) throw new HttpError('forbidden', 'This contributor is not known here.', 'contributor');
    if (contributor.owner === owner) return known;
  }
  const id = newContributorId(randomBytes);
  const secret = randomBytes(SECRET_BYTES);
  await store.people.createContributor({
    id,
    secretHash: digestOf(secret),
    owner,
    createdMs: clock(),
  });
  return { id, secret: toBase64Url(secret) };
}

async function grant(deps: AppDeps, { kinds, site, powerPercent, contributor: known }: ConsentRequest, owner: OwnerId): Promise<ConsentGrant> {
  const { store, clock, randomBytes } = deps;
  const unknown = kinds.find((kind) => !(workloadIds as readonly string[]).includes(kind));
  if (unknown !== undefined) throw new InputError('kinds', `There is no workload called ${JSON.stringify(unknown)}.`, workloadIds.join(', '));
  if (site !== null) {
    const stored = await store.people.site(site);
    if (!stored) throw new HttpError('not_found', 'This site is not registered here.', 'site');
    requireReady(stored, deps.isSuspended);
  }
  const contributor = await identityFor(deps, known, owner);
  const grantedMs = clock();
  const consent: StoredConsent = {
    id: newConsentId(randomBytes),
    contributor: contributor.id,
    kinds: [...new Set(kinds)],
    site,
    powerPercent: powerPercent ?? (site === null ? limits.powerPercentMax : limits.sitePowerPercentDefault),
    grantedMs,
    expiresMs: grantedMs + limits.consentMsMax,
    revokedMs: null,
  };
  await store.people.createConsent(consent);
  return { consent: await consentView(store, consent), contributor };
}

/** Consent comes before everything: it makes the identity under which a browser contributes, and ends it at once. */
export const consentRoutes =
  (deps: AppDeps, sessions: Sessions, cursors: Cursors): FastifyPluginAsyncTypebox =>
  async (app) => {
    const { config, store, clock, consentEnded } = deps;
    const rateLimit = { max: CONSENTS_PER_ADDRESS_HOUR_MAX, timeWindow: HOUR_MS };

    app.post('/api/consents', { config: { rateLimit }, schema: { body: schemas.consentRequest } }, async (request, reply): Promise<ConsentGrant> => {
      const owner = await sessions.ownerOf(request);
      if (request.body.site !== null) {
        refuseUnlessOwnPage(config, request);
        // The session's cookie is sent from our own windows only, never from a frame on another site: what a frame asks for ends here.
        if (owner === undefined)
          throw new HttpError('signed_out', 'The browser sent no session. Allow cookies of this address in its settings, then press Yes again.');
        return grant(deps, request.body, owner);
      }
      if (owner !== undefined) return grant(deps, request.body, owner);
      // On our own pages earnings belong to a session, so here one begins.
      return grant(deps, request.body, (await sessions.start(request, reply)).owner);
    });

    app.delete('/api/consents/:consent', { schema: { params: Type.Object({ consent: schemas.consentId }) } }, async (request) => {
      const asking = await contributorOf(store, request);
      const owner = asking ? undefined : (await sessions.require(request)).owner;
      const consent = await store.people.consent(request.params.consent);
      if (!consent) throw new HttpError('not_found', 'There is no such consent.');
      const contributor = asking ?? (await store.people.contributor(consent.contributor));
      const isTheirs = asking ? asking.id === consent.contributor : contributor?.owner === owner;
      if (!isTheirs) throw new HttpError('forbidden', 'This consent was given by somebody else.');
      await store.people.revokeConsent(consent.id, clock());
      consentEnded(consent.id);
      return {};
    });

    app.get('/api/contributors/me', async (request): Promise<ContributorView> => {
      const contributor = await contributorOf(store, request);
      if (!contributor) throw new HttpError('signed_out', 'Send the header authorization: Contributor <id>.<secret>.');
      return contributorView(store, contributor);
    });

    app.get('/api/contributors/me/results', { schema: { querystring: schemas.historyQuery } }, async (request): Promise<HistoryPage> => {
      const contributor = await contributorOf(store, request);
      if (!contributor) throw new HttpError('signed_out', 'Send the header authorization: Contributor <id>.<secret>.');
      return historyOf(store, cursors, contributor.id, [contributor.id], request.query);
    });
  };
