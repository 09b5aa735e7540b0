import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { ask, isPublicAddress, OutboundError, refuseTarget } from './outbound.ts';

const question = { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'hello', msMax: 1000, bytesMax: 100 } as const;

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

test.each([
  '127.0.0.1',
  '10.1.2.3',
  '172.31.0.1',
  '192.168.0.1',
  '169.254.169.254',
  '100.64.0.1',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
  '::1',
  '::',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '64:ff9b::7f00:1',
  'fe80::1',
  'fc00::1',
  'fd12::1',
  '2002:7f00:1::',
  '2001:db8::1',
  'ff02::1',
  'not an address',
])('%s is not public', (address) => expect(isPublicAddress(address)).toBe(false));

test.each(['8.8.8.8', '172.32.0.1', '2606:4700::1111', '2a00:1450::1'])('%s is public', (address) => expect(isPublicAddress(address)).toBe(true));

test('a question goes out with its body under its own name, and the answer comes back whole', () =>
  serving(
    async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      response.writeHead(201).end(`${request.method} ${request.headers.host?.split(':')[0]} ${body}`);
    },
    async (port) => {
      const answer = await ask(new URL(`http://hooks.localhost:${port}/`), question, { allowsLocal: true });
      expect(answer).toEqual({ status: 201, text: 'POST hooks.localhost hello', isWhole: true });
    },
  ));

test('of a long answer the beginning is read, and the connection is closed', async () => {
  let closed: () => void = () => undefined;
  const isClosed = new Promise<void>((resolve) => (closed = resolve));
  await serving(
    (_request, response) => {
      response.on('close', closed);
      const more = (): void => void (response.write('x'.repeat(1000)) ? setImmediate(more) : response.once('drain', more));
      more();
    },
    async (port) => {
      const { status, isWhole, text } = await ask(new URL(`http://localhost:${port}`), question, { allowsLocal: true });
      expect([status, isWhole, text.length <= 100]).toEqual([200, false, true]);
      await isClosed;
    },
  );
});

test('a slow answer is given up in time, and at once when the coordinator stops', async () => {
  await serving(
    (_request, response) => void response.write('slowly'),
    async (port) => {
      const url = new URL(`http://localhost:${port}`);
      await expect(ask(url, { ...question, msMax: 50 }, { allowsLocal: true })).rejects.toThrow('within 0.05 s');
      const controller = new AbortController();
      const asked = ask(url, { ...question, msMax: 60_000 }, { allowsLocal: true, signal: controller.signal });
      setTimeout(() => controller.abort(), 20);
      await expect(asked).rejects.toThrow('The coordinator stopped');
    },
  );
});

test('a name is resolved once: what it leads to afterwards does not matter', async () => {
  // A rebinding name server: public when it is checked, our own machine when it is asked again.
  let asked = 0;
  const resolve = async () => [{ address: asked++ === 0 ? '192.0.9.1' : '127.0.0.1', family: 4 as const }];
  let reached = false;
  await serving(
    (_request, response) => {
      reached = true;
      response.end();
    },
    async (port) => expect(ask(new URL(`https://rebind.example:${port}`), { ...question, msMax: 300 }, { resolve })).rejects.toBeInstanceOf(OutboundError),
  );
  expect([asked, reached]).toEqual([1, false]);
});

test.each([
  ['http://museum.example', 'by https only'],
  ['ftp://museum.example', 'by https only'],
  ['https://localhost', 'own machine'],
  ['https://10.0.0.1', 'not public'],
  ['https://[::ffff:10.0.0.1]', 'not public'],
  ['https://[::ffff:a9fe:a9fe]', 'not public'],
  ['https://2130706433', 'not public'],
])('%s is never asked', (url, why) => expect(() => refuseTarget(new URL(url), false)).toThrow(why));
