import { workload as registered } from '../../shaders/registry.ts';
import { limits } from '../../shared/limits.ts';
import { countParts, type PartMask } from '../../shared/model.ts';
import type { Lease, OpenRequest, VerdictMessage, Welcome } from '../../shared/protocol.ts';
import type { ContributorRecord, Preferences } from '../../shared/schemas.ts';
import type { PartialResult } from '../../shared/workload.ts';
import { type CurrentTile, type EngineError, type EngineMode, type HoldReason, type Refused, SLICE_MS_DEFAULT, type Snapshot, type TileStep } from './api.ts';
import { Audits } from './audits.ts';
import { Blobs } from './blobs.ts';
import { atMost, type Clock, realClock } from './clock.ts';
import { Connection, connectionTiming } from './connection.ts';
import { GpuError, GpuKeeper } from './device.ts';
import { type Ending, endingOf, stoppedBecause } from './ending.ts';
import { HandIns } from './handin.ts';
import { assertCap, helloOf } from './hello.ts';
import { Jobs, type OpenJob } from './jobs.ts';
import { Openings } from './openings.ts';
import type { EngineOptions } from './options.ts';
import { Pace, powerPercents } from './pace.ts';
import { Publisher } from './publisher.ts';
import { Meter, Tally } from './tally.ts';
import { WorkLoop } from './work.ts';
import { Yielding } from './yielding.ts';

/**
 * The contributor's engine: lease -> fetch inputs -> run -> commit and hand in -> open -> verdict. It knows WebGPU, fetch and
 * the socket, not the DOM: a Web Worker and Node run it unchanged. An engine lives once: after `stopped` or `failed` make
 * another one.
 *
 * A result
 *   gathered    Parts as they finish, handed in when the lease is done, or every 1.5 s.
 *   sealed      Summed up to their total, with a salted Merkle root over them; repeated until acknowledged or refused. Where
 *               others were faster with some of the parts, the rest is sealed anew.
 *   stored      On the coordinator's disk. Its parts are kept until the verdict, as far as memory allows.
 *   opened      The columns that the coordinator drew are delivered, repeated until acknowledged or refused. It may ask for
 *               more; what is not there any more, after a reload say, is given back at once.
 *   judged      Accepted, refuted or discarded: its parts are forgotten.
 *
 * An audit is elements of others' results to recompute. It comes before every part of a tile, at the same pace; its values are
 * repeated until acknowledged or refused. A pause gives it back: the results of others wait for it.
 *
 * Modes
 *   idle        Made, nothing happened: no GPU, no connection.
 *               -> connecting by start().
 *   connecting  A GPU is being acquired, or the coordinator has not welcomed us yet.
 *               -> working by its first welcome · paused by pause() · stopping · failed.
 *   working     Computing, or waiting for work (`Snapshot.waiting`). A lost connection (`Snapshot.online`) changes no mode:
 *               held tiles are computed on, results kept, and it comes back by itself. Tiles and audits not begun are given
 *               back then, for they may be with others already.
 *               -> paused by pause() · stopping · failed.
 *   paused      For one reason or several (`Snapshot.holds`). The kernel stands still between two slices; finished parts are
 *               handed in, tiles not begun and audits given back, and nothing is fetched. After 20 s the tile at work goes
 *               back as well, and the GPU's memory is freed. When the tab is frozen that happens at once.
 *               -> connecting or working by resume() of the last reason · stopping · failed.
 *   stopping    By stop(), by the end of the consent, or because another connection of this contributor took over.
 *               The kernel ends within a slice and the GPU is let go. Then finished parts are handed in and what is asked
 *               for is opened, if that takes less than two seconds; what is held is given back. Never longer than three and a
 *               half seconds, whatever hangs.
 *               -> stopped.
 *   stopped     Nothing of ours is left on the GPU or the network. `reason` says why when the host did not ask. Final.
 *   failed      As stopped, with `error`: page too old, suspended, no GPU, GPU lost for good, kernels failing. Final.
 *               Entered through the same winding down as `stopping`, so held tiles are given back here too.
 *
 * `stopping`, `stopped` and `failed` are left for nothing but what is listed: calls that come then do nothing.
 */

const DELIVER_MS_MAX = 2000;
const GIVE_BACK_MS_MAX = 500;
const PAUSE_KEEPS_MS = 20_000;
/** A driver that does not let go of a kernel is left behind. */
const LET_GO_MS_MAX = 1000;

type Stage = 'idle' | 'active' | 'stopping' | 'stopped' | 'failed';

export class Engine {
  readonly #options: EngineOptions;
  readonly #clock: Clock;
  readonly #pace: Pace;
  readonly #gpu: GpuKeeper;
  readonly #connection: Connection;
  readonly #jobs: Jobs;
  readonly #blobs: Blobs;
  readonly #handIns: HandIns;
  readonly #openings: Openings;
  readonly #audits: Audits;
  readonly #loop: WorkLoop;
  readonly #yielding: Yielding;
  readonly #tally = new Tally();
  readonly #meter: Meter;
  /** Ends with the engine, after its last message. */
  readonly #life = new AbortController();

  #downloadBytesMax: number;
  #preferences: Preferences | undefined;
  #yieldsToOthers: boolean;
  /** Ends with the present pause, or the next one. */
  #pausing = new AbortController();
  #stage: Stage = 'idle';
  #running: Promise<void> = Promise.resolve();
  #ending: Promise<void> | null = null;
  #wasWelcomed = false;
  #earnedMicroCredits = '0';
  #vestingMicroCredits = '0';
  #voidedMicroCredits = 0n;
  #record: ContributorRecord | null = null;
  #auditsAnswered = 0;
  #sitePercent = 0;
  #error: EngineError | null = null;
  #reason: string | null = null;
  readonly #publisher: Publisher;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#publisher = new Publisher(
      () => this.#mode,
      () => options.onState(this.snapshot),
    );
    const clock = this.#clock;
    const signal = this.#life.signal;
    this.#pace = new Pace(clock, options.sliceMs ?? SLICE_MS_DEFAULT);
    this.#pace.setPower(options.powerPercent ?? powerPercents.max);
    this.#meter = new Meter(clock.now());
    for (const reason of options.holds ?? []) this.#pace.pause(reason);
    this.#gpu = new GpuKeeper(options.gpu, options.backend, this.#pace);
    this.#connection = this.#makeConnection();
    const [connection, gpu, pace] = [this.#connection, this.#gpu, this.#pace];
    this.#preferences = options.preferences;
    this.#yieldsToOthers = options.yieldsToOthers ?? true;
    this.#downloadBytesMax = assertCap(options.downloadBytesMax ?? limits.downloadBytesDefault);
    const downloadBytesMax = (): number => this.#downloadBytesMax;
    const blobs = new Blobs(options.origin, clock, { inputsMax: this.#downloadBytesMax, stallMs: limits.downloadStallMsMax });
    this.#blobs = blobs;
    const permitted = { workload: options.workload ?? registered, kinds: new Set(options.kinds), downloadBytesMax };
    const told = { opened: (ms: number) => this.#loop.lookahead.opened(ms), changed: () => this.#loop.wake() };
    this.#jobs = new Jobs({ blobs, gpu, clock, ...permitted, ...told });
    const requests = {
      ask: () => this.#loop.requests.ask(),
      unask: (asked: number) => this.#loop.requests.unask(asked),
    };
    this.#handIns = new HandIns({
      ...requests,
      connection,
      blobs,
      clock,
      signal,
      stored: (sealed, { result, open, work }, asked) => {
        this.#openings.stored(result, sealed, open);
        this.#stored(sealed.lease, sealed.parts);
        this.#loop.take(work, asked);
      },
      overtaken: (lease, parts) => this.#loop.settle(lease, parts),
      refused: (lease, error) => this.#refused(lease, error),
    });
    this.#openings = new Openings({ connection, blobs, clock, signal, handIns: this.#handIns });
    this.#audits = new Audits({
      ...requests,
      connection,
      clock,
      signal,
      answered: ({ work }, asked) => {
        this.#auditsAnswered++;
        this.#loop.take(work, asked);
      },
      // Otherwise it concerns this one audit: it took too long, or the result has its verdict already.
      refused: (error) => error.code === 'forbidden' && this.#fail(error),
    });
    this.#yielding = new Yielding({
      gpu,
      clock,
      signal,
      ...(options.openGauge && { openGauge: options.openGauge }),
      pause: () => this.pause('busy'),
      resume: () => this.resume('busy'),
    });
    const events = {
      begun: (lease: Lease) => this.#tell(lease, lease.parts, { step: 'begun' }),
      part: (job: OpenJob, lease: Lease, part: PartialResult) => this.#part(job, lease, part),
      dropped: (lease: Lease, reason: string) => this.#tell(lease, lease.parts, { step: 'dropped', reason }),
      changed: () => this.#publisher.changed(),
    };
    this.#loop = new WorkLoop({
      connection,
      gpu,
      pace,
      clock,
      events,
      jobs: this.#jobs,
      handIns: this.#handIns,
      openings: this.#openings,
      audits: this.#audits,
      downloadBytesMax,
      alter: options.alter,
    });
  }

  get snapshot(): Snapshot {
    const { handedIn, accepted, refuted, discarded } = this.#tally;
    return {
      mode: this.#mode,
      online: this.#connection.online,
      holds: this.#mode === 'paused' ? this.#pace.holds : [],
      waiting: this.#mode === 'working' && this.#loop.waiting,
      restMs: this.#loop.restMs,
      device: this.#gpu.info,
      partsPerMinute: this.#meter.perMinute(this.#clock.now()),
      current: this.#current,
      tiles: { handedIn, accepted, refuted, discarded },
      audits: this.#auditsAnswered,
      earnedMicroCredits: this.#earnedMicroCredits,
      vestingMicroCredits: this.#vestingMicroCredits,
      voidedMicroCredits: this.#voidedMicroCredits.toString(),
      record: this.#record,
      sitePercent: this.#sitePercent,
      busyMs: this.#pace.busyMs,
      powerPercent: this.#pace.powerPercent,
      error: this.#error,
      reason: this.#reason,
    };
  }

  /** Throws when it was called before. Everything else that goes wrong arrives as mode `failed`. */
  start(): void {
    if (this.#stage !== 'idle') throw new Error('this engine was started before');
    this.#stage = 'active';
    this.#publisher.changed();
    void this.#begin().catch((error) => this.#fail(error));
  }

  /** Stands still within a slice, until no reason is left. */
  pause(reason: HoldReason = 'owner'): void {
    if (this.#stage !== 'active') return;
    const wasPaused = this.#pace.paused;
    this.#pace.pause(reason);
    if (!wasPaused) {
      this.#handIns.flush();
      this.#loop.pause();
      void this.#letGoLater(this.#pausing.signal).catch(() => undefined);
    }
    // While the tab is frozen no timer ends: what is not given back now is held for as long as it sleeps.
    if (reason === 'frozen') this.#loop.letGo();
    this.#publisher.changed();
  }

  resume(reason: HoldReason = 'owner'): void {
    if (!this.#pace.holds.includes(reason)) return;
    this.#pace.resume(reason);
    if (!this.#pace.paused) {
      this.#pausing.abort(new Error('the pause has ended'));
      this.#pausing = new AbortController();
      this.#loop.wake();
    }
    this.#publisher.changed();
  }

  /** Resolves when nothing runs any more, within a second or two, three and a half at most. */
  stop(): Promise<void> {
    return this.#end(stoppedBecause(null, true));
  }

  /** Percent of the GPU's time, 5 to 100. Throws a `RangeError` outside. */
  setPower(percent: number): void {
    this.#pace.setPower(percent);
    this.#yielding.powerChanged();
    this.#publisher.changed();
  }

  /** Whether it pauses while somebody else needs the GPU. The time of a software renderer is the processor's: that is for the host to find out. */
  setYieldsToOthers(yields: boolean): void {
    this.#yieldsToOthers = yields;
    const isWatched = yields && !this.#gpu.info?.software;
    this.#pace.gapTask = isWatched ? { isDue: () => this.#yielding.isDue, run: () => this.#yielding.inGap() } : null;
    if (!yields) this.resume('busy');
  }

  /** Bytes that the inputs of one job may have, from now on. Throws a `RangeError` outside `limits`. */
  setDownloadMax(bytes: number): void {
    this.#downloadBytesMax = assertCap(bytes);
    void this.#blobs.setInputsMax(bytes);
    if (this.#stage === 'active') this.#loop.capChanged();
  }

  /** What it wants from now on. What it holds of anything else is taken back by the coordinator. */
  setPreferences(preferences: Preferences): void {
    this.#preferences = preferences;
    if (this.#stage !== 'active') return;
    // Ends unsaid with the engine. What the coordinator refuses it goes on without.
    void this.#connection.call('prefer', () => this.#preferences ?? {}, this.#life.signal).catch(() => undefined);
  }

  /** Longest dispatch in milliseconds, 1 to 100. Throws a `RangeError` outside. */
  setSliceMs(ms: number): void {
    this.#pace.setSliceMs(ms);
  }

  get #mode(): EngineMode {
    if (this.#stage !== 'active') return this.#stage;
    if (this.#pace.paused) return 'paused';
    return this.#wasWelcomed ? 'working' : 'connecting';
  }

  get #current(): CurrentTile | null {
    const current = this.#loop.current;
    if (!current) return null;
    const { job, lease, partsDone } = current;
    const { brief, entry, context } = job;
    return {
      job: brief.id,
      title: brief.title,
      ...(brief.requester !== undefined && { requester: brief.requester }),
      ...(brief.group !== undefined && { group: brief.group }),
      at: lease.at,
      progress: partsDone / countParts(lease.parts),
      region: entry.spec.region(context, lease.at),
      jobProgress: brief.progress,
    };
  }

  #makeConnection(): Connection {
    const { origin } = this.#options;
    const hello = () => {
      const device = this.#gpu.info;
      if (!device) throw new GpuError('hello before a GPU was found');
      return helloOf(this.#options, { device, downloadBytesMax: this.#downloadBytesMax, preferences: this.#preferences });
    };
    const events = {
      welcome: (welcome: Welcome) => this.#welcomed(welcome),
      offline: () => {
        this.#loop.requests.offline();
        this.#publisher.changed();
      },
      answered: (ms: number) => this.#loop.lookahead.answered(ms),
      refused: (error: Refused) => this.#fail(error),
      replaced: () => void this.#end(stoppedBecause('Sharing goes on in another window of this browser.', false)),
      facts: {
        verdicts: (messages: readonly VerdictMessage[]) => messages.forEach((message) => void this.#verdict(message)),
        'work:available': () => this.#loop.requests.available(),
        'open:wanted': (request: OpenRequest) => this.#openings.wanted([request]),
        'leases:void': ({ tokens, reason }: { tokens: readonly string[]; reason: string }) => this.#loop.drop(tokens, reason),
        'consent:ended': ({ reason }: { reason: string }) => void this.#end(stoppedBecause(reason, false)),
      },
    };
    return new Connection(origin, hello, events, this.#clock, this.#options.connectionTiming ?? connectionTiming);
  }

  /** A tile is kept over a short pause; others need not wait for the end of a long one. */
  async #letGoLater(over: AbortSignal): Promise<void> {
    await this.#clock.sleep(PAUSE_KEEPS_MS, AbortSignal.any([over, this.#life.signal]));
    this.#loop.letGo();
  }

  async #begin(): Promise<void> {
    await this.#gpu.acquire();
    if (this.#stage !== 'active') return this.#gpu.destroy();
    this.setYieldsToOthers(this.#yieldsToOthers);
    this.#connection.open();
    this.#running = this.#loop.run().catch((error) => this.#fail(error));
  }

  #welcomed({ earnedMicroCredits, vestingMicroCredits, record, open, held, sharePercent }: Welcome): void {
    this.#wasWelcomed = true;
    this.#earnedMicroCredits = earnedMicroCredits;
    this.#vestingMicroCredits = vestingMicroCredits;
    this.#record = record;
    this.#sitePercent = sharePercent;
    this.#openings.wanted(open);
    this.#loop.welcomed(held);
    this.#publisher.changed();
  }

  #stored(lease: Lease, parts: PartMask): void {
    const isComplete = this.#loop.settle(lease, parts);
    this.#tally.stored(lease.job, lease.at, parts, isComplete);
    if (isComplete) this.#tell(lease, lease.parts, { step: 'handedIn' });
    this.#publisher.changed();
  }

  #refused(lease: Lease, error: Refused): void {
    if (error.code === 'forbidden') this.#fail(error);
    // It concerns this one lease: somebody else was faster, the job has ended, the lease is too old.
    else this.#loop.abandon(lease, error.message);
  }

  #verdict(message: VerdictMessage): void {
    const { job, at, parts, verdict, reason, voidedMicroCredits } = message;
    this.#tally.verdict(message);
    this.#openings.judged(message);
    this.#earnedMicroCredits = message.earnedMicroCredits;
    this.#vestingMicroCredits = message.vestingMicroCredits;
    this.#voidedMicroCredits += BigInt(voidedMicroCredits);
    this.#tell({ job, at }, parts, verdict === 'accepted' ? { step: verdict } : { step: verdict, reason, voidedMicroCredits });
    this.#publisher.changed();
  }

  #part(job: OpenJob, lease: Lease, { part, bytes }: PartialResult): void {
    this.#meter.add(this.#clock.now());
    this.#options.onPart?.({ job: job.brief, at: lease.at, part, bytes: bytes.slice() });
  }

  #tell({ job: id, at }: Pick<Lease, 'job' | 'at'>, parts: PartMask, step: TileStep): void {
    const job = this.#jobs.brief(id);
    if (job) this.#options.onTile?.({ ...step, job, at, parts });
  }

  #fail(error: unknown): void {
    void this.#end(endingOf(error));
  }

  #end(ending: Ending): Promise<void> {
    this.#ending ??= this.#windDown(ending);
    return this.#ending;
  }

  async #windDown({ stage, error, reason, isPolite }: Ending): Promise<void> {
    const wasIdle = this.#stage === 'idle';
    this.#stage = 'stopping';
    this.#publisher.changed();
    this.#loop.stop();
    await atMost(this.#clock, LET_GO_MS_MAX, () => this.#running);
    this.#jobs.closeAll();
    this.#gpu.destroy();
    if (isPolite && !wasIdle) {
      this.#handIns.flush();
      await atMost(this.#clock, DELIVER_MS_MAX, (signal) => this.#delivered(signal));
      const tokens = this.#loop.heldTokens;
      if (tokens.length > 0) await atMost(this.#clock, GIVE_BACK_MS_MAX, (signal) => this.#connection.call('giveBack', () => ({ tokens }), signal));
    }
    this.#connection.close();
    this.#life.abort(new Error('the engine has ended'));
    this.#stage = stage;
    this.#error = error;
    this.#reason = reason;
    this.#publisher.changed();
  }

  /** Hand-ins first: their answers say what is to be opened. */
  async #delivered(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#handIns.delivered(signal), this.#audits.delivered(signal)]);
    await this.#openings.delivered(signal);
  }
}

export const createEngine = (options: EngineOptions): Engine => new Engine(options);
