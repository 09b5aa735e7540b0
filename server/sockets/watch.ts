import type { Server, Socket } from 'socket.io';
import type { GroupId, JobId, OwnerId } from '../../shared/model.ts';
import { namespaces } from '../../shared/protocol.ts';
import { type AcceptedView, type JobView, watchRequest } from '../../shared/schemas.ts';
import type { Coordinator } from '../coordinator.ts';
import type { Event } from '../core/state.ts';
import { JobError, type Jobs } from '../jobs.ts';
import { commandsOf, Refusal } from './connect.ts';

/** Progress goes out at most this often a job. */
const PROGRESS_MS = 500;
const WATCHED_PER_SOCKET_MAX = 16;

/**
 * The edge for pages that look at jobs. Public and unlisted jobs alike: whoever has the id may watch. Private jobs need their requester's session, jobs
 * for a group only a member's.
 */
export function serveViewers(
  io: Server,
  deps: {
    readonly jobs: Jobs;
    readonly coordinator: Coordinator;
    /** Whose session a cookie header names; undefined for none. */
    readonly ownerOf: (cookies: string | undefined) => Promise<OwnerId | undefined>;
    readonly log: { error(fields: object, message: string): void };
  },
): { close(): void; leftGroup(owner: OwnerId, group: GroupId): void; changed(job: JobId): void; jobGone(job: JobId): void } {
  const space = io.of(namespaces.watch);
  const changed = new Set<JobId>();
  const room = (job: JobId): string => `job:${job}`;

  const show = (event: Event): void => {
    if (event.type === 'tileChecking') space.to(room(event.job)).emit('tile:checking', { job: event.job, at: event.at, parts: event.parts });
    if (event.type === 'tileLeased') space.to(room(event.job)).emit('tile:leased', { job: event.job, at: event.at, parts: event.parts });
    if (event.type === 'tileRefuted') space.to(room(event.job)).emit('tile:refuted', { job: event.job, at: event.at, parts: event.parts, drill: event.drill });
    if (event.type === 'tileRevoked')
      space.to(room(event.job)).emit('tile:revoked', { job: event.job, result: event.result, at: event.at, parts: event.parts });
    if (event.type === 'tileAccepted') space.to(room(event.job)).emit('tile:accepted', { job: event.job, result: event.result });
    if (
      event.type === 'tileLeased' ||
      event.type === 'tileRefuted' ||
      event.type === 'tileRevoked' ||
      event.type === 'tileAccepted' ||
      event.type === 'tileChecking'
    )
      changed.add(event.job);
    if (event.type === 'jobEnded') void tell(event.job, 'job:ended');
  };
  const tell = async (job: JobId, name: 'job:progress' | 'job:ended'): Promise<void> => {
    if (!space.adapter.rooms.has(room(job))) return;
    const view = await deps.jobs.shown(job).catch(() => undefined);
    if (view) space.to(room(job)).emit(name, view);
  };
  deps.coordinator.onEvents((events) => events.forEach(show));
  const timer = setInterval(() => {
    for (const job of changed) void tell(job, 'job:progress');
    changed.clear();
  }, PROGRESS_MS);

  space.on('connection', (socket) => {
    const on = commandsOf(socket, deps.log);
    on('watch', watchRequest, async ({ job }): Promise<{ job: JobView; accepted: AcceptedView[] }> => {
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
    on('unwatch', watchRequest, async ({ job }): Promise<null> => {
      await socket.leave(room(job));
      return null;
    });
  });
  /** Whoever may not see the job any more hears nothing more of it. */
  const cut = async (socket: Socket, job: JobId): Promise<void> => {
    const gone = await deps.jobs.visible(job, socket.data.owner).then(
      () => false,
      (error: unknown) => error instanceof JobError && error.code === 'not_found',
    );
    if (!gone) return;
    await socket.leave(room(job));
    socket.emit('job:gone', { job });
  };
  return {
    close: () => clearInterval(timer),
    /** Something was done with a job by its requester. */
    changed(job) {
      const watching = [...space.sockets.values()].filter((socket) => socket.rooms.has(room(job)));
      void Promise.all(watching.map((socket) => cut(socket, job))).then(() => tell(job, 'job:progress'));
    },
    jobGone(job) {
      space.to(room(job)).emit('job:gone', { job });
      space.in(room(job)).socketsLeave(room(job));
    },
    leftGroup(owner, group) {
      for (const socket of space.sockets.values()) {
        if (socket.data.owner !== owner) continue;
        for (const name of socket.rooms) {
          const job = name.startsWith('job:') ? deps.coordinator.openJob(name.slice('job:'.length) as JobId)?.stored : undefined;
          if (job?.group?.id === group && job.group.mode === 'only' && job.owner !== owner) void socket.leave(name);
        }
      }
    },
  };
}

const refusalOf = (error: unknown): unknown =>
  error instanceof JobError && error.code === 'not_found' ? new Refusal('not_found', error.message, 'job') : error;
