import type { Server } from 'socket.io';
import type { JobId } from '../../shared/model.ts';
import { namespaces } from '../../shared/protocol.ts';
import { type AcceptedView, type JobView, watchRequest } from '../../shared/schemas.ts';
import type { Coordinator } from '../coordinator.ts';
import type { Event } from '../core/state.ts';
import { JobError, type Jobs } from '../jobs.ts';
import { commandsOf, Refusal } from './connect.ts';

/** Progress goes out at most this often a job. */
const PROGRESS_MS = 500;
const WATCHED_PER_SOCKET_MAX = 16;

/** The edge for pages that look at jobs. Public and unlisted jobs alike: whoever has the id may watch. */
export function serveViewers(
  io: Server,
  deps: { readonly jobs: Jobs; readonly coordinator: Coordinator; readonly log: { error(fields: object, message: string): void } },
): { close(): void } {
  const space = io.of(namespaces.watch);
  const changed = new Set<JobId>();
  const room = (job: JobId): string => `job:${job}`;

  const show = (event: Event): void => {
    if (event.type === 'tileLeased') space.to(room(event.job)).emit('tile:leased', { job: event.job, at: event.at, parts: event.parts });
    if (event.type === 'tileRefuted') space.to(room(event.job)).emit('tile:refuted', { job: event.job, at: event.at, parts: event.parts, drill: event.drill });
    if (event.type === 'tileRevoked')
      space.to(room(event.job)).emit('tile:revoked', { job: event.job, result: event.result, at: event.at, parts: event.parts });
    if (event.type === 'tileAccepted') space.to(room(event.job)).emit('tile:accepted', { job: event.job, result: event.result });
    if (event.type === 'tileLeased' || event.type === 'tileRefuted' || event.type === 'tileRevoked' || event.type === 'tileAccepted') changed.add(event.job);
    if (event.type === 'jobEnded') void tell(event.job, 'job:ended');
  };
  const tell = async (job: JobId, name: 'job:progress' | 'job:ended'): Promise<void> => {
    if (!space.adapter.rooms.has(room(job))) return;
    const view = await deps.jobs.view(job, undefined).catch(() => undefined);
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
      // In the room before the snapshot is taken: a tile may then be told twice, but never missed.
      await socket.join(room(job));
      try {
        return { job: await deps.jobs.view(job, undefined), accepted: await deps.jobs.accepted(job) };
      } catch (error) {
        await socket.leave(room(job));
        if (error instanceof JobError && error.code === 'not_found') throw new Refusal('not_found', error.message, 'job');
        throw error;
      }
    });
    on('unwatch', watchRequest, async ({ job }): Promise<null> => {
      await socket.leave(room(job));
      return null;
    });
  });
  return { close: () => clearInterval(timer) };
}
