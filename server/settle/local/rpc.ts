import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KIB } from '../../../shared/limits.ts';
import { Faults } from './faults.ts';
import { type Context, CUT, methods, RpcError } from './methods.ts';
import type { LocalChain } from './world.ts';

/** The JSON-RPC of a node over a local chain, as far as paying out asks for it: `@solana/kit` notices no difference. */

const BODY_BYTES_MAX = 64 * KIB;

export interface RpcOptions {
  /** 0, the default: any that is free. */
  readonly port?: number;
  readonly seed?: number;
  /** Signatures in one answer, where a node would give 1000. */
  readonly pageMax?: number;
}

export interface LocalRpc {
  readonly url: string;
  readonly faults: Faults;
  close(): Promise<void>;
}

/** On this machine only. */
export async function serveRpc(chain: LocalChain, { port = 0, seed = 1, pageMax = 1000 }: RpcOptions = {}): Promise<LocalRpc> {
  const faults = new Faults(seed);
  const server = createServer((request, response) => void answer({ chain, faults, pageMax }, request, response));
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, faults, close: () => close(server) };
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

async function answer(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (context.faults.strikes('refuse')) {
    request.resume();
    return void response.writeHead(503).end('the node is busy');
  }
  let id: unknown = null;
  const reply = (told: object): void =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', ...told, id }, asNumber));
  try {
    const question = parse(await bodyOf(request));
    id = question.id ?? null;
    const result = await call(context, question);
    if (result === CUT) return void request.socket.destroy();
    reply({ result });
  } catch (error) {
    if (request.destroyed && !request.complete) return;
    const told = error instanceof RpcError ? error : new RpcError(-32603, `Internal error: ${error instanceof Error ? error.message : String(error)}`);
    reply({ error: { code: told.code, message: told.message, ...(told.data !== undefined && { data: told.data }) } });
  }
}

/** All numbers here stay below 2^53, but for the rent epoch that means never. */
const asNumber = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);

/** Reads on where it is too long, so that the answer can be heard; keeps none of it. */
async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes <= BODY_BYTES_MAX) chunks.push(chunk);
  }
  if (sizeBytes > BODY_BYTES_MAX) throw new RpcError(-32600, `Invalid request: ${sizeBytes} bytes, at most ${BODY_BYTES_MAX}`);
  return Buffer.concat(chunks).toString();
}

interface Question {
  readonly id?: unknown;
  readonly method: string;
  readonly params: readonly unknown[];
}

function parse(text: string): Question {
  let question: unknown;
  try {
    question = JSON.parse(text);
  } catch {
    throw new RpcError(-32700, 'Parse error');
  }
  if (typeof question !== 'object' || question === null || !('method' in question) || typeof question.method !== 'string')
    throw new RpcError(-32600, 'Invalid request: one object with a method and its params');
  const params = 'params' in question ? question.params : [];
  if (!Array.isArray(params)) throw new RpcError(-32602, 'Invalid params: an array');
  return { id: 'id' in question ? question.id : null, method: question.method, params };
}

async function call(context: Context, { method, params }: Question): Promise<unknown> {
  const found = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (!found) throw new RpcError(-32601, 'Method not found');
  return found(context, params);
}
