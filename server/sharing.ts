import { SECOND_MS } from '../shared/limits.ts';
import type { ContributorId, JobId } from '../shared/model.ts';
import type { Coordinator } from './coordinator.ts';
import { endOfShared, figuresOf, figuresOfBlocks, milestoneOf, summaryOfShares } from './core/ending.ts';
import { onlyHere } from './core/everywhere.ts';
import { mayTake } from './core/offer.ts';
import { isShareDone } from './core/sharing.ts';
import type { Command, Event, Job } from './core/state.ts';
import { totalFigures } from './store/sharing.ts';
import { Fenced, type Notice, type NoticeKind, type ShareFigures } from './store/sharing-store.ts';
import type { JobSummary, Store, StoredResult } from './store/store.ts';

/** Longer than a commit under load, or a pause of the process that nobody should mind. */
const ALIVE_MS = 10 * SECOND_MS;
const BEAT_MS = SECOND_MS;
const LOOK_MS = 250;
const NOTICES_MAX = 500;
const JOBS_MAX = 200;
/** Everything is looked at anew this often, in case a notice was lost with the connection of who told it. */
const RECONCILE_BEATS = 30;
/** Blocks claimed at once: one, and twice as many each time that they did not last. */
const CLAIM_MAX = 16;
const LASTS_MS = 2 * SECOND_MS;
const ORPHANS_MAX = 64;
/** What nobody here takes on for so long is given back. */
const IDLE_MS = 5 * SECOND_MS;
/** Tiles that are wanted at once; whoever hands in more comes again. */
const WANTED_MAX = 64;
/** Contributors that are asked whether they would take a job. */
const ASKED_MAX = 200;

export interface SharingDeps {
  readonly store: Store;
  readonly coordinator: Coordinator;
  readonly clock: () => number;
  readonly log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
  /** What others have told that is not the coordinator's own to know: of owners, groups, sessions, sites, the network. */
  readonly heard: (notice: Notice) => Promise<void> | void;
  /** A job was changed by somebody elsewhere. */
  readonly jobChanged: (job: JobId) => void;
  readonly aliveMs?: number;
  readonly idleMs?: number;
}

interface Appetite {
  readonly atMs: number;
  readonly blocks: number;
}

/**
 * The part of a coordinator that shares its database with others (`store/sharing-store.ts` has the states of a block). It says that it is alive,
 * claims blocks of jobs before its contributors run out of them, closes what is done, ends jobs that are closed everywhere, takes over from those
 * that have died, and passes on what one coordinator has to know of another. None of that is on the way of a tile.
 */
export class Sharing {
  readonly #deps: SharingDeps;
  readonly #appetites = new Map<JobId, Appetite>();
  /** Of jobs here, how many blocks of the share are closed. */
  readonly #closed = new WeakMap<Job, number>();
  /** Since when there is something to do of a job, and nobody does it. */
  readonly #idleSince = new WeakMap<Job, number>();
  #isAlone = true;
  #isFirst = true;
  #others: ReadonlyMap<JobId, ShareFigures> = new Map();
  readonly #told = new Map<JobId, string>();
  #noticed = 0;
  #ends = false;
  #timers: NodeJS.Timeout[] = [];
  #looking: Promise<void> = Promise.resolve();
  #figuring: Promise<void> = Promise.resolve();
  #beating: Promise<void> = Promise.resolve();
  readonly #standings = new Set<ContributorId>();
  /** By job, tiles that no coordinator has and somebody hands in. */
  readonly #wanted = new Map<JobId, Set<number>>();
  #beats = 0;

  private constructor(deps: SharingDeps) {
    this.#deps = deps;
  }

  /** Begins a life of a coordinator; `Coordinator` asks for one at its start, and for another after it was fenced. */
  static begin({ sharing }: Store, aliveMs: number = ALIVE_MS): Promise<number> {
    return sharing.enter(aliveMs);
  }

  /** `isTicking`: left to itself; else its owner calls `beat` and `look`. */
  static async open(deps: SharingDeps, isTicking = true): Promise<Sharing> {
    const sharing = new Sharing(deps);
    sharing.#noticed = await deps.store.sharing.lastNotice();
    deps.coordinator.onEvents((events) => sharing.#hear(events));
    await sharing.beat();
    await sharing.look();
    if (isTicking) sharing.#timers = [setInterval(() => void sharing.beat(), BEAT_MS), setInterval(() => void sharing.look(), LOOK_MS)];
    return sharing;
  }

  /** Lets others have all that is here. The coordinator must be closed. */
  async close(): Promise<void> {
    this.#ends = true;
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.allSettled([this.#looking, this.#beating]);
    await this.#deps.store.sharing.leave(this.#deps.coordinator.epoch).catch(() => undefined);
  }

  /** One of all coordinators: the one that has been there longest. */
  get isFirst(): boolean {
    return this.#isFirst;
  }

  /**
   * Somebody hands in a tile that no coordinator has: its block is claimed with the next look, if it is nobody's. Who waits for that with all that it
   * computed asks for no work, so nobody would claim it for its sake.
   */
  want(job: JobId, tile: number): void {
    const tiles = this.#wanted.get(job) ?? new Set();
    this.#wanted.set(job, tiles);
    if (tiles.size < WANTED_MAX) tiles.add(tile);
  }

  async tell(kind: NoticeKind, subject: string): Promise<void> {
    await this.#deps.store.sharing.tell(this.#deps.coordinator.epoch, kind, subject);
  }

  #figures(job: Job): ShareFigures {
    return totalFigures([figuresOf(job), this.#others.get(job.stored.id) ?? totalFigures([])]);
  }

  /** What the parts of an open job have come to, here and elsewhere, as of a moment ago. */
  partsOf(job: Job): JobSummary['parts'] {
    const { parts } = this.#figures(job);
    return { ...parts, total: job.partsPlanned - (parts.waived ?? 0) };
  }

  /** Parts of an open job that nobody is at work on, here or elsewhere, as of a moment ago. */
  partsFree(job: Job): number {
    const { accepted = 0, checking = 0, leased = 0, waived = 0 } = this.#others.get(job.stored.id)?.parts ?? {};
    return Math.max(0, onlyHere.partsFree(job) - accepted - checking - leased - waived);
  }

  /** What an open job has come to, here and elsewhere, as of a moment ago. */
  async summary(job: Job): Promise<JobSummary> {
    const figures = this.#figures(job);
    const { id, unit, workHeld, checksHeld } = job.stored;
    const left = await this.#deps.store.ledger.balance(`job/${id}`, unit);
    return summaryOfShares(figures, job.partsPlanned, job.contributors.size, workHeld + checksHeld - left);
  }

  /** Once a second: alive; who is not; how far everybody is. One at a time. */
  beat(): Promise<void> {
    this.#beating = this.#beating.then(() => this.#once(() => this.#beat()));
    return this.#beating;
  }

  /** Four times a second: what others have told, and what is to be claimed, closed or ended. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#once(() => this.#look()));
    return this.#looking;
  }

  async #once(run: () => Promise<void>): Promise<void> {
    if (this.#ends) return;
    const { coordinator, log } = this.#deps;
    const { epoch } = coordinator;
    try {
      await run();
    } catch (error) {
      if (this.#ends) return;
      if (error instanceof Fenced && epoch === coordinator.epoch) await coordinator.startAnew(error);
      else log.error({ error: String(error) }, 'the coordinators’ database did not answer as it should');
    }
  }

  async #beat(): Promise<void> {
    const { coordinator, store } = this.#deps;
    const { epoch } = coordinator;
    await store.sharing.beat(epoch, this.#deps.aliveMs ?? ALIVE_MS);
    await this.#takeOver(async () => [await this.#inherit(await store.sharing.fence(epoch))]);
    for (const job of await store.sharing.orphaned(JOBS_MAX)) if (coordinator.openJob(job)) await this.#claim(job, ORPHANS_MAX);
    await this.#tellFigures(epoch);
    await this.#hearFigures();
    const alive = await store.sharing.alive();
    this.#isAlone = alive.length <= 1;
    this.#isFirst = alive[0] === epoch;
    if (this.#isFirst) {
      await this.#milestones();
      await this.#cut();
    }
    for (const id of await store.sharing.finishable(JOBS_MAX)) await this.#finish(id);
    if (++this.#beats % RECONCILE_BEATS === 0) await this.#reconcile();
  }

  /** Whoever took an order may have died before it had cut it. */
  async #cut(): Promise<void> {
    const { coordinator, store } = this.#deps;
    for (const id of await store.sharing.uncut(JOBS_MAX)) {
      const job = await store.jobs.get(id);
      if (job) await coordinator.begin(job);
    }
  }

  async #reconcile(): Promise<void> {
    const { coordinator, store } = this.#deps;
    const open = await store.jobs.list({ status: 'open', limit: Number.MAX_SAFE_INTEGER });
    for (const job of open) await coordinator.follow(job);
    const ids = new Set(open.map(({ id }) => id));
    for (const { stored } of this.#shared()) if (!ids.has(stored.id)) await this.#jobTold(stored.id);
  }

  #tellFigures(epoch: number): Promise<void> {
    return this.#inTurn(async () => {
      const changed = this.#shared().flatMap((job) => {
        const figures = figuresOf(job);
        const text = JSON.stringify(figures);
        return job.share?.length === 0 || this.#told.get(job.stored.id) === text ? [] : [{ job: job.stored.id, figures, text }];
      });
      await this.#deps.store.sharing.putFigures(epoch, changed);
      // What could not be told is told again.
      for (const { job, text } of changed) this.#told.set(job, text);
    });
  }

  /** One after the other: what is told of a share while it is given back would count twice. */
  #inTurn(run: () => Promise<void>): Promise<void> {
    const done = this.#figuring.then(run);
    this.#figuring = done.catch(() => undefined);
    return done;
  }

  async #hearFigures(): Promise<void> {
    const { coordinator, store } = this.#deps;
    this.#others = await store.sharing.figures(coordinator.epoch);
  }

  /** One coordinator tells requesters how far their jobs are: the one that has been there longest. */
  async #milestones(): Promise<void> {
    const { coordinator, clock } = this.#deps;
    for (const job of this.#shared()) {
      if (job.closing || job.milestone === MILESTONE_MAX) continue;
      const parts = this.partsOf(job);
      const percent = milestoneOf({ partsAccepted: parts.accepted, partsTotal: parts.total });
      if (percent <= job.milestone || parts.accepted === parts.total) continue;
      job.milestone = percent;
      await coordinator.write([{ kind: 'jobProgress', id: job.stored.id, percent, atMs: clock(), parts }]);
    }
  }

  async #look(): Promise<void> {
    const { coordinator, store } = this.#deps;
    for (const notice of await store.sharing.notices(coordinator.epoch, this.#noticed, NOTICES_MAX)) {
      await this.#take(notice);
      this.#noticed = notice.seq;
    }
    for (const id of this.#standings) {
      this.#standings.delete(id);
      await this.tell('standing', id);
    }
    for (const [id, tiles] of this.#wanted) {
      this.#wanted.delete(id);
      if (coordinator.openJob(id)) await this.#claim(id, tiles.size, [...tiles]);
    }
    for (const job of this.#shared()) {
      if (job.share?.length && isShareDone(job) && this.#closed.get(job) !== job.share.length) await this.#close(job);
      if (this.#isIdle(job)) await this.#inTurn(() => this.#release(job));
      else if (this.#wantsMore(job)) await this.#claim(job.stored.id, this.#appetite(job.stored.id));
    }
  }

  /** Others are there, and perhaps have contributors for what nobody here wants, may have or is here to take. */
  #isIdle(job: Job): boolean {
    const { clock, idleMs = IDLE_MS } = this.#deps;
    const rests = job.share?.length && job.partsLeased === 0 && job.undecided === 0 && job.partsAccepted < job.partsTotal && !this.#isAlone;
    if (!rests) this.#idleSince.delete(job);
    const since = this.#idleSince.get(job);
    if (rests && since === undefined) this.#idleSince.set(job, clock());
    return since !== undefined && rests === true && clock() - since >= idleMs;
  }

  /** What is stored before it comes before it. */
  async #release(job: Job): Promise<void> {
    const { coordinator } = this.#deps;
    const { id } = job.stored;
    // It has waited for its turn: by now somebody may be at work on it, or it has ended.
    if (coordinator.openJob(id) !== job || !this.#isIdle(job)) return;
    this.#told.delete(id);
    const blocks = figuresOfBlocks(job);
    const leaving = coordinator.apply({ type: 'leaveJob', job: id, anew: true });
    const joining = coordinator.apply({ type: 'joinJob', job: job.stored });
    await Promise.all([leaving, joining, coordinator.write([{ kind: 'shareReleased', id, blocks }])]);
    await this.#hearFigures();
  }

  /**
   * What is taken over is this life's in the database before it is known here. Does it not become known, because the answer was lost or could not be
   * followed up, nobody would ever see to it: then this life ends, and the next one begins with nothing. While that one begins it takes nothing.
   */
  async #takeOver(take: (epoch: number) => Promise<readonly Command[]>): Promise<void> {
    const { coordinator } = this.#deps;
    const { epoch } = coordinator;
    if (coordinator.isRecovering) return;
    try {
      for (const command of await take(epoch)) if (coordinator.epoch === epoch) await coordinator.apply(command);
    } catch (error) {
      if (!(error instanceof Fenced) && coordinator.epoch === epoch) await coordinator.startAnew(error);
      throw error;
    }
  }

  /** Results that are this coordinator's to see to from now on, pay that vests among them. */
  async #inherit(results: readonly StoredResult[]): Promise<Command> {
    for (const contributor of new Set(results.map((result) => result.contributor))) await this.#deps.coordinator.remember(contributor);
    return { type: 'restoreVesting', results: results.filter(({ vesting }) => vesting !== null) };
  }

  /** A job has ended, here or elsewhere. */
  async #leave(id: JobId, summary: JobSummary): Promise<void> {
    const { coordinator } = this.#deps;
    await coordinator.apply({ type: 'leaveJob', job: id, anew: false });
    coordinator.announce([{ type: 'jobEnded', job: id, summary }]);
  }

  #shared(): Job[] {
    return [...this.#deps.coordinator.state.jobs.values()].filter(({ share }) => share !== null);
  }

  /** What is free will not last until the next look. */
  #wantsMore(job: Job): boolean {
    const { state } = this.#deps.coordinator;
    if (job.closing || job.paused || state.halted !== null) return false;
    if (!state.connected.slice(0, ASKED_MAX).some((contributor) => mayTake(contributor, job))) return false;
    const free = job.partsTotal - job.partsAccepted - job.partsChecking - job.partsLeased;
    return free <= job.partsLeased || job.blocks.peek() === undefined;
  }

  #appetite(id: JobId): number {
    const before = this.#appetites.get(id);
    const now = this.#deps.clock();
    const blocks = before && now - before.atMs < LASTS_MS ? Math.min(CLAIM_MAX, before.blocks * 2) : 1;
    this.#appetites.set(id, { atMs: now, blocks });
    return blocks;
  }

  async #claim(id: JobId, limit: number, tiles?: readonly number[]): Promise<void> {
    let isBegun = false;
    await this.#takeOver(async (epoch) => {
      const { blocks, results } = await this.#deps.store.sharing.claim(epoch, id, limit, tiles);
      isBegun = results.length > 0;
      // What was done of them is from now on told as ours: between the two it is told by nobody, rather than twice.
      if (isBegun) await this.#hearFigures();
      return blocks.length === 0 ? [] : [await this.#inherit(results), { type: 'claimBlocks', job: id, blocks, results }];
    });
    if (isBegun) await this.#tellFigures(this.#deps.coordinator.epoch);
  }

  /** In the order of commits: nothing is closed before all that it consists of is stored. */
  async #close(job: Job): Promise<void> {
    const blocks = numbersOf(job);
    // Noted before: a result may be taken back with the same commit, and is heard of (`#reopened`) before this goes on.
    this.#closed.set(job, blocks.length);
    try {
      await this.#deps.coordinator.write([{ kind: 'shareClosed', id: job.stored.id, blocks, figures: figuresOf(job) }]);
    } catch (error) {
      this.#closed.delete(job);
      throw error;
    }
    await this.#finish(job.stored.id);
  }

  async #finish(id: JobId): Promise<void> {
    const { coordinator, store, clock } = this.#deps;
    const planned = coordinator.openJob(id)?.partsPlanned;
    if (planned === undefined) return;
    const end = await store.sharing.finish(id, (job, left, figures, contributors) =>
      endOfShared(job, summaryOfShares(figures, planned, contributors, job.workHeld + job.checksHeld - left), left, clock()),
    );
    if (!end) return;
    await this.tell('jobEnded', id);
    await this.#leave(id, end.ended.summary);
  }

  async #take(notice: Notice): Promise<void> {
    const { coordinator, store, heard, jobChanged } = this.#deps;
    const { kind, subject } = notice;
    if (kind === 'job' || kind === 'jobEnded') {
      await this.#jobTold(subject as JobId);
      jobChanged(subject as JobId);
    } else if (kind === 'proven' || kind === 'standing') {
      const contributor = subject as ContributorId;
      if (!coordinator.contributor(contributor)) return;
      await coordinator.apply({ type: 'heard', contributor, standings: await store.people.standings(contributor), proven: kind === 'proven' });
    } else await heard(notice);
  }

  async #jobTold(id: JobId): Promise<void> {
    const { coordinator, store } = this.#deps;
    const job = await store.jobs.get(id);
    if (job?.status === 'open') await coordinator.follow(job);
    else if (job?.summary && coordinator.openJob(id)) await this.#leave(id, job.summary);
  }

  /** Verdicts about contributors that are elsewhere by now. Of lies others hear by the commit that stores them. */
  #hear(events: readonly Event[]): void {
    for (const event of events) {
      if (event.type === 'tileRevoked') this.#reopened(event.job);
      if (event.type === 'jobEnded') this.#forget(event.job);
      if (event.type !== 'verdict' || event.state === 'refuted') continue;
      if (!this.#deps.coordinator.contributor(event.contributor)?.connected) this.#standings.add(event.contributor);
    }
  }

  /** A share that was closed is open again, and will be closed anew. */
  #reopened(id: JobId): void {
    const job = this.#deps.coordinator.openJob(id);
    if (job) this.#closed.delete(job);
  }

  #forget(id: JobId): void {
    this.#appetites.delete(id);
    this.#told.delete(id);
  }
}

const numbersOf = ({ share }: Job): number[] => share?.map(({ number }) => number) ?? [];

const MILESTONE_MAX = 75;
