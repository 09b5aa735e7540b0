import { HOUR_MS, limits } from '../shared/limits.ts';
import type { BlobHash, JobId } from '../shared/model.ts';
import type { Forgotten } from './store/lifecycle.ts';
import type { BlobStore, Store } from './store/store.ts';

export interface RetentionDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  /** How long the bytes of an ended job are kept. */
  readonly retentionMs: number;
  readonly clock: () => number;
  readonly log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
}

const SWEEP_EVERY_MS = HOUR_MS;
const JOBS_AT_ONCE_MAX = 100;
/** Each takes some requests where an S3 store has them. */
const REMOVED_AT_ONCE_MAX = 16;

/**
 * Deletes bytes that nobody needs: of jobs whose time is over or whose requester wants it, and blobs that nothing has referred to for a day. A
 * job is forgotten in the database first, in one transaction; only then do its files go. Killed in between, the next sweep finds blobs without a
 * reference and goes on.
 *
 * Nothing is removed that somebody began to rely on meanwhile: whoever uploads, quotes or submits puts or touches the blob before he refers to
 * it, and `BlobStore.remove` leaves what was touched since. So a blob without a reference lives a day longer than its last touch.
 */
export class Retention {
  readonly #deps: RetentionDeps;
  #sweeping: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #keepers = 0;

  constructor(deps: RetentionDeps) {
    this.#deps = deps;
  }

  /** Sweeps now and every hour. */
  start(): void {
    const sweep = () => void this.sweep().catch((error: unknown) => this.#deps.log.error({ error: String(error) }, 'old bytes could not be deleted'));
    this.#timer = setInterval(sweep, SWEEP_EVERY_MS);
    sweep();
  }

  /** Until it is released no bytes go; the next sweep after that takes what is due. */
  keepAll(): () => void {
    let isKept = true;
    this.#keepers++;
    return () => {
      if (isKept) this.#keepers--;
      isKept = false;
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping?.catch(() => undefined);
  }

  /** Deletes everything whose time is over. Asked again meanwhile, it is the same sweep. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = null;
    });
    return this.#sweeping;
  }

  /** Deletes the bytes of a job that has ended, but for what others need or have begun to rely on. False when it is open, or they are gone. */
  async forget(id: JobId): Promise<boolean> {
    const { store, clock } = this.#deps;
    const forgotten = await store.lifecycle.forget(id, clock());
    if (!forgotten) return false;
    await this.drop(forgotten);
    return true;
  }

  /** Deletes what lay in blobs of a job that the database has forgotten, but for what others need or have begun to rely on. */
  async drop({ inputs, results, files, createdMs, endedMs }: Forgotten): Promise<void> {
    // Its own last touches: inputs before it was made, results before it ended, files when they were put. Whatever is younger is somebody else's, who
    // has perhaps no row yet that says so.
    await this.#remove(inputs, createdMs);
    await this.#remove(results, endedMs);
    for (const { hash, madeMs } of files) await this.#remove([hash], madeMs);
  }

  async #sweep(): Promise<void> {
    const { store, blobs, retentionMs, clock, log } = this.#deps;
    const [before, jobs] = [clock() - retentionMs, { count: 0 }];
    for (;;) {
      const over = await store.lifecycle.endedBefore(before, JOBS_AT_ONCE_MAX);
      for (const id of over) if (await this.forget(id)) jobs.count++;
      if (over.length < JOBS_AT_ONCE_MAX) break;
    }
    const unused = clock() - limits.unusedBlobMsMax;
    let removed = 0;
    for await (const old of blobs.untouched(unused)) removed += await this.#remove(old, unused);
    if (jobs.count + removed > 0) log.info({ jobs: jobs.count, blobs: removed }, 'old bytes are deleted');
  }

  /** Returns how many went. */
  async #remove(hashes: readonly BlobHash[], untouchedSinceMs: number): Promise<number> {
    const { store, blobs } = this.#deps;
    const needed = await store.lifecycle.needed(hashes);
    const spare = hashes.filter((hash) => !needed.has(hash));
    let removed = 0;
    for (let at = 0; at < spare.length && this.#keepers === 0; at += REMOVED_AT_ONCE_MAX) {
      const done = await Promise.all(spare.slice(at, at + REMOVED_AT_ONCE_MAX).map((hash) => blobs.remove(hash, untouchedSinceMs)));
      removed += done.filter(Boolean).length;
    }
    return removed;
  }
}
