import { createAdapter } from '@socket.io/postgres-adapter';
import pg from 'pg';
import { Server } from 'socket.io';

/**
 * What coordinators of one database tell and ask each other at once. Nothing rests on it: a message may be lost with a connection. What must not be
 * lost is stored (`Notice`), and this is not on the way of a tile.
 */
export interface Bus {
  tell(topic: string, message: unknown): void;
  /** Everybody's answers that came in time, those that are undefined left out. */
  ask(topic: string, message: unknown): Promise<unknown[]>;
  /** Hears what others tell or ask; what it returns is its answer to who asks. */
  on(topic: string, hear: (message: never) => unknown): void;
  close(): Promise<void>;
}

/** Of a coordinator that has its database alone. */
export const silentBus: Bus = { tell: () => undefined, ask: async () => [], on: () => undefined, close: async () => undefined };

/** An answer takes a commit. One that has died does not answer, until the others have noticed. */
const ANSWER_MS_MAX = 5000;
const CONNECTIONS_MAX = 3;
const HEARTBEAT_MS = 1000;
const HEARTBEAT_MS_MAX = 3000;

/**
 * Over PostgreSQL's LISTEN and NOTIFY, by the adapter that Socket.IO's servers use among each other: it splits what is too long for a notification,
 * finds out who is there, and connects again.
 */
export function postgresBus(url: string, log: { error(fields: object, message: string): void }): Bus {
  const pool = busPool(url);
  const errorHandler = (error: Error): void => log.error({ error: String(error) }, 'coordinators cannot reach each other');
  const server = new Server({
    adapter: createAdapter(pool, { errorHandler, heartbeatInterval: HEARTBEAT_MS, heartbeatTimeout: HEARTBEAT_MS_MAX }),
  });
  const space = server.of('/coordinators');
  return {
    tell: (topic, message) => void space.serverSideEmit(topic, wire(message)),
    ask: (topic, message) =>
      new Promise((resolve) => {
        const late = setTimeout(() => resolve([]), ANSWER_MS_MAX);
        // Also when not everybody has answered: then with an error beside the answers that came.
        space.serverSideEmit(topic, wire(message), (_: Error | null, answers: unknown[] = []) => {
          clearTimeout(late);
          resolve(answers.flatMap((answer) => (answer === null || answer === undefined ? [] : [unwire(answer as string)])));
        });
      }),
    on(topic, hear) {
      space.on(topic, async (message: string, reply?: (answer: string | null) => void) => {
        const answer = await (async () => hear(unwire(message) as never))().catch(() => undefined);
        reply?.(answer === undefined ? null : wire(answer));
      });
    },
    async close() {
      // A server that listens nowhere has no engine that it could close.
      await Promise.all([space, server.of('/')].map(({ adapter }) => adapter.close()));
      await pool.end();
    },
  };
}

/**
 * The next message gets another connection. The adapter listens on one that it has taken out and never gives back: when that ends, the pool has to be
 * told, or it would soon have none left, and never end.
 */
function busPool(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS_MAX, application_name: 'tessera bus', keepAlive: true });
  const out = new Set<pg.PoolClient>();
  pool.on('error', () => undefined);
  pool.on('acquire', (client) => out.add(client));
  pool.on('release', (_, client) => out.delete(client));
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
    client.on('end', () => {
      if (out.has(client)) client.release(true);
    });
  });
  return pool;
}

const BYTES = '$bytes';
const BIGINT = '$bigint';

/** JSON with bytes and big integers. A function, because a Buffer has turned itself into JSON before it comes by. */
const wire = (message: unknown): string =>
  JSON.stringify(message, function (this: Record<string, unknown>, key: string, value: unknown) {
    const raw = this[key];
    if (typeof raw === 'bigint') return { [BIGINT]: raw.toString() };
    return raw instanceof Uint8Array ? { [BYTES]: Buffer.from(raw).toString('base64') } : value;
  });

const unwire = (text: string): unknown =>
  JSON.parse(text, (_, value: Record<string, unknown> | null) => {
    if (typeof value?.[BYTES] === 'string') return new Uint8Array(Buffer.from(value[BYTES], 'base64'));
    return typeof value?.[BIGINT] === 'string' ? BigInt(value[BIGINT]) : value;
  });
