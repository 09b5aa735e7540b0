import { existsSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { siteId } from '../../shared/schemas.ts';
import type { StoredSite } from '../store/store.ts';
import type { AppDeps } from './deps.ts';
import { allowFraming } from './security.ts';

/** Addresses that the single page answers. */
const pages = ['/', '/submit', '/jobs/:id', '/gallery', '/account', '/ui'];

const NOT_BUILT = 'The pages are not built yet. Run: npm run build (npm start does it by itself).\n';
const IMMUTABLE = 'public, max-age=31536000, immutable';

const widgetQuery = Type.Object({ site: Type.Optional(Type.String({ maxLength: 40 })) });
const isSiteId = (text: string | undefined): text is StoredSite['id'] => text !== undefined && new RegExp(siteIdPattern).test(text);
const siteIdPattern = (siteId as unknown as { pattern: string }).pattern;

const defaultClientFolder = join(import.meta.dirname, '../../dist/client');

const plainText = (reply: FastifyReply, status: number, text: string): FastifyReply =>
  reply.code(status).header('cache-control', 'no-store').type('text/plain; charset=utf-8').send(text);

/** The built pages: one page for all addresses of ours, the widget's loader, and its two pages for each site. */
export const pageRoutes =
  ({ store, clientFolder = defaultClientFolder }: AppDeps): FastifyPluginAsyncTypebox =>
  async (app) => {
    const siteOf = async (id: string | undefined): Promise<StoredSite | undefined> => (isSiteId(id) ? store.people.site(id) : undefined);

    if (!existsSync(join(clientFolder, 'index.html'))) {
      for (const page of [...pages, '/widget.js', '/widget/frame', '/widget/consent'])
        app.get(page, async (_request, reply) => plainText(reply, 503, NOT_BUILT));
      return;
    }
    await app.register(fastifyStatic, {
      root: clientFolder,
      index: false,
      cacheControl: false,
      setHeaders(reply, path) {
        // Vite names what lies in assets/ by its content; everything else keeps its name and is asked for each time.
        const isHashed = relative(clientFolder, path).startsWith(`assets${sep}`);
        reply.header('cache-control', isHashed ? IMMUTABLE : 'no-cache');
        if (path === join(clientFolder, 'widget.js')) reply.header('cross-origin-resource-policy', 'cross-origin');
      },
    });
    for (const page of pages) app.get(page, async (_request, reply) => reply.sendFile('index.html'));

    app.get('/widget/frame', { schema: { querystring: widgetQuery } }, async (request, reply) => {
      const site = await siteOf(request.query.site);
      if (!site) return plainText(reply, 404, 'This site is not registered here.\n');
      allowFraming(reply, site.origin);
      return reply.sendFile('widget/frame.html');
    });

    // Never in a frame: what is agreed to must be seen, with our address above it.
    app.get('/widget/consent', { schema: { querystring: widgetQuery } }, async (request, reply) => {
      if (!(await siteOf(request.query.site))) return plainText(reply, 404, 'This site is not registered here.\n');
      return reply.sendFile('widget/consent.html');
    });
  };
