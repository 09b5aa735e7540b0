import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Value } from 'typebox/value';
import { type RoomView, roomChange } from '../../shared/schemas.ts';

export interface Controls {
  view(): RoomView;
  plant(liarsPercent: number): void;
  kill(): void;
  readonly reference: { readonly mediaType: string; readonly bytes: Uint8Array } | null;
}

const BODY_BYTES_MAX = 1000;
const SECRET_BYTES = 32;

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > BODY_BYTES_MAX) return null;
  }
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Where the coordinator passes on what the wall asks for: this machine alone, under a path that nobody guesses. */
export async function serveControls(controls: Controls): Promise<{ readonly url: string; readonly server: Server }> {
  const secret = `/${randomBytes(SECRET_BYTES).toString('base64url')}`;
  const server = createServer(async (request, response) => {
    const said = (status: number, body?: object): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(body && JSON.stringify(body));
    const path = request.url?.startsWith(secret) ? request.url.slice(secret.length) : null;
    const asked = `${request.method} ${path}`;
    if (asked === 'GET ') return said(200, controls.view());
    if (asked === 'POST ') {
      const change = await bodyOf(request);
      if (!Value.Check(roomChange, change)) return said(400);
      controls.plant(change.liarsPercent);
      return said(200, controls.view());
    }
    if (asked === 'POST /kill') {
      // Answered first: who asks is who dies.
      response.once('finish', () => controls.kill());
      return said(200, controls.view());
    }
    const { reference } = controls;
    if (asked === 'GET /reference' && reference) return void response.writeHead(200, { 'content-type': reference.mediaType }).end(reference.bytes);
    return said(404);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${secret}`, server };
}
