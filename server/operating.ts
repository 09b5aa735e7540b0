import type { BlobHash, ContributorId, JobId, SiteId } from '../shared/model.ts';
import type { Action, BannedContent, NetworkPause, OperatorContributor, TakeDownView } from '../shared/schemas.ts';
import type { Coordinator } from './coordinator.ts';
import { aliasOf } from './core/ending.ts';
import type { Contributor } from './core/state.ts';
import { JobError } from './jobs.ts';
import type { Moderation } from './moderation.ts';
import type { Change, LogEntry } from './store/moderation.ts';
import type { Store, StoredJob } from './store/store.ts';
import type { Suspensions } from './suspensions.ts';

export interface OperatingDeps {
  readonly store: Store;
  readonly coordinator: Coordinator;
  readonly moderation: Moderation;
  readonly suspensions: Pick<Suspensions, 'has' | 'set'>;
  /** Nobody may look at this job any more: whoever watches it is told. */
  readonly jobGone: (job: JobId) => void;
  /** Other coordinators of the same database have to look at what was decided. */
  readonly decided?: (about: 'moderation' | 'site', subject: string) => Promise<void>;
  readonly clock: () => number;
}

/** Who acts, and why: both go into the log. */
export interface Actor {
  readonly session: string;
  readonly reason: string;
}

const CONTRIBUTORS_MAX = 500;

/** Everything that an operator may do to a running network. Each action and its row of the log are one transaction; then it takes effect. */
export class Operating {
  readonly #deps: OperatingDeps;
  #pause: NetworkPause | null;

  private constructor(deps: OperatingDeps, pause: NetworkPause | null) {
    this.#deps = deps;
    this.#pause = pause;
  }

  /** Also finishes what a crash may have cut short: a network that was paused stays so, a job that was taken down does not go on. */
  static async open(deps: OperatingDeps): Promise<Operating> {
    const { coordinator, moderation, store } = deps;
    const pause = await store.moderation.pause();
    if (pause) await coordinator.dispatch({ type: 'halt', reason: pause.reason });
    for (const job of moderation.takenDown) if (coordinator.openJob(job)) await coordinator.dispatch({ type: 'cancelJob', job });
    return new Operating(deps, pause);
  }

  get paused(): NetworkPause | null {
    return this.#pause;
  }

  /** Contributors that lie on the operator's order at present. */
  get drills(): ContributorId[] {
    return this.#deps.coordinator.state.connected.filter(({ drill }) => drill).map(({ id }) => id);
  }

  async dismissReport(id: string, actor: Actor): Promise<void> {
    const report = await this.#deps.store.moderation.tables.report(id);
    if (!report) throw new JobError('not_found', 'There is no such report.');
    if (report.closedMs !== null) throw new JobError('conflict', 'This report is closed.');
    await this.#act([this.#entry('report dismissed', id, actor)], [{ kind: 'reportClosed', id, atMs: this.#deps.clock() }]);
  }

  /** Out of public lists, or back into them. Who has the address still sees it. */
  async hide(id: JobId, hidden: boolean, actor: Actor): Promise<void> {
    await this.#standing(id);
    const decision = { job: id, hidden, takenDownMs: null, reason: actor.reason };
    await this.#act([this.#entry(hidden ? 'job hidden' : 'job shown', id, actor)], [{ kind: 'jobDecided', decision, atMs: this.#deps.clock() }]);
    this.#deps.moderation.decide(decision);
    await this.#deps.decided?.('moderation', id);
  }

  /** Cancels a job, gives back what it has not paid, and shows it to nobody any more. With `ban` its files are refused from now on. */
  async takeDown(id: JobId, ban: boolean, actor: Actor): Promise<TakeDownView> {
    const job = await this.#standing(id);
    return this.#remove([id], ban ? await this.#contentsOf(job, actor.reason) : [], actor);
  }

  /** Refuses a file wherever it comes in, and takes down what was made of it. */
  async ban(hash: BlobHash, actor: Actor): Promise<TakeDownView> {
    if (this.#deps.moderation.isBanned(hash)) throw new JobError('conflict', 'This file is banned already.');
    return this.#remove([], [{ hash, kind: 'upload', job: null, reason: actor.reason, atMs: this.#deps.clock() }], actor);
  }

  async liftBan(hash: BlobHash, actor: Actor): Promise<void> {
    if (!this.#deps.moderation.isBanned(hash)) throw new JobError('not_found', 'This file is not banned.');
    await this.#act([this.#entry('ban lifted', hash, actor)], [{ kind: 'banLifted', hash }]);
    this.#deps.moderation.liftBan(hash);
    await this.#deps.decided?.('moderation', hash);
  }

  /** Those that are connected, and those that are suspended; the suspended first. */
  async contributors(): Promise<OperatorContributor[]> {
    const { coordinator, store, clock } = this.#deps;
    const away = (await store.moderation.tables.suspended(clock(), CONTRIBUTORS_MAX)).filter(({ id }) => !coordinator.state.contributors.get(id)?.connected);
    const here = coordinator.state.connected.map((contributor) => contributorView(contributor, clock()));
    const rows = [...here, ...away.map((sums) => ({ ...sums, alias: aliasOf(sums.id), online: false, device: '', trusted: false, drill: false }))];
    return rows.sort((a, b) => b.suspendedUntilMs - a.suspendedUntilMs || b.refuted - a.refuted || b.accepted - a.accepted).slice(0, CONTRIBUTORS_MAX);
  }

  async pardon(id: ContributorId, actor: Actor): Promise<void> {
    const { store, coordinator } = this.#deps;
    if (!(await store.people.contributor(id))) throw new JobError('not_found', 'There is no such contributor.');
    await this.#act([this.#entry('suspension ended', id, actor)], []);
    await coordinator.pardon(id);
  }

  async suspendSite(id: SiteId, suspended: boolean, actor: Actor): Promise<void> {
    const { store, suspensions } = this.#deps;
    if (!(await store.people.site(id))) throw new JobError('not_found', 'There is no such site.');
    if (suspensions.has(id) === suspended) throw new JobError('conflict', suspended ? 'This site is suspended already.' : 'This site is not suspended.');
    await this.#act([this.#entry(suspended ? 'site suspended' : 'site restored', id, actor)], []);
    suspensions.set(id, suspended);
    await this.#deps.decided?.('site', `${id} ${suspended}`);
  }

  /** Another coordinator has suspended a site, or restored it. */
  siteDecided(id: SiteId, suspended: boolean): void {
    if (this.#deps.suspensions.has(id) !== suspended) this.#deps.suspensions.set(id, suspended);
  }

  /** Another coordinator has decided about jobs and files. */
  async moderated(): Promise<void> {
    const { store, moderation, jobGone } = this.#deps;
    const before = new Set(moderation.takenDown);
    await moderation.reload(store);
    for (const job of moderation.takenDown) if (!before.has(job)) jobGone(job);
  }

  /** Another coordinator has paused the network, or let it go on. */
  async followPause(): Promise<void> {
    const { store, coordinator } = this.#deps;
    this.#pause = await store.moderation.pause();
    await coordinator.apply({ type: 'halt', reason: this.#pause?.reason ?? null });
  }

  /** Stops all work at once. It survives a restart. */
  async pauseNetwork(actor: Actor): Promise<void> {
    if (this.#pause) throw new JobError('conflict', 'The network is paused already.');
    const pause = { sinceMs: this.#deps.clock(), reason: actor.reason };
    await this.#act([this.#entry('network paused', '', actor)], [{ kind: 'paused', pause }]);
    this.#pause = pause;
    await this.#deps.coordinator.dispatch({ type: 'halt', reason: actor.reason });
  }

  async resumeNetwork(actor: Actor): Promise<void> {
    if (!this.#pause) throw new JobError('conflict', 'The network is not paused.');
    await this.#act([this.#entry('network resumed', '', actor)], [{ kind: 'resumed', atMs: this.#deps.clock() }]);
    this.#pause = null;
    await this.#deps.coordinator.dispatch({ type: 'halt', reason: null });
  }

  #entry(action: Action, target: string, { session, reason }: Actor): LogEntry {
    return { atMs: this.#deps.clock(), session, action, target, reason };
  }

  async #act(entries: readonly LogEntry[], changes: readonly Change[]): Promise<void> {
    await this.#deps.store.moderation.act(entries, changes);
  }

  async #standing(id: JobId): Promise<StoredJob> {
    const job = await this.#deps.store.jobs.get(id);
    if (!job) throw new JobError('not_found', 'There is no such job.');
    if (this.#deps.moderation.isTakenDown(id)) throw new JobError('conflict', 'This job was taken down.');
    return job;
  }

  /** The files of a job: as they were uploaded, and what was made of them. What jobs without a file have too is nobody's content. */
  async #contentsOf({ id, inputs }: StoredJob, reason: string): Promise<BannedContent[]> {
    const { store, clock } = this.#deps;
    const uploads = await store.moderation.uploadsOf(id);
    if (uploads.length === 0) throw new JobError('conflict', 'No file was uploaded for this job: there is nothing to ban. Take it down without.');
    const made: BlobHash[] = [];
    for (const { hash } of inputs) if (!(await store.moderation.isCommonInput(hash))) made.push(hash);
    const common = { job: id, reason, atMs: clock() };
    return [...uploads.map((hash) => ({ hash, kind: 'upload' as const, ...common })), ...made.map((hash) => ({ hash, kind: 'input' as const, ...common }))];
  }

  async #remove(first: readonly JobId[], contents: readonly BannedContent[], actor: Actor): Promise<TakeDownView> {
    const { store, coordinator, moderation, clock, jobGone } = this.#deps;
    const hashes = new Set(contents.map(({ hash }) => hash));
    const open = [...coordinator.state.jobs.values()].filter(({ stored }) => stored.inputs.some(({ hash }) => hashes.has(hash)));
    const all = new Set([...first, ...(await store.moderation.jobsWith([...hashes])), ...open.map(({ stored }) => stored.id)]);
    const jobs = [...all].filter((id) => !moderation.isTakenDown(id));
    const atMs = clock();
    const decisions = jobs.map((job) => ({ job, hidden: true, takenDownMs: atMs, reason: actor.reason }));
    const entries = [
      ...jobs.map((job) => this.#entry('job taken down', job, actor)),
      ...contents.map(({ hash }) => this.#entry('content banned', hash, actor)),
    ];
    await this.#act(entries, [
      ...decisions.map((decision): Change => ({ kind: 'jobDecided', decision, atMs })),
      ...contents.map((content): Change => ({ kind: 'banned', content })),
    ]);
    for (const { hash, reason } of contents) moderation.ban(hash, reason);
    for (const decision of decisions) moderation.decide(decision);
    await this.#deps.decided?.('moderation', '');
    for (const job of jobs) {
      if (coordinator.openJob(job)) await coordinator.dispatch({ type: 'cancelJob', job });
      jobGone(job);
    }
    return { jobs, banned: [...hashes] };
  }
}

function contributorView({ id, deviceClass, trusted, drill, standings }: Contributor, now: number): OperatorContributor {
  const all = [...standings.values()];
  const sum = (of: 'accepted' | 'refuted' | 'discarded'): number => all.reduce((total, standing) => total + standing[of], 0);
  const until = Math.max(0, ...all.map(({ suspendedUntilMs }) => suspendedUntilMs));
  return {
    id,
    alias: aliasOf(id),
    online: true,
    device: deviceClass ?? '',
    trusted,
    drill,
    accepted: sum('accepted'),
    refuted: sum('refuted'),
    discarded: sum('discarded'),
    suspendedUntilMs: until > now ? until : 0,
  };
}
