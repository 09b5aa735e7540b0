import type { JobId, OwnerId } from '../shared/model.ts';
import type { JobView } from '../shared/schemas.ts';
import type { Coordinator } from './coordinator.ts';
import type { Event } from './core/state.ts';
import { JobError, type Jobs } from './jobs.ts';

export interface WatchingDeps {
  readonly jobs: Pick<Jobs, 'shown' | 'visible'>;
  readonly coordinator: Pick<Coordinator, 'onEvents'>;
}

type TileEvent = Extract<Event, { readonly type: `tile${string}` }>;

/** What those who look at a job are told while it is computed. */
export type News = TileEvent | { readonly type: 'progress' | 'ended'; readonly job: JobId; readonly view: JobView };

/** Somebody who looks at one job. */
export interface Viewer {
  readonly job: JobId;
  /** Undefined: a guest. */
  readonly owner: OwnerId | undefined;
  /** The job is not there for him any more: he is told nothing more. */
  gone(): void;
}

/** One way of looking at jobs. */
export interface Audience {
  viewers(): Iterable<Viewer>;
  /** Whether anybody looks at this job here: only then is `tell` called. */
  watches(job: JobId): boolean;
  tell(news: News): void;
}

/** Progress goes out at most this often a job. */
const PROGRESS_MS = 500;

const isTile = (event: Event): event is TileEvent =>
  event.type === 'tileLeased' || event.type === 'tileChecking' || event.type === 'tileAccepted' || event.type === 'tileRevoked' || event.type === 'tileRefuted';

/**
 * Turns what the coordinator does into news for those who look at jobs, by whatever way, and ends it for whoever may not look any more. Whether
 * somebody may begin to look, each way asks itself (`Jobs.visible`).
 */
export class Watching {
  readonly #jobs: WatchingDeps['jobs'];
  readonly #audiences = new Set<Audience>();
  readonly #changed = new Set<JobId>();
  readonly #timer: NodeJS.Timeout;

  constructor({ jobs, coordinator }: WatchingDeps) {
    this.#jobs = jobs;
    coordinator.onEvents((events) => {
      for (const event of events) this.#hear(event);
    });
    this.#timer = setInterval(() => {
      for (const job of this.#changed) void this.#show(job, 'progress');
      this.#changed.clear();
    }, PROGRESS_MS);
  }

  add(audience: Audience): void {
    this.#audiences.add(audience);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Something was done with a job by its requester: who may see it, and what they see, may be something else now. */
  readonly changed = async (job: JobId): Promise<void> => {
    await Promise.all(this.#viewers((viewer) => viewer.job === job).map((viewer) => this.#cut(viewer)));
    await this.#show(job, 'progress');
  };

  /** Nobody may look at this job any more. */
  readonly jobGone = (job: JobId): void => {
    for (const viewer of this.#viewers((each) => each.job === job)) viewer.gone();
  };

  /** An owner has left a group. Resolves when it is told nothing more of what only its members may see. */
  readonly leftGroup = async (owner: OwnerId): Promise<void> => {
    await Promise.all(this.#viewers((viewer) => viewer.owner === owner).map((viewer) => this.#cut(viewer)));
  };

  #hear(event: Event): void {
    if (isTile(event)) {
      this.#changed.add(event.job);
      this.#tell(event);
    }
    if (event.type === 'jobEnded') void this.#show(event.job, 'ended');
  }

  #tell(news: News): void {
    for (const audience of this.#audiences) if (audience.watches(news.job)) audience.tell(news);
  }

  async #show(job: JobId, type: 'progress' | 'ended'): Promise<void> {
    if (![...this.#audiences].some((audience) => audience.watches(job))) return;
    const view = await this.#jobs.shown(job).catch(() => undefined);
    if (view) this.#tell({ type, job, view });
  }

  #viewers(which: (viewer: Viewer) => boolean): Viewer[] {
    return [...this.#audiences].flatMap((audience) => [...audience.viewers()].filter(which));
  }

  async #cut(viewer: Viewer): Promise<void> {
    const isGone = await this.#jobs.visible(viewer.job, viewer.owner).then(
      () => false,
      (error: unknown) => error instanceof JobError && error.code === 'not_found',
    );
    if (isGone) viewer.gone();
  }
}
