import { createHash } from 'node:crypto';
import { workload } from '../shaders/registry.ts';
import { limits, MIB } from '../shared/limits.ts';
import type { ApiKeyId, BlobHash, GroupId, JobContext, JobId, JobStatus, OwnerId, ResultId } from '../shared/model.ts';
import type { AcceptedView, JobRequest, JobView, Quote, QuoteRequest } from '../shared/schemas.ts';
import { InputError, type WorkloadForm, type WorkloadSpec } from '../shared/workload.ts';
import { atCap } from './caps.ts';
import type { Pool } from './checks/pool.ts';
import type { Coordinator } from './coordinator.ts';
import { describeJob } from './core/ending.ts';
import { inputBytesOf } from './core/fetching.ts';
import { holds, prepaidAccount, splitHold } from './core/ledger.ts';
import { priceJob } from './core/pricing.ts';
import type { Event } from './core/state.ts';
import { acceptedView } from './core/verdicts.ts';
import { Files } from './files.ts';
import { newJobId } from './ids.ts';
import type { Moderation } from './moderation.ts';
import { readRequest } from './order.ts';
import type { Prices } from './prices.ts';
import { Quotes, quoteUsed, type Rate } from './quotes.ts';
import type { Sharing } from './sharing.ts';
import { type Claim, RequestRepeated } from './store/idempotency.ts';
import { type JobPageFilter, TooManyOpen } from './store/orders.ts';
import { QuoteUsed } from './store/quotes.ts';
import type { AccountId, BlobStore, Store, StoredJob, StoredResult } from './store/store.ts';

export interface JobDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly coordinator: Coordinator;
  /** Where coordinators share the database; undefined until it is open. */
  readonly sharing?: () => Pick<Sharing, 'summary'> | undefined;
  readonly preparing: Pool;
  /** Apart from `preparing`: nobody waits for a price while a film is put together. */
  readonly assembling: Pool;
  readonly moderation: Moderation;
  readonly prices: Pick<Prices, 'of'>;
  /** How long the bytes of an ended job are kept. */
  readonly retentionMs: number;
  readonly clock: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** What went wrong, in the words of `ErrorCode`; the HTTP edge turns it into a status. */
export class JobError extends Error {
  override readonly name = 'JobError';
  readonly code: 'not_found' | 'forbidden' | 'signed_out' | 'conflict' | 'stale' | 'too_many';
  readonly field: string | undefined;
  readonly limit: string | undefined;

  constructor(code: JobError['code'], message: string, field?: string, limit?: string) {
    super(message);
    this.code = code;
    this.field = field;
    this.limit = limit;
  }
}

interface Prepared {
  readonly prepared: unknown;
  readonly inputs: StoredJob['inputs'];
  readonly report: readonly string[];
  readonly facts: Readonly<Record<string, number>>;
}

/** Who orders a job, and out of which account when it is not his own. */
export interface Orderer {
  readonly owner: OwnerId;
  readonly gallery: boolean;
  /** The API key that it counts for, and the request when it can be sent again. */
  readonly apiKey?: ApiKeyId | null;
  readonly claim?: Claim | null;
}

/** A page of a list of jobs or results. `from` is `nextSeq` of the page before. */
export interface PageRequest {
  readonly from: number;
  readonly limit: number;
}

interface JobList {
  readonly jobs: JobView[];
  readonly nextSeq: number | null;
}

/** A result that was accepted; or, with null, one that was not, or is not any more. */
export interface Told {
  readonly atMs: number;
  readonly accepted: AcceptedView | null;
  readonly result: ResultId;
}

const PREPARED_MAX = 32;

/** A commit takes milliseconds, on a slow disk a second. */
const SETTLED_LOOK_MS = 20;
const SETTLED_LOOKS_MAX = 100;

/** Jobs as requesters see them: quote, submit, look, cancel, download. */
export class Jobs {
  readonly #deps: JobDeps;
  readonly #prepared = new Map<string, Promise<Prepared>>();
  readonly #files: Files;
  readonly #quotes: Quotes;

  constructor(deps: JobDeps) {
    this.#deps = deps;
    this.#files = new Files(deps);
    this.#quotes = new Quotes(deps);
  }

  /** Prepares the inputs, prices the job and looks at who could do it; the price holds for ten minutes. Throws `InputError` naming the field. */
  async quote(request: QuoteRequest, owner: OwnerId): Promise<Quote> {
    const { coordinator, moderation } = this.#deps;
    const { spec, form, params, checks } = await readRequest(request);
    const group = await this.#groupOf(request, owner);
    const prepared = await this.#prepare(spec, form, params, request.files);
    moderation.refuseBanned(request.files, prepared.inputs);
    const job = { id: 'j_quote' as JobId, seed: 0, params, prepared: prepared.prepared };
    const grid = gridOf(spec, job);
    const rate = this.#rateOf(spec);
    const price = priceJob(spec, job, checks, rate.ratePerUnit);
    const { finish, contributors, unitsPerSecond } = coordinator.estimates.ofOrder({ spec, context: job, grid, price, inputs: prepared.inputs, owner, group });
    return {
      ...(await this.#quotes.keep(owner, request, rate, finish)),
      rateMicroCredits: rate.ratePerUnit.toString(),
      priceVersion: rate.priceVersion,
      finish,
      network: { contributors, unitsPerSecond },
      inputBytes: inputBytesOf(prepared),
      ...grid,
      units: price.units / 1e6,
      workMicroCredits: price.work.toString(),
      checksMicroCredits: price.checks.toString(),
      holdMicroCredits: (price.work + price.checks).toString(),
      report: [...prepared.report, ...downloadReport(prepared)],
      facts: { ...prepared.facts },
    };
  }

  /** Holds the price, unless the job is for a group only, and opens the job. Throws `InputError`, `InsufficientCredits` or `JobError`; then nothing was stored. */
  async submit(request: JobRequest, { owner, gallery, apiKey = null, claim = null }: Orderer): Promise<JobView> {
    const { store, blobs, clock, randomBytes, coordinator, moderation } = this.#deps;
    const { spec, form, params, checks } = await readRequest(request);
    const openMax = gallery ? Number.POSITIVE_INFINITY : limits.openJobsPerOwnerMax;
    // Asked again with the order itself; before it, to prepare nothing in vain.
    if ((await store.jobs.countOpen(owner)) >= openMax) throw tooManyOpen();
    const group = await this.#groupOf(request, owner);
    const { prepared, inputs } = await this.#prepare(spec, form, params, request.files);
    moderation.refuseBanned(request.files, inputs);
    const seed = request.seed ?? new DataView(randomBytes(4).buffer).getUint32(0);
    const context = { id: newJobId(randomBytes), seed, params, prepared };
    gridOf(spec, context);
    const terms = request.quote === undefined ? null : await this.#quotes.terms(owner, request.quote, request);
    const { ratePerUnit, priceVersion } = group?.mode === 'only' ? NOTHING : (terms ?? this.#rateOf(spec));
    const price = priceJob(spec, context, checks, ratePerUnit);
    const hold = price.work + price.checks;
    const unit = gallery ? 'test' : (request.unit ?? 'test');
    const job: StoredJob = {
      id: context.id,
      title: request.title,
      workload: spec.id,
      version: spec.version,
      status: 'open',
      // Never listed for everybody, whatever was asked for.
      visibility: group?.mode === 'only' && request.visibility === 'public' ? 'unlisted' : request.visibility,
      gallery,
      group,
      owner,
      seed,
      params,
      prepared,
      inputs,
      checks,
      unit,
      ratePerUnit,
      priceVersion,
      workHeld: price.work,
      checksHeld: price.checks,
      heldFrom: gallery
        ? [{ account: ISSUANCE, microCredits: hold }]
        : splitHold(owner, unit, hold, await store.ledger.balance(prepaidAccount(owner, unit), unit)),
      closing: false,
      createdMs: clock(),
      endedMs: null,
      summary: null,
      paused: false,
      extensions: 0,
      deletedMs: null,
      promise: terms?.promise ?? null,
    };
    const touched = await Promise.all(Object.entries(request.files).map(async (file) => ((await blobs.touch(file[1])) ? [file] : [])));
    const files = Object.fromEntries(touched.flat());
    await store.jobs.create(job, holds(job), { apiKey, claim, openMax, files, quote: terms?.id ?? null }).catch((error: unknown) => {
      if (error instanceof QuoteUsed) throw quoteUsed();
      if (error instanceof RequestRepeated) throw new JobError('conflict', 'This request was sent twice at once. Ask again for the answer of the first.');
      throw error instanceof TooManyOpen ? tooManyOpen() : error;
    });
    await coordinator.begin(job);
    return this.#describe(job, owner);
  }

  #rateOf({ id }: WorkloadSpec): Rate {
    const { ratePerUnit, version } = this.#deps.prices.of(id);
    return { ratePerUnit, priceVersion: version };
  }

  /** A job that was submitted before and whose answer was lost, perhaps before the coordinator heard of the job. */
  async submitted(id: JobId, owner: OwnerId): Promise<JobView> {
    const job = await this.visible(id, owner);
    const { coordinator } = this.#deps;
    if (job.status === 'open' && !coordinator.openJob(id)) await coordinator.begin(job);
    return this.#describe(job, owner);
  }

  /** A group that the requester is in, and what it means for the job. Whether others exist is not told. */
  async #groupOf({ group: id, groupMode: mode }: QuoteRequest, owner: OwnerId): Promise<StoredJob['group']> {
    if (id === undefined && mode === undefined) return null;
    if (id === undefined) throw new InputError('group', 'Name the group that groupMode is about.');
    if (mode === undefined) throw new InputError('groupMode', 'Say what the group means for this job.', 'first or only');
    if (!(await this.#deps.store.groups.isMember(id, owner))) throw new InputError('group', 'You are in no such group.');
    return { id, mode };
  }

  async #prepare(spec: WorkloadSpec, form: WorkloadForm, params: unknown, files: QuoteRequest['files']): Promise<Prepared> {
    this.#deps.moderation.refuseBanned(files);
    const key = createHash('sha256')
      .update(JSON.stringify([spec.id, spec.version, params, Object.entries(files).sort()]))
      .digest('hex');
    const { blobs } = this.#deps;
    // Whoever quotes or orders relies on them from here on: `Retention`.
    await Promise.all(Object.values(files).map((hash) => blobs.touch(hash)));
    const known = this.#prepared.get(key);
    if (known && (await Promise.all((await known).inputs.map(({ hash }) => blobs.touch(hash)))).every(Boolean)) return known;
    const fresh = this.#prepareNow(spec, form, params, files);
    this.#prepared.set(key, fresh);
    fresh.catch(() => this.#prepared.delete(key));
    const oldest = this.#prepared.keys().next().value;
    if (this.#prepared.size > PREPARED_MAX && oldest !== undefined) this.#prepared.delete(oldest);
    return fresh;
  }

  async #prepareNow(spec: WorkloadSpec, form: WorkloadForm, params: unknown, files: QuoteRequest['files']): Promise<Prepared> {
    const { blobs, preparing } = this.#deps;
    const names = new Set(form.fields.filter(({ kind }) => kind === 'file').map(({ name }) => name));
    const bytes: Record<string, Uint8Array<ArrayBuffer>> = {};
    for (const [name, hash] of Object.entries(files)) {
      if (!names.has(name)) throw new InputError(`files.${name}`, 'This workload takes no such file.', [...names].join(', '));
      const file = await blobs.get(hash);
      if (!file) throw new InputError(`files.${name}`, 'No upload with this hash is here. Upload the file again.');
      bytes[name] = file;
    }
    try {
      const { prepared, inputs, report, facts } = await preparing.ask(
        'prepare',
        { workload: spec.id, params, files: bytes },
        Object.values(bytes).map(({ buffer }) => buffer),
      );
      const { downloadBytesMax } = limits;
      const total = Object.values(inputs).reduce((sum, { byteLength }) => sum + byteLength, 0);
      if (total > downloadBytesMax) throw new InputError('files', `Contributors would have to download ${mib(total)}.`, `at most ${mib(downloadBytesMax)}`);
      const stored = await Promise.all(
        Object.entries(inputs).map(async ([name, input]) => ({ name, ...(await blobs.put(piecesOf(input), { bytesMax: Number.MAX_SAFE_INTEGER })) })),
      );
      return { prepared, inputs: stored, report, facts };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const group = names.has(error.field) ? 'files.' : Object.hasOwn(Object(params), error.field) ? 'params.' : '';
      throw new InputError(group + error.field, error.message, error.limit);
    }
  }

  /** Newest first. */
  async list(scope: 'public' | 'mine', owner: OwnerId | undefined, page: PageRequest, status?: JobStatus): Promise<JobList> {
    if (scope === 'mine' && owner === undefined) return { jobs: [], nextSeq: null };
    const which = scope === 'mine' && owner !== undefined ? { owner } : { visibility: 'public' as const };
    return this.#page({ ...which, ...(status === undefined ? {} : { status }) }, owner, page);
  }

  /** Jobs of a group, newest first, for its members. */
  async ofGroup(group: GroupId, owner: OwnerId | undefined, page: PageRequest): Promise<JobList> {
    const { store } = this.#deps;
    if (owner === undefined || !(await store.groups.isMember(group, owner))) throw new JobError('not_found', 'There is no such group.');
    return this.#page({ group, member: owner }, owner, page);
  }

  async #page(filter: Omit<JobPageFilter, 'beforeSeq' | 'limit'>, owner: OwnerId | undefined, { from, limit }: PageRequest): Promise<JobList> {
    const { jobs, nextSeq } = await this.#deps.store.jobs.page({ ...filter, beforeSeq: from, limit });
    return { jobs: await Promise.all(jobs.map((job) => this.#describe(job, owner))), nextSeq };
  }

  async view(id: JobId, owner: OwnerId | undefined): Promise<JobView> {
    return this.#describe(await this.visible(id, owner), owner);
  }

  /** A job as all who may see it are told of its progress. Whether somebody may was decided before. */
  async shown(id: JobId): Promise<JobView> {
    const job = await this.#stored(id);
    this.#deps.moderation.refuseTakenDown(job, undefined);
    return this.#describe(job, undefined, job.group?.mode === 'only');
  }

  /**
   * The job, if this owner may know of it: one for a group only is there for its members and its requester, a private one for its requester, one
   * that was taken down for nobody.
   */
  async visible(id: JobId, owner: OwnerId | undefined): Promise<StoredJob> {
    const job = await this.#stored(id);
    this.#deps.moderation.refuseTakenDown(job, owner);
    const { group, visibility } = job;
    if (job.owner === owner) return job;
    const isMember = async (of: GroupId): Promise<boolean> => owner !== undefined && this.#deps.store.groups.isMember(of, owner);
    if (group?.mode === 'only' ? await isMember(group.id) : visibility !== 'private') return job;
    throw noSuchJob();
  }

  async cancel(id: JobId, owner: OwnerId | undefined): Promise<JobView> {
    const job = await this.visible(id, owner);
    if (job.owner !== owner) throw new JobError('forbidden', 'Only the requester can cancel a job.');
    refusedBy(await this.#deps.coordinator.dispatch({ type: 'cancelJob', job: id }));
    return this.view(id, owner);
  }

  async accepted(id: JobId, owner: OwnerId | undefined): Promise<AcceptedView[]> {
    const { deletedMs } = await this.visible(id, owner);
    return deletedMs === null ? (await this.#acceptedResults(id)).map(acceptedView) : [];
  }

  /** What was decided about results of a job since then, in that order: from the beginning (null), all that are accepted. */
  async told(id: JobId, owner: OwnerId | undefined, sinceMs: number | null): Promise<Told[]> {
    const { deletedMs } = await this.visible(id, owner);
    if (deletedMs !== null) return [];
    const accepted = (await this.#acceptedResults(id)).map((result) => ({ atMs: result.decidedMs ?? 0, accepted: acceptedView(result), result: result.id }));
    const dropped = sinceMs === null ? [] : await this.#deps.store.lifecycle.droppedSince(id, sinceMs);
    const all = [...accepted, ...dropped.map(({ id: result, atMs }) => ({ atMs, accepted: null, result }))];
    return all.filter(({ atMs }) => sinceMs === null || atMs >= sinceMs).sort((a, b) => a.atMs - b.atMs);
  }

  /** In the order in which they were handed in. */
  async acceptedPage(id: JobId, owner: OwnerId | undefined, { from, limit }: PageRequest): Promise<{ results: AcceptedView[]; nextSeq: number | null }> {
    const { deletedMs } = await this.visible(id, owner);
    if (deletedMs !== null) return { results: [], nextSeq: null };
    const { results, nextSeq } = await this.#deps.store.jobs.acceptedPage(id, { afterSeq: from, limit });
    return { results: results.map(acceptedView), nextSeq };
  }

  async resultBytes(id: JobId, result: ResultId, owner: OwnerId | undefined): Promise<Uint8Array> {
    const { deletedMs } = await this.visible(id, owner);
    const found = deletedMs === null ? await this.#deps.store.jobs.result(result) : undefined;
    if (!found || found.job !== id || found.state !== 'accepted') throw new JobError('not_found', 'There is no such result.');
    return this.#deps.coordinator.bytesOf(found);
  }

  /** The assembled file of a finished job; made at the first request, then kept. The caller has found that the job is `visible`. */
  async file(id: JobId, output: string): Promise<{ hash: BlobHash; name: string; mediaType: string }> {
    return this.#files.of(await this.#stored(id), output);
  }

  async #acceptedResults(id: JobId): Promise<StoredResult[]> {
    return (await this.#deps.store.jobs.results(id)).filter(({ state }) => state === 'accepted');
  }

  async #stored(id: JobId): Promise<StoredJob> {
    const job = await this.#deps.store.jobs.get(id);
    if (!job) throw noSuchJob();
    return job;
  }

  async #describe(given: StoredJob, owner: OwnerId | undefined, tellsGroup = false): Promise<JobView> {
    const stored = await this.#settled(given);
    const spec = workload(stored.workload)?.spec;
    const grid = spec ? spec.split(stored.params, stored.prepared) : { passes: 0, tiles: 0 };
    const group = await this.#describeGroup(stored, owner, tellsGroup);
    const { coordinator, retentionMs } = this.#deps;
    const job = coordinator.openJob(stored.id);
    const shared = job?.share ? await this.#deps.sharing?.()?.summary(job) : undefined;
    const view = describeJob(stored, job, grid, { mine: stored.owner === owner, left: coordinator.estimates.ofJob(stored.id), retentionMs, shared });
    return group ? { ...view, group } : view;
  }

  /** Between its row and the memory a job that is ordered, or ends, is for a moment in neither: its commit is under way. */
  async #settled(given: StoredJob): Promise<StoredJob> {
    let stored = given;
    for (let look = 0; look < SETTLED_LOOKS_MAX && !this.#deps.coordinator.openJob(stored.id) && !stored.summary; look++) {
      if (look > 0) await new Promise((resolve) => setTimeout(resolve, SETTLED_LOOK_MS));
      stored = await this.#stored(stored.id);
    }
    return stored;
  }

  async #describeGroup({ id, group, owner: requester }: StoredJob, owner: OwnerId | undefined, tells: boolean): Promise<JobView['group']> {
    const { groups } = this.#deps.store;
    if (!group) return undefined;
    const isTold = tells || owner === requester || (owner !== undefined && (await groups.isMember(group.id, owner)));
    const found = isTold ? await groups.get(group.id) : undefined;
    if (!found) return undefined;
    return { id: group.id, name: found.name, mode: group.mode, ...(group.mode === 'only' ? { members: await groups.countHelpers(id) } : {}) };
  }
}

const noSuchJob = (): JobError => new JobError('not_found', 'There is no such job.');

/** Throws what a command was refused for. */
export function refusedBy(events: readonly Event[]): void {
  const refused = events.find((event) => event.type === 'refused');
  if (refused) throw new JobError('conflict', refused.message);
}

export const tooManyOpen = (): JobError =>
  atCap('openJobsPerOwnerMax', new JobError('too_many', `At most ${limits.openJobsPerOwnerMax} jobs may be open at a time.`));

/** What helping one's own group costs. */
const NOTHING: Rate = { ratePerUnit: 0n, priceVersion: null };

const ISSUANCE: AccountId = 'operator/issuance';

export const contextOf = ({ id, seed, params, prepared }: StoredJob): JobContext => ({ id, seed, params, prepared });

const PIECE_BYTES = MIB;

/** Hashing hundreds of megabytes at once would hold up everybody for a second. */
async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;

/** Whoever has not allowed more takes no larger jobs. */
function downloadReport(prepared: Prepared): string[] {
  const bytes = inputBytesOf(prepared);
  const most = limits.downloadBytesDefault;
  if (bytes <= most) return [];
  return [`Contributors have to download ${mib(bytes)}. Many allow no more than ${mib(most)}, so fewer will help.`];
}

export function gridOf(spec: WorkloadSpec, job: JobContext): { tiles: number; passes: number } {
  const grid = spec.split(job.params, job.prepared);
  if (grid.tiles * grid.passes > limits.tilesPerJobMax)
    throw atCap(
      'tilesPerJobMax',
      new InputError(
        'params',
        `This job has ${grid.tiles * grid.passes} tiles. Make it smaller or order fewer samples.`,
        `at most ${limits.tilesPerJobMax} tiles`,
      ),
    );
  return grid;
}
