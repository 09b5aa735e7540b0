import { expect, test } from 'vitest';
import type { AccountView, MadeApiKey } from '../../shared/schemas.ts';
import { Visitor, withApp } from './testing.ts';

const foreign = 'https://studio.example';

test('a page of another origin may use the API with a key', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    const owner = await ada.start();
    const { key } = (await ada.ask<MadeApiKey>('POST', '/api/keys', { name: 'Page', scopes: ['account:read', 'jobs:write'] })).body;
    const page = new Visitor(test);
    const wants = { origin: foreign, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type' };
    const preflight = await page.ask('OPTIONS', '/api/quotes', undefined, wants);
    expect([preflight.status, preflight.headers['access-control-allow-origin']]).toEqual([204, '*']);
    expect(preflight.headers['access-control-allow-headers']).toMatch(/authorization, content-type, idempotency-key/);
    expect(preflight.headers).not.toHaveProperty('access-control-allow-credentials');

    const withKey = { origin: foreign, authorization: `Bearer ${key}` };
    const seen = await page.ask<AccountView>('GET', '/api/account', undefined, withKey);
    expect([seen.status, seen.body.owner, seen.headers['access-control-allow-origin']]).toEqual([200, owner, '*']);
    const sent = await page.ask<{ hash: string }>('POST', '/api/uploads', Buffer.from('x'), { ...withKey, 'content-type': 'application/octet-stream' });
    expect([sent.status, sent.headers['access-control-expose-headers']]).toEqual([200, expect.stringContaining('upload-hash')]);
    const refused = await page.ask('GET', '/api/account/statement?limit=0', undefined, withKey);
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([400, '*']);
  }));

test('without a key it may not, whoever its visitor is', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    const preflight = await ada.ask('OPTIONS', '/api/account', undefined, { origin: foreign, 'access-control-request-method': 'GET' });
    expect(preflight.headers).not.toHaveProperty('access-control-allow-origin');
    const listed = await ada.ask('GET', '/api/account', undefined, { origin: foreign });
    expect(listed.headers).not.toHaveProperty('access-control-allow-origin');
    expect(listed.headers['cross-origin-resource-policy']).toBe('same-origin');
    expect((await ada.ask('POST', '/api/account/sign-out', {}, { origin: foreign })).status).toBe(403);
  }));

test('something that only looks like a key opens nothing, with a cookie or without', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    for (const authorization of ['Bearer tk_', `Bearer tk_AAAAAAAAAAAAAAAA_${'A'.repeat(43)}`, 'bearer tk_x y'])
      for (const [method, path] of [
        ['POST', '/api/account/sign-out'],
        ['POST', '/api/keys'],
        ['POST', '/api/groups'],
        ['GET', '/api/account'],
        ['POST', '/api/consents'],
        ['POST', '/api/operator/session'],
      ] as const) {
        const reply = await ada.ask(method, path, method === 'GET' ? undefined : {}, { origin: foreign, authorization });
        expect([400, 401, 403], `${method} ${path} ${authorization}`).toContain(reply.status);
        expect(reply.status === 400 ? reply.body.field : '').not.toBe('name');
      }
    expect((await ada.ask('GET', '/api/account')).status).toBe(200);
  }));
