import { createSecretKey } from 'node:crypto';
import type { LeaseBody } from '../shared/formats.ts';
import { limits } from '../shared/limits.ts';
import type { ContributorId, JobContext, JobId, OwnerId } from '../shared/model.ts';
import type { WorkloadSpec } from '../shared/workload.ts';
import type { JobHandle } from './checks/messages.ts';
import type { Pool } from './checks/pool.ts';
import { step } from './core/coordinator.ts';
import { openLease } from './core/lease.ts';
import type { CheckOutcome, CheckRequest, Command, Event, Job, RandomBytes, State } from './core/state.ts';
import type { BlobStore, Store, StoredJob, StoredResult } from './store/store.ts';

export interface CoordinatorDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  /** Answers checks; worker threads in the coordinator. */
  readonly checks: Pick<Pool, 'ask'>;
  readonly spec: (workload: string) => WorkloadSpec | undefined;
  readonly clock: () => number;
  readonly random: RandomBytes;
  readonly log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
}

interface Batched {
  readonly events: readonly Event[];
  readonly resolve: (events: readonly Event[]) => void;
  readonly reject: (error: Error) => void;
}

/** The database refused a commit; the command had no effect. */
export class CommitFailed extends Error {
  override readonly name = 'CommitFailed';
}

/** Elements on which two results disagree that a referee looks at. */
const REFEREE_ELEMENTS_MAX = 32;
const TICK_MS = 500;
const GROUP_COMMANDS_MAX = 1000;

/**
 * The process around the pure core: feeds it commands, commits what it decides in groups, and only then lets anybody see
 * it. While one group is on its way to the disk the next one gathers. A failed commit throws the core's state away,
 * rebuilds it from the store and fails the commands of that group, which their senders repeat.
 */
export class Coordinator {
  readonly #deps: CoordinatorDeps;
  readonly #listeners = new Set<(events: readonly Event[]) => void>();
  readonly #joined = new Map<ContributorId, Command & { type: 'join' }>();
  #state: State;
  #batch: Batched[] = [];
  #flushing: Promise<void> | null = null;
  #ticker: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(deps: CoordinatorDeps, state: State) {
    this.#deps = deps;
    this.#state = state;
  }

  static async open(deps: CoordinatorDeps): Promise<Coordinator> {
    const leaseKey = createSecretKey(await deps.store.secret('lease'));
    const drawKey = createSecretKey(await deps.store.secret('draw'));
    const epoch = await deps.store.nextEpoch();
    const config = { leaseKey, drawKey, epoch, spec: deps.spec };
    const coordinator = new Coordinator(deps, { config, jobs: new Map(), contributors: new Map(), leases: new Map(), pending: new Map(), checksInFlight: 0 });
    await coordinator.#load();
    coordinator.#ticker = setInterval(() => void coordinator.dispatch({ type: 'tick' }).catch(() => undefined), TICK_MS);
    return coordinator;
  }

  /** Opens a lease token. Throws `FormatError` on one that this coordinator did not make; expiry is judged where it is used. */
  readLease(token: string): LeaseBody {
    return openLease(this.#state.config.leaseKey, token);
  }

  openJob(id: JobId): Job | undefined {
    return this.#state.jobs.get(id);
  }

  /** Called with every step's events, after what they report is durable. */
  onEvents(listener: (events: readonly Event[]) => void): void {
    this.#listeners.add(listener);
  }

  /** Runs one command and resolves with its events once everything it wrote is on disk. Rejects with `CommitFailed`. */
  dispatch(command: Command): Promise<readonly Event[]> {
    if (this.#closed) return Promise.reject(new CommitFailed('The coordinator is shutting down.'));
    if (command.type === 'join') this.#joined.set(command.contributor.id, command);
    if (command.type === 'leave') this.#joined.delete(command.contributor);
    const events = step(this.#state, command, this.#deps.clock(), this.#deps.random);
    // A repeated hand-in writes nothing, but the row it repeats may still be on its way to the disk.
    if (!events.some(({ type }) => type === 'write' || type === 'stored')) {
      this.#release(events);
      return Promise.resolve(events);
    }
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
      try {
        await this.#deps.store.commit(group.flatMap(({ events }) => events.flatMap((event) => (event.type === 'write' ? [event.write] : []))));
      } catch (error) {
        await this.#startOver(group, error);
        continue;
      }
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
    this.#state = { ...this.#state, jobs: new Map(), contributors: new Map(), leases: new Map(), pending: new Map(), checksInFlight: 0 };
    await this.#load();
    for (const join of this.#joined.values()) step(this.#state, join, this.#deps.clock(), this.#deps.random);
  }

  async #load(): Promise<void> {
    const { store, log } = this.#deps;
    for (const job of await store.jobs.list({ status: 'open', limit: Number.MAX_SAFE_INTEGER })) {
      const results = await store.jobs.results(job.id);
      for (const { contributor, state } of results) if (state === 'committed') await this.#remember(contributor);
      const events = step(this.#state, { type: 'openJob', job, results }, this.#deps.clock(), this.#deps.random);
      const refused = events.find((event) => event.type === 'refused');
      if (refused) log.error({ job: job.id }, refused.message);
      // Whatever a reload decides (a job whose last verdict was stored, but not its end) is committed before it is acted on.
      await store.commit(events.flatMap((event) => (event.type === 'write' ? [event.write] : [])));
      this.#release(events);
    }
  }

  /** Verdicts of reloaded results need the contributor's record, owner and site share, whether it comes back or not. */
  async #remember(id: ContributorId): Promise<void> {
    if (this.#state.contributors.has(id)) return;
    const { store, clock, random } = this.#deps;
    const stored = await store.people.contributor(id);
    if (!stored) return;
    const consent = (await store.people.consentsOfContributor(id)).find(({ site }) => site !== null);
    const site = consent?.site ? await store.people.site(consent.site) : undefined;
    const { owner, accepted, refuted, suspendedUntilMs } = stored;
    const contributor = {
      id,
      owner,
      site: site?.id ?? null,
      sharePercent: site?.sharePercent ?? 0,
      kinds: new Set<string>(),
      accepted,
      refuted,
      suspendedUntilMs,
    };
    step(this.#state, { type: 'join', contributor }, clock(), random);
    step(this.#state, { type: 'leave', contributor: id }, clock(), random);
  }

  #release(events: readonly Event[]): void {
    for (const event of events) if (event.type === 'checkRequested') void this.#check(event.request);
    for (const listener of this.#listeners) listener(events);
  }

  async #check(request: CheckRequest): Promise<void> {
    const outcome = await this.#evidence(request).catch(
      (error: unknown): CheckOutcome => ({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
    );
    if (outcome.kind === 'failed' && !this.#closed)
      this.#deps.log.error({ job: request.result.job, result: request.result.id, message: outcome.message }, 'a check failed');
    await this.dispatch({ type: 'checked', request, outcome }).catch(() => undefined);
  }

  async #evidence(request: CheckRequest): Promise<CheckOutcome> {
    const { checks } = this.#deps;
    const job = this.#state.jobs.get(request.result.job);
    if (!job) return { kind: 'failed', message: 'the job has ended' };
    const common = { ...this.handle(job.stored, job.context), at: request.result.at, result: await this.bytesOf(request.result) };
    if (request.kind === 'audit') {
      const { digest, count } = request;
      return { kind: 'audit', evidence: await checks.ask('audit', { ...common, parts: request.result.parts, digest, count }) };
    }
    const replica = await this.bytesOf(request.replica);
    if (request.kind === 'compare') return { kind: 'compare', ...(await checks.ask('compare', { ...common, replica, most: REFEREE_ELEMENTS_MAX })) };
    return { kind: 'referee', ...(await checks.ask('referee', { ...common, replica, sample: request.sample })) };
  }

  handle(stored: StoredJob, job: JobContext): JobHandle {
    return { workload: stored.workload, job, inputs: stored.inputs.map(({ name, hash }) => ({ name, path: this.#deps.blobs.path(hash) })) };
  }

  /** The bytes of a result, from memory, its row or the blob store. */
  async bytesOf(result: StoredResult): Promise<Uint8Array> {
    const inline = result.inline ?? (result.sizeBytes <= limits.inlineResultBytesMax ? (await this.#deps.store.jobs.result(result.id))?.inline : null);
    const bytes = inline ?? (await this.#deps.blobs.get(result.hash));
    if (!bytes) throw new Error(`the bytes of result ${result.id} are gone`);
    return bytes;
  }

  /** Resolves when nothing that is stored from now on is paid to `from`. */
  async changeOwner(from: OwnerId, to: OwnerId): Promise<void> {
    for (const [id, join] of this.#joined)
      if (join.contributor.owner === from) this.#joined.set(id, { ...join, contributor: { ...join.contributor, owner: to } });
    await this.dispatch({ type: 'changeOwner', from, to });
    // A payment that was decided before may still be on its way to the disk.
    await this.#flushing;
  }

  /** Stops taking commands, finishes the commit under way. */
  async close(): Promise<void> {
    clearInterval(this.#ticker);
    await this.#flushing;
    this.#closed = true;
  }
}
