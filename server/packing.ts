import { MINUTE_MS } from '../shared/limits.ts';
import type { JobId } from '../shared/model.ts';
import type { Coordinator } from './coordinator.ts';
import { Rounds } from './rounds.ts';
import type { Store } from './store/store.ts';

export interface PackingDeps {
  readonly store: Pick<Store, 'packs'>;
  readonly coordinator: {
    readonly isRecovering: boolean;
    openJob(id: JobId): Pick<NonNullable<ReturnType<Coordinator['openJob']>>, 'adaptivePasses'> | undefined;
  };
  /** Whether this coordinator sees to it, where several share the database: one is enough, and two do no harm. */
  readonly isMine: () => boolean;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Hears of each pack: how many results it has, and how long it took. */
  readonly packed?: (pack: { readonly results: number; readonly ms: number }) => void;
  readonly log: { error(fields: object, message: string): void };
}

/** A job that has just ended is watched, assembled and extended more than any other: its results stay what is read and changed fastest. */
const RESTS_MS = 10 * MINUTE_MS;
/** Between two steps: the rest of the process has most of the time. */
const BREATH_MS = 50;
/** From the end of one round over all jobs to the next. */
const ROUND_MS = MINUTE_MS;

/**
 * Packs results that nothing changes any more, a step at a time (`store/packs.ts`). Nothing of where it is need be known after a start: what is packed is
 * not there any more, and what is not is found again.
 */
export class Packing {
  readonly #deps: PackingDeps;
  readonly #rounds: Rounds;
  #job: JobId | null = null;
  /** Where to go on with this job; null: with the next one. */
  #afterSeq: number | null = null;

  constructor(deps: PackingDeps) {
    this.#deps = deps;
    this.#rounds = new Rounds({
      step: () => this.step(),
      breathMs: BREATH_MS,
      roundMs: ROUND_MS,
      failed: (error) => deps.log.error({ error: String(error), job: this.#job }, 'results could not be packed'),
    });
  }

  start(): void {
    this.#rounds.start();
  }

  /** Resolves when it moves nothing more. */
  close(): Promise<void> {
    return this.#rounds.close();
  }

  /** One transaction at most. True when it has been at all jobs. */
  async step(): Promise<boolean> {
    const { store, coordinator, clock, packed, isMine } = this.#deps;
    if (coordinator.isRecovering || !isMine()) return true;
    // Should it fail, the next step is at the next job: one that cannot be packed keeps no other from it.
    const afterSeq = this.#afterSeq ?? 0;
    if (this.#afterSeq === null) this.#job = await store.packs.nextJob(this.#job);
    this.#afterSeq = null;
    const job = this.#job;
    if (job === null) return true;
    const beganMs = performance.now();
    const open = coordinator.openJob(job);
    const { results, nextSeq } = await store.packs.pack(job, {
      afterSeq,
      beforeMs: clock() - RESTS_MS,
      measured: open ? open.adaptivePasses.slice(0, -1) : null,
    });
    this.#afterSeq = nextSeq;
    if (results > 0) packed?.({ results, ms: performance.now() - beganMs });
    return false;
  }
}
