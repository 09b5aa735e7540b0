import { existsSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { siteId } from '../../shared/schemas.ts';
import type { StoredSite } from '../store/store.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';
import { allowFraming, EMBEDDED } from './security.ts';

/** Addresses that the single page answers. */
const pages = [
  '/',
  '/submit',
  '/jobs/:id',
  '/jobs/:id/receipt',
  '/jobs/:id/wall',
  '/gallery',
  '/account',
  '/groups',
  '/join',
  '/network',
  '/operator',
  '/policy',
  '/api',
  '/ui',
];

const NOT_BUILT = 'The pages are not built yet. Run: npm run build (npm start does it by itself).\n';
const NO_SITE = 'This site is not registered here.\n';
const IMMUTABLE = 'public, max-age=31536000, immutable';

const widgetQuery = Type.Object({ site: Type.Optional(Type.String({ maxLength: 40 })) });
const isSiteId = (text: string | undefined): text is StoredSite['id'] => Value.Check(siteId, text);

const defaultClientFolder = join(import.meta.dirname, '../../dist/client');

const plainText = (reply: FastifyReply, status: number, text: string): FastifyReply =>
  reply.code(status).header('cache-control', 'no-store').type('text/plain; charset=utf-8').send(text);

/** A browser that follows a link, not a script that asks for data. */
const wantsPage = ({ method, headers }: FastifyRequest): boolean => method === 'GET' && (headers.accept ?? '').includes('text/html');

/** The built pages: one page for all addresses of ours, the widget's loader, and its pages for each site. */
export async function addPages(app: FastifyInstance, { store, config, clientFolder = defaultClientFolder }: AppDeps): Promise<void> {
  const built = existsSync(join(clientFolder, 'index.html'));
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, async (request, reply) => {
    if (built && wantsPage(request)) return reply.code(404).sendFile('index.html');
    throw new HttpError('not_found', 'There is nothing here.');
  });
  if (!built) {
    for (const page of [...pages, '/widget.js', '/widget/frame', '/widget/consent', '/widget/run'])
      app.get(page, async (_request, reply) => plainText(reply, 503, NOT_BUILT));
    return;
  }
  const shared = new Set(['widget.js', 'sdk.js'].map((file) => join(clientFolder, file)));
  await app.register(fastifyStatic, {
    root: clientFolder,
    index: false,
    cacheControl: false,
    // The build writes them (vite.config.ts).
    preCompressed: true,
    setHeaders(reply, sent) {
      const path = sent.replace(/\.(br|gz)$/, '');
      // Vite names what lies in assets/ by its content; everything else keeps its name and is asked for each time.
      const isHashed = relative(clientFolder, path).startsWith(`assets${sep}`);
      reply.header('cache-control', isHashed ? IMMUTABLE : 'no-cache');
      if (isHashed) reply.header('cross-origin-embedder-policy', EMBEDDED);
      // Any page may embed these, also as modules, which browsers load by the rules of CORS.
      if (shared.has(path)) reply.header('cross-origin-resource-policy', 'cross-origin').header('access-control-allow-origin', '*');
    },
  });
  for (const page of pages) app.get(page, async (_request, reply) => reply.sendFile('index.html'));
  addWidgetPages(app, { store, config });
}

function addWidgetPages(app: FastifyInstance, { store, config }: Pick<AppDeps, 'store' | 'config'>): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  const siteOf = async (id: string | undefined): Promise<StoredSite | undefined> => (isSiteId(id) ? store.people.site(id) : undefined);

  typed.get('/widget/frame', { schema: { querystring: widgetQuery } }, async (request, reply) => {
    const site = await siteOf(request.query.site);
    if (!site) return plainText(reply, 404, NO_SITE);
    allowFraming(config, reply, site.origin);
    return reply.sendFile('widget/frame.html');
  });

  // Never in a frame: what is agreed to, and what runs, must be seen, with our address above it.
  for (const page of ['consent', 'run'])
    typed.get(`/widget/${page}`, { schema: { querystring: widgetQuery } }, async (request, reply) => {
      if (!(await siteOf(request.query.site))) return plainText(reply, 404, NO_SITE);
      return reply.sendFile(`widget/${page}.html`);
    });
}
