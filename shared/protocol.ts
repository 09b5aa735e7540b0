import type { BlobHash, JobId, PartMask, TileRef, Verdict } from './model.ts';
import type { AcceptedView, ErrorBody, GiveBack, HandIn, Hello, JobView, WatchRequest, WorkRequest } from './schemas.ts';

/** Raised when an older engine could no longer work with the coordinator; `hello` with another number is refused with `stale`. */
export const PROTOCOL_VERSION = 1;

/** Socket.IO namespaces. WebSocket transport only, msgpack parser on both ends. */
export const namespaces = { contribute: '/contribute', watch: '/watch' } as const;

export type Ack<T> = { readonly data: T } | ErrorBody;
export type Reply<T> = (ack: Ack<T>) => void;

/** What an engine needs to know of a job, sent once per connection. */
export interface JobBrief {
  readonly id: JobId;
  readonly workload: string;
  readonly version: number;
  readonly title: string;
  readonly seed: number;
  readonly params: unknown;
  readonly prepared: unknown;
  readonly inputs: readonly { readonly name: string; readonly hash: BlobHash; readonly bytes: number }[];
  /** Share of the whole job that is accepted, 0 to 1, at the time of sending. */
  readonly progress: number;
}

export interface Lease {
  /** Opaque; enough to hand the result in, also after a restart of either side. */
  readonly token: string;
  readonly job: JobId;
  readonly at: TileRef;
  readonly parts: PartMask;
  readonly deadlineMs: number;
}

export interface Work {
  readonly leases: readonly Lease[];
  /** Jobs of these leases that this connection has not been told about yet. */
  readonly jobs: readonly JobBrief[];
  /** When there was less work than asked for: ask again after this; `work:available` may come earlier. */
  readonly retryMs: number | null;
}

export interface Welcome {
  readonly earnedMicroCredits: string;
  readonly sharePercent: number;
  readonly serverTimeMs: number;
}

/** `stored`: durable on the coordinator's disk. A hand-in repeated gets the same answer. */
export interface HandedIn {
  readonly stored: true;
  readonly work: Work;
}

export interface VerdictMessage {
  readonly job: JobId;
  readonly at: TileRef;
  readonly parts: PartMask;
  readonly verdict: Verdict;
  /** What this contributor earned for it. */
  readonly microCredits: string;
  readonly earnedMicroCredits: string;
  readonly reason: string;
}

export interface ContributorCommands {
  hello(message: Hello, reply: Reply<Welcome>): void;
  work(message: WorkRequest, reply: Reply<Work>): void;
  handIn(message: HandIn, reply: Reply<HandedIn>): void;
  giveBack(message: GiveBack, reply: Reply<null>): void;
}

export interface ContributorFacts {
  verdict(message: VerdictMessage): void;
  'work:available'(): void;
  /** Stop working on these: done, cancelled, or taken by somebody else. */
  'leases:void'(message: { readonly tokens: readonly string[]; readonly reason: string }): void;
  /** The consent was revoked or has expired: stop. */
  'consent:ended'(message: { readonly reason: string }): void;
}

export interface ViewerCommands {
  watch(message: WatchRequest, reply: Reply<{ job: JobView; accepted: readonly AcceptedView[] }>): void;
  unwatch(message: WatchRequest, reply: Reply<null>): void;
}

export interface ViewerFacts {
  'tile:leased'(message: { readonly job: JobId; readonly at: TileRef; readonly parts: PartMask }): void;
  'tile:accepted'(message: { readonly job: JobId; readonly result: AcceptedView }): void;
  'tile:refuted'(message: { readonly job: JobId; readonly at: TileRef; readonly parts: PartMask }): void;
  /** At most twice a second. */
  'job:progress'(message: JobView): void;
  'job:ended'(message: JobView): void;
}
