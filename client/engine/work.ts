import { decodeAuditElements } from '../../shared/formats.ts';
import { countParts, type JobId, type PartMask, withoutParts } from '../../shared/model.ts';
import type { AuditLease, Lease, Work } from '../../shared/protocol.ts';
import type { PartialResult } from '../../shared/workload.ts';
import type { Audits } from './audits.ts';
import { Bell, type Clock, unlessAborted } from './clock.ts';
import { bytesOfWire, type Connection } from './connection.ts';
import { GpuError, type GpuKeeper } from './device.ts';
import type { HandIns } from './handin.ts';
import type { Jobs, OpenJob } from './jobs.ts';
import { Leases } from './leases.ts';
import { Lookahead } from './lookahead.ts';
import type { Openings } from './openings.ts';
import type { Pace } from './pace.ts';
import { WorkRequests } from './requests.ts';
import { recompute, runParts } from './run-parts.ts';

/** Failures in a row, with no tile or audit done in between, before this engine gives up. */
const FAILURES_MAX = 3;
const LET_GO = 'The pause was too long for others to wait.';
/** `device.lost` may resolve a little after the operations that failed because of it. */
const LOSS_GRACE_MS = 100;

export interface Current {
  readonly job: OpenJob;
  readonly lease: Lease;
  readonly partsDone: number;
}

export interface LoopEvents {
  readonly begun: (lease: Lease) => void;
  readonly part: (job: OpenJob, lease: Lease, part: PartialResult) => void;
  readonly dropped: (lease: Lease, reason: string) => void;
  readonly changed: () => void;
}

export interface LoopDeps {
  readonly connection: Pick<Connection, 'call'>;
  readonly jobs: Jobs;
  readonly handIns: HandIns;
  readonly openings: Openings;
  readonly audits: Audits;
  readonly gpu: GpuKeeper;
  readonly pace: Pace;
  readonly clock: Clock;
  readonly events: LoopEvents;
  readonly downloadBytesMax: () => number;
  /** Changes a finished part in place, in a drill. */
  readonly alter: ((part: PartialResult) => void) | undefined;
}

/** What the GPU does next, or why that cannot be done. */
type Next =
  | { readonly lease: Lease; readonly job: OpenJob }
  | { readonly audit: AuditLease; readonly job: OpenJob }
  | { readonly lease: Lease; readonly failure: unknown }
  | { readonly audit: AuditLease; readonly failure: unknown };

/**
 * Keeps the GPU busy: audits come first, because results of others wait for them; leases are asked for while others run, their inputs fetched and kernels compiled ahead, finished
 * parts given to `HandIns`, which delivers them meanwhile. The GPU waits for the network only when nothing is left to do.
 */
export class WorkLoop {
  readonly #deps: LoopDeps;
  readonly #leases = new Leases();
  readonly #undoable = new Map<JobId, string>();
  readonly #changed = new Bell();
  readonly #end = new AbortController();
  readonly requests: WorkRequests;
  readonly lookahead = new Lookahead();
  #current: (Current & { readonly cancel: AbortController }) | null = null;
  #waiting = false;
  /** On our clock. */
  #restUntilMs = 0;
  #lettingGo = false;
  #failures = 0;
  /** GPU time that hand-ins and answers account for. The slice that finished a part is counted after it, so with the next one. */
  #reportedMs = 0;

  constructor(deps: LoopDeps) {
    this.#deps = deps;
    const { connection, clock, pace, handIns, downloadBytesMax } = deps;
    const take = this.take.bind(this);
    const [leases, lookahead, bell, signal] = [this.#leases, this.lookahead, this.#changed, this.#signal];
    this.requests = new WorkRequests({ connection, clock, pace, handIns, leases, lookahead, bell, signal, take, downloadBytesMax });
  }

  get #signal(): AbortSignal {
    return this.#end.signal;
  }

  get current(): Current | null {
    return this.#current;
  }

  /** The coordinator has no work for now. */
  get waiting(): boolean {
    const { queue, current } = this.#deps.audits;
    return this.#waiting && this.#leases.queue.length === 0 && !this.#current && queue.length === 0 && !current;
  }

  /** Until the coordinator gives it leases again. */
  get restMs(): number {
    return Math.max(0, this.#restUntilMs - this.#deps.clock.now());
  }

  get heldTokens(): string[] {
    return [...this.#leases.tokens, ...this.#deps.audits.tokens];
  }

  /** Runs until `stop`, then resolves within a slice. Rejects with what makes going on impossible. */
  async run(): Promise<void> {
    const asking = this.requests.run();
    const working = this.#work();
    try {
      await Promise.race([asking, working]);
    } catch (error) {
      if (!this.#end.signal.aborted) throw error;
    } finally {
      this.stop();
      await Promise.allSettled([asking, working]);
    }
  }

  stop(): void {
    this.#end.abort(new Error('the engine was stopped'));
  }

  /** Takes what came for an `ask`. Returns how many of the leases and audits can be done. */
  take({ leases, audits, jobs, retryMs, restMs }: Work, asked: number): number {
    this.#leases.unreserve(asked);
    this.#waiting = retryMs !== null;
    this.#restUntilMs = this.#deps.clock.now() + restMs;
    const { jobs: table, audits: ours } = this.#deps;
    table.learn(jobs);
    const refused = [...leases, ...audits].filter(({ job }) => !this.#isDoable(job));
    for (const lease of leases) if (!refused.includes(lease)) this.#leases.add(lease);
    for (const audit of audits) if (!refused.includes(audit)) ours.add(audit);
    this.#giveBack(refused);
    this.#prefetch();
    this.#ring();
    return leases.length + audits.length - refused.length;
  }

  /** Also false for what was granted before a pause or a stop and arrived after it. */
  #isDoable(job: JobId): boolean {
    const { jobs, pace } = this.#deps;
    return jobs.refusal(job) === null && !this.#undoable.has(job) && !pace.paused && !this.#signal.aborted;
  }

  /**
   * After every (re)connect. What was gathered goes before anything is asked for. What was not begun, and does not count as held here any more, is with
   * others by now, or with a coordinator that we are not connected to. Of what counts as held, what an engine before this one had, or a lost answer brought,
   * goes back: it would be waited for until its deadline.
   */
  welcomed(held: readonly string[]): void {
    const known = new Set(this.heldTokens);
    this.#giveBack(held.filter((token) => !known.has(token)).map((token) => ({ token })));
    const ours = new Set(held);
    this.#giveBackQueue(({ token }) => !ours.has(token));
    this.#deps.handIns.flush();
    void this.requests.welcomed();
  }

  /** Takes stored parts off a lease. True when that was the last of it. */
  settle(lease: Lease, parts: PartMask): boolean {
    const twins = this.#leases.settle(lease, parts);
    if (twins) this.#giveBack(twins);
    this.#ring();
    return twins !== null;
  }

  /** Ends the work on a lease whose result was refused. What of it is under way already is still delivered. */
  abandon(lease: Lease, reason: string): void {
    const removed = this.#leases.remove(lease.token);
    if (removed.length === 0) return;
    this.#cancel(lease.token, reason);
    this.#giveUp(removed, reason);
    this.#ring();
  }

  /** Stops working on leases that are ours no longer. */
  drop(tokens: readonly string[], reason: string): void {
    const gone = new Set(tokens);
    this.#deps.handIns.drop(gone);
    this.#deps.audits.drop(gone, reason);
    for (const token of gone) {
      this.#cancel(token, reason);
      for (const lease of this.#leases.remove(token)) {
        if (gone.has(lease.token)) this.#deps.events.dropped(lease, reason);
        else this.#giveBack([lease]);
      }
    }
    this.#ring();
  }

  /** Gives back what was not begun, and the audit at work: others wait for it. Nothing is fetched. The tile at work stands still. */
  pause(): void {
    this.#giveBack(this.#deps.audits.interrupt('paused'));
    this.#giveBackQueue();
    this.#deps.jobs.closeUnopened();
  }

  /** After a pause that others should not wait for: the tile at work goes back but for what is finished, and the GPU's memory is freed. */
  letGo(): void {
    this.#lettingGo = true;
    const token = this.#current?.lease.token;
    if (token === undefined) this.#free();
    else {
      this.#cancel(token, LET_GO);
      this.#giveUp(this.#leases.remove(token), LET_GO);
      this.#ring();
    }
  }

  /** Once no kernel is under way, and only if the pause still lasts. */
  #free(): void {
    if (!this.#lettingGo || this.#current || this.#deps.audits.current) return;
    this.#lettingGo = false;
    if (this.#deps.pace.paused) this.#deps.jobs.closeAll();
  }

  /** Gives back what was not begun, all of it or this. */
  #giveBackQueue(goes?: (granted: { readonly token: string }) => boolean): void {
    this.#giveBack([...this.#leases.removeQueue(goes), ...this.#deps.audits.removeQueue(goes)]);
    this.#ring();
  }

  /** What may be downloaded has changed: what is too large now goes back, and the coordinator is told. A tile at work is finished. */
  capChanged(): void {
    const { jobs, audits } = this.#deps;
    const refused = new Set([...audits.queue, ...this.#leases.queue].map(({ job }) => job).filter((id) => jobs.refusal(id) !== null));
    for (const id of refused) {
      const isRefused = ({ job }: { readonly job: JobId }): boolean => job === id;
      this.#giveBack(audits.removeQueue(isRefused));
      this.#giveUp(this.#leases.removeQueue(isRefused), jobs.refusal(id) ?? '');
    }
    jobs.closeRefused(this.#running);
    this.requests.available();
    this.#ring();
  }

  /** Something this loop may wait for has changed: a job was opened, a pause has ended. */
  wake(): void {
    this.#ring();
  }

  async #work(): Promise<never> {
    const { pace, handIns, openings, gpu } = this.#deps;
    for (;;) {
      this.#free();
      await pace.unpaused(this.#signal);
      await handIns.room(this.#signal);
      await openings.room(this.#signal);
      if (gpu.lost.aborted) await this.#recover();
      const next = this.#next();
      if (!next) await this.#changed.wait(this.#signal);
      else if ('failure' in next) await ('lease' in next ? this.#failed(next.lease, next.failure) : this.#auditFailed(next.audit, next.failure));
      else await ('lease' in next ? this.#runLease(next.job, next.lease) : this.#runAudit(next.job, next.audit));
    }
  }

  /** The first audit or else lease whose job is open, or cannot be opened: a job that is still being fetched holds up nobody. */
  #next(): Next | null {
    const { jobs, audits } = this.#deps;
    this.#prefetch();
    for (const audit of audits.queue) {
      const failure = jobs.takeFailure(audit.job);
      if (failure !== null) return { audit, failure };
      const job = jobs.ready(audit.job);
      if (job) return { audit, job };
    }
    for (const lease of this.#leases.queue) {
      const failure = jobs.takeFailure(lease.job);
      if (failure !== null) return { lease, failure };
      const job = jobs.ready(lease.job);
      if (job) return { lease, job };
    }
    return null;
  }

  /** A tile can take longer than anybody waits for an audit, so audits come between its parts. */
  get #hasReadyAudit(): boolean {
    const { jobs, audits } = this.#deps;
    return audits.queue.some(({ job }) => jobs.ready(job) !== null);
  }

  async #runLease(job: OpenJob, lease: Lease): Promise<void> {
    const { gpu, handIns, events, pace, clock } = this.#deps;
    const cancel = new AbortController();
    this.#leases.begin(lease);
    this.#current = { job, lease, partsDone: countParts(handIns.done(lease)), cancel };
    events.begun(lease);
    this.#ring();
    const busyMs = pace.busyMs;
    try {
      const { spec } = job.entry;
      const size = { elements: spec.elements(job.context, lease.at), words: spec.elementWords(job.context, lease.at) };
      const parts = withoutParts(lease.parts, handIns.done(lease));
      const signal = AbortSignal.any([this.#signal, cancel.signal, gpu.lost]);
      await runParts({ job, at: lease.at, parts, pace, clock, signal }, (part) => {
        this.#deps.alter?.(part);
        events.part(job, lease, part);
        handIns.add(lease, part, size, this.#unreportedMs());
        if (this.#current) this.#current = { ...this.#current, partsDone: this.#current.partsDone + 1 };
        events.changed();
        return this.#hasReadyAudit ? 'enough' : 'more';
      });
      this.#failures = 0;
      // Not by the clock: a pause is no work.
      this.lookahead.ran(((pace.busyMs - busyMs) * 100) / pace.powerPercent);
      if (handIns.done(lease) !== 0) this.#leases.requeue(lease);
    } catch (error) {
      if (error instanceof GpuError) throw error;
      // Taken back: `drop` has seen to everything.
      if (cancel.signal.aborted) return;
      await this.#failed(lease, error);
    } finally {
      this.#current = null;
      this.#ring();
    }
  }

  async #runAudit(job: OpenJob, audit: AuditLease): Promise<void> {
    const { gpu, audits, pace, clock } = this.#deps;
    const taken = audits.begin(audit);
    this.#ring();
    try {
      const elements = decodeAuditElements(bytesOfWire(audit.elements));
      const values = await recompute({ job, elements, pace, clock, signal: AbortSignal.any([this.#signal, taken, gpu.lost]) });
      audits.answer(audit, values, this.#unreportedMs());
      this.#failures = 0;
    } catch (error) {
      if (error instanceof GpuError) throw error;
      // Taken back, or given back by a pause.
      if (taken.aborted) return;
      // Held still, so that the engine gives it back at its end.
      if (this.#signal.aborted) audits.requeue(audit);
      await this.#auditFailed(audit, error);
    } finally {
      audits.end();
      this.#ring();
    }
  }

  #unreportedMs(): number {
    const { busyMs } = this.#deps.pace;
    const ms = busyMs - this.#reportedMs;
    this.#reportedMs = busyMs;
    return ms;
  }

  async #recover(): Promise<void> {
    const { jobs, gpu } = this.#deps;
    jobs.closeAll();
    await unlessAborted(gpu.recover(), this.#signal);
    this.#ring();
  }

  async #failed(lease: Lease, error: unknown): Promise<void> {
    const reason = await this.#undoableBecause(lease.job, error);
    if (reason === null) this.#leases.requeue(lease);
    else this.#giveUp(this.#leases.remove(lease.token), reason);
  }

  async #auditFailed(audit: AuditLease, error: unknown): Promise<void> {
    const { audits } = this.#deps;
    const reason = await this.#undoableBecause(audit.job, error);
    if (reason === null) audits.requeue(audit);
    // One whose job could not even be opened went back with the rest of the queue.
    else if (audits.current === audit) this.#giveBack([audit]);
  }

  /** Null after a lost device: it is tried again. Otherwise the job cannot be done here: what is queued of it goes back, and no more of it is taken. */
  async #undoableBecause(job: JobId, error: unknown): Promise<string | null> {
    const { gpu, clock, audits } = this.#deps;
    this.#signal.throwIfAborted();
    if (!gpu.lost.aborted) await clock.sleep(LOSS_GRACE_MS, this.#signal);
    if (gpu.lost.aborted) return null;
    const message = error instanceof Error ? error.message : String(error);
    if (++this.#failures >= FAILURES_MAX) throw new Error(`${FAILURES_MAX} tiles in a row failed here. The last said: ${message}`);
    this.#undoable.set(job, message);
    const isOf = (granted: { readonly job: JobId }): boolean => granted.job === job;
    this.#giveBack(audits.removeQueue(isOf));
    this.#giveUp(this.#leases.removeQueue(isOf), message);
    return message;
  }

  /** Hands in what is finished of these leases, and gives the rest back. */
  #giveUp(leases: readonly Lease[], reason: string): void {
    for (const lease of leases) {
      this.#deps.handIns.finish(lease);
      this.#deps.events.dropped(lease, reason);
    }
    this.#giveBack(leases);
  }

  #giveBack(granted: readonly { readonly token: string }[]): void {
    if (granted.length === 0) return;
    const tokens = granted.map(({ token }) => token);
    // One that does not arrive costs the swarm only the wait for its deadline.
    void this.#deps.connection.call('giveBack', () => ({ tokens }), this.#signal).catch(() => undefined);
  }

  /** Opens the jobs of what is at hand, those first that come first. */
  #prefetch(): void {
    const { jobs, gpu, audits } = this.#deps;
    if (gpu.lost.aborted) return;
    const wanted = [...new Set([...audits.queue, ...this.#leases.queue].map(({ job }) => job))];
    const busy = new Set([...wanted, ...this.#running]);
    jobs.closeRefused(busy);
    for (const id of wanted) jobs.prefetch(id, busy, this.#running);
  }

  /** Jobs whose kernels run. */
  get #running(): Set<JobId> {
    return new Set([this.#current?.lease, this.#deps.audits.current].flatMap((running) => (running ? [running.job] : [])));
  }

  #cancel(token: string, reason: string): void {
    if (this.#current?.lease.token === token) this.#current.cancel.abort(new Error(reason));
  }

  #ring(): void {
    this.#changed.notify();
    this.#deps.events.changed();
  }
}
