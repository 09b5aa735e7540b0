import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { toBase64Url } from '../../shared/formats.ts';
import { HOUR_MS } from '../../shared/limits.ts';
import type { SiteId } from '../../shared/model.ts';
import type { OwnSiteView, SiteState, SiteView } from '../../shared/schemas.ts';
import * as schemas from '../../shared/schemas.ts';
import { newSiteId } from '../ids.ts';
import { PROOF_PATH, ProofError, proves } from '../proof.ts';
import type { Store, StoredSite } from '../store/store.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';
import type { Sessions } from './session.ts';

/** A statement reads two index ranges per site. */
const SITES_PER_OWNER_MAX = 50;
/** Each makes the coordinator fetch a file of somebody else's server. */
const PROOFS_PER_ADDRESS_HOUR_MAX = 60;
const TOKEN_BYTES = 24;

/** What stands in the way of a site's cards, the operator's word first. */
export const siteStateOf = (
  { id, switchedOffMs, provenMs }: Pick<StoredSite, 'id' | 'switchedOffMs' | 'provenMs'>,
  isSuspended: (site: SiteId) => boolean,
): SiteState => (isSuspended(id) ? 'suspended' : switchedOffMs !== null ? 'off' : provenMs === null ? 'unproven' : 'ready');

const refusals: Readonly<Record<Exclude<SiteState, 'ready'>, string>> = {
  suspended: 'The operator of this coordinator has suspended this site.',
  off: 'The owner of this site has switched its card off.',
  unproven: 'Nobody has proven yet whose domain this is, so nothing may run for it.',
};

/** Throws unless visitors of the site may agree. */
export function requireReady(site: StoredSite, isSuspended: (site: SiteId) => boolean): void {
  const state = siteStateOf(site, isSuspended);
  if (state !== 'ready') throw new HttpError(state === 'suspended' ? 'suspended' : 'forbidden', refusals[state], 'site');
}

/** Sites that embed the widget. */
export const siteRoutes =
  ({ store, clock, randomBytes, isSuspended, siteEnded, readProof, networkOf }: AppDeps, sessions: Sessions): FastifyPluginAsyncTypebox =>
  async (app) => {
    /** What every visitor of the site may know. */
    const siteView = (site: StoredSite): SiteView => {
      const { id, name, origin, sharePercent } = site;
      return { id, name, origin, sharePercent, state: siteStateOf(site, isSuspended) };
    };
    const ownSiteView = async (site: StoredSite): Promise<OwnSiteView> => {
      const [earned, figures] = await Promise.all([store.ledger.balance(`site/${site.id}`, 'test'), store.people.siteFigures(site.id)]);
      return {
        ...siteView(site),
        token: site.token,
        proofUrl: `${site.origin}${PROOF_PATH}`,
        earnedMicroCredits: earned.toString(),
        vestingMicroCredits: ((figures.vestingMicroCredits * BigInt(site.sharePercent)) / 100n).toString(),
        visitors: figures.visitors,
        tiles: figures.tiles,
      };
    };
    const params = Type.Object({ site: schemas.siteId });

    async function ownSite(request: FastifyRequest, id: SiteId): Promise<StoredSite> {
      const { owner } = await sessions.require(request);
      const site = await existing(store, id);
      if (site.owner !== owner) throw new HttpError('forbidden', 'This site is somebody else’s.');
      return site;
    }

    app.post('/api/sites', { schema: { body: schemas.siteRequest } }, async (request, reply) => {
      const { owner } = await sessions.require(request);
      const { name, origin, sharePercent } = request.body;
      // It goes into a header that browsers compare with their own spelling of origins.
      if (!URL.canParse(origin) || new URL(origin).origin !== origin)
        throw new HttpError('bad_input', 'This is not how browsers write an origin.', 'origin', 'such as https://museum.example');
      if ((await store.people.sitesOf(owner)).length >= SITES_PER_OWNER_MAX) throw new HttpError('too_many', `At most ${SITES_PER_OWNER_MAX} sites.`);
      const site: StoredSite = {
        id: newSiteId(randomBytes),
        owner,
        name,
        origin,
        sharePercent,
        createdMs: clock(),
        token: toBase64Url(randomBytes(TOKEN_BYTES)),
        provenMs: null,
        switchedOffMs: null,
        network: networkOf(request),
      };
      await store.people.createSite(site);
      return reply
        .code(201)
        .header('location', `/api/sites/${site.id}`)
        .send(await ownSiteView(site));
    });

    app.get('/api/sites', async (request) => {
      const { owner } = await sessions.require(request);
      const sites = await store.people.sitesOf(owner);
      return { sites: await Promise.all(sites.map(ownSiteView)) };
    });

    app.get('/api/sites/:site', { schema: { params } }, async (request) => siteView(await existing(store, request.params.site)));

    const rateLimit = { max: PROOFS_PER_ADDRESS_HOUR_MAX, timeWindow: HOUR_MS };
    app.post('/api/sites/:site/prove', { config: { rateLimit }, schema: { params } }, async (request) => {
      const site = await ownSite(request, request.params.site);
      if (!proves(await proofOf(readProof, site.origin), site.token))
        throw new HttpError('bad_input', `${site.origin}${PROOF_PATH} does not hold the token.`, 'origin', `a line with ${site.token}`);
      await store.people.proveSite(site.id, clock());
      return ownSiteView(await existing(store, site.id));
    });

    app.post('/api/sites/:site/switch', { schema: { params, body: schemas.siteSwitch } }, async (request) => {
      const site = await ownSite(request, request.params.site);
      await store.people.switchSite(site.id, request.body.on ? null : clock());
      if (!request.body.on) siteEnded(site.id, refusals.off);
      return ownSiteView(await existing(store, site.id));
    });
  };

async function existing(store: Store, id: SiteId): Promise<StoredSite> {
  const site = await store.people.site(id);
  if (!site) throw new HttpError('not_found', 'There is no such site.');
  return site;
}

async function proofOf(readProof: AppDeps['readProof'], origin: string): Promise<string> {
  try {
    return await readProof(origin);
  } catch (error) {
    if (error instanceof ProofError) throw new HttpError('bad_input', error.message, 'origin');
    throw error;
  }
}
