import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Server, Socket } from 'socket.io';
import parser from 'socket.io-msgpack-parser';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { limits } from '../../shared/limits.ts';
import { namespaces } from '../../shared/protocol.ts';
import { type Cap, hits } from '../caps.ts';
import { World } from '../formula.testing.ts';
import { Hand } from '../hand.testing.ts';
import { Load } from '../load.ts';
import { createSockets, openSockets } from './connect.ts';
import { Guard } from './guard.ts';

const hitsOf = (cap: Cap): number => hits.get(cap) ?? 0;
const encode = (packet: object): Buffer => (new parser.Encoder().encode(packet as never) as unknown as [Buffer])[0];
const URL_PATH = '/socket.io/?EIO=4&transport=websocket';

/** A bare WebSocket that has joined a namespace, as nobody's library would use it. */
async function bare(url: string, namespace: string): Promise<WebSocket> {
  const socket = new WebSocket(url.replace('http', 'ws') + URL_PATH);
  socket.binaryType = 'arraybuffer';
  await once(socket, 'open');
  socket.send(encode({ type: 0, nsp: namespace }));
  await once(socket, 'message');
  return socket;
}

describe('garbage', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open();
  });
  afterAll(() => world.close());

  const packet = (data: unknown): Buffer => encode({ type: 2, nsp: namespaces.contribute, id: 1, data });
  const nested = (depth: number): Buffer => Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.from([0xc0])]);
  const polluted = Buffer.from(encode({ type: 2, nsp: namespaces.contribute, id: 1, data: ['work', { xxproto__: { leasesMax: 3 } }] }));
  polluted.write('__proto__', polluted.indexOf('xxproto__'));

  test.each([
    ['random bytes', () => randomBytes(4000)],
    ['no msgpack', () => Buffer.from([0xc1, 0xc1, 0xc1])],
    ['a length of 4 GiB that is not there', () => Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff, 1])],
    ['a string of 4 GiB that is not there', () => Buffer.from([0xdb, 0xff, 0xff, 0xff, 0xff, 0x61])],
    ['nesting as deep as a message is long', () => nested(limits.socketMessageBytesMax - 1)],
    ['a packet of no known type', () => encode({ type: 99, nsp: namespaces.contribute })],
    ['a command with a prototype in its message', () => polluted],
    ['a command with a prototype for a name', () => packet(['__proto__', {}])],
    ['a command of a reserved name', () => packet(['disconnect', {}])],
    ['text where bytes are meant', () => '2["work",{}]'],
    ['an answer to a question that nobody asked', () => encode({ type: 3, nsp: namespaces.contribute, id: 7, data: [1] })],
  ])('%s: its connection ends or goes on, and nobody else’s is touched', async (_name, bytes) => {
    const honest = await Hand.join(world);
    const socket = await bare(world.url, namespaces.contribute);
    socket.send(bytes());
    socket.send(packet(['work', { leasesMax: 1 }]));
    await Promise.race([once(socket, 'close'), once(socket, 'message')]);
    socket.close();
    expect(await honest.raw('work', { leasesMax: 0 })).toHaveProperty('data');
    expect(({} as { leasesMax?: number }).leasesMax).toBeUndefined();
    honest.socket.disconnect();
  });

  test('a message that is too long closes its connection and is counted', async () => {
    const before = hitsOf('socketMessageBytesMax');
    const socket = await bare(world.url, namespaces.contribute);
    socket.send(Buffer.alloc(limits.socketMessageBytesMax + 1));
    await once(socket, 'close');
    expect(hitsOf('socketMessageBytesMax')).toBe(before + 1);
  });

  test('more messages a second than one socket may send are refused with a time, and not done', async () => {
    const hand = await Hand.join(world);
    const before = hitsOf('socketMessagesPerSecondMax');
    const asked = Array.from({ length: 2 * limits.socketMessagesAtOnceMax }, () => hand.raw('work', { leasesMax: 0 }));
    const refused = (await Promise.all(asked)).filter((ack) => 'error' in ack);
    expect(refused.length).toBeGreaterThan(limits.socketMessagesAtOnceMax / 2);
    expect(refused[0]).toMatchObject({ error: { code: 'too_many', retryMs: expect.any(Number) } });
    expect(hitsOf('socketMessagesPerSecondMax')).toBe(before + refused.length);
    hand.socket.disconnect();
  });
});

describe('sockets', () => {
  let io: Server;
  let url: string;
  const load = new Load();
  const server = createServer();
  beforeAll(async () => {
    io = createSockets(server, (origin) => origin !== 'https://evil.example', { load, headers: { 'x-content-type-options': 'nosniff' } });
    io.of('/watch').on('connection', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => io.close());

  const head = (path: string, more = ''): string =>
    `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n${more}\r\n`;

  async function answerTo(request: string): Promise<string> {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    socket.write(request);
    await once(socket, 'close');
    return text;
  }

  test.each([
    ['another path', head('/socket'), 404],
    ['another transport', head('/socket.io/?EIO=4&transport=polling'), 400],
    ['a session that is not there', head(`${URL_PATH}&sid=AAAA`), 400],
    ['another protocol', head('/socket.io/?EIO=3&transport=websocket'), 400],
    ['no key', head(URL_PATH).replace(/sec-websocket-key.*\r\n/, ''), 400],
    ['an address that is none', head('//'), 404],
    ['a page of another origin', head(URL_PATH, 'origin: https://evil.example\r\n'), 403],
  ])('%s is refused, with the headers of every answer', async (_name, request, status) => {
    const answer = await answerTo(request);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain('x-content-type-options: nosniff\r\n');
  });

  test('long polling is not served, and its refusal has the headers too', async () => {
    const { status, headers } = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    expect([status, headers.get('x-content-type-options')]).toEqual([400, 'nosniff']);
  });

  test('at the end of the process nobody connects any more, and is told when to come back', async () => {
    const draining = vi.spyOn(load, 'refusal').mockReturnValue({ reason: 'The end.', retryMs: 4500 });
    const answer = await answerTo(head(URL_PATH));
    draining.mockRestore();
    expect(answer).toMatch(/^HTTP\/1.1 503 .*retry-after: 5\r\n/s);
  });

  test('one that never reads is closed once too much waits for it, and what waited is gone', async () => {
    const connection = connect(Number(new URL(url).port), '127.0.0.1');
    connection.on('error', () => undefined);
    connection.write(head(URL_PATH));
    await once(connection, 'data');
    const namespace = Buffer.from(encode({ type: 0, nsp: '/watch' }));
    const mask = Buffer.alloc(4);
    const joined = once(io.of('/watch'), 'connection');
    connection.write(Buffer.concat([Buffer.from([0x82, 0x80 | namespace.length]), mask, namespace]));
    const [socket] = (await joined) as [Socket];
    connection.pause();
    const before = hitsOf('socketWaitingBytesMax');
    const gone = once(socket, 'disconnect');
    const piece = Buffer.alloc(32 * 1024);
    // Beyond what the two ends of the connection hold in the system.
    for (let sent = 0; sent < 8 * limits.socketWaitingBytesMax; sent += piece.length) socket.emit('tile', piece);
    await gone;
    expect(hitsOf('socketWaitingBytesMax')).toBe(before + 1);
    await vi.waitFor(() => expect(openSockets(io)).toBe(0));
    connection.destroy();
  });
});

describe('caps by address', () => {
  const asking = (address: string) => {
    const socket = Object.assign(new EventEmitter(), { remoteAddress: address });
    return { socket, headers: {} } as unknown as IncomingMessage;
  };

  test('one address has so many sockets and no more, others and loopback have theirs; a /64 is one address', () => {
    const guard = new Guard({});
    const requests = Array.from({ length: limits.socketsPerAddressMax }, (_, each) => asking(`2001:db8:1:2::${each.toString(16)}`));
    for (const request of requests) expect(guard.admit(request)).toBeNull();
    expect(guard.admit(asking('2001:db8:1:2:ffff::1'))).toMatchObject({ status: 503, retryMs: expect.any(Number) });
    expect(guard.admit(asking('2001:db8:1:3::1'))).toBeNull();
    requests[0]!.socket.emit('close');
    expect(guard.admit(asking('2001:db8:1:2:ffff::1'))).toBeNull();
  });

  test('in all there are so many', () => {
    const guard = new Guard({});
    for (let each = 0; each < limits.socketsMax; each++) expect(guard.admit(asking('127.0.0.1'))).toBeNull();
    expect([guard.admit(asking('127.0.0.1'))?.status, guard.admit(asking('10.0.0.1'))?.status, guard.sockets]).toEqual([503, 503, limits.socketsMax]);
  });

  test('100 000 greetings in a burst: what is beyond the cap is refused with a time, and memory does not grow with them', () => {
    const guard = new Guard({ trustProxy: true });
    const before = hitsOf('hellosPerAddressSecondMax');
    const heap = process.memoryUsage().heapUsed;
    let refused = 0;
    for (let each = 0; each < 100_000; each++) {
      const handshake = { address: '10.0.0.1', headers: { 'x-forwarded-for': `203.0.113.${each % 8}` } };
      try {
        guard.begin({ handshake } as unknown as Socket, 'hello');
      } catch (error) {
        refused++;
        if (refused === 1) expect(error).toMatchObject({ body: { error: { code: 'too_many', retryMs: expect.any(Number) } } });
      }
    }
    expect(refused).toBeGreaterThan(100_000 - 8 * limits.hellosPerAddressAtOnceMax - 60 * 8 * limits.hellosPerAddressSecondMax);
    expect(hitsOf('hellosPerAddressSecondMax')).toBe(before + refused);
    expect(process.memoryUsage().heapUsed - heap).toBeLessThan(256 * 1024 * 1024);
  });
});
