import { once } from 'node:events';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../../shared/formats.ts';
import { limits } from '../../shared/limits.ts';
import { InputError } from '../../shared/workload.ts';
import { PoolBusy } from '../checks/pool.ts';
import { readConfig } from '../config.ts';
import { JobError } from '../jobs.ts';
import { BlobMismatch, BlobTooLarge, InsufficientCredits } from '../store/store.ts';
import { HttpError } from './errors.ts';
import { nestingOf } from './parsing.ts';
import { isOwnOrigin, isSecureContext } from './security.ts';
import { type Method, Visitor, withApp } from './testing.ts';

describe('origins', () => {
  const own = (publicOrigin: string | null, origin: string | undefined, host: string | undefined) => isOwnOrigin({ publicOrigin }, origin, host);

  test('with PUBLIC_ORIGIN: it alone', () => {
    const site = 'https://tessera.example';
    expect(own(site, site, 'anything')).toBe(true);
    for (const origin of ['http://tessera.example', 'https://tessera.example:8443', 'https://evil.tessera.example', 'null', '', 'http://localhost:8080'])
      expect(own(site, origin, 'localhost:8080'), origin).toBe(false);
  });

  test('without: localhost, names below it and bare addresses, each its own', () => {
    for (const host of ['localhost', 'localhost:8080', 'app.localhost:8080', '127.0.0.1:80', '192.168.1.5:8080', '[::1]:8080']) {
      for (const scheme of ['http', 'https']) expect(own(null, new URL(`${scheme}://${host}`).origin, host), host).toBe(true);
      expect(own(null, 'http://evil.example', host)).toBe(false);
      expect(own(null, 'null', host)).toBe(false);
    }
    expect(own(null, 'http://site.localhost:8080', 'app.localhost:8080')).toBe(false);
    expect(own(null, 'http://localhost:8081', 'localhost:8080')).toBe(false);
  });

  test('without: no name that somebody else could point here', () => {
    for (const host of ['evil.example', 'evil.example:8080', 'localhost.evil.example', 'evillocalhost', '127.0.0.1.evil.example', '', undefined])
      expect(own(null, `http://${host}`, host), host).toBe(false);
  });

  test('programs send none', () => {
    expect(own(null, undefined, 'evil.example')).toBe(true);
    expect(own('https://tessera.example', undefined, undefined)).toBe(true);
  });

  test('secure contexts', () => {
    const secure = (publicOrigin: string | null, protocol: 'http' | 'https', host: string) => isSecureContext({ publicOrigin }, { protocol, host });
    expect(secure(null, 'http', 'localhost:8080')).toBe(true);
    expect(secure(null, 'http', 'app.localhost')).toBe(true);
    expect(secure(null, 'https', '10.0.0.1')).toBe(true);
    expect(secure('https://tessera.example', 'http', '10.0.0.1')).toBe(true);
    expect(secure(null, 'http', '10.0.0.1')).toBe(false);
    expect(secure(null, 'http', 'localhost.evil.example')).toBe(false);
    expect(secure('http://tessera.example', 'http', 'localhost')).toBe(false);
  });

  const changing: readonly (readonly [Method, string])[] = [
    ['POST', '/api/session'],
    ['POST', '/api/account/challenge'],
    ['POST', '/api/account/sign-in'],
    ['POST', '/api/account/sign-out'],
    ['POST', '/api/consents'],
    ['DELETE', `/api/consents/k_${'0'.repeat(16)}`],
    ['POST', '/api/uploads'],
    ['POST', '/api/sites'],
  ];
  test.each(changing)('%s %s is refused from foreign pages', (method, url) =>
    withApp(async (test) => {
      const foreign: Readonly<Record<string, string | undefined>>[] = [
        { origin: 'https://evil.example' },
        { origin: 'null' },
        { origin: 'http://localhost:9999' },
        { origin: 'http://evil.example', host: 'evil.example' },
        { origin: undefined, 'sec-fetch-site': 'cross-site' },
        { origin: undefined, 'sec-fetch-site': 'same-site' },
      ];
      const ada = new Visitor(test);
      for (const headers of foreign) {
        const refused = await ada.ask(method, url, method === 'DELETE' ? undefined : {}, headers);
        expect([refused.status, refused.body.code], JSON.stringify(headers)).toEqual([403, 'forbidden']);
        expect(refused.headers['set-cookie']).toBeUndefined();
      }
      const program = await ada.ask(method, url, method === 'DELETE' ? undefined : {}, { origin: undefined });
      expect(program.body?.detail ?? '').not.toContain('may not do this');
    }),
  );
});

describe('bodies', () => {
  test('nesting is counted outside strings', () => {
    expect(nestingOf('')).toBe(0);
    expect(nestingOf('5')).toBe(0);
    expect(nestingOf('[[],[[]]]')).toBe(3);
    expect(nestingOf('{"a":{"b":[1]}}')).toBe(3);
    expect(nestingOf('"[[[["')).toBe(0);
    expect(nestingOf('["\\"[[[", "\\\\", []]')).toBe(2);
  });

  test('too deep, too large, broken, poisoned and unknown ones', () =>
    withApp(async (test) => {
      const ada = new Visitor(test);
      await ada.start();
      const json = { 'content-type': 'application/json' };
      const nested = (depth: number): string => `{"name":${'['.repeat(depth)}${']'.repeat(depth)}}`;
      const deep = await ada.ask('POST', '/api/sites', nested(limits.nestingMax), json);
      expect([deep.status, deep.body.limit]).toEqual([400, `at most ${limits.nestingMax} levels`]);
      const allowed = await ada.ask('POST', '/api/sites', nested(limits.nestingMax - 1), json);
      expect(allowed.body.detail).toContain('is missing');
      const large = await ada.ask('POST', '/api/sites', { name: 'x'.repeat(limits.jsonBodyBytesMax) });
      expect([large.status, large.body.code]).toEqual([413, 'too_large']);
      const refusals: readonly (readonly [string, Record<string, string>, number])[] = [
        ['{"name":', json, 400],
        ['', json, 400],
        ['{"__proto__":{"admin":true}}', json, 400],
        ['{"constructor":{"prototype":{}}}', json, 400],
        ['name=x', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
        ['{}', { 'content-type': 'text/plain' }, 415],
        ['[]', json, 400],
        ['null', json, 400],
        ['"text"', json, 400],
      ];
      for (const [body, headers, status] of refusals) {
        const refused = await ada.ask('POST', '/api/sites', body, headers);
        expect([refused.status, refused.body.code], body).toEqual([status, 'bad_input']);
      }
    }));
});

describe('errors', () => {
  const secretText = 'SELECT secret FROM /home/operator';
  const thrown: Readonly<Record<string, readonly [Error, number, object, string?]>> = {
    input: [new InputError('files.scene', 'Not a scene.', 'GLB'), 422, { code: 'bad_input', detail: 'Not a scene.', field: 'files.scene', limit: 'GLB' }],
    poor: [new InsufficientCredits(1_500_000n, 1n), 402, { code: 'insufficient_credits', detail: 'This needs 1.50 credits.', limit: '0.000001 available' }],
    large: [new BlobTooLarge('more than 5 bytes'), 413, { code: 'too_large', detail: 'The bytes are too many: more than 5 bytes.' }],
    mismatch: [new BlobMismatch('the bytes have another hash'), 422, { code: 'bad_input', field: 'hash' }],
    format: [new FormatError('not base64url'), 400, { code: 'bad_input', detail: 'not base64url.' }],
    full: [new JobError('too_many', 'At most 50.'), 429, { code: 'too_many' }, '60'],
    hasty: [new HttpError('too_many', 'Wait.', undefined, undefined, { retryAfterS: 7.5 }), 429, { detail: 'Wait.' }, '8'],
    busy: [new PoolBusy('Later.'), 503, { code: 'busy' }, '5'],
    surprise: [new TypeError(secretText), 500, { code: 'internal', detail: 'Something went wrong here; it was logged.' }],
    pretended: [Object.assign(new Error(secretText), { statusCode: 503 }), 500, { code: 'internal' }],
  };

  test.each(Object.entries(thrown))('%s', (name, [error, status, body, retryAfter]) =>
    withApp(async (test) => {
      test.app.get(`/throws/${name}`, async () => {
        throw error;
      });
      const refused = await new Visitor(test).ask('GET', `/throws/${name}`);
      expect(refused.status).toBe(status);
      expect(refused.body).toMatchObject(body);
      const { type, title } = refused.body;
      expect([refused.body.status, type, title.length > 3]).toEqual([status, `/api#problem-${refused.body.code}`, true]);
      expect(refused.headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(refused.headers['cache-control']).toBe('no-store');
      expect(refused.headers['retry-after']).toBe(retryAfter);
      expect(refused.text).not.toContain('SELECT');
      expect(refused.text).not.toContain('.ts:');
    }),
  );

  test('validation names the field and what would have been fine', () =>
    withApp(async (test) => {
      const body = Type.Object({
        size: Type.Object({ width: Type.Integer({ minimum: 1, maximum: 4096 }) }),
        mode: Type.Union([Type.Literal('a'), Type.Literal('b')]),
      });
      test.app.post('/checked', { schema: { body } }, async () => ({}));
      const refusals: readonly (readonly [object, object])[] = [
        [
          { size: { width: 5000 }, mode: 'a' },
          { field: 'size.width', limit: 'at most 4096', detail: 'size.width must be at most 4096.' },
        ],
        [
          { size: { width: 0 }, mode: 'a' },
          { field: 'size.width', limit: 'at least 1' },
        ],
        [
          { size: { width: '64' }, mode: 'a' },
          { field: 'size.width', limit: 'of type integer' },
        ],
        [
          { size: {}, mode: 'a' },
          { field: 'size.width', detail: 'size.width is missing.' },
        ],
        [
          { size: { width: 1 }, mode: 'c' },
          { field: 'mode', limit: 'one of a, b' },
        ],
      ];
      for (const [sent, error] of refusals) {
        const refused = await new Visitor(test).ask('POST', '/checked', sent);
        expect(refused.status).toBe(400);
        expect(refused.body).toMatchObject({ code: 'bad_input', ...error });
      }
    }));

  test('addresses that cannot be decoded', () =>
    withApp(async (test) => {
      const refused = await new Visitor(test).ask('GET', '/api/sites/%zz');
      expect([refused.status, refused.body.code]).toEqual([400, 'bad_input']);
    }));
});

describe('requests', () => {
  test('an address that asks too often is told to wait, others are not', () =>
    withApp(async (test) => {
      test.app.get('/counted', { config: { rateLimit: { max: 3 } } }, async () => ({}));
      const [busy, calm] = [new Visitor(test), new Visitor(test)];
      const statuses: number[] = [];
      for (let round = 0; round < 4; round++) statuses.push((await busy.ask('GET', '/counted')).status);
      expect(statuses).toEqual([200, 200, 200, 429]);
      const refused = await busy.ask('GET', '/counted');
      expect(refused.body).toMatchObject({ code: 'too_many', limit: '3 requests' });
      expect(refused.headers['retry-after']).toBeDefined();
      expect((await calm.ask('GET', '/counted')).status).toBe(200);
    }));

  test('every route is counted', () =>
    withApp(async (test) => {
      for (const url of ['/healthz', '/', '/nothing', '/api/account', '/api/nothing'])
        expect((await new Visitor(test).ask('GET', url)).headers, url).toMatchObject({ 'x-ratelimit-limit': '12000', 'x-ratelimit-remaining': '11999' });
    }));

  test('forwarded addresses count only behind a trusted proxy', async () => {
    for (const trustProxy of [false, true]) {
      await withApp(
        async (test) => {
          test.app.get('/ip', async (request) => ({ ip: request.ip }));
          const guest = new Visitor(test);
          const { body } = await guest.ask<{ ip: string }>('GET', '/ip', undefined, { 'x-forwarded-for': '203.0.113.9' });
          expect(body.ip).toBe(trustProxy ? '203.0.113.9' : guest.address);
          // What stands before the proxy's own entry is what the client says of itself.
          const liar = await guest.ask<{ ip: string }>('GET', '/ip', undefined, { 'x-forwarded-for': '198.51.100.1, 203.0.113.9' });
          expect(liar.body.ip).toBe(trustProxy ? '203.0.113.9' : guest.address);
        },
        { config: { trustProxy } },
      );
    }
  });
});

test('a real connection: an upload that is too large is answered, not cut off', () =>
  withApp(async (test) => {
    await test.app.listen({ host: '127.0.0.1', port: 0 });
    const address = test.app.server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const ada = new Visitor(test);
    ada.host = `127.0.0.1:${port}`;
    await ada.start();
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const head = [
      'POST /api/uploads HTTP/1.1',
      `host: ${ada.host}`,
      `cookie: ${ada.cookie}`,
      'content-type: application/octet-stream',
      'transfer-encoding: chunked',
      '',
      '',
    ];
    socket.write(head.join('\r\n'));
    let answer = '';
    socket.on('data', (data) => {
      answer += data;
    });
    const piece = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(0x100000), Buffer.from('\r\n')]);
    async function* pieces() {
      for (let sent = 0; sent <= limits.uploadBytesMax; sent += 0x100000) yield piece;
      yield Buffer.from('0\r\n\r\n');
    }
    for await (const chunk of Readable.from(pieces())) if (!socket.write(chunk)) await once(socket, 'drain');
    while (!answer.includes('too_large')) await once(socket, 'data');
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  }));

const S3 = {
  S3_ENDPOINT: 'http://store:3900',
  S3_PUBLIC_ENDPOINT: 'https://files.example',
  S3_BUCKET: 'abc',
  S3_REGION: 'r',
  S3_ACCESS_KEY_ID: 'k',
  S3_SECRET_ACCESS_KEY: 's',
};

test('pages may fetch where large blobs are sent from, and nowhere else', () =>
  withApp(
    async ({ app }) => {
      const { headers } = await app.inject('/healthz');
      const allowed = String(headers['content-security-policy']).split('; ');
      expect(allowed).toContain("connect-src 'self' https://files.example ws://localhost:*");
      expect(allowed.filter((each) => each.includes('files.example'))).toHaveLength(1);
    },
    { config: { s3: { ...readConfig(S3).s3! } } },
  ));
