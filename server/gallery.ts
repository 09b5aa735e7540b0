import { workload, workloadIds } from '../shaders/registry.ts';
import type { OwnerId } from '../shared/model.ts';
import { defaultChecks } from '../shared/schemas.ts';
import type { WorkloadSample } from '../shared/workload.ts';
import type { Coordinator } from './coordinator.ts';
import type { Jobs } from './jobs.ts';
import type { BlobStore, Store } from './store/store.ts';

export const GALLERY_OWNER = 'device:gallery' as OwnerId;

export interface GalleryDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly jobs: Jobs;
  readonly coordinator: Coordinator;
  readonly log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
  /** Whether this coordinator sees to the gallery, where several share the database. */
  readonly isMine?: () => boolean;
}

/**
 * Keeps public sample jobs queued, so that whoever presses Start has something to work on when nobody has ordered
 * anything. The operator issues the test credits for them. When the last one ends, the round starts again with new seeds.
 */
export class Gallery {
  readonly #deps: GalleryDeps;
  #queueing: Promise<void> | null = null;
  #closed = false;

  constructor(deps: GalleryDeps) {
    this.#deps = deps;
    deps.coordinator.onEvents((events) => {
      if (events.some(({ type }) => type === 'jobEnded')) void this.refill();
    });
  }

  /** Queues every sample that has no open job, if fewer than two gallery jobs are open. */
  refill(): Promise<void> {
    this.#queueing ??= this.#queue()
      .catch((error: unknown) => this.#deps.log.error({ error: String(error) }, 'the gallery could not be queued'))
      .finally(() => {
        this.#queueing = null;
      });
    return this.#queueing;
  }

  async #queue(): Promise<void> {
    const { store, jobs, blobs, log } = this.#deps;
    const open = await store.jobs.list({ status: 'open', gallery: true, limit: 100 });
    if (open.length > 1 || !(this.#deps.isMine?.() ?? true)) return;
    for (const id of workloadIds) {
      const samples = await (await workload(id)?.samples())?.samples();
      for (const sample of samples ?? []) {
        if (this.#closed || open.some(({ title }) => title === sample.title)) continue;
        const files = await storeFiles(blobs, sample);
        const request = { workload: id, params: sample.params, files, title: sample.title, visibility: 'public' as const, checks: defaultChecks };
        const job = await jobs.submit(request, { owner: GALLERY_OWNER, gallery: true });
        log.info({ job: job.id, title: sample.title }, 'queued for the gallery');
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#queueing;
  }
}

async function storeFiles(blobs: BlobStore, { files }: WorkloadSample): Promise<Record<string, Awaited<ReturnType<BlobStore['put']>>['hash']>> {
  const stored = await Promise.all(
    Object.entries(files).map(async ([name, bytes]) => {
      async function* source() {
        yield bytes;
      }
      return [name, (await blobs.put(source(), { bytesMax: bytes.byteLength })).hash] as const;
    }),
  );
  return Object.fromEntries(stored);
}
