import type { JobContext, JobId } from '../../shared/model.ts';
import type { JobBrief } from '../../shared/protocol.ts';
import type { Runner, WorkloadEntry } from '../../shared/workload.ts';
import type { Blobs } from './blobs.ts';
import type { Clock } from './clock.ts';
import type { GpuKeeper } from './device.ts';

/** A runner holds a job's scene on the GPU: the one at work, the next one, and one to come back to. */
const RUNNERS_MAX = 3;

export interface OpenJob {
  readonly brief: JobBrief;
  readonly entry: WorkloadEntry;
  readonly context: JobContext;
  readonly runner: Runner;
}

/** What has to be downloaded; identical inputs once. */
const inputBytesOf = ({ inputs }: JobBrief): number =>
  [...new Map(inputs.map(({ hash, bytes }) => [hash, bytes])).values()].reduce((sum, bytes) => sum + bytes, 0);

type Opening = {
  readonly promise: Promise<OpenJob>;
  readonly cancel: AbortController;
  opened: OpenJob | null;
  failed: unknown;
  /** Of the job as it was before it was extended. */
  isStale: boolean;
};

export interface JobsDeps {
  readonly blobs: Pick<Blobs, 'get'>;
  readonly gpu: GpuKeeper;
  readonly workload: (id: string) => WorkloadEntry | undefined;
  readonly kinds: ReadonlySet<string>;
  /** Most that may be downloaded for one job. */
  readonly downloadBytesMax: () => number;
  readonly clock: Pick<Clock, 'now'>;
  /** One was opened within so many milliseconds. */
  readonly opened: (ms: number) => void;
  /** Some job has become ready, or has turned out not to be doable. */
  readonly changed: () => void;
}

/** What this engine knows of jobs. Inputs are fetched and kernels compiled as soon as a lease names a job, while another one runs. */
export class Jobs {
  readonly #deps: JobsDeps;
  readonly #briefs = new Map<JobId, JobBrief>();
  /** Least recently used first. */
  readonly #openings = new Map<JobId, Opening>();

  constructor(deps: JobsDeps) {
    this.#deps = deps;
  }

  /** A job may be told again with other parameters: it was extended, and what is open of it is of no use any more. */
  learn(briefs: readonly JobBrief[]): void {
    for (const brief of briefs) {
      const opening = this.#openings.get(brief.id);
      if (opening && JSON.stringify(this.#briefs.get(brief.id)?.params) !== JSON.stringify(brief.params)) opening.isStale = true;
      this.#briefs.set(brief.id, brief);
    }
  }

  brief(id: JobId): JobBrief | undefined {
    return this.#briefs.get(id);
  }

  /** Why a lease of this job is to be given back unseen; null when there is no reason. */
  refusal(id: JobId): string | null {
    const brief = this.#briefs.get(id);
    if (!brief) return 'unknown job';
    if (!this.#deps.kinds.has(brief.workload)) return `no consent to run ${brief.workload}`;
    const entry = this.#deps.workload(brief.workload);
    const bytes = inputBytesOf(brief);
    const most = this.#deps.downloadBytesMax();
    if (bytes > most) return `its inputs have ${bytes} bytes, ${most} are allowed here`;
    if (entry?.spec.version !== brief.version) return `${brief.workload} version ${brief.version} is not part of this page`;
    return null;
  }

  /** Starts to open a job unless it is open or being opened. `busy` names jobs whose runners must stay, `running` those at work of them. */
  prefetch(id: JobId, busy: ReadonlySet<JobId>, running: ReadonlySet<JobId> = busy): void {
    const known = this.#openings.get(id);
    if (known?.isStale && !running.has(id)) this.#close(id);
    else if (known) {
      this.#openings.delete(id);
      this.#openings.set(id, known);
      return;
    }
    if (!this.#makeRoom(busy)) return;
    const cancel = new AbortController();
    const sinceMs = this.#deps.clock.now();
    const promise = this.#open(id, cancel.signal);
    const opening: Opening = { promise, cancel, opened: null, failed: null, isStale: false };
    this.#openings.set(id, opening);
    promise.then(
      (job) => {
        if (cancel.signal.aborted) return job.runner.dispose();
        opening.opened = job;
        this.#deps.opened(this.#deps.clock.now() - sinceMs);
        this.#deps.changed();
      },
      (error) => {
        opening.failed = error;
        this.#deps.changed();
      },
    );
  }

  ready(id: JobId): OpenJob | null {
    const opening = this.#openings.get(id);
    return opening?.isStale ? null : (opening?.opened ?? null);
  }

  /** Why a job could not be opened, once; asking again later tries again. */
  takeFailure(id: JobId): unknown {
    const failed = this.#openings.get(id)?.failed ?? null;
    if (failed !== null) this.#openings.delete(id);
    return failed;
  }

  /** Frees what jobs hold that are not to be done any more, but for those that are `busy`. */
  closeRefused(busy: ReadonlySet<JobId>): void {
    for (const id of [...this.#openings.keys()]) if (!busy.has(id) && this.refusal(id) !== null) this.#close(id);
  }

  /** Stops downloads and compilations that are under way; a download goes on where it broke off. */
  closeUnopened(): void {
    for (const [id, { opened }] of [...this.#openings]) if (!opened) this.#close(id);
  }

  /** After a device was lost, or at the end: nothing of the old device stays. */
  closeAll(): void {
    for (const id of [...this.#openings.keys()]) this.#close(id);
  }

  async #open(id: JobId, signal: AbortSignal): Promise<OpenJob> {
    const brief = this.#briefs.get(id);
    const entry = brief && this.#deps.workload(brief.workload);
    if (!brief || !entry) throw new Error(`job ${id} is not known`);
    const context: JobContext = { id, seed: brief.seed, params: brief.params, prepared: brief.prepared };
    const fetched = brief.inputs.map(async (input) => [input.name, await this.#deps.blobs.get(input, signal)] as const);
    const [face, inputs] = await Promise.all([entry.run(), Promise.all(fetched)]);
    signal.throwIfAborted();
    const runner = await face.open(this.#deps.gpu.device, context, Object.fromEntries(inputs));
    return { brief, entry, context, runner };
  }

  #makeRoom(busy: ReadonlySet<JobId>): boolean {
    for (const id of [...this.#openings.keys()]) {
      if (this.#openings.size < RUNNERS_MAX) break;
      if (!busy.has(id)) this.#close(id);
    }
    return this.#openings.size < RUNNERS_MAX;
  }

  #close(id: JobId): void {
    const opening = this.#openings.get(id);
    this.#openings.delete(id);
    opening?.cancel.abort(new Error('the job was closed'));
    opening?.opened?.runner.dispose();
  }
}
