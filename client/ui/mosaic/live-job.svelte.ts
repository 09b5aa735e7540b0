import { workload } from '../../../shaders/registry.ts';
import type { JobContext, JobId, ResultId, TileRef } from '../../../shared/model.ts';
import type { AcceptedView, JobView } from '../../../shared/schemas.ts';
import type { Look, LookControl, Output, ResultTable, WorkloadSpec } from '../../../shared/workload.ts';
import { type ApiError, api, asApiError } from '../../net/api.ts';
import type { JobListener } from '../../net/live.ts';
import { ResultQueue } from '../../net/result-queue.ts';
import { Mosaic } from './mosaic.ts';
import { pictureUrl } from './picture-url.ts';
import { type KnownResult, Results } from './results.svelte.ts';
import { TileBook } from './tile-book.svelte.ts';

const contextOf = ({ id, seed, params, prepared }: JobView): JobContext => ({ id, seed, params, prepared });

/** What was proven wrong comes in bursts: all that a liar made is taken back at once. */
const REBUILD_DELAY_MS = 250;

/** Of so many results the time until they are painted is remembered. */
const PAINTED_MAX = 1024;

/** How news come; returns the way to hear no more. */
export type Watch = (job: JobId, listener: JobListener) => (() => void) | Promise<() => void>;

/** The socket client comes after the first picture: a page is readable without it. */
export const overSocket: Watch = async (job, listener) => (await import('../../net/live.ts')).watchJob(job, listener);

export interface LiveJobOptions {
  /** Bounds what is fetched for the picture. */
  readonly bytesMax?: number;
  readonly watch?: Watch;
}

/** One job followed live: its figures, its accepted results, its mosaic, and whether news still comes. */
export class LiveJob {
  readonly id: JobId;
  readonly results = new Results();
  readonly #bytesMax: number | undefined;
  #watch: Watch;
  #job = $state.raw<JobView | null>(null);
  #mosaic = $state.raw<Mosaic | null>(null);
  #error = $state.raw<ApiError | null>(null);
  #connected = $state<boolean | null>(null);
  #full = $state(false);
  #frame = $state(0);
  #drills = $state(0);
  #book = $state.raw<TileBook | null>(null);
  #looks = $state.raw<readonly LookControl[]>([]);
  #look: Look = {};
  #table = $state.raw<ResultTable | null>(null);
  #queue: ResultQueue | null = null;
  #unwatch: Promise<() => void> | null = null;
  /** When it was heard that a result is accepted, until it is painted. */
  readonly #heardMs = new Map<ResultId, number>();
  readonly #paintedMs: number[] = [];
  #beforeGap: readonly ResultId[] = [];
  #rebuilding: ReturnType<typeof setTimeout> | undefined;
  /** The picture is one file: results are not wanted. */
  #asFile = false;
  #closed = false;

  constructor(id: JobId, { bytesMax, watch = overSocket }: LiveJobOptions = {}) {
    this.id = id;
    this.#bytesMax = bytesMax;
    this.#watch = watch;
    void this.open();
  }

  get job(): JobView | null {
    return this.#job;
  }
  set job(job: JobView) {
    this.#learn(job);
    this.#job = job;
  }
  get mosaic(): Mosaic | null {
    return this.#mosaic;
  }
  get error(): ApiError | null {
    return this.#error;
  }
  /** Null until the first connection succeeded or failed. */
  get connected(): boolean | null {
    return this.#connected;
  }
  /** True when the picture stopped filling because `bytesMax` was reached. */
  get full(): boolean {
    return this.#full;
  }
  /** Results of the operator's drill that were found out since the page was opened. */
  get drills(): number {
    return this.#drills;
  }
  /** What is known of every tile; null until the job is. */
  get book(): TileBook | null {
    return this.#book;
  }
  /** What can be changed about how results look, with what it is as ordered; none where nothing is painted. */
  get looks(): readonly LookControl[] {
    return this.#looks;
  }
  /** How its results are read as rows; null where they are not, and until the job is known. */
  get table(): ResultTable | null {
    return this.#table;
  }
  /** Milliseconds from hearing that a result is accepted until it is painted, of the last ones; those that were there before are not among them. */
  get paintedMs(): readonly number[] {
    return this.#paintedMs;
  }
  /** Files that there are once it is done. */
  get outputs(): readonly Output[] {
    return (this.#job && this.spec?.outputs(contextOf(this.#job))) ?? [];
  }
  /** Which frame is shown, from 0; the mosaic follows shortly. */
  get frame(): number {
    return this.#frame;
  }
  /** How many there are; 1 of what does not move. */
  get frames(): number {
    return this.#mosaic?.layout.frames ?? 1;
  }
  get spec(): WorkloadSpec | undefined {
    return this.#job ? workload(this.#job.workload)?.spec : undefined;
  }

  async open(): Promise<void> {
    this.#error = null;
    try {
      this.#job = await api.job(this.id);
      await this.rebuild();
      if (!this.#closed) await this.#listen();
    } catch (error) {
      this.#error = asApiError(error);
    }
  }

  /** The results of a finished job, which is shown as one file and so was opened without them. */
  async learnResults(): Promise<void> {
    if (this.#job?.status !== 'done' || this.results.count > 0) return;
    for (const result of await api.results(this.id)) this.#know(result);
  }

  /** How results look from now on. What a finished job shows as one file is painted from its results then. */
  async setLook(look: Look): Promise<void> {
    this.#look = look;
    if (this.#asFile) return this.rebuild();
    this.#mosaic?.setLook(look);
    for (const result of this.results.all()) this.#offer(result);
  }

  /** From now on news come this way. */
  watchBy(watch: Watch): void {
    if (watch === this.#watch) return;
    this.#watch = watch;
    if (!this.#unwatch) return;
    this.#stopListening();
    void this.#listen().catch((error) => {
      this.#error = asApiError(error);
    });
  }

  /** Shows another frame; moving a slider across many of them fetches the last alone. */
  show(frame: number): void {
    if (frame === this.#frame) return;
    this.#frame = frame;
    this.#full = false;
    this.#rebuildSoon();
  }

  /** Shows the frame that a tile is in. */
  follow(at: TileRef): void {
    const region = this.#mosaic?.layout.region(at);
    if (region) this.show(region.frame);
  }

  /** A new canvas from what is accepted: at the start, and when something that was painted turned out to be wrong. */
  async rebuild(): Promise<void> {
    const job = this.#job;
    const entry = job ? workload(job.workload) : undefined;
    if (!job || !entry) return;
    const view = await entry.view();
    if (this.#closed) return;
    this.#queue?.close();
    this.#heardMs.clear();
    this.#mosaic?.close();
    this.#looks = entry.spec.picture(contextOf(job)) ? view.looks(contextOf(job)) : [];
    // Kept over new canvases: whoever reads it has rows already.
    this.#table ??= view.table?.(contextOf(job)) ?? null;
    this.#renewBook(entry.spec, job);
    const mosaic = new Mosaic(entry.spec, contextOf(job), job.grid, view, {
      frame: this.#frame,
      spoiled: () => this.#rebuildSoon(),
      ...(this.#mosaic ? { outlines: this.#mosaic.outlines } : {}),
    });
    this.#queue = new ResultQueue({
      fetch: (result, signal) => api.resultBytes(job.id, result.id, signal),
      arrived: (result, bytes) => mosaic.add(result, result.parts, bytes).then(() => this.#notePainted(result.id)),
      failed: ({ id }) => {
        this.#heardMs.delete(id);
        this.results.unclaim(id);
      },
      full: () => {
        this.#full = true;
      },
      ...(this.#bytesMax === undefined ? {} : { bytesMax: this.#bytesMax }),
    });
    this.#mosaic = mosaic;
    this.results.unclaimAll();
    const isPlain = Object.keys(this.#look).length === 0;
    if (!isPlain) mosaic.setLook(this.#look);
    // The file is of the first frame, and looks as ordered.
    const url = isPlain && this.#frame === 0 && mosaic.layout.isPicture ? pictureUrl(job, entry.spec) : null;
    this.#asFile = url !== null && (await this.#showFile(mosaic, url));
    if (this.#asFile) return;
    this.#take(await api.results(job.id));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#rebuilding);
    this.#stopListening();
    this.#queue?.close();
    this.#mosaic?.close();
  }

  async #showFile(mosaic: Mosaic, url: string): Promise<boolean> {
    const image = new Image();
    image.src = url;
    try {
      await image.decode();
      mosaic.showImage(image);
      return true;
    } catch {
      return false;
    }
  }

  /** A job that was extended has more parts; what is known of its tiles stays where it is the same. */
  #renewBook(spec: WorkloadSpec, job: JobView): void {
    let parts = 0;
    for (let pass = 0; pass < job.grid.passes; pass++) parts += spec.parts(contextOf(job), { pass, tile: 0 });
    if (this.#book?.partsPerTile === parts) return;
    this.#book = new TileBook(job.grid.tiles, parts);
    for (const result of this.results.all()) this.#book.accept(result);
  }

  #rebuildSoon(): void {
    clearTimeout(this.#rebuilding);
    // Without a picture nobody waits for this: what went wrong then shows at the next look.
    this.#rebuilding = setTimeout(() => void this.rebuild().catch(() => undefined), REBUILD_DELAY_MS);
  }

  /** After a connection: what was known before the gap and is not accepted now was taken back meanwhile. */
  #reconcile(accepted: readonly AcceptedView[]): void {
    const now = new Set(accepted.map(({ id }) => id));
    const before = this.#beforeGap;
    this.#beforeGap = [];
    for (const id of before) if (!now.has(id)) this.#revoked(id);
    this.#take(accepted);
  }

  #revoked(id: ResultId): void {
    this.#heardMs.delete(id);
    const result = this.results.remove(id);
    if (!result) return;
    this.#book?.revoke(result);
    this.#mosaic?.outlines.markWrong(result, result.parts, false);
    this.#mosaic?.outlines.cover('refusal', result);
    this.#rebuildSoon();
  }

  #take(results: readonly AcceptedView[]): void {
    for (const result of results) {
      this.#know(result);
      this.#mosaic?.outlines.mend(result, result.parts);
      this.#offer(result);
    }
  }

  #know(result: AcceptedView): void {
    if (this.results.add(result)) this.#book?.accept(result);
  }

  /** Has it painted, once, if it shows. */
  #offer(result: KnownResult): void {
    if (!this.#mosaic?.shows(result) || !this.results.claim(result.id)) return;
    const { id, pass, tile, parts } = result;
    if (this.#mosaic.layout.paints) this.#queue?.add({ id, pass, tile, parts });
    else void this.#mosaic.add(result, parts, null);
  }

  #notePainted(id: ResultId): void {
    const heardMs = this.#heardMs.get(id);
    if (heardMs === undefined || !this.#heardMs.delete(id)) return;
    this.#paintedMs.push(performance.now() - heardMs);
    if (this.#paintedMs.length > PAINTED_MAX) this.#paintedMs.shift();
  }

  /** Viewers' sockets have no account, so whose job it is comes from HTTP alone. */
  #learn(job: JobView): void {
    const before = this.#job;
    this.#job = { ...job, mine: before?.mine ?? false };
    // Extended: it has other passes.
    if (before && before.extensions !== job.extensions) this.#rebuildSoon();
  }

  #stopListening(): void {
    void this.#unwatch?.then(
      (stop) => stop(),
      () => undefined,
    );
    this.#unwatch = null;
  }

  /** Again when it failed. */
  async #listen(): Promise<void> {
    this.#unwatch ??= Promise.resolve(this.#watch(this.id, this.#listener));
    try {
      await this.#unwatch;
    } catch (error) {
      this.#unwatch = null;
      throw error;
    }
  }

  readonly #listener: JobListener = {
    snapshot: (job, accepted) => {
      this.#learn(job);
      if (!this.#asFile) this.#reconcile(accepted);
    },
    leased: (at) => {
      this.#mosaic?.outlines.lease(at, performance.now());
      this.#book?.lease(at.tile, performance.now());
    },
    checking: (at) => {
      this.#mosaic?.outlines.release(at, performance.now());
      this.#book?.check(at.tile, performance.now());
    },
    accepted: (result) => {
      if (this.#mosaic?.shows(result)) this.#heardMs.set(result.id, performance.now());
      this.#take([result]);
    },
    refuted: (at, parts, drill) => {
      if (drill) this.#drills++;
      this.#book?.refute(at.tile);
      this.#mosaic?.outlines.release(at, performance.now());
      this.#mosaic?.outlines.markWrong(at, parts, drill);
      this.#mosaic?.outlines.cover('refusal', at);
    },
    revoked: (id) => this.#revoked(id),
    progress: (job) => this.#learn(job),
    // Asked again, it is not there, or its requester is told why.
    gone: () => {
      this.#queue?.close();
      void this.open();
    },
    connected: (yes) => {
      if (!yes && this.#connected) this.#beforeGap = this.results.ids;
      this.#connected = yes;
    },
  };
}
