import { createHash } from 'node:crypto';
import { MessageChannel } from 'node:worker_threads';
import { workload } from '../shaders/registry.ts';
import type { MicroCredits } from '../shared/credits.ts';
import { limits, MIB } from '../shared/limits.ts';
import type { ApiKeyId, BlobHash, GroupId, JobContext, JobId, OwnerId, ResultId } from '../shared/model.ts';
import type { AcceptedView, JobRequest, JobView, Quote, QuoteRequest } from '../shared/schemas.ts';
import { InputError, type WorkloadForm, type WorkloadSpec } from '../shared/workload.ts';
import type { DeskAnswer, DeskQuestion } from './checks/messages.ts';
import type { Pool } from './checks/pool.ts';
import type { Coordinator } from './coordinator.ts';
import { describeJob } from './core/ending.ts';
import { inputBytesOf } from './core/fetching.ts';
import { grantAccount, holds, splitHold } from './core/ledger.ts';
import { priceJob } from './core/pricing.ts';
import { acceptedView } from './core/verdicts.ts';
import { newJobId } from './ids.ts';
import { readRequest } from './order.ts';
import type { Claim } from './store/idempotency.ts';
import { type JobPageFilter, TooManyOpen } from './store/orders.ts';
import type { AccountId, BlobStore, Store, StoredJob, StoredResult } from './store/store.ts';

export interface JobDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly coordinator: Coordinator;
  readonly preparing: Pool;
  /** Apart from `preparing`: nobody waits for a price while a film is put together. */
  readonly assembling: Pool;
  readonly ratePerUnit: MicroCredits;
  readonly clock: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** What went wrong, in the words of `ErrorCode`; the HTTP edge turns it into a status. */
export class JobError extends Error {
  override readonly name = 'JobError';
  readonly code: 'not_found' | 'forbidden' | 'signed_out' | 'conflict' | 'too_many';

  constructor(code: JobError['code'], message: string) {
    super(message);
    this.code = code;
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

const PREPARED_MAX = 32;

/** Jobs as requesters see them: quote, submit, look, cancel, download. */
export class Jobs {
  readonly #deps: JobDeps;
  readonly #prepared = new Map<string, Promise<Prepared>>();
  readonly #files = new Map<string, Promise<BlobHash>>();

  constructor(deps: JobDeps) {
    this.#deps = deps;
  }

  /** Prepares the inputs and prices the job. Throws `InputError` naming the field. */
  async quote(request: QuoteRequest): Promise<Quote> {
    const { spec, form, params, checks } = await readRequest(request);
    const prepared = await this.#prepare(spec, form, params, request.files);
    const job = { id: 'j_quote' as JobId, seed: 0, params, prepared: prepared.prepared };
    const { tiles, passes } = gridOf(spec, job);
    const price = priceJob(spec, job, checks, this.#deps.ratePerUnit);
    return {
      tiles,
      passes,
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
    const { store, clock, randomBytes, ratePerUnit, coordinator } = this.#deps;
    const { spec, form, params, checks } = await readRequest(request);
    const openMax = gallery ? Number.POSITIVE_INFINITY : limits.openJobsPerOwnerMax;
    // Asked again with the order itself; before it, to prepare nothing in vain.
    if ((await store.jobs.countOpen(owner)) >= openMax) throw tooManyOpen();
    const group = await this.#groupOf(request, owner);
    const { prepared, inputs } = await this.#prepare(spec, form, params, request.files);
    const seed = request.seed ?? new DataView(randomBytes(4).buffer).getUint32(0);
    const context = { id: newJobId(randomBytes), seed, params, prepared };
    gridOf(spec, context);
    const rate = group?.mode === 'only' ? 0n : ratePerUnit;
    const price = priceJob(spec, context, checks, rate);
    const hold = price.work + price.checks;
    const job: StoredJob = {
      id: context.id,
      title: request.title,
      workload: spec.id,
      version: spec.version,
      status: 'open',
      // Never listed for everybody, whatever was asked for.
      visibility: group?.mode === 'only' ? 'unlisted' : request.visibility,
      gallery,
      group,
      owner,
      seed,
      params,
      prepared,
      inputs,
      checks,
      unit: 'test',
      ratePerUnit: rate,
      workHeld: price.work,
      checksHeld: price.checks,
      heldFrom: gallery ? [{ account: ISSUANCE, microCredits: hold }] : splitHold(owner, hold, await store.ledger.balance(grantAccount(owner), 'test')),
      closing: false,
      createdMs: clock(),
      endedMs: null,
      summary: null,
    };
    await store.jobs.create(job, holds(job), { apiKey, claim, openMax }).catch((error: unknown) => {
      throw error instanceof TooManyOpen ? tooManyOpen() : error;
    });
    await coordinator.dispatch({ type: 'openJob', job, results: [], paid: 0n });
    return this.#describe(job, owner);
  }

  /** A job that was submitted before and whose answer was lost, perhaps before the coordinator heard of the job. */
  async submitted(id: JobId, owner: OwnerId): Promise<JobView> {
    const job = await this.visible(id, owner);
    const { coordinator } = this.#deps;
    if (job.status === 'open' && !coordinator.openJob(id)) await coordinator.dispatch({ type: 'openJob', job, results: [], paid: 0n });
    return this.#describe(job, owner);
  }

  /** A group that the requester is in, and what it means for the job. Whether others exist is not told. */
  async #groupOf({ group: id, groupMode: mode }: JobRequest, owner: OwnerId): Promise<StoredJob['group']> {
    if (id === undefined && mode === undefined) return null;
    if (id === undefined) throw new InputError('group', 'Name the group that groupMode is about.');
    if (mode === undefined) throw new InputError('groupMode', 'Say what the group means for this job.', 'first or only');
    if (!(await this.#deps.store.groups.isMember(id, owner))) throw new InputError('group', 'You are in no such group.');
    return { id, mode };
  }

  async #prepare(spec: WorkloadSpec, form: WorkloadForm, params: unknown, files: QuoteRequest['files']): Promise<Prepared> {
    const key = createHash('sha256')
      .update(JSON.stringify([spec.id, spec.version, params, Object.entries(files).sort()]))
      .digest('hex');
    const known = this.#prepared.get(key);
    if (known) return known;
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
  async list(scope: 'public' | 'mine', owner: OwnerId | undefined, page: PageRequest): Promise<JobList> {
    if (scope === 'mine' && owner === undefined) return { jobs: [], nextSeq: null };
    return this.#page(scope === 'mine' && owner !== undefined ? { owner } : { visibility: 'public' }, owner, page);
  }

  /** Jobs of a group, newest first, for its members. */
  async ofGroup(group: GroupId, owner: OwnerId | undefined, page: PageRequest): Promise<JobList> {
    const { store } = this.#deps;
    if (owner === undefined || !(await store.groups.isMember(group, owner))) throw new JobError('not_found', 'There is no such group.');
    return this.#page({ group }, owner, page);
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
    return this.#describe(job, undefined, job.group?.mode === 'only');
  }

  /** The job, if this owner may know of it: one for a group only is not there for anybody but its members and its requester. */
  async visible(id: JobId, owner: OwnerId | undefined): Promise<StoredJob> {
    const job = await this.#stored(id);
    if (job.group?.mode !== 'only' || job.owner === owner) return job;
    if (owner !== undefined && (await this.#deps.store.groups.isMember(job.group.id, owner))) return job;
    throw noSuchJob();
  }

  async cancel(id: JobId, owner: OwnerId | undefined): Promise<JobView> {
    const job = await this.visible(id, owner);
    if (job.owner !== owner) throw new JobError('forbidden', 'Only the requester can cancel a job.');
    const events = await this.#deps.coordinator.dispatch({ type: 'cancelJob', job: id });
    const refused = events.find((event) => event.type === 'refused');
    if (refused) throw new JobError('conflict', refused.message);
    return this.view(id, owner);
  }

  async accepted(id: JobId, owner: OwnerId | undefined): Promise<AcceptedView[]> {
    await this.visible(id, owner);
    return (await this.#acceptedResults(id)).map(acceptedView);
  }

  /** In the order in which they were handed in. */
  async acceptedPage(id: JobId, owner: OwnerId | undefined, { from, limit }: PageRequest): Promise<{ results: AcceptedView[]; nextSeq: number | null }> {
    await this.visible(id, owner);
    const { results, nextSeq } = await this.#deps.store.jobs.acceptedPage(id, { afterSeq: from, limit });
    return { results: results.map(acceptedView), nextSeq };
  }

  /** `isPrivate`: caches that several people share must not keep them. */
  async resultBytes(job: JobId, id: ResultId, owner: OwnerId | undefined): Promise<{ bytes: Uint8Array; isPrivate: boolean }> {
    const { group } = await this.visible(job, owner);
    const result = await this.#deps.store.jobs.result(id);
    if (!result || result.job !== job || result.state !== 'accepted') throw new JobError('not_found', 'There is no such result.');
    return { bytes: await this.#deps.coordinator.bytesOf(result), isPrivate: group?.mode === 'only' };
  }

  /** The assembled file of a finished job; made at the first request, then kept. The caller has found that the job is `visible`. */
  async file(id: JobId, output: string): Promise<{ hash: BlobHash; name: string; mediaType: string }> {
    const job = await this.#stored(id);
    const spec = workload(job.workload)?.spec;
    const kind = spec?.outputs(contextOf(job)).find((candidate) => candidate.id === output);
    if (!spec || !kind) throw new JobError('not_found', 'This job has no such output.');
    if (job.status !== 'done') throw new JobError('conflict', 'The file is there once the job is done.');
    const key = `${id}/${output}`;
    const known = await this.#deps.store.jobs.file(id, output);
    if (!known && job.version !== spec.version) throw new JobError('conflict', 'This job was computed by an earlier version; its file was not made then.');
    const making = this.#files.get(key) ?? (known ? Promise.resolve(known) : this.#assemble(job, output).finally(() => this.#files.delete(key)));
    if (!known) this.#files.set(key, making);
    return { hash: await making, name: `${fileName(job.title)}.${kind.extension}`, mediaType: kind.mediaType };
  }

  async #assemble(job: StoredJob, output: string): Promise<BlobHash> {
    const { assembling, blobs, store, coordinator } = this.#deps;
    const results = (await this.#acceptedResults(job.id)).sort((a, b) => a.at.tile - b.at.tile || a.at.pass - b.at.pass).values();
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
      await store.jobs.setFile(job.id, output, hash);
      return hash;
    } finally {
      port1.close();
    }
  }

  async #acceptedResults(id: JobId): Promise<StoredResult[]> {
    return (await this.#deps.store.jobs.results(id)).filter(({ state }) => state === 'accepted');
  }

  async #stored(id: JobId): Promise<StoredJob> {
    const job = await this.#deps.store.jobs.get(id);
    if (!job) throw noSuchJob();
    return job;
  }

  async #describe(stored: StoredJob, owner: OwnerId | undefined, tellsGroup = false): Promise<JobView> {
    const spec = workload(stored.workload)?.spec;
    const grid = spec ? spec.split(stored.params, stored.prepared) : { passes: 0, tiles: 0 };
    const group = await this.#describeGroup(stored, owner, tellsGroup);
    const view = describeJob(stored, this.#deps.coordinator.openJob(stored.id), grid, stored.owner === owner, this.#deps.clock());
    return group ? { ...view, group } : view;
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

const tooManyOpen = (): JobError => new JobError('too_many', `At most ${limits.openJobsPerOwnerMax} jobs may be open at a time.`);

const ISSUANCE: AccountId = 'operator/issuance';

const contextOf = ({ id, seed, params, prepared }: StoredJob): JobContext => ({ id, seed, params, prepared });

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

/** Letters, digits and dashes of a title, so that a header or a file system never sees anything else. */
const fileName = (title: string): string =>
  title
    .normalize('NFKD')
    .replace(/[^\w]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60) || 'tessera';

function gridOf(spec: WorkloadSpec, job: JobContext): { tiles: number; passes: number } {
  const grid = spec.split(job.params, job.prepared);
  if (grid.tiles * grid.passes > limits.tilesPerJobMax)
    throw new InputError(
      'params',
      `This job has ${grid.tiles * grid.passes} tiles. Make it smaller or order fewer samples.`,
      `at most ${limits.tilesPerJobMax} tiles`,
    );
  return grid;
}
