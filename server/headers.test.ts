import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { whole } from './whole.testing.ts';

/** Headers of every answer of the whole coordinator: of all routes that the README's tables name, and of what is no route. */

beforeAll(() => whole.open(), 30_000);
afterAll(() => whole.close());

const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');
const named = [...readme.matchAll(/^\| (GET|POST|PUT|DELETE) (\/[^ ,|]*)/gm)].map(([, method, path]): [string, string] => [
  method!,
  path!.replaceAll(/:\w+/g, 'x'),
]);
const others: [string, string][] = [
  ['GET', '/nothing'],
  ['GET', '/api/nothing'],
  ['GET', '/api/sites/%zz'],
  ['HEAD', '/healthz'],
  ['OPTIONS', '/api/jobs'],
  ['PATCH', '/api/uploads/x'],
  ['POST', '/socket.io/'],
  ['GET', '/socket.io/?EIO=4&transport=polling'],
];

test('there are as many as an API has', () => expect(named.length).toBeGreaterThan(75));

test('none comes without a policy, none may be framed but the frame, none is guessed at', async () => {
  for (const [method, path] of [...named, ...others]) {
    const { headers, status } = await fetch(whole.url + path, { method, redirect: 'manual' });
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy, `${method} ${path} ${status}`).toMatch(/default-src '(self|none)'/);
    expect(policy, path).toContain("frame-ancestors 'none'");
    expect(policy, path).not.toMatch(/unsafe-eval'(?<!'wasm-unsafe-eval')|script-src[^;]*unsafe-inline|https?:/);
    expect([headers.get('x-content-type-options'), headers.get('x-frame-options'), headers.get('referrer-policy')], path).toEqual([
      'nosniff',
      'DENY',
      'same-origin',
    ]);
    expect(headers.get('x-powered-by'), path).toBeNull();
    if (status >= 400) expect(headers.get('cache-control') ?? 'no-store', path).toBe('no-store');
  }
});

test('what is no request is answered with headers too', async () => {
  const socket = connect(Number(new URL(whole.url).port), '127.0.0.1');
  let text = '';
  socket.on('data', (data) => {
    text += data;
  });
  const closed = once(socket, 'close');
  socket.write('HELO tessera\r\n\r\n');
  await closed;
  expect(text).toMatch(/^HTTP\/1.1 400 .*content-security-policy: default-src 'none'/s);
});
