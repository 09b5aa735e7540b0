import { createSecretKey } from 'node:crypto';
import type { MicroCredits } from '../shared/credits.ts';
import type { LeaseBody } from '../shared/formats.ts';
import { limits, SECOND_MS } from '../shared/limits.ts';
import type { ContributorId, GroupId, JobContext, JobId, OwnerId, ResultId, SiteId } from '../shared/model.ts';
import type { OpenRequest } from '../shared/protocol.ts';
import type { Finish } from '../shared/schemas.ts';
import type { TileGrid, WorkloadSpec } from '../shared/workload.ts';
import type { JobHandle } from './checks/messages.ts';
import { fromDisk, type Pool } from './checks/pool.ts';
import { emptyState, step } from './core/coordinator.ts';
import { inputBytesOf } from './core/fetching.ts';
import { openLease } from './core/lease.ts';
import { jobAccount } from './core/ledger.ts';
import { recordNameOf, requesterTag } from './core/offer.ts';
import { outlookOf, outlookOfJob } from './core/outlook.ts';
import type { Price } from './core/pricing.ts';
import { dayOf } from './core/sites.ts';
import type { Block, CheckOutcome, CheckRequest, Command, Contributor, Event, Job, Joining, PendingResult, RandomBytes, State } from './core/state.ts';
import { columnsOf } from './core/verdicts.ts';
import { cutJob } from './cutting.ts';
import { Measuring } from './measuring.ts';
import type { NoticeKind } from './store/sharing-store.ts';
import { type BlobStore, isPassing, type JobSummary, type Store, type StoredJob, type StoredResult, type Write } from './store/store.ts';
import { CommitFailed, restAfter, Waiting } from './waiting.ts';

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

/** A job that may be ordered. */
export interface Quoted {
  readonly spec: WorkloadSpec;
  readonly context: JobContext;
  readonly grid: TileGrid;
  readonly price: Pick<Price, 'units' | 'parts'>;
  readonly inputs: StoredJob['inputs'];
  readonly owner: OwnerId;
  readonly group: StoredJob['group'];
}

interface Batched {
  readonly events: readonly Event[];
  readonly resolve: (events: readonly Event[]) => void;
  readonly reject: (error: Error) => void;
}

export { CommitFailed, Overloaded } from './waiting.ts';

const TICK_MS = 500;
const BYTES_AWAY_MS = 2000;
/** An hour. */
const BYTES_AWAY_TRIES_MAX = 1800;
const LEFT_MS = 2000;
const GROUP_COMMANDS_MAX = 1000;
/** What a log names a result by. */
const idsOf = ({ job, at, id, contributor }: StoredResult) => ({ job, ...at, result: id, contributor });

/**
 * The process around the pure core: feeds it commands, commits what it decides in groups, and only then lets anybody see
 * it. While one group is on its way to the disk the next one gathers. A failed commit throws the core's state away,
 * rebuilds it from the store and fails the commands of that group, which their senders repeat.
 */
export class Coordinator {
  readonly #deps: CoordinatorDeps;
  readonly #listeners = new Set<(events: readonly Event[]) => void>();
  readonly #measuring: Measuring;
  /** Until which an estimate is told again: lists of jobs ask for many at once. */
  readonly #left = new WeakMap<Job, { readonly finish: Finish | null; readonly untilMs: number }>();
  readonly #joined = new Map<ContributorId, Command & { type: 'join' }>();
  #state: State;
  #batch: Batched[] = [];
  #flushing: Promise<void> | null = null;
  #ticker: NodeJS.Timeout | undefined;
  #loading = false;
  #closed = false;
  readonly #waiting = new Waiting();
  #failures = 0;
  readonly #closing = new AbortController();

  private constructor(deps: CoordinatorDeps, state: State) {
    this.#deps = deps;
    this.#state = state;
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
    const leaseKey = createSecretKey(await deps.store.secret('lease'));
    const drawKey = createSecretKey(await deps.store.secret('draw'));
    const epoch = await (deps.beginLife ?? (() => deps.store.nextEpoch()))();
    const { spec, privateSwarm, vestingMsMax, holdbackMs } = deps;
    const config = { leaseKey, drawKey, epoch, spec, privateSwarm, vestingMsMax, holdbackMs };
    const coordinator = new Coordinator(deps, emptyState(config, deps.clock()));
    await coordinator.#load();
    coordinator.#ticker = setInterval(() => void coordinator.dispatch({ type: 'tick' }).catch(() => undefined), TICK_MS);
    return coordinator;
  }

  /** Opens a lease token. Throws `FormatError` on one that this coordinator did not make; expiry is judged where it is used. */
  readLease(token: string): LeaseBody {
    return openLease(this.#state.config.leaseKey, token);
  }

  /** Who could take a job that is being quoted, and when it would be done. */
  outlook({ spec, context, grid, price, inputs, owner, group }: Quoted): { finish: Finish | null; contributors: number; unitsPerSecond: number } {
    const stored = { id: context.id, owner, group, gallery: false };
    const asked = {
      spec,
      stored,
      record: recordNameOf({ workload: spec.id, group }),
      requester: requesterTag(this.#state.config.drawKey, owner),
      inputBytes: inputBytesOf({ inputs }),
      fetchedBy: new Set<ContributorId>(),
      parts: price.parts,
      unitsPerPart: price.units / Math.max(1, price.parts),
      partsPerTile: price.parts / Math.max(1, grid.tiles * grid.passes),
      elementsPerPart: spec.elements(context, { pass: 0, tile: 0 }),
    };
    const { finish, contributors, speed } = outlookOf(this.#state, asked, this.#deps.clock());
    return { finish, contributors, unitsPerSecond: (speed * SECOND_MS) / 1e6 };
  }

  /** When what is left of an open job should be done; null while nobody could do it, or it stands still. Looked at anew after two seconds. */
  left(id: JobId): Finish | null {
    const job = this.#state.jobs.get(id);
    if (!job || job.paused || job.closing || this.#state.halted !== null) return null;
    const now = this.#deps.clock();
    const known = this.#left.get(job);
    if (known && known.untilMs > now) return known.finish;
    const { finish } = outlookOfJob(this.#state, job, now);
    this.#left.set(job, { finish, untilMs: now + LEFT_MS });
    return finish;
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

  /** Takes up blocks of a shared job. */
  async claimed(id: JobId, blocks: readonly Block[], results: readonly StoredResult[]): Promise<void> {
    await this.inherit(results);
    await this.apply({ type: 'claimBlocks', job: id, blocks, results });
  }

  /** Results that are this coordinator's to see to from now on, pay that vests among them. */
  async inherit(results: readonly StoredResult[]): Promise<void> {
    for (const { contributor } of results) await this.remember(contributor);
    await this.apply({ type: 'restoreVesting', results: results.filter(({ vesting }) => vesting !== null) });
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

  /** Gives back all that is claimed of a shared job, of which nothing is under way. What is stored before it comes before it. */
  async release(id: JobId): Promise<void> {
    const job = this.#state.jobs.get(id)?.stored;
    if (!job) return;
    const leaving = this.apply({ type: 'leaveJob', job: id, anew: true });
    const joining = this.apply({ type: 'joinJob', job });
    await Promise.all([leaving, joining, this.write([{ kind: 'shareReleased', id }])]);
  }

  /** A shared job has ended, here or elsewhere. */
  async leftShared(id: JobId, summary: JobSummary): Promise<void> {
    await this.apply({ type: 'leaveJob', job: id, anew: false });
    this.#release([{ type: 'jobEnded', job: id, summary }]);
  }

  /** Another coordinator has taken this one for dead: what it had is others', and it begins again with nothing. */
  async startAnew(): Promise<void> {
    if (!this.#loading) await this.#startOver([], new Error('another coordinator has taken over'));
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
    return this.#loading;
  }

  /** Called with every step's events, after what they report is durable. */
  onEvents(listener: (events: readonly Event[]) => void): void {
    this.#listeners.add(listener);
  }

  /**
   * Runs one command and resolves with its events once everything it wrote is on disk, and coordinators that share the database are told what
   * concerns them. Rejects with `CommitFailed`, or `Overloaded`.
   */
  async dispatch(command: Command): Promise<readonly Event[]> {
    const events = await this.apply(command);
    if (this.#sharedEpoch !== undefined && !events.some(({ type }) => type === 'refused')) await this.#tellOf(command);
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

  /** The same for what another coordinator told, or is this one's alone. */
  apply(command: Command): Promise<readonly Event[]> {
    if (this.#closed) return Promise.reject(new CommitFailed('The coordinator is shutting down.'));
    const overloaded = this.#waiting.refusalOf(command);
    if (overloaded) return Promise.reject(overloaded);
    if (command.type === 'join') this.#joined.set(command.contributor.id, command);
    if (command.type === 'leave') this.#joined.delete(command.contributor);
    if (command.type === 'prefer') this.#rejoinWith(({ id }) => id === command.contributor, { preferences: command.preferences });
    if (this.#loading) return Promise.reject(new CommitFailed('The coordinator is reading its state back; try again.'));
    const events = this.#step(command);
    // A repeated hand-in or opening writes nothing, but the row it repeats may still be on its way to the disk.
    if (command.type !== 'open' && !events.some(({ type }) => type === 'write' || type === 'stored')) {
      this.#release(events);
      return Promise.resolve(events);
    }
    return this.#waiting.until(command, this.#enqueue(events));
  }

  #enqueue(events: readonly Event[]): Promise<readonly Event[]> {
    return new Promise((resolve, reject) => {
      this.#batch.push({ events, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  async #flush(): Promise<void> {
    // One turn of the event loop gathers everything that arrived together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#batch.length > 0) {
      const group = this.#batch.splice(0, GROUP_COMMANDS_MAX);
      const writes = group.flatMap(({ events }) => events.flatMap((event) => (event.type === 'write' ? [event.write] : [])));
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
      for (const { events, resolve } of group) {
        resolve(events);
        this.#release(events);
      }
    }
    this.#flushing = null;
  }

  async #startOver(group: readonly Batched[], error: unknown): Promise<void> {
    this.#deps.log.error({ error: String(error) }, 'a commit failed; reading everything back from the store');
    for (const { reject } of [...group, ...this.#batch.splice(0)]) reject(new CommitFailed('The coordinator could not store this; try again.'));
    this.#loading = true;
    // A database that is away, or full, fails what is read as well: until it is back every command is refused.
    while (!this.#closing.signal.aborted) {
      await restAfter(this.#failures++, this.#closing.signal);
      if (this.#closing.signal.aborted) return;
      try {
        await this.#readBack();
        this.#loading = false;
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
    this.#state = { ...emptyState({ ...config, epoch }, clock()), halted };
    await this.#load();
    // What they brought along when they joined is old by now.
    for (const { contributor } of this.#joined.values()) if (contributor.site !== null) await this.openSite(contributor.site);
    for (const { contributor, ...join } of this.#joined.values())
      this.#step({ ...join, contributor: { ...contributor, standings: await this.#deps.store.people.standings(contributor.id) } });
  }

  #step(command: Command): Event[] {
    return step(this.#state, command, this.#deps.clock(), this.#deps.random);
  }

  async #load(): Promise<void> {
    const { store, log } = this.#deps;
    if (this.#sharedEpoch !== undefined) return this.#loadShared();
    const vesting = await store.jobs.vesting();
    for (const { contributor } of vesting) await this.remember(contributor);
    this.#step({ type: 'restoreVesting', results: vesting });
    for (const job of await store.jobs.list({ status: 'open', limit: Number.MAX_SAFE_INTEGER })) {
      const results = await store.jobs.results(job.id);
      for (const { contributor, state } of results) if (state === 'committed') await this.remember(contributor);
      const paid = job.workHeld + job.checksHeld - (await store.ledger.balance(jobAccount(job.id), job.unit));
      const events = this.#step({ type: 'openJob', job, results, paid });
      const refused = events.find((event) => event.type === 'refused');
      if (refused) log.error({ job: job.id }, refused.message);
      // Whatever a reload decides (a job whose last verdict was stored, but not its end) is committed before it is acted on.
      await store.commit(events.flatMap((event) => (event.type === 'write' ? [event.write] : [])));
      this.#release(events);
    }
  }

  /** Nothing of any job is here yet: `Sharing` claims it. */
  async #loadShared(): Promise<void> {
    const { store, log } = this.#deps;
    for (const job of await store.jobs.list({ status: 'open', limit: Number.MAX_SAFE_INTEGER })) {
      const refused = this.#step({ type: 'joinJob', job }).find((event) => event.type === 'refused');
      if (refused) log.error({ job: job.id }, refused.message);
    }
  }

  /** Verdicts of reloaded results need the contributor's record, owner and site share, whether it comes back or not. */
  async remember(id: ContributorId): Promise<void> {
    if (this.#state.contributors.has(id)) return;
    const { store } = this.#deps;
    const stored = await store.people.contributor(id);
    if (!stored) return;
    const sites = (await store.people.consentsOfContributor(id)).flatMap(({ site }) => site ?? []);
    for (const site of new Set(sites)) await this.openSite(site);
    const contributor = {
      id,
      owner: stored.owner,
      site: sites[0] ?? null,
      // Known again when it comes back; until then it neither works nor audits.
      network: null,
      deviceClass: null,
      trusted: false,
      drill: false,
      kinds: new Set<string>(),
      downloadBytesMax: limits.downloadBytesDefault,
      standings: await store.people.standings(id),
    };
    this.#step({ type: 'join', contributor });
    this.#step({ type: 'leave', contributor: id });
  }

  /** Before anybody who came by this site joins: what it has got so far bounds what it may get today. */
  async openSite(id: SiteId): Promise<void> {
    if (this.#state.sites.has(id)) return;
    const { store, clock } = this.#deps;
    const site = await store.people.site(id);
    if (!site) return;
    const day = dayOf(clock());
    const [test, credit] = await Promise.all((['test', 'credit'] as const).map((unit) => store.ledger.receivedByDay(`site/${id}`, unit, day)));
    if (!test || !credit) throw new Error('unreachable');
    const { owner, network, sharePercent } = site;
    this.#step({ type: 'openSite', site: id, book: { owner, network, sharePercent, day, days: { test, credit } } });
  }

  #release(events: readonly Event[]): void {
    for (const event of events) {
      if (event.type === 'checkRequested') void this.#check(event.request);
      if (event.type === 'measureRequested') this.#measuring.ask(event.result);
    }
    for (const listener of this.#listeners) listener(events);
  }

  async #check(request: CheckRequest): Promise<void> {
    const outcome = await this.#evidenceOnceThere(request).catch(
      (error: unknown): CheckOutcome => ({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
    );
    if (outcome.kind === 'failed' && !this.#closed) this.#deps.log.error({ ...idsOf(request.result), error: outcome.message }, 'a check failed');
    await this.dispatch({ type: 'checked', request, outcome }).catch(() => undefined);
  }

  /** While the bytes cannot be had, because their store is away or the disk full, the check waits: nobody's work is dropped for that. */
  async #evidenceOnceThere(request: CheckRequest): Promise<CheckOutcome> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#evidence(request);
      } catch (error) {
        if (!isPassing(error) || this.#closed || tries >= BYTES_AWAY_TRIES_MAX) throw error;
        await new Promise((resolve) => setTimeout(resolve, BYTES_AWAY_MS).unref());
      }
    }
  }

  async #evidence(request: CheckRequest): Promise<CheckOutcome> {
    const { checks } = this.#deps;
    const { result, sample } = request;
    const job = this.#state.jobs.get(result.job);
    if (!job) return { kind: 'failed', message: 'the job has ended' };
    if (request.kind === 'verify') {
      const bytes = await this.bytesOf(result);
      return this.#withInputs(job, async (handle) => {
        const question = { ...handle, at: result.at, result: bytes, keys: request.keys };
        return { kind: 'verified', ...(await checks.ask('verify', question, fromDisk(bytes))) };
      });
    }
    if (request.kind === 'opening') {
      const { salt, root, parts, at } = result;
      const shape = { parts, elements: job.spec.elements(job.context, at), words: job.spec.elementWords(job.context, at) };
      const bytes = { result: await this.bytesOf(result), opening: await this.#openingOf(result) };
      const proof = await checks.ask('opening', { shape, salt, root, sample, ...bytes }, Object.values(bytes).flatMap(fromDisk));
      return proof.ok ? { kind: 'opened', claims: proof.claims } : { kind: 'mismatch', message: proof.message };
    }
    return this.#withInputs(job, async (handle) => {
      // Copied, because a view is sent to a thread with all the memory behind it.
      const question = { ...handle, at: result.at, sample, claims: request.claims.slice(), enough: request.enough };
      if (request.kind === 'recompute') return { kind: 'recomputed', evidence: await checks.ask('recompute', question) };
      return { kind: 'compared', ...(await checks.ask('compare', { ...question, values: request.values.slice() })) };
    });
  }

  async #openingOf({ id, opening }: StoredResult): Promise<Uint8Array> {
    const inline = opening?.inline ?? (await this.#deps.store.jobs.result(id))?.opening?.inline;
    const bytes = inline ?? (opening && (await this.#deps.blobs.get(opening.hash)));
    if (!bytes) throw new Error(`the opening of result ${id} is gone`);
    return bytes;
  }

  /** Its inputs are files that stay until `ask` is over. */
  async #withInputs<T>({ stored, context }: Job, ask: (handle: JobHandle) => Promise<T>): Promise<T> {
    const held = await this.#deps.blobs.hold(stored.inputs.map(({ hash }) => hash));
    try {
      return await ask({ workload: stored.workload, job: context, inputs: stored.inputs.map(({ name }, at) => ({ name, path: held.paths[at]! })) });
    } finally {
      held.release();
    }
  }

  /** The bytes of a result, from memory, its row or the blob store. */
  async bytesOf(result: StoredResult): Promise<Uint8Array> {
    const inline = result.inline ?? (result.sizeBytes <= limits.inlineResultBytesMax ? (await this.#deps.store.jobs.result(result.id))?.inline : null);
    const bytes = inline ?? (await this.#deps.blobs.get(result.hash));
    if (!bytes) throw new Error(`the bytes of result ${result.id} are gone`);
    return bytes;
  }

  /** Resolves when nothing that is stored from now on is paid to `from`. */
  async changeOwner(from: OwnerId, to: OwnerId, isTold = false): Promise<void> {
    this.#rejoinWith(({ owner }) => owner === from, { owner: to });
    const command = { type: 'changeOwner', from, to } as const;
    await (isTold ? this.apply(command) : this.dispatch(command));
    // A payment that was decided before may still be on its way to the disk.
    await this.#flushing;
  }

  /** Ends the suspensions of a contributor, whether it is here or not. False when there is no such contributor. */
  async pardon(contributor: ContributorId): Promise<boolean> {
    await this.remember(contributor);
    return !(await this.dispatch({ type: 'pardon', contributor })).some(({ type }) => type === 'refused');
  }

  /** All groups that an owner is in now. */
  async setGroups(owner: OwnerId, groups: readonly GroupId[], isTold = false): Promise<void> {
    this.#rejoinWith((contributor) => contributor.owner === owner, { groups: new Set(groups) });
    const command = { type: 'setGroups', owner, groups } as const;
    await (isTold ? this.apply(command) : this.dispatch(command));
  }

  /** Should the state have to be rebuilt, these join as they are now. */
  #rejoinWith(which: (contributor: Joining) => boolean, change: Partial<Joining>): void {
    for (const [id, join] of this.#joined) if (which(join.contributor)) this.#joined.set(id, { ...join, contributor: { ...join.contributor, ...change } });
  }

  /** Stops taking commands, finishes the commit under way. */
  async close(): Promise<void> {
    clearInterval(this.#ticker);
    this.#measuring.close();
    this.#closing.abort();
    await this.#flushing;
    this.#closed = true;
  }
}
