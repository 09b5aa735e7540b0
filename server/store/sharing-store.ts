import type { MicroCredits } from '../../shared/credits.ts';
import type { JobId } from '../../shared/model.ts';
import type { Block } from '../core/state.ts';
import type { JobSummary, StoredJob, StoredResult, Transfer, Write } from './store.ts';

/*
 * Several coordinators on one database. A job that is open has blocks of tiles; whoever wants work claims some, and alone sees to them: leases,
 * results, verdicts, vesting. A coordinator lives for one epoch, and says so again and again; one that does not is *fenced* by whoever notices.
 * From then on nothing of it is stored, also if it was only asleep: it has to begin again with another epoch. Its blocks are anybody's.
 *
 *   fresh -> claimed <-> closed (all of it is accepted, or the job was cancelled) -> the job ends when all its blocks are
 *              |-> orphaned (its owner was fenced) -> claimed by whoever notices, with its results
 *              '-> released (nobody there takes it on) -> claimed by whoever has contributors for it
 *
 * A closed block is open again when a result in it is taken back (`Write` `shareReopened`).
 */

/** Another coordinator has taken this one for dead. Nothing was stored. */
export class Fenced extends Error {
  override readonly name = 'Fenced';

  constructor(epoch: number) {
    super(`epoch ${epoch} is over: another coordinator has taken its place`);
  }
}

/** What all coordinators have to know: of a job (it is there, was changed, has ended), of a contributor or owner, or of the network. */
export type NoticeKind = 'job' | 'jobEnded' | 'proven' | 'standing' | 'owner' | 'erased' | 'groups' | 'consent' | 'session' | 'site' | 'halt' | 'moderation';

export interface Notice {
  readonly seq: number;
  readonly epoch: number;
  readonly kind: NoticeKind;
  readonly subject: string;
}

/** How far a coordinator is with what it has claimed of a job. */
export interface ShareFigures {
  readonly parts: JobSummary['parts'];
  readonly checks: { readonly cpu: number; readonly trusted: number; readonly contributor: number; readonly refuted: number; readonly revoked: number };
  /** Sum over its accepted parts of the error bound of their result. */
  readonly errorSum: number;
}

export interface ClaimedBlock extends Block {
  readonly job: JobId;
}

export interface Claimed {
  readonly blocks: readonly ClaimedBlock[];
  /** Of these blocks, those that still matter, oldest first, without inline bytes. */
  readonly results: readonly StoredResult[];
}

export interface JobEnd {
  readonly transfers: readonly Transfer[];
  readonly ended: Write & { kind: 'jobEnded' };
}

export interface SharingStore {
  /** Begins an epoch, which lives for so long from now on unless `beat` prolongs it. */
  enter(aliveMs: number): Promise<number>;
  /** Prolongs an epoch. Throws `Fenced`. */
  beat(epoch: number, aliveMs: number): Promise<void>;
  /** Ends one's own epoch: its blocks are anybody's at once. */
  leave(epoch: number): Promise<void>;
  /**
   * Fences every coordinator whose time is over. All its blocks of open jobs are orphans, closed ones too; pay that it had vesting for jobs that
   * have ended is `epoch`'s to see to from now on, and returned. Throws `Fenced`.
   */
  fence(epoch: number): Promise<readonly StoredResult[]>;
  /** Epochs that are alive, ascending. */
  alive(): Promise<number[]>;

  /** Cuts an open job into blocks of so many tiles. Done before, ended or extended meanwhile: nothing. */
  cut(job: StoredJob, tiles: number, blockTiles: number): Promise<void>;
  /**
   * Takes blocks of an open job that are nobody's, orphans first; of a cancelled one, those that somebody had; `tiles`: only those with one of these.
   * Throws `Fenced`.
   */
  claim(epoch: number, job: JobId, limit: number, tiles?: readonly number[]): Promise<Claimed>;
  /** Open jobs that have orphaned blocks; cancelled ones, that have released blocks. */
  orphaned(limit: number): Promise<JobId[]>;
  /** Of a job, blocks that nobody has. */
  unclaimed(job: JobId): Promise<number>;
  /** Open jobs that have no blocks: new ones, and extended ones (`LifecycleStore.extend`). */
  uncut(limit: number): Promise<JobId[]>;
  /** Open jobs that `finish` would end. */
  finishable(limit: number): Promise<JobId[]>;
  /**
   * Ends a job all of whose blocks are closed; `closing`: those that nobody has count as closed. In one transaction, by what `end` says of the job,
   * what is left of its hold, and what its shares came to. Null when it is not to end yet, or has ended.
   */
  finish(job: JobId, end: (job: StoredJob, left: MicroCredits, figures: ShareFigures, contributors: number) => JobEnd): Promise<JobEnd | null>;

  /** Says how far one is with jobs that are open. */
  putFigures(epoch: number, shares: readonly { readonly job: JobId; readonly figures: ShareFigures }[]): Promise<void>;
  /** How far all others are, by job; what was given back and is nobody's counts as theirs. */
  figures(epoch: number): Promise<Map<JobId, ShareFigures>>;

  tell(epoch: number, kind: NoticeKind, subject: string): Promise<void>;
  /** What others told after this, oldest first. */
  notices(epoch: number, afterSeq: number, limit: number): Promise<Notice[]>;
  /** The latest there is. */
  lastNotice(): Promise<number>;
}
