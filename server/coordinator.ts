import { createSecretKey } from 'node:crypto';
import type { MicroCredits } from '../shared/credits.ts';
import type { LeaseBody } from '../shared/formats.ts';
import type { ContributorId, GroupId, JobId, OwnerId, ResultId, SiteId } from '../shared/model.ts';
import type { OpenRequest } from '../shared/protocol.ts';
import type { WorkloadSpec } from '../shared/workload.ts';
import { Checking } from './checking.ts';
import type { Pool } from './checks/pool.ts';
import { emptyState, step } from './core/coordinator.ts';
import { openLease } from './core/lease.ts';
import type { CheckOutcome, CheckRequest, Command, Contributor, Event, Job, PendingResult, RandomBytes, State } from './core/state.ts';
import { columnsOf } from './core/verdicts.ts';
import { cutJob } from './cutting.ts';
import { Estimates } from './estimates.ts';
import { Joined } from './joined.ts';
import { Measuring } from './measuring.ts';
import { Recall } from './recall.ts';
import { macKeysOf, type StoredKey } from './store/keys.ts';
import type { NoticeKind } from './store/sharing-store.ts';
import type { BlobStore, Store, StoredJob, StoredResult, Write } from './store/store.ts';
import { Ticking } from './ticking.ts';
import { type Batched, CommitFailed, restAfter, Waiting } from './waiting.ts';

export interface CoordinatorDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  /** Answers checks; worker threads in the coordinator. */
  readonly checks: Pick<Pool, 'ask'>;
  readonly spec: (workload: string) => WorkloadSpec | undefined;
  readonly privateSwarm: boolean;
  /** How long a newcomer's pay can be voided. */
  readonly vestingMsMax: number;
  /** Pay in credits vests no earlier. */
  readonly holdbackMs: number;
  readonly clock: () => number;
  readonly random: RandomBytes;
  readonly log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
  /** Begins a life among coordinators that share the database; left out where there are no others. See `sharing.ts`. */
  readonly beginLife?: () => Promise<number>;
  /** Hears of each commit: how many commands and rows it has, and how long it took. */
  readonly committed?: (commit: { readonly commands: number; readonly writes: number; readonly ms: number; readonly failed: boolean }) => void;
}

export { CommitFailed, Overloaded } from './waiting.ts';

const GROUP_COMMANDS_MAX = 1000;
/** What a log names a result by. */
const idsOf = ({ job, at, id, contributor }: StoredResult) => ({ job, ...at, result: id, contributor });

/**
 * The process around the pure core: feeds it commands, commits what it decides in groups, and only then lets anybody see
 * it. While one group is on its way to the disk the next one gathers. A failed commit throws the core's state away,
 * rebuilds it from the store and fails the commands of that group, which their senders repeat.
 */
export class Coordinator {
  readonly estimates: Estimates;
  readonly #deps: CoordinatorDeps;
  readonly #listeners = new Set<(events: readonly Event[]) => void>();
  readonly #checking: Checking;
  readonly #recall: Recall;
  readonly #measuring: Measuring;
  readonly #joined = new Joined();
  #state: State;
  #flushing: Promise<void> | null = null;
  #ticking: Ticking | undefined;
  /** The state is being read back. */
  #loaded: PromiseWithResolvers<void> | null = null;
  #closed = false;
  readonly #waiting = new Waiting();
  #failures = 0;
  readonly #closing = new AbortController();

  private constructor(deps: CoordinatorDeps, state: State) {
    this.#deps = deps;
    this.#state = state;
    this.estimates = new Estimates(() => this.#state, deps.clock);
    this.#recall = new Recall({
      ...deps,
      state: () => this.#state,
      step: (command) => this.#step(command),
      announce: (events) => this.announce(events),
    });
    this.#checking = new Checking({ ...deps, openJob: (id) => this.#state.jobs.get(id) });
    this.#measuring = new Measuring({
      checks: deps.checks,
      log: deps.log,
      handleOf: ({ job: id }) => {
        const job = this.#state.jobs.get(id);
        return job && { workload: job.stored.workload, job: job.context };
      },
      bytesOf: (result) => this.bytesOf(result),
      measured: (result, passesWanted) => this.dispatch({ type: 'measured', result, passesWanted }),
    });
  }

  static async open(deps: CoordinatorDeps): Promise<Coordinator> {
    const leaseKeys = macKeysOf(await deps.store.keys.of('lease'));
    const drawKey = createSecretKey(await deps.store.secret('draw'));
    const epoch = await (deps.beginLife ?? (() => deps.store.nextEpoch()))();
    const { spec, privateSwarm, vestingMsMax, holdbackMs } = deps;
    const config = { leaseKeys, drawKey, epoch, spec, privateSwarm, vestingMsMax, holdbackMs };
    const coordinator = new Coordinator(deps, emptyState(config, deps.clock()));
    await coordinator.#recall.load(coordinator.isShared);
    coordinator.#ticking = new Ticking((command) => coordinator.dispatch(command));
    return coordinator;
  }

  /** Opens a lease token. Throws `FormatError` on one that this coordinator did not make; expiry is judged where it is used. */
  readLease(token: string): LeaseBody {
    return openLease(this.#state.config.leaseKeys, token);
  }

  /** From here on leases are sealed with the one that signs, and those sealed with any of these are opened. */
  useLeaseKeys(keys: readonly StoredKey[]): void {
    this.#state = { ...this.#state, config: { ...this.#state.config, leaseKeys: macKeysOf(keys) } };
  }

  /** Names this life of the coordinator; also in the tokens of its leases. */
  get epoch(): number {
    return this.#state.config.epoch;
  }

  /** Others have the same database. */
  get isShared(): boolean {
    return this.#deps.beginLife !== undefined;
  }

  hasTile(job: JobId, tile: number): boolean {
    return this.#state.jobs.get(job)?.blocks.isHere(tile) ?? false;
  }

  hasAudit(token: string): boolean {
    return this.#state.audits.has(token);
  }

  get #sharedEpoch(): number | undefined {
    return this.#deps.beginLife ? this.#state.config.epoch : undefined;
  }

  /** Stores this with the next group, behind what is on its way. */
  write(writes: readonly Write[]): Promise<unknown> {
    return this.#enqueue(writes.map((write): Event => ({ type: 'write', write })));
  }

  /** Opens a job that is new, or was extended: with its results, and what it has paid so far. */
  async begin(job: StoredJob, results: readonly StoredResult[] = [], paid: MicroCredits = 0n): Promise<void> {
    if (this.#sharedEpoch === undefined) {
      await this.dispatch({ type: 'openJob', job, results, paid });
      return;
    }
    const tiles = this.#deps.spec(job.workload)?.split(job.params, job.prepared).tiles ?? 0;
    await cutJob(this.#deps.store, job, tiles);
    await this.#tell('job', job.id);
    await this.follow(job);
  }

  /** A shared job that is open, as it is stored now: perhaps one that is new here, perhaps changed by its requester elsewhere. */
  async follow(job: StoredJob): Promise<void> {
    const here = this.#state.jobs.get(job.id);
    if (here && here.stored.extensions !== job.extensions) await this.apply({ type: 'leaveJob', job: job.id, anew: true });
    if (here?.stored.extensions !== job.extensions) await this.apply({ type: 'joinJob', job });
    else if (job.closing && !here.closing) await this.apply({ type: 'cancelJob', job: job.id });
    else if (job.paused !== here.paused && !here.closing) await this.apply({ type: 'pauseJob', job: job.id, paused: job.paused });
  }

  /** What it has of shared jobs is others' from now on, and it begins again with nothing: another coordinator has taken it for dead, or it cannot tell any more what it has. */
  async startAnew(reason: unknown): Promise<void> {
    if (!this.#loaded) await this.#startOver([], reason);
  }

  openJob(id: JobId): Job | undefined {
    return this.#state.jobs.get(id);
  }

  /** A result that has no verdict yet. */
  pendingResult(id: ResultId): PendingResult | undefined {
    return this.#state.pending.get(id);
  }

  /** What is known in memory of a contributor: its standings are ahead of the store's. */
  contributor(id: ContributorId): Contributor | undefined {
    return this.#state.contributors.get(id);
  }

  /** For figures and for the operator: to read, and not to keep. */
  get state(): Pick<Readonly<State>, 'jobs' | 'contributors' | 'connected' | 'halted'> {
    return this.#state;
  }

  /** Results of a contributor that wait for their opening. */
  unopened(contributor: ContributorId): OpenRequest[] {
    const waiting = [...this.#state.pending.values()].filter(({ stage, stored }) => stage === 'opening' && stored.contributor === contributor);
    return waiting.map((pending) => ({ result: pending.stored.id, elements: columnsOf(pending) }));
  }

  /** Tokens of the leases and audits of a contributor. */
  held(contributor: ContributorId): string[] {
    const audits = [...this.#state.audits.values()].filter((audit) => audit.contributor === contributor);
    return [...(this.#state.contributors.get(contributor)?.leases.values() ?? []), ...audits].map(({ token }) => token);
  }

  /** Commands whose commit has not ended, and the bytes they brought. */
  get waiting(): Readonly<Pick<Waiting, 'commands' | 'bytes'>> {
    return this.#waiting;
  }

  /** The store has failed, and its state is being read back. */
  get isRecovering(): boolean {
    return this.#loaded !== null;
  }

  /** Called with every step's events, after what they report is durable. */
  onEvents(listener: (events: readonly Event[]) => void): void {
    this.#listeners.add(listener);
  }

  /**
   * Runs one command and resolves with its events once everything it wrote is on disk, and coordinators that share the database are told what
   * concerns them. Rejects with `CommitFailed`, or `Overloaded`.
   */
  dispatch(command: Command): Promise<readonly Event[]> {
    return this.#sharedEpoch === undefined ? this.apply(command) : this.#applyAndTell(command);
  }

  async #applyAndTell(command: Command): Promise<readonly Event[]> {
    const events = await this.apply(command);
    if (!events.some(({ type }) => type === 'refused')) await this.#tellOf(command);
    return events;
  }

  async #tellOf(command: Command): Promise<void> {
    if (command.type === 'cancelJob' || command.type === 'pauseJob') await this.#tell('job', command.job);
    else if (command.type === 'changeOwner') await this.#tell('owner', `${command.from} ${command.to}`);
    else if (command.type === 'setGroups') await this.#tell('groups', command.owner);
    else if (command.type === 'halt') await this.#tell('halt', '');
    else if (command.type === 'pardon') await this.#tell('standing', command.contributor);
  }

  #tell(kind: NoticeKind, subject: string): Promise<void> {
    return this.#deps.store.sharing.tell(this.epoch, kind, subject);
  }

  /** The same for what another coordinator told, or is this one's alone. One promise a command: every tile takes several. */
  apply(command: Command): Promise<readonly Event[]> {
    try {
      return this.#apply(command);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #apply(command: Command): Promise<readonly Event[]> {
    if (this.#closed) throw new CommitFailed('The coordinator is shutting down.');
    const overloaded = this.#waiting.refusalOf(command);
    if (overloaded) throw overloaded;
    this.#joined.hear(command);
    if (this.#loaded) throw new CommitFailed('The coordinator is reading its state back; try again.');
    const events = this.#step(command);
    // A repeated hand-in or opening writes nothing, but the row it repeats may still be on its way to the disk.
    if (command.type !== 'open' && !events.some(({ type }) => type === 'write' || type === 'stored')) {
      this.announce(events);
      return Promise.resolve(events);
    }
    return this.#enqueue(events, command);
  }

  #enqueue(events: readonly Event[], command: Command | null = null): Promise<readonly Event[]> {
    const committed = this.#waiting.add(events, command);
    this.#flushing ??= this.#flush();
    return committed;
  }

  async #flush(): Promise<void> {
    while (!this.#waiting.isEmpty) {
      // One turn of the event loop gathers everything that arrived together, and what arrived during the last commit.
      await new Promise((resolve) => setImmediate(resolve));
      const group = this.#waiting.take(GROUP_COMMANDS_MAX);
      const writes = group.flatMap(({ events }) => events.flatMap((event) => this.#writesOf(event)));
      const beganMs = performance.now();
      const told = (failed: boolean) => this.#deps.committed?.({ commands: group.length, writes: writes.length, ms: performance.now() - beganMs, failed });
      try {
        await this.#deps.store.commit(writes, this.#sharedEpoch);
      } catch (error) {
        told(true);
        await this.#startOver(group, error);
        continue;
      }
      told(false);
      this.#failures = 0;
      for (const each of group) {
        each.done();
        this.announce(each.events);
      }
    }
    this.#flushing = null;
  }

  #writesOf(event: Event): Write[] {
    if (event.type === 'write') return [event.write];
    return this.isShared && event.type === 'verdict' && event.state === 'refuted' ? [{ kind: 'proven', contributor: event.contributor }] : [];
  }

  async #startOver(group: readonly Batched[], error: unknown): Promise<void> {
    this.#deps.log.error({ error: String(error) }, 'a commit failed; reading everything back from the store');
    for (const each of [...group, ...this.#waiting.take()]) each.failed(new CommitFailed('The coordinator could not store this; try again.'));
    const loaded = Promise.withResolvers<void>();
    this.#loaded = loaded;
    // A database that is away, or full, fails what is read as well: until it is back every command is refused.
    while (!this.#closing.signal.aborted) {
      await restAfter(this.#failures++, this.#closing.signal);
      if (this.#closing.signal.aborted) return;
      try {
        await this.#readBack();
        this.#loaded = null;
        loaded.resolve();
        return;
      } catch (problem) {
        if (!this.#closing.signal.aborted) this.#deps.log.error({ error: String(problem) }, 'the store cannot be read back yet');
      }
    }
  }

  async #readBack(): Promise<void> {
    const { config, halted } = this.#state;
    const { beginLife, clock, store } = this.#deps;
    // What was the last life's is taken up again as that of a dead one: somebody else may have it already.
    if (beginLife) await store.sharing.leave(config.epoch);
    const epoch = beginLife ? await beginLife() : config.epoch;
    this.#state = { ...emptyState({ ...this.#state.config, epoch }, clock()), halted };
    await this.#recall.load(this.isShared);
    // What they brought along when they joined is old by now.
    for (const { contributor } of this.#joined.all()) if (contributor.site !== null) await this.openSite(contributor.site);
    for (const { contributor, ...join } of this.#joined.all())
      this.#step({ ...join, contributor: { ...contributor, standings: await this.#deps.store.people.standings(contributor.id) } });
  }

  #step(command: Command): Event[] {
    const events = step(this.#state, command, this.#deps.clock(), this.#deps.random);
    // What is looked at need not be durable for that: a verdict is stored behind it, or together with it.
    for (const event of events) if (event.type === 'checkRequested') void this.#check(event.request);
    return events;
  }

  /** Whoever is known in the store is known in memory from here on, whether it comes back or not. */
  remember(id: ContributorId): Promise<void> {
    return this.#recall.remember(id);
  }

  /** Before anybody who came by this site joins. */
  openSite(id: SiteId): Promise<void> {
    return this.#recall.openSite(id);
  }

  /** Lets everybody know what has happened, and is durable. */
  announce(events: readonly Event[]): void {
    for (const event of events) if (event.type === 'measureRequested') this.#measuring.ask(event.result);
    for (const listener of this.#listeners) listener(events);
  }

  async #check(request: CheckRequest): Promise<void> {
    const { pending } = this.#state;
    const outcome = await this.#checking
      .evidence(request)
      .catch((error: unknown): CheckOutcome => ({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }));
    if (outcome.kind === 'failed' && !this.#closed) this.#deps.log.error({ ...idsOf(request.result), error: outcome.message }, 'a check failed');
    // The state is thrown away with a failed commit; whoever reads it back asks again, and is heard once it has read all.
    await this.#loaded?.promise;
    if (this.#state.pending === pending) await this.dispatch({ type: 'checked', request, outcome }).catch(() => undefined);
  }

  /** The bytes of a result, from memory, its row or the blob store. */
  bytesOf(result: StoredResult): Promise<Uint8Array> {
    return this.#checking.bytesOf(result);
  }

  /** Resolves when nothing that is stored from now on is paid to `from`. */
  async changeOwner(from: OwnerId, to: OwnerId, isTold = false): Promise<void> {
    this.#joined.change(({ owner }) => owner === from, { owner: to });
    const command = { type: 'changeOwner', from, to } as const;
    await (isTold ? this.apply(command) : this.dispatch(command));
    // A payment that was decided before may still be on its way to the disk.
    await this.#flushing;
  }

  /** Ends the suspensions of a contributor, whether it is here or not, and known here to be suspended or not. False when there is no such contributor. */
  async pardon(contributor: ContributorId): Promise<boolean> {
    await this.remember(contributor);
    if (this.isShared) await this.apply({ type: 'heard', contributor, standings: await this.#deps.store.people.standings(contributor), proven: false });
    return !(await this.dispatch({ type: 'pardon', contributor })).some(({ type }) => type === 'refused');
  }

  /** All groups that an owner is in now. */
  async setGroups(owner: OwnerId, groups: readonly GroupId[], isTold = false): Promise<void> {
    this.#joined.change((contributor) => contributor.owner === owner, { groups: new Set(groups) });
    const command = { type: 'setGroups', owner, groups } as const;
    await (isTold ? this.apply(command) : this.dispatch(command));
  }

  /** Stops taking commands, finishes the commit under way. */
  async close(): Promise<void> {
    this.#ticking?.close();
    this.#measuring.close();
    this.#checking.close();
    this.#closing.abort();
    await this.#flushing;
    this.#closed = true;
  }
}
