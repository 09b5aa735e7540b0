import { MessageChannel } from 'node:worker_threads';
import { workload } from '../shaders/registry.ts';
import type { BlobHash } from '../shared/model.ts';
import type { DeskAnswer, DeskQuestion } from './checks/messages.ts';
import type { Pool } from './checks/pool.ts';
import type { Coordinator } from './coordinator.ts';
import { contextOf, JobError } from './jobs.ts';
import type { BlobStore, Store, StoredJob } from './store/store.ts';

export interface FileDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly coordinator: Coordinator;
  readonly assembling: Pool;
  readonly clock: () => number;
}

/** The files of finished jobs, assembled as streams in a worker thread. */
export class Files {
  readonly #deps: FileDeps;
  readonly #making = new Map<string, Promise<BlobHash>>();

  constructor(deps: FileDeps) {
    this.#deps = deps;
  }

  /** Made at the first request, then kept until the job is extended. */
  async of(job: StoredJob, output: string): Promise<{ hash: BlobHash; name: string; mediaType: string }> {
    const { id } = job;
    const spec = workload(job.workload)?.spec;
    const kind = spec?.outputs(contextOf(job)).find((candidate) => candidate.id === output);
    if (!spec || !kind) throw new JobError('not_found', 'This job has no such output.');
    if (job.deletedMs !== null) throw new JobError('not_found', 'The files of this job were deleted.');
    if (job.status !== 'done') throw new JobError('conflict', 'The file is there once the job is done.');
    const key = `${id}/${output}/${job.extensions}`;
    const known = await this.#deps.store.jobs.file(id, output);
    if (!known && job.version !== spec.version) throw new JobError('conflict', 'This job was computed by an earlier version; its file was not made then.');
    const making = this.#making.get(key) ?? (known ? Promise.resolve(known) : this.#assemble(job, output).finally(() => this.#making.delete(key)));
    if (!known) this.#making.set(key, making);
    return { hash: await making, name: `${fileName(job.title)}.${kind.extension}`, mediaType: kind.mediaType };
  }

  async #assemble(job: StoredJob, output: string): Promise<BlobHash> {
    const { assembling, blobs, store, coordinator, clock } = this.#deps;
    const results = (await store.jobs.results(job.id))
      .filter(({ state }) => state === 'accepted')
      .sort((a, b) => a.at.tile - b.at.tile || a.at.pass - b.at.pass)
      .values();
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const answer = async (question: DeskQuestion): Promise<DeskAnswer> => {
      if ('piece' in question) {
        await writer.write(question.piece);
        return null;
      }
      const { value } = results.next();
      return value ? { tile: value.at, parts: value.parts, bytes: await coordinator.bytesOf(value) } : null;
    };
    const { port1, port2 } = new MessageChannel();
    port1.on('message', (question: DeskQuestion) => {
      answer(question).then(
        (found) => port1.postMessage(found),
        (error: unknown) => writer.abort(error),
      );
    });
    try {
      const made = assembling.ask('assemble', { workload: job.workload, job: contextOf(job), output, desk: port2 }, [port2]).then(
        () => writer.close(),
        (error: unknown) => writer.abort(error),
      );
      const [{ hash }] = await Promise.all([blobs.put(readable, { bytesMax: Number.MAX_SAFE_INTEGER }), made]);
      if (!(await store.jobs.setFile(job.id, output, hash, job.extensions, clock())))
        throw new JobError('conflict', 'This job was extended or deleted just now.');
      return hash;
    } finally {
      port1.close();
    }
  }
}

/** Letters, digits and dashes of a title, so that a header or a file system never sees anything else. */
const fileName = (title: string): string =>
  title
    .normalize('NFKD')
    .replace(/[^\w]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60) || 'tessera';
