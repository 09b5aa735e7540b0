import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { workloadIds } from '../../shaders/registry.ts';
import { type OwnSiteView, ownSiteView } from '../../shared/schemas.ts';
import { exampleTransfer, temporaryFolder } from '../store/testing.ts';
import { Visitor, withApp } from './testing.ts';

test('a site is made, listed with what it earned, and shown to everybody without', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    const made = await ada.ask<OwnSiteView>('POST', '/api/sites', { name: 'Museum', origin: 'https://museum.example:8443', sharePercent: 20 });
    expect(made.status).toBe(201);
    expect(Value.Check(ownSiteView, made.body)).toBe(true);
    expect(made.body).toMatchObject({ state: 'unproven', visitors: 0, tiles: 0, earnedMicroCredits: '0', vestingMicroCredits: '0' });
    expect((await test.store.people.site(made.body.id))?.network).toBe(`net of ${ada.address}`);
    expect(made.headers.location).toBe(`/api/sites/${made.body.id}`);
    await test.store.commit([{ kind: 'transfer', transfer: exampleTransfer({ id: 'x', credit: `site/${made.body.id}`, microCredits: 7n }) }]);
    const mine = await ada.ask<{ sites: OwnSiteView[] }>('GET', '/api/sites');
    expect(mine.body.sites).toEqual([{ ...made.body, earnedMicroCredits: '7' }]);
    const { id, name, origin, sharePercent, state } = made.body;
    expect((await new Visitor(test).ask('GET', `/api/sites/${id}`)).body).toEqual({ id, name, origin, sharePercent, state });

    const bob = new Visitor(test);
    await bob.start();
    expect((await bob.ask('GET', '/api/sites')).body).toEqual({ sites: [] });
    expect((await new Visitor(test).ask('GET', '/api/sites')).status).toBe(401);
    expect((await new Visitor(test).ask('POST', '/api/sites', { name: 'x', origin: 'https://x.example', sharePercent: 0 })).status).toBe(401);
    expect((await bob.ask('GET', `/api/sites/s_${'0'.repeat(16)}`)).status).toBe(404);
    expect((await bob.ask('GET', '/api/sites/x')).status).toBe(400);
  }));

test.each([
  [{ origin: 'https://museum.example/' }, 'origin'],
  [{ origin: 'https://museum.example:443' }, 'origin'],
  [{ origin: 'https://Museum.example' }, 'origin'],
  [{ origin: "https://museum.example; script-src 'unsafe-inline'" }, 'origin'],
  [{ origin: 'https://museum.example https://evil.example' }, 'origin'],
  [{ origin: 'javascript:alert(1)' }, 'origin'],
  [{ origin: 'https://999.999.999.999' }, 'origin'],
  [{ origin: '*' }, 'origin'],
  [{ sharePercent: 91 }, 'sharePercent'],
  [{ sharePercent: -1 }, 'sharePercent'],
  [{ sharePercent: 1.5 }, 'sharePercent'],
  [{ sharePercent: '20' }, 'sharePercent'],
  [{ name: '' }, 'name'],
  [{ name: 'x'.repeat(81) }, 'name'],
  [{ owner: 'wallet:x' }, 'owner'],
])('%j is refused at %s', (own, field) =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    const owner = await ada.start();
    const refused = await ada.ask('POST', '/api/sites', { name: 'Museum', origin: 'https://museum.example', sharePercent: 20, ...own });
    expect(refused.status).toBe(400);
    expect(refused.body).toMatchObject({ code: 'bad_input', field });
    expect(await test.store.people.sitesOf(owner)).toEqual([]);
  }),
);

test('a domain is proven by a line of its file, asked for by its owner', () =>
  withApp(async (test) => {
    const [ada, eve, guest] = [new Visitor(test), new Visitor(test), new Visitor(test)];
    await ada.start();
    await eve.start();
    const { id, origin, token, proofUrl } = await ada.site();
    expect(proofUrl).toBe('https://museum.example/.well-known/tessera-site.txt');
    const url = `/api/sites/${id}/prove`;
    const missing = await ada.ask('POST', url);
    expect([missing.status, missing.body]).toMatchObject([400, { code: 'bad_input', detail: 'There is no file.', field: 'origin' }]);
    test.proofs.set(origin, 'another token');
    const wrong = await ada.ask('POST', url);
    expect([wrong.status, wrong.body]).toMatchObject([400, { field: 'origin', limit: `a line with ${token}` }]);
    test.proofs.set(origin, `other\r\n${token}`);
    expect([(await eve.ask('POST', url)).status, (await guest.ask('POST', url)).status]).toEqual([403, 401]);
    expect((await guest.ask<OwnSiteView>('GET', `/api/sites/${id}`)).body.state).toBe('unproven');
    expect((await ada.ask<OwnSiteView>('POST', url)).body.state).toBe('ready');
    expect((await ada.ask('POST', `/api/sites/s_${'0'.repeat(16)}/prove`)).status).toBe(404);
  }));

test('the owner switches his site off and on, the operator suspends it: nobody agrees meanwhile, who works is stopped', () =>
  withApp(async (test) => {
    const [ada, eve, guest] = [new Visitor(test), new Visitor(test), new Visitor(test)];
    await ada.start();
    await eve.start();
    await guest.start();
    const { id } = await ada.provenSite(test);
    const url = `/api/sites/${id}/switch`;
    const agreed = async () => {
      const { status, body } = await guest.ask('POST', '/api/consents', { kinds: [workloadIds[0]], site: id });
      return [status, body.code];
    };
    expect(await agreed()).toEqual([200, undefined]);
    expect([(await eve.ask('POST', url, { on: false })).status, (await ada.ask('POST', url, { on: 0 })).status]).toEqual([403, 400]);
    expect(test.endedSites).toEqual([]);
    expect((await ada.ask<OwnSiteView>('POST', url, { on: false })).body.state).toBe('off');
    expect(test.endedSites).toEqual([id]);
    expect(await agreed()).toEqual([403, 'forbidden']);
    test.suspended.add(id);
    // The owner cannot undo what the operator did.
    expect((await ada.ask<OwnSiteView>('POST', url, { on: true })).body.state).toBe('suspended');
    expect(await agreed()).toEqual([403, 'suspended']);
    test.suspended.clear();
    expect(await agreed()).toEqual([200, undefined]);
    expect((await ada.ask<{ sites: OwnSiteView[] }>('GET', '/api/sites')).body.sites).toMatchObject([{ state: 'ready', visitors: 2 }]);
  }));

test('sites are capped', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    const owner = await ada.start();
    for (let site = 0; site < 50; site++) expect((await ada.site()).id).toMatch(/^s_/);
    const refused = await ada.ask('POST', '/api/sites', { name: 'x', origin: 'https://x.example', sharePercent: 0 });
    expect([refused.status, refused.body.code]).toEqual([429, 'too_many']);
    expect(await test.store.people.sitesOf(owner)).toHaveLength(50);
  }));

describe('pages', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  const files = {
    'index.html': '<!doctype html>the app',
    'widget/frame.html': '<!doctype html>the frame',
    'widget/consent.html': '<!doctype html>the consent',
    'widget/run.html': '<!doctype html>the run window',
    'widget.js': 'loader()',
    'assets/index-abc123.js': 'app()',
    'icon.svg': '<svg/>',
    'widget.js.br': 'as brotli',
    'assets/index-abc123.js.gz': 'as gzip',
  };
  beforeAll(() => {
    folder = temporaryFolder();
    for (const place of ['widget', 'assets']) mkdirSync(join(folder.path, place));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder.path, name), text);
  });
  afterAll(() => folder.remove());
  const withPages = (run: Parameters<typeof withApp<void>>[0]) => withApp(run, { clientFolder: folder.path });

  const strict = [
    "default-src 'self'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "connect-src 'self' ws://localhost:*",
    "worker-src 'self' blob:",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');

  test('every address of the single page answers with it, strictly', () =>
    withPages(async (test) => {
      for (const page of ['/', '/submit', '/jobs/j_0123456789abcdef', '/jobs/j_0123456789abcdef/receipt', '/gallery', '/account', '/ui', '/?x=1']) {
        const { status, text, headers } = await new Visitor(test).ask('GET', page);
        expect([status, text], page).toEqual([200, files['index.html']]);
        expect(headers).toMatchObject({
          'content-security-policy': strict,
          'cache-control': 'no-cache',
          'x-frame-options': 'DENY',
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'same-origin',
        });
        expect(headers['content-type']).toMatch(/^text\/html/);
        expect(headers['cross-origin-opener-policy']).toBeUndefined();
      }
    }));

  test('hashed assets stay in caches, everything else is asked for again', () =>
    withPages(async (test) => {
      const guest = new Visitor(test);
      expect(await guest.ask('GET', '/assets/index-abc123.js')).toMatchObject({
        text: 'app()',
        headers: {
          'cache-control': 'public, max-age=31536000, immutable',
          'cross-origin-resource-policy': 'same-origin',
          'cross-origin-embedder-policy': 'require-corp',
        },
      });
      expect(await guest.ask('GET', '/widget.js')).toMatchObject({
        text: 'loader()',
        headers: { 'cache-control': 'no-cache', 'cross-origin-resource-policy': 'cross-origin', 'access-control-allow-origin': '*' },
      });
      expect((await guest.ask('GET', '/icon.svg')).headers['cache-control']).toBe('no-cache');
      const { etag } = (await guest.ask('GET', '/')).headers;
      expect((await guest.ask('GET', '/', undefined, { 'if-none-match': etag })).status).toBe(304);
    }));

  test('what the build has compressed is sent so to who takes it, with the same headers', () =>
    withPages(async (test) => {
      const guest = new Visitor(test);
      const taking = { 'accept-encoding': 'gzip, br' };
      expect(await guest.ask('GET', '/widget.js', undefined, taking)).toMatchObject({
        text: 'as brotli',
        headers: { 'content-encoding': 'br', vary: 'accept-encoding', 'cross-origin-resource-policy': 'cross-origin', 'access-control-allow-origin': '*' },
      });
      expect(await guest.ask('GET', '/assets/index-abc123.js', undefined, taking)).toMatchObject({
        text: 'as gzip',
        headers: { 'content-encoding': 'gzip', 'cache-control': 'public, max-age=31536000, immutable' },
      });
      expect(await guest.ask('GET', '/', undefined, taking)).toMatchObject({ text: files['index.html'], headers: { vary: 'accept-encoding' } });
    }));

  test('what is not there: the page for people, an error body for programs', () =>
    withPages(async (test) => {
      const guest = new Visitor(test);
      const forPeople = await guest.ask('GET', '/no/such/page', undefined, { accept: 'text/html,*/*' });
      expect([forPeople.status, forPeople.text]).toEqual([404, files['index.html']]);
      for (const path of [
        '/no/such/page',
        '/api/nothing',
        '/assets/none.js',
        '/assets/',
        '/widget',
        '/../../etc/passwd',
        '/%2e%2e/%2e%2e/etc/passwd',
        '/..%2f..%2fetc/passwd',
      ]) {
        const { status, body } = await guest.ask('GET', path);
        expect(status, path).toBeGreaterThanOrEqual(400);
        expect(status, path).toBeLessThan(500);
        expect(body.code, path).toMatch(/not_found|bad_input/);
      }
      expect((await guest.ask('POST', '/', {})).status).toBe(404);
    }));

  test('the frame may be shown by its site only; the consent page by nobody', () =>
    withPages(async (test) => {
      const ada = new Visitor(test);
      await ada.start();
      const site = await ada.site({ origin: 'https://museum.example' });
      const frame = await new Visitor(test).ask('GET', `/widget/frame?site=${site.id}`);
      expect([frame.status, frame.text]).toEqual([200, files['widget/frame.html']]);
      expect(frame.headers['content-security-policy']).toBe(
        strict.replace("frame-ancestors 'none'", "frame-ancestors 'self' https://museum.example").replace(' ws://localhost:*', ''),
      );
      expect(frame.headers).toMatchObject({ 'cross-origin-embedder-policy': 'require-corp', 'cross-origin-resource-policy': 'cross-origin' });
      expect(frame.headers['x-frame-options']).toBeUndefined();
      expect(frame.headers['cache-control']).toBe('no-cache');
      for (const page of ['consent', 'run'] as const) {
        const own = await new Visitor(test).ask('GET', `/widget/${page}?site=${site.id}`);
        expect([own.status, own.text]).toEqual([200, files[`widget/${page}.html`]]);
        expect(own.headers).toMatchObject({ 'content-security-policy': strict, 'x-frame-options': 'DENY' });
      }
      for (const page of ['frame', 'consent', 'run']) {
        for (const query of ['', '?site=', `?site=s_${'0'.repeat(16)}`, '?site=x', `?site=${site.id}x`]) {
          const missing = await new Visitor(test).ask('GET', `/widget/${page}${query}`);
          expect([missing.status, missing.headers['content-security-policy']], page + query).toEqual([404, strict]);
        }
      }
      // The file behind it, asked for by its own name, is framed by nobody.
      expect((await new Visitor(test).ask('GET', '/widget/frame.html')).headers['content-security-policy']).toBe(strict);
    }));

  test('before the pages are built, every page says how to build them', () =>
    withApp(async (test) => {
      for (const page of ['/', '/jobs/x', '/widget.js', '/widget/frame?site=x']) {
        const { status, text } = await new Visitor(test).ask('GET', page);
        expect(status).toBe(503);
        expect(text).toContain('npm run build');
      }
      expect((await new Visitor(test).ask('GET', '/healthz')).body).toEqual({ ok: true });
    }));
});
