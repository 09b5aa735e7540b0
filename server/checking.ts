import { limits } from '../shared/limits.ts';
import type { JobHandle } from './checks/messages.ts';
import { fromDisk, type Pool } from './checks/pool.ts';
import type { CheckOutcome, CheckRequest, Job } from './core/state.ts';
import { type BlobStore, isPassing, type Store, type StoredResult } from './store/store.ts';

export interface CheckingDeps {
  readonly store: Pick<Store, 'jobs'>;
  readonly blobs: BlobStore;
  readonly checks: Pick<Pool, 'ask'>;
  readonly openJob: (id: Job['stored']['id']) => Job | undefined;
}

const BYTES_AWAY_MS = 2000;
/** An hour. */
const BYTES_AWAY_TRIES_MAX = 1800;

/** Brings the bytes that a check is about to the threads that answer it. */
export class Checking {
  readonly #deps: CheckingDeps;
  #closed = false;

  constructor(deps: CheckingDeps) {
    this.#deps = deps;
  }

  close(): void {
    this.#closed = true;
  }

  /** While the bytes cannot be had, because their store is away or the disk full, the check waits: nobody's work is dropped for that. */
  async evidence(request: CheckRequest): Promise<CheckOutcome> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#evidence(request);
      } catch (error) {
        if (!isPassing(error) || this.#closed || tries >= BYTES_AWAY_TRIES_MAX) throw error;
        await new Promise((resolve) => setTimeout(resolve, BYTES_AWAY_MS).unref());
      }
    }
  }

  async #evidence(request: CheckRequest): Promise<CheckOutcome> {
    const { checks } = this.#deps;
    const { result, sample } = request;
    const job = this.#deps.openJob(result.job);
    if (!job) return { kind: 'failed', message: 'the job has ended' };
    if (request.kind === 'verify') {
      const bytes = await this.bytesOf(result);
      return this.#withInputs(job, async (handle) => {
        const question = { ...handle, at: result.at, result: bytes, keys: request.keys };
        return { kind: 'verified', ...(await checks.ask('verify', question, fromDisk(bytes))) };
      });
    }
    if (request.kind === 'opening') {
      const { salt, root, parts, at } = result;
      const shape = { parts, elements: job.spec.elements(job.context, at), words: job.spec.elementWords(job.context, at) };
      const bytes = { result: await this.bytesOf(result), opening: await this.#openingOf(result) };
      const proof = await checks.ask('opening', { shape, salt, root, sample, ...bytes }, Object.values(bytes).flatMap(fromDisk));
      return proof.ok ? { kind: 'opened', claims: proof.claims } : { kind: 'mismatch', message: proof.message };
    }
    return this.#withInputs(job, async (handle) => {
      // Copied, because a view is sent to a thread with all the memory behind it.
      const question = { ...handle, at: result.at, sample, claims: request.claims.slice(), enough: request.enough };
      if (request.kind === 'recompute') return { kind: 'recomputed', evidence: await checks.ask('recompute', question) };
      return { kind: 'compared', ...(await checks.ask('compare', { ...question, values: request.values.slice() })) };
    });
  }

  async #openingOf({ id, opening }: StoredResult): Promise<Uint8Array> {
    const inline = opening?.inline ?? (await this.#deps.store.jobs.result(id))?.opening?.inline;
    const bytes = inline ?? (opening && (await this.#deps.blobs.get(opening.hash)));
    if (!bytes) throw new Error(`the opening of result ${id} is gone`);
    return bytes;
  }

  /** Its inputs are files that stay until `ask` is over. */
  async #withInputs<T>({ stored, context }: Job, ask: (handle: JobHandle) => Promise<T>): Promise<T> {
    const held = await this.#deps.blobs.hold(stored.inputs.map(({ hash }) => hash));
    try {
      return await ask({ workload: stored.workload, job: context, inputs: stored.inputs.map(({ name }, at) => ({ name, path: held.paths[at]! })) });
    } finally {
      held.release();
    }
  }

  /** The bytes of a result, from memory, its row or the blob store. */
  async bytesOf(result: StoredResult): Promise<Uint8Array> {
    const inline = result.inline ?? (result.sizeBytes <= limits.inlineResultBytesMax ? (await this.#deps.store.jobs.result(result.id))?.inline : null);
    const bytes = inline ?? (await this.#deps.blobs.get(result.hash));
    if (!bytes) throw new Error(`the bytes of result ${result.id} are gone`);
    return bytes;
  }
}
