import type { Server as HttpServer } from 'node:http';
import { Server, type Socket } from 'socket.io';
import parser from 'socket.io-msgpack-parser';
import type { Static, TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { limits } from '../../shared/limits.ts';
import type { Ack } from '../../shared/protocol.ts';
import type { ErrorBody, ErrorCode } from '../../shared/schemas.ts';

/** Refills a second, and how many may come at once. A busy engine sends a few messages a second. */
const MESSAGES_PER_SECOND = 100;
const MESSAGES_BURST = 400;

/** Socket.IO on the HTTP server: WebSocket only (so no sticky sessions are ever needed), msgpack, one cap on every message. */
export function createSockets(server: HttpServer, allowedOrigin: (origin: string | undefined, host: string | undefined) => boolean): Server {
  return new Server(server, {
    parser,
    transports: ['websocket'],
    serveClient: false,
    maxHttpBufferSize: limits.socketMessageBytesMax,
    perMessageDeflate: false,
    allowRequest: (request, callback) => callback(null, allowedOrigin(request.headers.origin, request.headers.host)),
  });
}

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly body: ErrorBody;

  constructor(code: ErrorCode, message: string, field?: string, limit?: string) {
    super(message);
    this.body = { error: { code, message, ...(field === undefined ? {} : { field }), ...(limit === undefined ? {} : { limit }) } };
  }
}

/** Compiling takes milliseconds: once a schema, not once a socket. */
const validators = new WeakMap<TSchema, Validator>();

function validatorOf(schema: TSchema): Validator {
  const validator = validators.get(schema) ?? Compile(schema);
  validators.set(schema, validator);
  return validator;
}

/** Registers commands on a socket: validated once, answered always, never thrown out of. */
export function commandsOf(socket: Socket, log: { error(fields: object, message: string): void }) {
  let tokens = MESSAGES_BURST;
  let refilledMs = Date.now();
  const spend = (): boolean => {
    const now = Date.now();
    tokens = Math.min(MESSAGES_BURST, tokens + ((now - refilledMs) / 1000) * MESSAGES_PER_SECOND);
    refilledMs = now;
    return tokens-- >= 1;
  };
  return function on<S extends TSchema, T>(name: string, schema: S, handle: (message: Static<S>) => Promise<T>): void {
    const validator = validatorOf(schema);
    socket.on(name, async (message: unknown, reply: unknown) => {
      const answer = (ack: Ack<T>): void => {
        if (typeof reply === 'function') reply(ack);
      };
      try {
        if (!spend()) throw new Refusal('too_many', `At most ${MESSAGES_PER_SECOND} messages a second.`);
        if (!validator.Check(message)) {
          const first = validator.Errors(message)[0];
          throw new Refusal(
            'bad_input',
            `${name}: ${first?.instancePath.slice(1).replaceAll('/', '.') || 'message'} ${first?.message ?? 'is wrong'}`,
            first?.instancePath.slice(1).replaceAll('/', '.'),
          );
        }
        answer({ data: await handle(message as Static<S>) });
      } catch (error) {
        if (!(error instanceof Refusal)) log.error({ error: String(error), command: name }, 'a socket command failed');
        answer(error instanceof Refusal ? error.body : { error: { code: 'busy', message: 'The coordinator could not do this now; try again.' } });
      }
    });
  };
}
