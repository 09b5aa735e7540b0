import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { workload } from '../shaders/registry.ts';
import { limits } from '../shared/limits.ts';
import { countParts, type JobId, type OwnerId, type PartMask } from '../shared/model.ts';
import type { ExtensionQuote, ExtensionRequest, JobFile, JobView, Visibility } from '../shared/schemas.ts';
import { InputError, type WorkloadEntry } from '../shared/workload.ts';
import { atCap } from './caps.ts';
import type { Coordinator } from './coordinator.ts';
import { holds, prepaidAccount, spentFrom, splitHold } from './core/ledger.ts';
import { type Price, partPrice, priceJob } from './core/pricing.ts';
import { tileNumber } from './core/verifier.ts';
import { contextOf, gridOf, JobError, type Jobs, refusedBy, tooManyOpen } from './jobs.ts';
import { limitOf } from './order.ts';
import type { Retention } from './retention.ts';
import { TooManyOpen } from './store/orders.ts';
import type { BlobStore, Store, StoredJob, StoredResult } from './store/store.ts';

export interface LifecycleDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly coordinator: Coordinator;
  readonly jobs: Jobs;
  readonly retention: Retention;
  readonly clock: () => number;
}

/** An extension as it would be now. */
interface Extended {
  readonly job: StoredJob;
  readonly params: unknown;
  readonly price: Price;
  readonly partsTotal: number;
  /** Accepted results that stay, and those whose pay was taken back after the job's end. */
  readonly kept: readonly StoredResult[];
  readonly dropped: readonly StoredResult[];
}

/** What requesters do with their jobs after they ordered them. Throws `JobError`, `InputError` or `InsufficientCredits`; then nothing has changed. */
export class Lifecycle {
  readonly #deps: LifecycleDeps;
  readonly #listeners = new Set<(job: JobId) => void>();

  constructor(deps: LifecycleDeps) {
    this.#deps = deps;
  }

  /** Called after something was done with a job: who may see it, and what they see, may be something else now. */
  onChange(listener: (job: JobId) => void): void {
    this.#listeners.add(listener);
  }

  /** A paused job gets no new work; what is under way is finished and paid. */
  async setPaused(id: JobId, owner: OwnerId, paused: boolean): Promise<JobView> {
    await this.#own(id, owner, paused ? 'pause it' : 'resume it');
    refusedBy(await this.#deps.coordinator.dispatch({ type: 'pauseJob', job: id, paused }));
    return this.#changed(id, owner);
  }

  async setVisibility(id: JobId, owner: OwnerId, visibility: Visibility): Promise<JobView> {
    const { group } = await this.#own(id, owner, 'say who sees it');
    if (visibility === 'public' && group?.mode === 'only')
      throw new InputError('visibility', 'A job for a group only is never listed for everybody.', 'unlisted or private');
    await this.#deps.store.lifecycle.setVisibility(id, visibility);
    return this.#changed(id, owner);
  }

  /** Deletes the bytes of a job that has ended; from then on it is there for its requester alone, with its figures and its receipt. */
  async remove(id: JobId, owner: OwnerId): Promise<JobView> {
    const { status } = await this.#own(id, owner, 'delete it');
    if (status === 'open') throw new JobError('conflict', 'This job is open. Cancel it first.');
    await this.#deps.store.lifecycle.setVisibility(id, 'private');
    await this.#deps.retention.forget(id);
    return this.#changed(id, owner);
  }

  /** Files that the job ends in, with the sizes of those that have been made. */
  async files(id: JobId, owner: OwnerId | undefined): Promise<JobFile[]> {
    const { store, blobs, jobs } = this.#deps;
    const job = await jobs.visible(id, owner);
    const made = new Map((await store.lifecycle.files(id)).map(({ output, hash }) => [output, hash]));
    const outputs = workload(job.workload)?.spec.outputs(contextOf(job)) ?? [];
    return Promise.all(
      outputs.map(async ({ id: output, ...shown }) => {
        const hash = made.get(output);
        return { output, ...shown, bytes: (hash && (await blobs.size(hash))) ?? null };
      }),
    );
  }

  async quoteExtension(id: JobId, owner: OwnerId, params: ExtensionRequest['params']): Promise<ExtensionQuote> {
    const { price, partsTotal } = await this.#extended(id, owner, params);
    return {
      parts: partsTotal,
      freshParts: price.parts,
      workMicroCredits: price.work.toString(),
      checksMicroCredits: price.checks.toString(),
      holdMicroCredits: (price.work + price.checks).toString(),
    };
  }

  /** Opens a job that is done again, to compute what is missing of its new parameters. Only that is held and paid, at the job's own rate. */
  async extend(id: JobId, owner: OwnerId, { params: wanted, holdMicroCreditsMax }: ExtensionRequest): Promise<JobView> {
    const { store, coordinator, clock } = this.#deps;
    const { job, params, price, kept, dropped } = await this.#extended(id, owner, wanted);
    const hold = price.work + price.checks;
    if (holdMicroCreditsMax !== undefined && hold > BigInt(holdMicroCreditsMax))
      throw new JobError('conflict', `It costs ${hold} micro-credits by now, more than was agreed to.`);
    const workSpent = kept.reduce((sum, { at, parts }) => sum + workPrice(job, at, parts), 0n);
    const checksSpent = await store.lifecycle.spentOnAudits(id, job.unit);
    const from = splitHold(owner, job.unit, hold, await store.ledger.balance(prepaidAccount(owner, job.unit), job.unit));
    const extended: StoredJob = {
      ...job,
      status: 'open',
      params,
      paused: false,
      extensions: job.extensions + 1,
      workHeld: workSpent + price.work,
      checksHeld: checksSpent + price.checks,
      heldFrom: [...spentFrom(job.heldFrom, workSpent + checksSpent), ...from],
      endedMs: null,
    };
    const dropping = dropped.map((result) => result.id);
    const openMax = job.gallery ? Number.POSITIVE_INFINITY : limits.openJobsPerOwnerMax;
    const isOpen = await store.lifecycle.extend(extended, holds(extended, from, clock()), dropping, openMax).catch((error: unknown) => {
      throw error instanceof TooManyOpen ? tooManyOpen() : error;
    });
    if (!isOpen) throw new JobError('conflict', 'This job was extended or deleted just now.');
    const results = await store.jobs.results(id);
    // Where coordinators share it, this one may not have heard yet that it had ended.
    if (coordinator.isShared || !coordinator.openJob(id)) await coordinator.begin(extended, results, workSpent + checksSpent);
    return this.#changed(id, owner);
  }

  async #extended(id: JobId, owner: OwnerId, wanted: ExtensionRequest['params']): Promise<Extended> {
    const { store } = this.#deps;
    const job = await this.#own(id, owner, 'extend it');
    if (job.status !== 'done') throw new JobError('conflict', 'Only a job that is done can be extended.');
    if (job.deletedMs !== null) throw new JobError('conflict', 'The results of this job were deleted; there is nothing to extend.');
    if (job.extensions >= limits.extensionsPerJobMax)
      throw atCap('extensionsPerJobMax', new JobError('conflict', `A job can be extended ${limits.extensionsPerJobMax} times.`));
    const entry = workload(job.workload);
    if (!entry?.spec.extension || entry.spec.version !== job.version)
      throw new JobError('conflict', 'Jobs of this kind, or of this version, cannot be extended.');
    const params = await wantedParams(entry, job, wanted);
    const context = { ...contextOf(job), params };
    const { passes, tiles } = gridOf(entry.spec, context);
    const accepted = (await store.jobs.results(id)).filter(({ state }) => state === 'accepted');
    const paid = await store.ledger.paidFor(accepted.map((result) => result.id));
    // Paid, and taken back: whoever made it was proven to lie after the job's end. Nothing is built on that.
    const [dropped, kept] = [accepted.filter((result) => paid.get(result.id) === 0n), accepted.filter((result) => paid.get(result.id) !== 0n)];
    const have = new Map<number, PartMask>();
    for (const { at, parts } of kept) have.set(tileNumber(tiles, at), ((have.get(tileNumber(tiles, at)) ?? 0) | parts) as PartMask);
    const price = priceJob(entry.spec, context, job.checks, job.ratePerUnit, have);
    if (price.parts === 0) throw new InputError('params', 'Nothing would be computed: everything that this asks for is there.');
    let partsTotal = 0;
    for (let pass = 0; pass < passes; pass++) partsTotal += entry.spec.parts(context, { pass, tile: 0 }) * tiles;
    return { job, params, price, partsTotal, kept, dropped };
  }

  /** The job, if it is this owner's. */
  async #own(id: JobId, owner: OwnerId, what: string): Promise<StoredJob> {
    const job = await this.#deps.jobs.visible(id, owner);
    if (job.owner !== owner) throw new JobError('forbidden', `Only the requester of a job can ${what}.`);
    return job;
  }

  async #changed(id: JobId, owner: OwnerId): Promise<JobView> {
    for (const listener of this.#listeners) listener(id);
    return this.#deps.jobs.view(id, owner);
  }
}

/** What accepted parts of a job were paid, by the price they had and have. */
function workPrice(job: StoredJob, at: StoredResult['at'], parts: PartMask): bigint {
  const spec = workload(job.workload)?.spec;
  if (!spec) throw new Error(`workload ${job.workload} is gone`);
  return partPrice(spec, contextOf(job), at, job.ratePerUnit) * BigInt(countParts(parts));
}

/** Checks each field against the form's schema, then asks the workload what it comes to. */
async function wantedParams({ spec, form }: WorkloadEntry, job: StoredJob, wanted: ExtensionRequest['params']): Promise<unknown> {
  const { extension } = spec;
  if (!extension) throw new Error(`${spec.id} cannot be extended`);
  const schema = (await form()).params as TSchema & { readonly properties: Readonly<Record<string, TSchema>> };
  for (const [name, value] of Object.entries(wanted)) {
    const field = extension.fields.includes(name) ? schema.properties[name] : undefined;
    if (!field) throw new InputError(`params.${name}`, 'This cannot be raised.', extension.fields.join(', '));
    const error = Value.Errors(field, value)[0];
    if (error) throw new InputError(`params.${name}`, `${name} ${error.message}`, limitOf(schema, `/${name}`));
  }
  try {
    return extension.params(job.params, job.prepared, wanted);
  } catch (error) {
    if (error instanceof InputError) throw new InputError(`params.${error.field}`, error.message, error.limit);
    throw error;
  }
}
