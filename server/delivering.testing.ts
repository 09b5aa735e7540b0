import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A receiver of webhooks on this machine, and what it got. */

export interface Got {
  readonly id: string;
  readonly timestampS: number;
  readonly signature: string;
  readonly text: string;
  readonly body: { readonly type: string; readonly timestamp: string; readonly data: { readonly job?: { readonly id: string } & Record<string, unknown> } };
}

export class Receiver {
  readonly got: Got[] = [];
  /** Requests of other paths, to which a redirect would lead. */
  readonly strays: string[] = [];
  /** How many are being answered, and the most there were at a time. */
  open = 0;
  openMost = 0;
  answer: (response: ServerResponse, got: Got) => void = (response) => void response.writeHead(204).end();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.#take(request, response));
  }

  static async listen(): Promise<Receiver> {
    const receiver = new Receiver(createServer());
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  /** Each name is another host to who counts attempts by host. */
  url(name = 'localhost'): string {
    return `http://${name}:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.open++;
    this.openMost = Math.max(this.openMost, this.open);
    response.once('close', () => this.open--);
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    if (request.url !== '/hook') this.strays.push(request.url ?? '');
    const header = (name: string): string => String(request.headers[name]);
    const got = { id: header('webhook-id'), timestampS: Number(header('webhook-timestamp')), signature: header('webhook-signature'), text };
    this.got.push({ ...got, body: JSON.parse(text) });
    this.answer(response, { ...got, body: JSON.parse(text) });
  }
}

/** The receiving side of Standard Webhooks, written apart from the sending one. */
export function isSigned({ id, timestampS, text, signature }: Got, secret: string): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const mac = createHmac('sha256', key).update(id).update('.').update(String(timestampS)).update('.').update(text).digest('base64');
  return key.byteLength >= 24 && signature.split(' ').includes(`v1,${mac}`);
}
