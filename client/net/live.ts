import { io, type Socket } from 'socket.io-client';
import msgpack from 'socket.io-msgpack-parser';
import type { JobId, PartMask, ResultId, TileRef } from '../../shared/model.ts';
import { type Ack, namespaces, type ViewerCommands, type ViewerFacts } from '../../shared/protocol.ts';
import type { AcceptedView, JobView } from '../../shared/schemas.ts';

export interface JobListener {
  /** After every connection and reconnection: the job as it is now with all accepted results. */
  snapshot(job: JobView, accepted: readonly AcceptedView[]): void;
  leased(at: TileRef, parts: PartMask): void;
  /** Handed in, without a verdict yet. */
  checking(at: TileRef, parts: PartMask): void;
  accepted(result: AcceptedView): void;
  /** `drill`: the operator's own test of the checks made it. */
  refuted(at: TileRef, parts: PartMask, drill: boolean): void;
  /** An accepted result counts no more. */
  revoked(result: ResultId, at: TileRef, parts: PartMask): void;
  progress(job: JobView): void;
  connected(yes: boolean): void;
  /** The job is not there any more for whoever watches here; asking again tells its requester why. */
  gone(): void;
}

type WatchSocket = Socket<ViewerFacts, ViewerCommands>;

let socket: WatchSocket | undefined;
const listeners = new Map<JobId, Set<JobListener>>();

function each(job: JobId, tell: (listener: JobListener) => void): void {
  for (const listener of listeners.get(job) ?? []) tell(listener);
}

function ask(job: JobId): void {
  socket?.emit('watch', { job }, (ack: Ack<{ job: JobView; accepted: readonly AcceptedView[] }>) => {
    if ('data' in ack) each(job, (listener) => listener.snapshot(ack.data.job, ack.data.accepted));
    else if (ack.error.code === 'not_found') each(job, (listener) => listener.gone());
  });
}

function connect(): WatchSocket {
  const made: WatchSocket = io(namespaces.watch, { transports: ['websocket'], parser: msgpack, reconnectionDelayMax: 10_000 });
  const tellAll = (yes: boolean): void => {
    for (const job of listeners.keys()) each(job, (listener) => listener.connected(yes));
  };
  made.on('connect', () => {
    tellAll(true);
    for (const job of listeners.keys()) ask(job);
  });
  made.on('disconnect', () => tellAll(false));
  made.on('connect_error', () => tellAll(false));
  made.on('tile:leased', ({ job, at, parts }) => each(job, (listener) => listener.leased(at, parts)));
  made.on('tile:checking', ({ job, at, parts }) => each(job, (listener) => listener.checking(at, parts)));
  made.on('tile:accepted', ({ job, result }) => each(job, (listener) => listener.accepted(result)));
  made.on('tile:refuted', ({ job, at, parts, drill }) => each(job, (listener) => listener.refuted(at, parts, drill)));
  made.on('tile:revoked', ({ job, result, at, parts }) => each(job, (listener) => listener.revoked(result, at, parts)));
  made.on('job:progress', (job) => each(job.id, (listener) => listener.progress(job)));
  made.on('job:ended', (job) => each(job.id, (listener) => listener.progress(job)));
  made.on('job:gone', ({ job }) => each(job, (listener) => listener.gone()));
  return made;
}

/** Watches one job over the one socket that all of a page's pictures share; it exists only while something is watched. */
export function watchJob(job: JobId, listener: JobListener): () => void {
  socket ??= connect();
  const here = listeners.get(job) ?? new Set();
  here.add(listener);
  listeners.set(job, here);
  if (socket.connected) {
    listener.connected(true);
    ask(job);
  }
  return () => {
    here.delete(listener);
    if (here.size > 0) return;
    listeners.delete(job);
    socket?.emit('unwatch', { job }, () => undefined);
    if (listeners.size === 0) {
      socket?.disconnect();
      socket = undefined;
    }
  };
}
