import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { SiteView } from '../../shared/schemas.ts';
import * as schemas from '../../shared/schemas.ts';
import { newSiteId } from '../ids.ts';
import type { Store, StoredSite } from '../store/store.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';
import type { Sessions } from './session.ts';

/** A statement reads two index ranges per site. */
const SITES_PER_OWNER_MAX = 50;

/** What every visitor of the site may know. */
const siteView = ({ id, name, origin, sharePercent }: StoredSite): SiteView => ({ id, name, origin, sharePercent });

const ownSiteView = async (store: Store, site: StoredSite): Promise<SiteView> => ({
  ...siteView(site),
  earnedMicroCredits: (await store.ledger.balance(`site/${site.id}`, 'test')).toString(),
});

/** Sites that embed the widget. */
export const siteRoutes =
  ({ store, clock, randomBytes }: AppDeps, sessions: Sessions): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.post('/api/sites', { schema: { body: schemas.siteRequest } }, async (request, reply) => {
      const { owner } = await sessions.require(request);
      const { name, origin, sharePercent } = request.body;
      // It goes into a header that browsers compare with their own spelling of origins.
      if (!URL.canParse(origin) || new URL(origin).origin !== origin)
        throw new HttpError('bad_input', 'This is not how browsers write an origin.', 'origin', 'such as https://museum.example');
      if ((await store.people.sitesOf(owner)).length >= SITES_PER_OWNER_MAX) throw new HttpError('too_many', `At most ${SITES_PER_OWNER_MAX} sites.`);
      const site: StoredSite = { id: newSiteId(randomBytes), owner, name, origin, sharePercent, createdMs: clock() };
      await store.people.createSite(site);
      return reply
        .code(201)
        .header('location', `/api/sites/${site.id}`)
        .send(await ownSiteView(store, site));
    });

    app.get('/api/sites', async (request) => {
      const { owner } = await sessions.require(request);
      const sites = await store.people.sitesOf(owner);
      return { sites: await Promise.all(sites.map((site) => ownSiteView(store, site))) };
    });

    app.get('/api/sites/:site', { schema: { params: Type.Object({ site: schemas.siteId }) } }, async (request) => {
      const site = await store.people.site(request.params.site);
      if (!site) throw new HttpError('not_found', 'There is no such site.');
      return siteView(site);
    });
  };
