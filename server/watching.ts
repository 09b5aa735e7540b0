import { randomUUID } from 'node:crypto';
import type { JobId, OwnerId } from '../shared/model.ts';
import type { JobView } from '../shared/schemas.ts';
import { type Bus, silentBus } from './bus.ts';
import type { Coordinator } from './coordinator.ts';
import type { Event } from './core/state.ts';
import { JobError, type Jobs } from './jobs.ts';

export interface WatchingDeps {
  readonly jobs: Pick<Jobs, 'shown' | 'visible'>;
  readonly coordinator: Pick<Coordinator, 'onEvents'>;
  /** To where others look at what is done here; silent where there are no others. */
  readonly bus?: Bus;
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
/** What happens here goes to other coordinators in such bunches, if somebody there looks at the job; and so often they say at what they look. */
const PASSED_MS = 100;
const LOOKS_MS = 1000;
/** Who has not said so for longer is gone. */
const LOOKS_MS_MAX = 5000;
/** Of one bunch; those beyond are left out, and viewers see the progress alone. */
const PASSED_MAX = 2000;

interface Looks {
  /** Names a coordinator. */
  readonly from: string;
  readonly jobs: readonly JobId[];
}

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
  readonly #timers: NodeJS.Timeout[];
  readonly #bus: Bus;
  readonly #name = randomUUID();
  /** By coordinator: at what is looked there, and until when that is believed. */
  readonly #looks = new Map<string, { readonly jobs: ReadonlySet<JobId>; readonly untilMs: number }>();
  #passing: TileEvent[] = [];

  constructor({ jobs, coordinator, bus = silentBus }: WatchingDeps) {
    this.#jobs = jobs;
    this.#bus = bus;
    bus.on('looks', ({ from, jobs: looked }: Looks) => void this.#looks.set(from, { jobs: new Set(looked), untilMs: performance.now() + LOOKS_MS_MAX }));
    bus.on('news', (news: readonly TileEvent[]) => {
      for (const event of news) this.#tile(event);
    });
    coordinator.onEvents((events) => {
      for (const event of events) this.#hear(event);
    });
    const progress = (): void => {
      for (const job of this.#changed) void this.#show(job, 'progress');
      this.#changed.clear();
    };
    this.#timers = [setInterval(progress, PROGRESS_MS)];
    if (bus !== silentBus)
      this.#timers.push(
        setInterval(() => this.#pass(), PASSED_MS),
        setInterval(() => this.#tellLooks(), LOOKS_MS),
      );
  }

  add(audience: Audience): void {
    this.#audiences.add(audience);
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
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
      this.#tile(event);
      if (this.#bus !== silentBus && this.#passing.length < PASSED_MAX && this.#isLookedAtElsewhere(event.job)) this.#passing.push(event);
    }
    if (event.type === 'jobEnded') void this.#show(event.job, 'ended');
  }

  #tile(event: TileEvent): void {
    this.#changed.add(event.job);
    this.#tell(event);
  }

  #isLookedAtElsewhere(job: JobId): boolean {
    const now = performance.now();
    for (const { jobs, untilMs } of this.#looks.values()) if (untilMs > now && jobs.has(job)) return true;
    return false;
  }

  #pass(): void {
    if (this.#passing.length > 0) this.#bus.tell('news', this.#passing.splice(0));
  }

  #tellLooks(): void {
    const jobs = [...new Set(this.#viewers(() => true).map(({ job }) => job))];
    const now = performance.now();
    for (const [name, { untilMs }] of this.#looks) if (untilMs < now) this.#looks.delete(name);
    this.#bus.tell('looks', { from: this.#name, jobs } satisfies Looks);
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
