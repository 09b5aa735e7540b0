import type { Server, Socket } from 'socket.io';
import { DAY_MS } from '../../shared/limits.ts';
import type { JobId, OwnerId } from '../../shared/model.ts';
import { namespaces } from '../../shared/protocol.ts';
import { type AcceptedView, type JobView, watchRequest } from '../../shared/schemas.ts';
import { JobError, type Jobs } from '../jobs.ts';
import type { News, Viewer, Watching } from '../watching.ts';
import { commandsOf, Refusal } from './connect.ts';

const WATCHED_PER_SOCKET_MAX = 16;
/** Shorter than a session lasts after it was asked for, so that none expires behind a connection; and what a timer can wait. */
const CONNECTION_MS_MAX = 24 * DAY_MS;
const ROOM = 'job:';
const room = (job: JobId): string => `${ROOM}${job}`;

/**
 * The edge for pages that look at jobs. Public and unlisted jobs alike: whoever has the id may watch. Private jobs need their requester's session, jobs
 * for a group only a member's. Who somebody is, a connection says once, with the cookie of its beginning. `sessionEnded` closes all that
 * began with this session: their pages connect again as whoever they are by then.
 */
export function serveViewers(
  io: Server,
  deps: {
    readonly jobs: Jobs;
    readonly watching: Watching;
    /** Whose session a cookie header names; undefined for none. */
    readonly ownerOf: (cookies: string | undefined) => Promise<OwnerId | undefined>;
    /** The hash of the session that a cookie header names, whether there is one or not; undefined for none. */
    readonly sessionOf: (cookies: string | undefined) => Uint8Array | undefined;
    readonly log: { error(fields: object, message: string): void };
    /** How long a connection lasts; shorter in tests. */
    readonly connectionMsMax?: number;
  },
): { sessionEnded(hash: Uint8Array): void } {
  const space = io.of(namespaces.watch);

  deps.watching.add({
    watches: (job) => space.adapter.rooms.has(room(job)),
    tell: (news) => void space.to(room(news.job)).emit(...messageOf(news)),
    *viewers(): Iterable<Viewer> {
      for (const socket of space.sockets.values())
        for (const name of socket.rooms) {
          if (!name.startsWith(ROOM)) continue;
          const job = name.slice(ROOM.length) as JobId;
          const gone = (): void => {
            void socket.leave(name);
            socket.emit('job:gone', { job });
          };
          yield { job, owner: socket.data.owner, gone };
        }
    },
  });

  /** What each connection began with. Known before any of its commands: one that is under way when the session ends is closed as well. */
  const sessions = new WeakMap<Socket, string>();

  const { on, hear } = commandsOf(deps.log);
  on('watch', watchRequest, async (socket, { job }): Promise<{ job: JobView; accepted: AcceptedView[] }> => {
    if (socket.rooms.size > WATCHED_PER_SOCKET_MAX) throw new Refusal('too_many', `At most ${WATCHED_PER_SOCKET_MAX} jobs a connection.`, 'job');
    const owner = await deps.ownerOf(socket.handshake.headers.cookie);
    socket.data.owner = owner;
    // Before it is in the room, where it would hear of tiles.
    await deps.jobs.visible(job, owner).catch((error: unknown) => Promise.reject(refusalOf(error)));
    // In the room before the snapshot is taken: a tile may then be told twice, but never missed.
    await socket.join(room(job));
    try {
      return { job: await deps.jobs.view(job, owner), accepted: await deps.jobs.accepted(job, owner) };
    } catch (error) {
      await socket.leave(room(job));
      throw refusalOf(error);
    }
  });
  on('unwatch', watchRequest, async (socket, { job }): Promise<null> => {
    await socket.leave(room(job));
    return null;
  });

  space.on('connection', (socket) => {
    const hash = deps.sessionOf(socket.handshake.headers.cookie);
    if (hash) sessions.set(socket, nameOf(hash));
    const ending = setTimeout(() => close(socket), deps.connectionMsMax ?? CONNECTION_MS_MAX).unref();
    socket.once('disconnect', () => clearTimeout(ending));
    hear(socket);
  });

  return {
    sessionEnded(hash) {
      const name = nameOf(hash);
      for (const socket of [...space.sockets.values()]) if (sessions.get(socket) === name) close(socket);
    },
  };
}

const nameOf = (hash: Uint8Array): string => Buffer.from(hash).toString('hex');

/** It hears nothing more. The connection below is closed and not the socket: only then does a page connect again by itself. */
function close(socket: Socket): void {
  for (const name of socket.rooms) void socket.leave(name);
  socket.conn.close();
}

function messageOf(news: News): [name: string, message: unknown] {
  const { type, job } = news;
  switch (type) {
    case 'tileLeased':
      return ['tile:leased', { job, at: news.at, parts: news.parts }];
    case 'tileChecking':
      return ['tile:checking', { job, at: news.at, parts: news.parts }];
    case 'tileAccepted':
      return ['tile:accepted', { job, result: news.result }];
    case 'tileRevoked':
      return ['tile:revoked', { job, result: news.result, at: news.at, parts: news.parts }];
    case 'tileRefuted':
      return ['tile:refuted', { job, at: news.at, parts: news.parts, drill: news.drill }];
    case 'progress':
      return ['job:progress', news.view];
    case 'ended':
      return ['job:ended', news.view];
    default:
      throw new Error(`unknown news ${JSON.stringify(news satisfies never)}`);
  }
}

const refusalOf = (error: unknown): unknown =>
  error instanceof JobError && error.code === 'not_found' ? new Refusal('not_found', error.message, 'job') : error;
