import type { BlobHash, JobId, PartMask, ResultId, TileRef, Verdict } from './model.ts';
import type {
  AcceptedView,
  Answer,
  ContributorRecord,
  ErrorBody,
  GiveBack,
  HandIn,
  Hello,
  JobView,
  Many,
  Open,
  Preferences,
  WatchRequest,
  WorkRequest,
} from './schemas.ts';

/** Raised when an older engine could no longer work with the coordinator; `hello` with another number is refused with `stale`. */
export const PROTOCOL_VERSION = 5;

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
  /** Names who ordered it, for `Preferences.blocked`. */
  readonly requester?: string;
  /** Name of the group that this job costs nothing for and pays nothing; this contributor is a member. */
  readonly group?: string;
}

export interface Lease {
  /** Opaque; enough to hand the result in, also after a restart of either side. */
  readonly token: string;
  readonly job: JobId;
  readonly at: TileRef;
  readonly parts: PartMask;
  readonly deadlineMs: number;
}

/** A grant to recompute elements of other contributors' results, without being told what they claim. */
export interface AuditLease {
  readonly token: string;
  readonly job: JobId;
  /** `decodeAuditElements`. */
  readonly elements: Uint8Array;
  readonly deadlineMs: number;
}

/** Elements of a handed-in result whose columns are to be opened (`commitParts`). */
export interface OpenRequest {
  readonly result: ResultId;
  readonly elements: readonly number[];
}

export interface Work {
  readonly leases: readonly Lease[];
  /** Come before the leases: results of others wait for them. */
  readonly audits: readonly AuditLease[];
  /** Jobs of these leases that this connection has not been told about yet. */
  readonly jobs: readonly JobBrief[];
  /** When there was less work than asked for: ask again after this; `work:available` may come earlier. */
  readonly retryMs: number | null;
  /** Until it gets leases again, after some of its own ran out or a result was not opened; 0: it may have any. */
  readonly restMs: number;
}

export interface Welcome {
  readonly earnedMicroCredits: string;
  /** Earned, but voided should this contributor be proven wrong soon. */
  readonly vestingMicroCredits: string;
  readonly record: ContributorRecord;
  /** Results of this contributor that wait for their opening. Whoever cannot open one any more gives it back. */
  readonly open: readonly OpenRequest[];
  /** Leases and audits that count as held by this contributor. Whoever does not know one, after a reload say, gives it back. */
  readonly held: readonly string[];
  readonly sharePercent: number;
  readonly serverTimeMs: number;
}

/** `stored`: durable on the coordinator's disk. A hand-in repeated gets the same answer. */
export interface HandedIn {
  readonly stored: true;
  readonly result: ResultId;
  /** What to open now; empty when it is taken as it is. */
  readonly open: readonly number[];
  readonly work: Work;
}

/** The answer to an audit: counted. */
export interface Answered {
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
  readonly vestingMicroCredits: string;
  /** Taken back with this verdict: earnings of earlier results that had not vested yet. */
  readonly voidedMicroCredits: string;
  readonly reason: string;
}

export interface ContributorCommands {
  hello(message: Hello, reply: Reply<Welcome>): void;
  work(message: WorkRequest, reply: Reply<Work>): void;
  handIn(message: HandIn, reply: Reply<HandedIn>): void;
  /** `stored`: the opening is durable. Repeated, it gets the same answer. */
  open(message: Open, reply: Reply<null>): void;
  answer(message: Answer, reply: Reply<Answered>): void;
  /** At most 48 KiB of inline bytes together. Each is answered as if it had come alone. */
  many(message: Many, reply: Reply<readonly Ack<unknown>[]>): void;
  giveBack(message: GiveBack, reply: Reply<null>): void;
  /** In place of those of `hello`; what it holds and does not want any more is voided. */
  prefer(message: Preferences, reply: Reply<null>): void;
}

export interface ContributorFacts {
  /** Those that were reached together, in their order. */
  verdicts(messages: readonly VerdictMessage[]): void;
  'work:available'(): void;
  /** More of a result is to be opened. */
  'open:wanted'(message: OpenRequest): void;
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
  /** Handed in, without a verdict yet. */
  'tile:checking'(message: { readonly job: JobId; readonly at: TileRef; readonly parts: PartMask }): void;
  'tile:accepted'(message: { readonly job: JobId; readonly result: AcceptedView }): void;
  /** An accepted result counts no more: its contributor was proven wrong. Its parts are computed again. */
  'tile:revoked'(message: { readonly job: JobId; readonly result: ResultId; readonly at: TileRef; readonly parts: PartMask }): void;
  /** `drill`: the operator's own test of the checks made it. */
  'tile:refuted'(message: { readonly job: JobId; readonly at: TileRef; readonly parts: PartMask; readonly drill: boolean }): void;
  /** At most twice a second. */
  'job:progress'(message: JobView): void;
  'job:ended'(message: JobView): void;
  /** It is not there any more for whoever watches here; asking again tells its requester why. */
  'job:gone'(message: { readonly job: JobId }): void;
}
