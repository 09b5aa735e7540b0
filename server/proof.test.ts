import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { PROOF_PATH, ProofError, proves, readProof } from './proof.ts';

const local = { allowsLocal: true };

async function serving<T>(listener: RequestListener, run: (port: number) => Promise<T>): Promise<T> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await run((server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('the file of a local site is read by its own name', () =>
  serving(
    (request, response) => response.end(request.url === PROOF_PATH && request.headers.host?.startsWith('site.localhost:') ? 'the token\n' : 'wrong'),
    async (port) => expect(await readProof(`http://site.localhost:${port}`, local)).toBe('the token\n'),
  ));

test.each([
  ['a private address', [{ address: '10.0.0.1', family: 4 as const }]],
  [
    'one private among public ones',
    [
      { address: '8.8.8.8', family: 4 as const },
      { address: '::1', family: 6 as const },
    ],
  ],
])('a name that leads to %s is refused before anything is asked', (_what, found) =>
  expect(readProof('https://museum.example', { resolve: async () => found })).rejects.toThrow('an address that is not public'),
);

test.each(['https://127.0.0.1', 'https://[::1]', 'https://2130706433', 'https://0x7f.1', 'https://[::ffff:7f00:1]'])('%s is refused', (origin) =>
  expect(readProof(origin, { resolve: () => Promise.reject(new Error('asked')) })).rejects.toThrow('not public'),
);

test('where the coordinator is not local itself, no site may be on its machine', () => expect(readProof('http://localhost:1')).rejects.toThrow('own machine'));

test('plain http is for localhost only; a name that ends like it is no localhost', async () => {
  await expect(readProof('http://museum.example')).rejects.toThrow('by https only');
  await expect(readProof('http://evillocalhost')).rejects.toThrow('by https only');
  await expect(readProof('https://museum.example', { resolve: async () => [] })).rejects.toThrow('leads to no address');
});

test('a redirect is not followed, a long file not read, a missing one told', async () => {
  let followed = false;
  await serving(
    (request, response) => {
      followed ||= request.url === '/elsewhere';
      response.writeHead(302, { location: '/elsewhere' }).end();
    },
    (port) => expect(readProof(`http://localhost:${port}`, local)).rejects.toThrow('status 302'),
  );
  expect(followed).toBe(false);
  await serving(
    (_request, response) => response.end('x'.repeat(5000)),
    (port) => expect(readProof(`http://localhost:${port}`, local)).rejects.toThrow('longer than 4096 bytes'),
  );
  await serving(
    (_request, response) => response.writeHead(404).end(),
    (port) => expect(readProof(`http://localhost:${port}`, local)).rejects.toBeInstanceOf(ProofError),
  );
});

test('a site that never answers is given up after 5 s', { timeout: 15_000 }, () =>
  serving(
    (_request, response) => void response.write('slowly'),
    (port) => expect(readProof(`http://localhost:${port}`, local)).rejects.toThrow('within 5 s'),
  ),
);

test('a line of the file is the token', () => {
  expect(proves('hello\r\n abc \r\n', 'abc')).toBe(true);
  expect(proves('abcd', 'abc')).toBe(false);
  expect(proves('', '')).toBe(false);
});
