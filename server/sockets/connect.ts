import type { EventEmitter } from 'node:events';
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { Server, type Socket } from 'socket.io';
import parser from 'socket.io-msgpack-parser';
import type { Static, TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { limits, SECOND_MS } from '../../shared/limits.ts';
import type { Ack } from '../../shared/protocol.ts';
import * as schemas from '../../shared/schemas.ts';
import { atCap, hit, hitStated } from '../caps.ts';
import { PoolBusy } from '../checks/pool.ts';
import { CommitFailed } from '../coordinator.ts';
import type { Unready } from '../load.ts';
import { Guard, type GuardOptions } from './guard.ts';
import { packHandshake, packListeners } from './lean.ts';
import { Refusal } from './refusal.ts';

export { Refusal } from './refusal.ts';

type IsAllowed = (origin: string | undefined, host: string | undefined) => boolean;

const PATH = '/socket.io/';
const BUSY_RETRY_MS = SECOND_MS;
const guards = new WeakMap<Server, Guard>();

const guardOf = ({ nsp }: Socket): Guard => {
  const guard = guards.get(nsp.server);
  if (!guard) throw new Error('unreachable: sockets are made by createSockets');
  return guard;
};

/** Why this connection is given nothing new now; null: nothing stands in the way. */
export const unreadyOf = (socket: Socket): Unready | null => guardOf(socket).unready();

/** Sockets that are open on this server. */
export const openSockets = (io: Server): number => guards.get(io)?.sockets ?? 0;

/** Socket.IO on the HTTP server: WebSocket only (so no sticky sessions are ever needed), msgpack, one cap on every message. */
export function createSockets(server: HttpServer, isAllowed: IsAllowed, options: GuardOptions = {}): Server {
  const guard = new Guard(options);
  const io = new Server(server, {
    path: PATH,
    parser,
    transports: ['websocket'],
    serveClient: false,
    maxHttpBufferSize: limits.socketMessageBytesMax,
    perMessageDeflate: false,
  });
  guards.set(io, guard);
  guardUpgrades(server, engineOf(io), guard, isAllowed);
  // The engine answers what is no socket itself, and knows nothing of our headers.
  server.prependListener('request', ({ url }: IncomingMessage, response: ServerResponse) => {
    if (url?.startsWith(PATH)) for (const [name, value] of Object.entries(options.headers ?? {})) response.setHeader(name, value);
  });
  io.engine.on('connection', ({ request, transport }: { request: EngineRequest; transport: EventEmitter & { socket: EventEmitter } }) => {
    request.headers = headersOf(request, HEADERS_KEPT);
    transport.socket.on('error', onSocketError);
    packListeners(request.connection, transport, transport.socket);
  });
  guard.watch(() => Object.values(engineOf(io).clients));
  server.once('close', () => guard.close());
  return io;
}

function onSocketError({ code }: NodeJS.ErrnoException): void {
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') hit('socketMessageBytesMax');
}

/** What the engine keeps of a request as long as its connection: a whole `IncomingMessage` with its headers is 3 kB. */
interface EngineRequest extends Pick<IncomingMessage, 'method' | 'url' | 'headers'> {
  /** As the engine reads it from the address: `refusalOf` lets no other one pass. */
  readonly _query: { readonly EIO: '4'; readonly transport: 'websocket' };
  readonly connection: Duplex;
}

/** What Engine.IO 6 does with an upgrade that is in order. Its own `handleUpgrade` listens on each connection for the sake of Express, 1 kB of it. */
interface Engine {
  readonly ws: { handleUpgrade(request: EngineRequest, connection: Duplex, head: Buffer, done: (websocket: unknown) => void): void };
  onWebSocket(request: EngineRequest, connection: Duplex, websocket: unknown): void;
  readonly clients: Readonly<Record<string, unknown>>;
}

const engineOf = (io: Server): Engine => io.engine as unknown as Engine;

const QUERY = { EIO: '4', transport: 'websocket' } as const;
/** Headers that somebody asks for while a connection lasts; and those that are read as it begins. */
const HEADERS_KEPT = ['cookie', 'x-forwarded-for'] as const;
const HEADERS_READ = [...HEADERS_KEPT, 'upgrade', 'sec-websocket-key', 'sec-websocket-version'] as const;

const headersOf = ({ headers }: Pick<IncomingMessage, 'headers'>, names: readonly (typeof HEADERS_READ)[number][]): IncomingMessage['headers'] =>
  Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));

/** Everything that asks for a socket passes here first; what is refused never reaches the engine, whose refusals have no headers. */
function guardUpgrades(server: HttpServer, engine: Engine, guard: Guard, isAllowed: IsAllowed): void {
  server.removeAllListeners('upgrade');
  server.on('upgrade', (request: IncomingMessage, connection: Duplex, head: Buffer) => {
    const refused = refusalOf(request, isAllowed) ?? guard.admit(request);
    if (refused) return guard.refuse(connection, refused);
    const { method, url } = request;
    const kept: EngineRequest = { method, url, headers: headersOf(request, HEADERS_READ), _query: QUERY, connection };
    // Bytes that came along with the request lie in the memory of all that was read with it.
    engine.ws.handleUpgrade(kept, connection, Buffer.from(head), (websocket) => engine.onWebSocket(kept, connection, websocket));
  });
}

/** What the engine would refuse, and pages of other origins. */
function refusalOf({ url = '', method, headers }: IncomingMessage, isAllowed: IsAllowed): { status: number; text: string } | null {
  const { pathname, searchParams } = new URL(URL.canParse(url, 'http://localhost') ? url : '/', 'http://localhost');
  if (pathname !== PATH) return { status: 404, text: 'There is nothing here.' };
  const isPlain = searchParams.get('EIO') === '4' && searchParams.get('transport') === 'websocket' && !searchParams.has('sid');
  const key = headers['sec-websocket-key'] ?? '';
  const isWebSocket = method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket' && /^[+/0-9A-Za-z]{22}==$/.test(key);
  if (!isPlain || !isWebSocket || headers['sec-websocket-version'] !== '13') return { status: 400, text: 'Only WebSockets of Engine.IO 4 are served here.' };
  return isAllowed(headers.origin, headers.host) ? null : { status: 403, text: 'Pages of this origin may not connect.' };
}

/** Compiling takes milliseconds: once a schema, not once a socket. */
const validators = new WeakMap<TSchema, Validator>();

function validatorOf(schema: TSchema): Validator {
  const validator = validators.get(schema) ?? Compile(schema);
  validators.set(schema, validator);
  return validator;
}

type Log = { error(fields: object, message: string): void };

type Task = (socket: Socket, message: unknown) => Promise<unknown>;

/** Listeners are called with their socket as `this`, so one serves them all. */
type Listener = (this: Socket, message: unknown, reply: unknown) => Promise<void>;

/** The commands of a namespace, for all of its sockets: with closures for each socket they took 4 kB of it. Validated once, answered always, never thrown out of. */
export function commandsOf(log: Log) {
  const tasks = new Map<string, Task>();
  const listeners = new Map<string, Listener>();
  const timed = async (socket: Socket, name: string, task: () => Promise<unknown>): Promise<Ack<unknown>> => {
    const beganMs = performance.now();
    const ack = await task().then(
      (data): Ack<unknown> => ({ data }),
      (error: unknown) => bodyOf(error, { command: name, contributor: socket.data.contributor }, log),
    );
    guardOf(socket).answered(name, 'data' in ack ? 'ok' : ack.error.code, performance.now() - beganMs);
    return ack;
  };
  const listen = (name: string, commandsIn: (message: unknown) => number, task: Task): void => {
    listeners.set(name, async function (message, reply) {
      const guard = guardOf(this);
      const done = guard.load.begin();
      const ack = await timed(this, name, async () => {
        if (!guard.messages.take(this.id, performance.now(), commandsIn(message))) throw tooMany();
        return task(this, message);
      });
      if (typeof reply === 'function') reply(ack);
      done();
    });
  };
  return {
    on<S extends TSchema, T>(name: string, schema: S, handle: (socket: Socket, message: Static<S>) => Promise<T>): void {
      const validator = validatorOf(schema);
      const task: Task = async (socket, message) => {
        if (!validator.Check(message)) throw malformed(validator, message, name);
        guardOf(socket).begin(socket, name);
        return handle(socket, message as Static<S>);
      };
      tasks.set(name, task);
      listen(name, () => 1, task);
    },
    /** A message of several commands, each answered in its place. What they store is stored together. */
    onMany(name: string): void {
      const validator = validatorOf(schemas.many);
      const commandsIn = (message: unknown): number => (Array.isArray(message) ? Math.max(1, Math.min(message.length, limits.commandsPerMessageMax)) : 1);
      listen(name, commandsIn, async (socket, message) => {
        if (!validator.Check(message)) throw malformed(validator, message, name);
        return Promise.all((message as schemas.Many).map(([command, each]) => timed(socket, command, () => tasks.get(command)!(socket, each))));
      });
    },
    /** From here on this socket is heard. */
    hear(socket: Socket): void {
      for (const [name, listener] of listeners) socket.on(name, listener);
      packListeners(socket);
      packHandshake(socket);
    },
  };
}

const tooMany = (): Refusal => {
  const limit = `At most ${limits.socketMessagesPerSecondMax} commands a second.`;
  return atCap('socketMessagesPerSecondMax', new Refusal('too_many', limit, undefined, undefined, BUSY_RETRY_MS));
};

function malformed(validator: Validator, message: unknown, name: string): Refusal {
  const first = validator.Errors(message)[0];
  if (first) hitStated(first, name);
  const field = first?.instancePath.slice(1).replaceAll('/', '.');
  return new Refusal('bad_input', `${name}: ${field || 'message'} ${first?.message ?? 'is wrong'}`, field || undefined);
}

/** What nobody expected is logged; what passes by itself was, where it happened. */
function bodyOf(error: unknown, about: { command: string; contributor?: unknown }, log: Log): Refusal['body'] {
  if (error instanceof Refusal) return error.body;
  if (!(error instanceof CommitFailed || error instanceof PoolBusy)) log.error({ error: String(error), ...about }, 'a socket command failed');
  const text = error instanceof CommitFailed ? error.message : 'The coordinator could not do this now; try again.';
  return new Refusal('busy', text, undefined, undefined, BUSY_RETRY_MS).body;
}
