import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { limits } from '../../shared/limits.ts';
import { hits } from '../caps.ts';
import { type TestApp, Visitor, withApp } from './testing.ts';

/** Senders that take as long as they are let (slowloris). */

afterEach(() => void vi.useRealTimers());

async function listening({ app }: TestApp): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
}

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

test('headers that come a byte at a time are cut off, and others are served meanwhile', () =>
  withApp(async (test) => {
    expect([test.app.server.headersTimeout, test.app.server.requestTimeout]).toEqual([limits.headersMsMax, limits.requestMsMax]);
    test.app.server.headersTimeout = 300;
    const port = await listening(test);
    const before = hits.get('headersMsMax') ?? 0;
    const slow = await Promise.all(Array.from({ length: 50 }, () => connected(port)));
    const closed = slow.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    for (const socket of slow) socket.write('GET / HTTP/1.1\r\nslow: ');
    const dripping = setInterval(() => {
      for (const socket of slow) if (socket.writable) socket.write('a');
    }, 20);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    await Promise.all(closed);
    clearInterval(dripping);
    expect(hits.get('headersMsMax')).toBe(before + 50);
  }));

test('a body of JSON that comes a byte at a time is cut off', () =>
  withApp(async (test) => {
    const ada = new Visitor(test);
    await ada.start();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const port = await listening(test);
    const before = hits.get('jsonBodyMsMax') ?? 0;
    const socket = await connected(port);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const asked = once(test.app.server, 'request');
    socket.write(`POST /api/groups HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncookie: ${ada.cookie}\r\ncontent-length: 1000\r\n\r\n{`);
    await asked;
    await vi.waitFor(() => expect(vi.getTimerCount()).toBeGreaterThan(0));
    socket.write(' ');
    await vi.advanceTimersByTimeAsync(limits.jsonBodyMsMax);
    await closed;
    expect(hits.get('jsonBodyMsMax')).toBe(before + 1);
  }));
