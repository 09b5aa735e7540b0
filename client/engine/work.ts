import { limits } from '../../shared/limits.ts';
import { countParts, type JobId, type PartMask, withoutParts } from '../../shared/model.ts';
import type { Lease, Work } from '../../shared/protocol.ts';
import type { PartialResult } from '../../shared/workload.ts';
import { Bell, type Clock, unlessAborted } from './clock.ts';
import type { Connection } from './connection.ts';
import { GpuError, type GpuKeeper } from './device.ts';
import type { HandIns } from './handin.ts';
import type { Jobs, OpenJob } from './jobs.ts';
import type { Pace } from './pace.ts';
import { runParts } from './run-parts.ts';

/** The coordinator grants what keeps us busy for a few seconds; when it granted nothing without saying why, it is asked again after this. */
const ASK_AGAIN_MS = 250;
/** When all that was granted had to be given back. */
const UNDOABLE_MS = 5000;
/** Failures in a row, with no tile done in between, before this engine gives up. */
const FAILURES_MAX = 3;
/** `device.lost` may resolve a little after the operations that failed because of it. */
const LOSS_GRACE_MS = 100;

interface Held {
  readonly lease: Lease;
  left: PartMask;
  /** Other leases of the same tile, see `take`. They are done when this one is. */
  readonly twins: Lease[];
}

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
  /** Not begun. */
  #queue: Lease[] = [];
  /** Every lease of ours, with the parts that are not stored yet. */
  readonly #held = new Map<string, Held>();
  readonly #undoable = new Map<JobId, string>();
  readonly #changed = new Bell();
  readonly #end = new AbortController();
  /** Leases asked for and not answered. */
  #asked = 0;
  #quiet = new AbortController();
  /** Results that a coordinator, perhaps a new one, has not seen yet are delivered before it is asked for work: it would grant the same tiles again. */
  #isCatchingUp = false;
  #connections = 0;
  #current: (Current & { readonly cancel: AbortController }) | null = null;
  #waiting = false;
  #failures = 0;
  /** GPU time that hand-ins account for. The slice that finished a part is counted after it, so with the next one. */
  #reportedMs = 0;

  constructor(deps: LoopDeps) {
    this.#deps = deps;
  }

  get #signal(): AbortSignal {
    return this.#end.signal;
  }

  get current(): Current | null {
    return this.#current;
  }

  /** The coordinator has no work for now. */
  get waiting(): boolean {
    return this.#waiting && this.#queue.length === 0 && !this.#current;
  }

  get heldTokens(): string[] {
    return [...this.#held.values()].flatMap(({ lease, twins }) => [lease.token, ...twins.map(({ token }) => token)]);
  }

  /** Runs until `stop`, then resolves within a slice. Rejects with what makes going on impossible. */
  async run(): Promise<void> {
    const asking = this.#askForWork();
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

  /** Reserves room for the leases that the next message asks for. */
  ask(): number {
    if (this.#isCatchingUp || this.#deps.pace.paused || this.#signal.aborted) return 0;
    const wanted = Math.max(0, limits.leasesPerContributorMax - this.#held.size - this.#asked);
    this.#asked += wanted;
    return wanted;
  }

  /**
   * Takes what came for an `ask`. Returns how many of the leases can be done. A coordinator that restarted knows nothing of the
   * tile at work and may grant it again: such a twin is not computed, but given back once the tile is stored.
   */
  take({ leases, jobs, retryMs }: Work, asked: number): number {
    this.#asked -= asked;
    this.#waiting = retryMs !== null;
    const { jobs: table, pace } = this.#deps;
    table.learn(jobs);
    const doable: Lease[] = [];
    const refused: Lease[] = [];
    for (const lease of leases) {
      const reason = table.refusal(lease.job) ?? this.#undoable.get(lease.job);
      // Granted before a pause or a stop, arrived after it.
      if (reason !== undefined || pace.paused || this.#signal.aborted) refused.push(lease);
      else if (!this.#joinTwin(lease)) doable.push(lease);
    }
    for (const lease of doable) this.#held.set(lease.token, { lease, left: lease.parts, twins: [] });
    this.#queue.push(...doable);
    this.#giveBack(refused);
    this.#prefetch();
    this.#ring();
    return doable.length;
  }

  /** Takes back an `ask` that got no answer. */
  unask(asked: number): void {
    if (asked === 0) return;
    this.#asked -= asked;
    this.#ring();
  }

  offline(): void {
    this.#connections++;
    this.#isCatchingUp = true;
    this.#quiet.abort(new Error('the connection was lost'));
  }

  /** After every (re)connect. What was not begun may be with others by now. */
  async welcomed(): Promise<void> {
    const connection = ++this.#connections;
    this.giveBackQueue();
    await this.#deps.handIns.delivered(this.#signal).catch(() => undefined);
    if (connection !== this.#connections) return;
    this.#isCatchingUp = false;
    this.#ring();
  }

  /** Takes stored parts off a lease. True when that was the last of it. */
  settle(lease: Lease, parts: PartMask): boolean {
    const held = this.#held.get(lease.token);
    if (!held) return false;
    held.left = withoutParts(held.left, parts);
    if (held.left === 0) this.#release([lease]);
    this.#ring();
    return held.left === 0;
  }

  /** Ends the work on a lease whose result was refused. What of it is under way already is still delivered. */
  abandon(lease: Lease, reason: string): void {
    if (!this.#held.has(lease.token)) return;
    this.#end_(lease.token, reason);
    this.#giveBack([lease]);
    this.#deps.events.dropped(lease, reason);
    this.#ring();
  }

  /** There is work again. */
  available(): void {
    this.#quiet.abort(new Error('there is work again'));
    this.#ring();
  }

  /** Stops working on leases that are ours no longer. */
  drop(tokens: readonly string[], reason: string): void {
    const gone = new Set(tokens);
    this.#deps.handIns.drop(gone);
    if (this.#current && gone.has(this.#current.lease.token)) this.#current.cancel.abort(new Error(reason));
    this.#queue = this.#queue.filter(({ token }) => !gone.has(token));
    for (const token of gone) {
      const held = this.#held.get(token);
      this.#held.delete(token);
      if (held) this.#deps.events.dropped(held.lease, reason);
    }
    this.#ring();
  }

  /** Gives back what was not begun: others can have it while we pause, or have it already after an absence. */
  giveBackQueue(): void {
    this.#giveBack(this.#queue.splice(0));
    this.#ring();
  }

  /** Something this loop may wait for has changed: a job was opened, a pause has ended. */
  wake(): void {
    this.#ring();
  }

  async #askForWork(): Promise<never> {
    const { connection, clock, pace } = this.#deps;
    const signal = this.#signal;
    for (;;) {
      while (this.#queue.length > 0 || this.#asked > 0 || pace.paused) await this.#changed.wait(signal);
      const asked = this.ask();
      // Only results that are still under way can hold all the room there is.
      if (asked === 0) {
        await this.#changed.wait(signal);
        continue;
      }
      this.#quiet = new AbortController();
      const answer = await connection.call('work', { leasesMax: asked }, signal);
      if (this.take(answer, asked) > 0) continue;
      const againMs = answer.retryMs ?? (answer.leases.length > 0 ? UNDOABLE_MS : ASK_AGAIN_MS);
      await clock.sleep(againMs * (0.75 + Math.random() / 2), AbortSignal.any([signal, this.#quiet.signal])).catch(() => signal.throwIfAborted());
    }
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
    for (const lease of this.#queue) {
      const failure = jobs.takeFailure(lease.job);
      if (failure !== null) return { lease, failure };
      const job = jobs.ready(lease.job);
      if (!job) continue;
      this.#queue = this.#queue.filter((other) => other !== lease);
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
    const { gpu, clock, events } = this.#deps;
    this.#signal.throwIfAborted();
    if (!gpu.lost.aborted) await clock.sleep(LOSS_GRACE_MS, this.#signal);
    const others = this.#queue.filter((other) => other !== lease);
    if (gpu.lost.aborted) {
      this.#queue = this.#held.has(lease.token) ? [lease, ...others] : others;
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    if (++this.#failures >= FAILURES_MAX) throw new Error(`${FAILURES_MAX} tiles in a row failed here. The last said: ${message}`);
    this.#undoable.set(lease.job, message);
    const dropped = [lease, ...others.filter(({ job }) => job === lease.job)];
    this.#queue = others.filter(({ job }) => job !== lease.job);
    for (const each of dropped) events.dropped(each, message);
    this.#giveBack(dropped);
  }

  #giveBack(leases: readonly Lease[]): void {
    if (leases.length === 0) return;
    const tokens = leases.map(({ token }) => token);
    for (const token of tokens) this.#held.delete(token);
    // One that does not arrive costs the swarm only the wait for the lease's deadline.
    void this.#deps.connection.call('giveBack', { tokens }, this.#signal).catch(() => undefined);
  }

  /** Opens the jobs of the leases at hand, those first that come first. */
  #prefetch(): void {
    const { jobs, gpu } = this.#deps;
    if (gpu.lost.aborted) return;
    const wanted = [...new Set(this.#queue.map(({ job }) => job))];
    const busy = new Set(this.#current ? [this.#current.lease.job, ...wanted] : wanted);
    for (const id of wanted) jobs.prefetch(id, busy);
  }

  #ring(): void {
    this.#changed.notify();
    this.#deps.events.changed();
  }
}
