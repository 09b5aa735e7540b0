import { countParts, type JobId, type PartMask, withoutParts } from '../../shared/model.ts';
import type { Lease, Work } from '../../shared/protocol.ts';
import type { PartialResult } from '../../shared/workload.ts';
import { Bell, type Clock, unlessAborted } from './clock.ts';
import type { Connection } from './connection.ts';
import { GpuError, type GpuKeeper } from './device.ts';
import type { HandIns } from './handin.ts';
import type { Jobs, OpenJob } from './jobs.ts';
import { Leases } from './leases.ts';
import type { Pace } from './pace.ts';
import { WorkRequests } from './requests.ts';
import { runParts } from './run-parts.ts';

/** Failures in a row, with no tile done in between, before this engine gives up. */
const FAILURES_MAX = 3;
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
  readonly gpu: GpuKeeper;
  readonly pace: Pace;
  readonly clock: Clock;
  readonly events: LoopEvents;
}

/**
 * Keeps the GPU busy: leases are asked for while others run, their inputs fetched and kernels compiled ahead, finished
 * parts given to `HandIns`, which delivers them meanwhile. The GPU waits for the network only when nothing is left to do.
 */
export class WorkLoop {
  readonly #deps: LoopDeps;
  readonly #leases = new Leases();
  readonly #undoable = new Map<JobId, string>();
  readonly #changed = new Bell();
  readonly #end = new AbortController();
  readonly requests: WorkRequests;
  #current: (Current & { readonly cancel: AbortController }) | null = null;
  #waiting = false;
  #failures = 0;
  /** GPU time that hand-ins account for. The slice that finished a part is counted after it, so with the next one. */
  #reportedMs = 0;

  constructor(deps: LoopDeps) {
    this.#deps = deps;
    const { connection, clock, pace, handIns } = deps;
    const take = this.take.bind(this);
    this.requests = new WorkRequests({ connection, clock, pace, handIns, leases: this.#leases, bell: this.#changed, signal: this.#signal, take });
  }

  get #signal(): AbortSignal {
    return this.#end.signal;
  }

  get current(): Current | null {
    return this.#current;
  }

  /** The coordinator has no work for now. */
  get waiting(): boolean {
    return this.#waiting && this.#leases.queue.length === 0 && !this.#current;
  }

  get heldTokens(): string[] {
    return this.#leases.tokens;
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

  /** Takes what came for an `ask`. Returns how many of the leases can be done. */
  take({ leases, jobs, retryMs }: Work, asked: number): number {
    this.#leases.unreserve(asked);
    this.#waiting = retryMs !== null;
    const { jobs: table, pace } = this.#deps;
    table.learn(jobs);
    const refused: Lease[] = [];
    for (const lease of leases) {
      const reason = table.refusal(lease.job) ?? this.#undoable.get(lease.job);
      // Granted before a pause or a stop, arrived after it.
      if (reason !== undefined || pace.paused || this.#signal.aborted) refused.push(lease);
      else this.#leases.add(lease);
    }
    this.#giveBack(refused);
    this.#prefetch();
    this.#ring();
    return leases.length - refused.length;
  }

  /** After every (re)connect. What was not begun may be with others by now; what was gathered goes before anything is asked for. */
  welcomed(): void {
    this.giveBackQueue();
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
    for (const token of gone) {
      this.#cancel(token, reason);
      for (const lease of this.#leases.remove(token)) {
        if (gone.has(lease.token)) this.#deps.events.dropped(lease, reason);
        else this.#giveBack([lease]);
      }
    }
    this.#ring();
  }

  /** Gives back what was not begun: others can have it while we pause, or have it already after an absence. */
  giveBackQueue(): void {
    this.#giveBack(this.#leases.removeQueue());
    this.#ring();
  }

  /** Something this loop may wait for has changed: a job was opened, a pause has ended. */
  wake(): void {
    this.#ring();
  }

  async #work(): Promise<never> {
    const { pace, handIns, gpu } = this.#deps;
    for (;;) {
      await pace.unpaused(this.#signal);
      await handIns.room(this.#signal);
      if (gpu.lost.aborted) await this.#recover();
      const next = this.#next();
      if (!next) await this.#changed.wait(this.#signal);
      else if ('job' in next) await this.#runLease(next.job, next.lease);
      else await this.#failed(next.lease, next.failure);
    }
  }

  /** The first lease whose job is open, or cannot be opened: a job that is still being fetched holds up nobody. */
  #next(): { lease: Lease; job: OpenJob } | { lease: Lease; failure: unknown } | null {
    const { jobs } = this.#deps;
    this.#prefetch();
    for (const lease of this.#leases.queue) {
      const failure = jobs.takeFailure(lease.job);
      if (failure !== null) return { lease, failure };
      const job = jobs.ready(lease.job);
      if (!job) continue;
      this.#leases.begin(lease);
      return { lease, job };
    }
    return null;
  }

  async #runLease(job: OpenJob, lease: Lease): Promise<void> {
    const { gpu, handIns, events, pace, clock } = this.#deps;
    const cancel = new AbortController();
    const { lost } = gpu;
    this.#current = { job, lease, partsDone: countParts(handIns.done(lease)), cancel };
    events.begun(lease);
    this.#ring();
    try {
      const parts = withoutParts(lease.parts, handIns.done(lease));
      await runParts({ job, at: lease.at, parts, pace, clock, signal: AbortSignal.any([this.#signal, cancel.signal, lost]) }, (part, partBytes) => {
        events.part(job, lease, part);
        handIns.add(lease, part, partBytes, pace.busyMs - this.#reportedMs);
        this.#reportedMs = pace.busyMs;
        if (this.#current) this.#current = { ...this.#current, partsDone: this.#current.partsDone + 1 };
        events.changed();
      });
      this.#failures = 0;
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

  async #recover(): Promise<void> {
    const { jobs, gpu } = this.#deps;
    jobs.closeAll();
    await unlessAborted(gpu.recover(), this.#signal);
    this.#ring();
  }

  /** After a lost device the lease is tried again. Otherwise the job cannot be done here: its leases go back, and no more of them are taken. */
  async #failed(lease: Lease, error: unknown): Promise<void> {
    const { gpu, clock } = this.#deps;
    this.#signal.throwIfAborted();
    if (!gpu.lost.aborted) await clock.sleep(LOSS_GRACE_MS, this.#signal);
    if (gpu.lost.aborted) {
      this.#leases.requeue(lease);
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    if (++this.#failures >= FAILURES_MAX) throw new Error(`${FAILURES_MAX} tiles in a row failed here. The last said: ${message}`);
    this.#undoable.set(lease.job, message);
    this.#giveUp([...this.#leases.remove(lease.token), ...this.#leases.removeQueue(lease.job)], message);
  }

  /** Hands in what is finished of these leases, and gives the rest back. */
  #giveUp(leases: readonly Lease[], reason: string): void {
    for (const lease of leases) {
      this.#deps.handIns.finish(lease);
      this.#deps.events.dropped(lease, reason);
    }
    this.#giveBack(leases);
  }

  #giveBack(leases: readonly Lease[]): void {
    if (leases.length === 0) return;
    const tokens = leases.map(({ token }) => token);
    // One that does not arrive costs the swarm only the wait for the lease's deadline.
    void this.#deps.connection.call('giveBack', () => ({ tokens }), this.#signal).catch(() => undefined);
  }

  /** Opens the jobs of the leases at hand, those first that come first. */
  #prefetch(): void {
    const { jobs, gpu } = this.#deps;
    if (gpu.lost.aborted) return;
    const wanted = [...new Set(this.#leases.queue.map(({ job }) => job))];
    const busy = new Set(this.#current ? [this.#current.lease.job, ...wanted] : wanted);
    for (const id of wanted) jobs.prefetch(id, busy);
  }

  #cancel(token: string, reason: string): void {
    if (this.#current?.lease.token === token) this.#current.cancel.abort(new Error(reason));
  }

  #ring(): void {
    this.#changed.notify();
    this.#deps.events.changed();
  }
}
