import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import type { RoomView } from '../../shared/schemas.ts';
import { operatorOf, withOperatorApp } from './operator.testing.ts';
import { roomRoutes } from './room.ts';
import { Visitor } from './testing.ts';

const view: RoomView = { joinUrl: null, liarsPercent: 10, liars: 1, liarsFound: 2, kills: 0, backAfterMs: null, referenceBy: null, gpuHourUsd: 3 };

/** Stands for the process that runs a room: answers with `answer`, and remembers what it was asked. */
async function withControl(answer: { body: object }, use: (control: string, asked: string[]) => Promise<unknown>): Promise<void> {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    asked.push(`${request.method} ${request.url} ${body}`.trim());
    if (request.url === '/secret/reference') response.writeHead(200, { 'content-type': 'image/webp' }).end('picture');
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/secret`, asked);
  server.close();
}

test('what the wall asks for is passed on, for an operator alone', () =>
  withControl({ body: view }, (control, asked) =>
    withOperatorApp(async (app) => {
      await app.app.register(roomRoutes({ ...app, control, clock: () => app.now.ms, randomBytes: () => new Uint8Array(32) }));
      const stranger = new Visitor(app);
      for (const [method, path] of [
        ['GET', ''],
        ['POST', '/kill'],
        ['GET', '/reference'],
      ] as const)
        expect((await stranger.ask(method, `/api/operator/room${path}`)).status).toBe(401);
      expect((await stranger.ask('POST', '/api/operator/room', { liarsPercent: 10 })).status).toBe(401);
      expect(asked).toEqual([]);

      const operator = await operatorOf(app);
      expect((await operator.ask<RoomView>('GET', '/api/operator/room')).body).toEqual(view);
      expect((await operator.ask('POST', '/api/operator/room', { liarsPercent: 51 })).body.field).toBe('liarsPercent');
      expect((await operator.ask('POST', '/api/operator/room', { liarsPercent: 20 })).status).toBe(200);
      expect((await operator.ask('POST', '/api/operator/room/kill')).status).toBe(200);
      expect((await operator.ask('GET', '/api/operator/room/reference')).headers['content-type']).toBe('image/webp');
      expect(asked).toEqual(['GET /secret', 'POST /secret {"liarsPercent":20}', 'POST /secret/kill', 'GET /secret/reference']);
    }),
  ));

test('a room’s process that is gone, or is another program, is told as such', () =>
  withControl({ body: { hello: 'world' } }, (control) =>
    withOperatorApp(async (app) => {
      const deps = { ...app, clock: () => app.now.ms, randomBytes: () => new Uint8Array(32) };
      await app.app.register(roomRoutes({ ...deps, control }));
      const operator = await operatorOf(app);
      expect((await operator.ask('GET', '/api/operator/room')).status).toBe(503);
    }),
  ));
