import { workload } from '../../../shaders/registry.ts';
import type { JobContext, JobId } from '../../../shared/model.ts';
import type { AcceptedView, JobView } from '../../../shared/schemas.ts';
import type { WorkloadSpec } from '../../../shared/workload.ts';
import { type ApiError, api, asApiError } from '../../net/api.ts';
import { ResultQueue } from '../../net/result-queue.ts';
import { Mosaic } from './mosaic.ts';
import { pictureUrl } from './picture-url.ts';

const contextOf = ({ id, seed, params, prepared }: JobView): JobContext => ({ id, seed, params, prepared });

/** One job followed live: its figures, its mosaic, and whether news still comes. */
export class LiveJob {
  readonly id: JobId;
  readonly #bytesMax: number | undefined;
  #job = $state.raw<JobView | null>(null);
  #mosaic = $state.raw<Mosaic | null>(null);
  #error = $state.raw<ApiError | null>(null);
  #connected = $state<boolean | null>(null);
  #full = $state(false);
  #queue: ResultQueue | null = null;
  #unwatch: (() => void) | null = null;
  #closed = false;

  /** `bytesMax` bounds what is fetched for the picture. */
  constructor(id: JobId, bytesMax?: number) {
    this.id = id;
    this.#bytesMax = bytesMax;
    void this.open();
  }

  get job(): JobView | null {
    return this.#job;
  }
  set job(job: JobView) {
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
  get spec(): WorkloadSpec | undefined {
    return this.#job ? workload(this.#job.workload)?.spec : undefined;
  }

  async open(): Promise<void> {
    this.#error = null;
    try {
      this.#job = await api.job(this.id);
      await this.rebuild();
      await this.#watch();
    } catch (error) {
      this.#error = asApiError(error);
    }
  }

  /** A new canvas from what is accepted: at the start, and when something painted early turned out to be refuted. */
  async rebuild(): Promise<void> {
    const job = this.#job;
    const entry = job ? workload(job.workload) : undefined;
    if (!job || !entry) return;
    const view = entry.spec.picture(contextOf(job)) ? await entry.view() : null;
    if (this.#closed) return;
    this.#queue?.close();
    this.#mosaic?.close();
    const mosaic = new Mosaic(entry.spec, contextOf(job), job.grid, view);
    this.#queue = new ResultQueue({
      fetch: (result, signal) => api.resultBytes(job.id, result.id, signal),
      arrived: (result, bytes) => mosaic.add(result, result.parts, bytes),
      full: () => {
        this.#full = true;
      },
      ...(this.#bytesMax === undefined ? {} : { bytesMax: this.#bytesMax }),
    });
    this.#mosaic = mosaic;
    const url = pictureUrl(job, entry.spec);
    if (url && (await this.#showFile(mosaic, url))) return;
    this.#take(await api.results(job.id));
  }

  close(): void {
    this.#closed = true;
    this.#unwatch?.();
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

  #take(results: readonly AcceptedView[]): void {
    for (const result of results) {
      if (this.#mosaic?.layout.paints) this.#queue?.add(result);
      else void this.#mosaic?.add(result, result.parts, null);
    }
  }

  /** Viewers' sockets have no account, so whose job it is comes from HTTP alone. */
  #learn(job: JobView): void {
    this.#job = { ...job, mine: this.#job?.mine ?? false };
  }

  /** The socket client comes after the first picture: a page is readable without it. */
  async #watch(): Promise<void> {
    const { watchJob } = await import('../../net/live.ts');
    if (this.#closed) return;
    this.#unwatch ??= watchJob(this.id, {
      snapshot: (job, accepted) => {
        this.#learn(job);
        if (job.status !== 'done') this.#take(accepted);
      },
      leased: (at) => this.#mosaic?.outlines.lease(at, performance.now()),
      accepted: (result) => this.#take([result]),
      refuted: (at) => {
        this.#mosaic?.outlines.release(at, performance.now());
        this.#mosaic?.outlines.cover('refusal', at);
      },
      progress: (job) => this.#learn(job),
      connected: (yes) => {
        this.#connected = yes;
      },
    });
  }
}
