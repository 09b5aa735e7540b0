import { type Insertable, type Kysely, type Selectable, sql } from 'kysely';
import type { MicroCredits } from '../../shared/credits.ts';
import type { BlobHash, ContributorId, GroupId, JobId, JobStatus, OwnerId, ResultId } from '../../shared/model.ts';
import { assertBudget, countPaid } from './api-keys.ts';
import { exclusively } from './dialect.ts';
import { writeMade } from './idempotency.ts';
import { readBalance } from './ledger.ts';
import { type JobOrder, type JobPageFilter, type ResultPageFilter, TooManyOpen } from './orders.ts';
import { packedOf, packedResult, withPackedAfter, withPackedBefore } from './packed.ts';
import { mayBeNegative, postTransfers } from './postings.ts';
import { writeUsed } from './quotes.ts';
import { livingRows, resultColumns, resultOf, withoutBytes } from './results.ts';
import type { JobsTable, Tables } from './schema.ts';
import { InsufficientCredits, type JobStore, type StoredJob, type StoredResult, type Transfer, type Write } from './store.ts';
import { inSnapshot, inTransaction } from './transaction.ts';
import { queueDeliveries } from './webhooks.ts';

type Db = Kysely<Tables>;
type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;

export const heldFromJson = (heldFrom: StoredJob['heldFrom']): string =>
  JSON.stringify(heldFrom.map(({ account, microCredits }) => ({ account, microCredits: microCredits.toString() })));

const heldFromOf = (json: string): StoredJob['heldFrom'] =>
  (JSON.parse(json) as { account: StoredJob['heldFrom'][number]['account']; microCredits: string }[]).map(({ account, microCredits }) => ({
    account,
    microCredits: BigInt(microCredits),
  }));

const jobRow = (job: StoredJob): Omit<Insertable<JobsTable>, 'api_key'> => ({
  id: job.id,
  title: job.title,
  workload: job.workload,
  version: job.version,
  status: job.status,
  visibility: job.visibility,
  gallery: job.gallery ? 1 : 0,
  owner: job.owner,
  seed: job.seed,
  params_json: JSON.stringify(job.params),
  prepared_json: JSON.stringify(job.prepared),
  inputs_json: JSON.stringify(job.inputs),
  checks_json: JSON.stringify(job.checks),
  unit: job.unit,
  rate_per_unit: job.ratePerUnit,
  work_held: job.workHeld,
  checks_held: job.checksHeld,
  held_from_json: heldFromJson(job.heldFrom),
  closing: job.closing ? 1 : 0,
  created_ms: job.createdMs,
  ended_ms: job.endedMs,
  summary_json: job.summary === null ? null : JSON.stringify(job.summary),
  group_id: job.group?.id ?? null,
  group_mode: job.group?.mode ?? null,
  paused: job.paused ? 1 : 0,
  extensions: job.extensions,
  deleted_ms: job.deletedMs,
  promise_json: job.promise === null ? null : JSON.stringify(job.promise),
  price_version: job.priceVersion,
});

export const jobOf = (row: Selectable<JobsTable>): StoredJob => ({
  id: row.id,
  title: row.title,
  workload: row.workload,
  version: row.version,
  status: row.status,
  visibility: row.visibility,
  gallery: row.gallery === 1,
  group: row.group_id === null || row.group_mode === null ? null : { id: row.group_id, mode: row.group_mode },
  owner: row.owner,
  seed: row.seed,
  params: JSON.parse(row.params_json),
  prepared: JSON.parse(row.prepared_json),
  inputs: JSON.parse(row.inputs_json),
  checks: JSON.parse(row.checks_json),
  unit: row.unit,
  ratePerUnit: row.rate_per_unit,
  workHeld: row.work_held,
  checksHeld: row.checks_held,
  heldFrom: heldFromOf(row.held_from_json),
  closing: row.closing === 1,
  createdMs: row.created_ms,
  endedMs: row.ended_ms,
  summary: row.summary_json === null ? null : JSON.parse(row.summary_json),
  paused: row.paused === 1,
  extensions: row.extensions,
  deletedMs: row.deleted_ms,
  promise: row.promise_json === null ? null : JSON.parse(row.promise_json),
  priceVersion: row.price_version,
});

export async function writeJobClosing(trx: Db, id: JobId): Promise<void> {
  const { numUpdatedRows } = await trx.updateTable('jobs').set({ closing: 1 }).where('id', '=', id).executeTakeFirstOrThrow();
  if (numUpdatedRows !== 1n) throw new Error(`the unknown job ${id} was cancelled`);
}

export async function writeJobEnd(trx: Db, end: WriteOf<'jobEnded'>): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('jobs')
    .set({ status: end.status, ended_ms: end.atMs, summary_json: JSON.stringify(end.summary) })
    .where('id', '=', end.id)
    .where('status', '=', 'open')
    .executeTakeFirstOrThrow();
  if (numUpdatedRows !== 1n) throw new Error(`job ${end.id} ended, but is not open`);
  const { id, status, atMs, summary } = end;
  await queueDeliveries(trx, { id, type: `job.${status}`, percent: null, atMs, parts: summary.parts });
  await countPaid(trx, end.id, BigInt(end.summary.paidMicroCredits));
}

/**
 * A hold is spread over several accounts; what people need to know is the whole of it against all they have. Nothing is locked for that: whether
 * each account covers its part is looked at again where it is taken.
 */
export async function assertCovered(trx: Db, holds: readonly Transfer[]): Promise<void> {
  let needed: MicroCredits = 0n;
  let available: MicroCredits = 0n;
  const counted = new Set<string>();
  for (const { debit, unit, microCredits } of holds) {
    // The operator issues test credits and may owe any amount of them.
    if (mayBeNegative(debit)) continue;
    needed += microCredits;
    if (!counted.has(`${debit} ${unit}`)) available += await readBalance(trx, debit, unit);
    counted.add(`${debit} ${unit}`);
  }
  if (available < needed) throw new InsufficientCredits(needed, available);
}

/** Two orders at once are counted one after the other. Throws `TooManyOpen`. */
export async function assertRoom(trx: Db, owner: OwnerId, openMax: number): Promise<void> {
  if (openMax === Number.POSITIVE_INFINITY) return;
  await exclusively(trx, `jobs of ${owner}`);
  if ((await countOpen(trx, owner)) >= openMax) throw new TooManyOpen();
}

async function countOpen(db: Db, owner: OwnerId): Promise<number> {
  const row = await db
    .selectFrom('jobs')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('owner', '=', owner)
    .where('status', '=', 'open')
    .executeTakeFirstOrThrow();
  return row.count;
}

const unpackedRow = (db: Db, id: ResultId) => db.selectFrom('results').selectAll().where('id', '=', id).executeTakeFirst();

/** With its bytes. In a snapshot. */
const rowOf = async (trx: Db, id: ResultId) => (await unpackedRow(trx, id)) ?? (await packedResult(trx, id));

export class SqlJobs implements JobStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async create(job: StoredJob, holds: readonly Transfer[], order?: JobOrder): Promise<void> {
    const { apiKey = null, claim = null, openMax = Number.POSITIVE_INFINITY, files = {}, quote = null } = order ?? {};
    await inTransaction(this.#db, async (trx) => {
      await assertRoom(trx, job.owner, openMax);
      if (apiKey !== null) await assertBudget(trx, apiKey, job.workHeld + job.checksHeld);
      await assertCovered(trx, holds);
      await trx
        .insertInto('jobs')
        .values({ ...jobRow(job), api_key: apiKey })
        .execute();
      for (const [name, hash] of Object.entries(files)) await trx.insertInto('job_uploads').values({ job: job.id, name, hash }).execute();
      const blobs = new Set([...Object.values(files), ...job.inputs.map(({ hash }) => hash)]);
      for (const hash of blobs) await trx.insertInto('job_blobs').values({ hash, job: job.id }).execute();
      if (quote !== null) await writeUsed(trx, quote, job.id);
      if (claim !== null) await writeMade(trx, claim, job.id);
      await postTransfers(trx, holds);
    });
  }

  async get(id: JobId): Promise<StoredJob | undefined> {
    const row = await this.#db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst();
    return row && jobOf(row);
  }

  async list(filter: {
    readonly visibility?: 'public';
    readonly owner?: OwnerId;
    readonly status?: JobStatus;
    readonly gallery?: boolean;
    readonly group?: GroupId;
    readonly limit: number;
  }): Promise<StoredJob[]> {
    let query = this.#db.selectFrom('jobs').selectAll().orderBy('seq', 'desc').limit(filter.limit);
    if (filter.visibility !== undefined) query = query.where('visibility', '=', filter.visibility).where('deleted_ms', 'is', null);
    if (filter.owner !== undefined) query = query.where('owner', '=', filter.owner);
    if (filter.status !== undefined) query = query.where('status', '=', filter.status);
    if (filter.gallery !== undefined) query = query.where('gallery', '=', filter.gallery ? 1 : 0);
    if (filter.group !== undefined) query = query.where('group_id', '=', filter.group);
    return (await query.execute()).map(jobOf);
  }

  async page({ visibility, owner, status, group, member, beforeSeq, limit }: JobPageFilter): ReturnType<JobStore['page']> {
    let query = this.#db.selectFrom('jobs').selectAll().where('seq', '<', beforeSeq);
    const decided = (column: 'hidden' | 'taken_down_ms') => this.#db.selectFrom('job_decisions').select('job').where(column, '>', 0);
    if (visibility !== undefined) query = query.where('visibility', '=', visibility).where('deleted_ms', 'is', null).where('id', 'not in', decided('hidden'));
    if (owner !== undefined) query = query.where('owner', '=', owner);
    if (status !== undefined) query = query.where('status', '=', status);
    if (group !== undefined)
      query = query
        .where('group_id', '=', group)
        .where('id', 'not in', decided('taken_down_ms'))
        .where((eb) => eb.or([eb('visibility', '!=', 'private'), eb('group_mode', '=', 'only'), eb('owner', '=', member ?? ('' as OwnerId))]));
    const rows = await query
      .orderBy('seq', 'desc')
      .limit(limit + 1)
      .execute();
    const shown = rows.slice(0, limit);
    return { jobs: shown.map(jobOf), nextSeq: rows.length > limit ? (shown.at(-1)?.seq ?? null) : null };
  }

  countOpen(owner: OwnerId): Promise<number> {
    return countOpen(this.#db, owner);
  }

  results(job: JobId): Promise<StoredResult[]> {
    return inSnapshot(this.#db, async (trx) => {
      const rows = await livingRows(trx, job);
      const packed = await packedOf(trx, job);
      if (packed.length === 0) return rows.map(withoutBytes);
      return [...packed, ...rows].sort((a, b) => a.seq - b.seq).map(withoutBytes);
    });
  }

  async countRefuted(job: JobId): Promise<number> {
    const { rows } = await sql<{ count: number }>`
      select (select count(*) from results where job = ${job} and state = 'refuted')
        + (select coalesce(sum(refuted), 0) from result_packs where job = ${job}) as count`.execute(this.#db);
    return rows[0]?.count ?? 0;
  }

  acceptedPage(job: JobId, { afterSeq, limit }: ResultPageFilter): ReturnType<JobStore['acceptedPage']> {
    return inSnapshot(this.#db, async (trx) => {
      const rows = await trx
        .selectFrom('results')
        .select([...resultColumns, 'seq'])
        .where('job', '=', job)
        .where('seq', '>', afterSeq)
        .where('state', '=', 'accepted')
        .orderBy('seq')
        .limit(limit + 1)
        .execute();
      // One more than is shown tells whether there is a next page.
      const found = await withPackedAfter(trx, job, rows, { afterSeq, limit: limit + 1 });
      const shown = found.slice(0, limit);
      return { results: shown.map(withoutBytes), nextSeq: found.length > limit ? (shown.at(-1)?.seq ?? null) : null };
    });
  }

  async resultsOf(contributor: ContributorId, limit: number): Promise<StoredResult[]> {
    return (await this.resultsPage([contributor], { limit })) ?? [];
  }

  /** One short index range a contributor, merged: a sort over all that an owner ever handed in would grow without end. */
  resultsPage(
    contributors: readonly ContributorId[],
    { before, limit }: { readonly before?: ResultId; readonly limit: number },
  ): Promise<StoredResult[] | undefined> {
    return inSnapshot(this.#db, async (trx) => {
      const from = before && (await rowOf(trx, before));
      if (before !== undefined && !(from && contributors.includes(from.contributor))) return undefined;
      const beforeSeq = from?.seq ?? Number.MAX_SAFE_INTEGER;
      const latest = (contributor: ContributorId) =>
        trx
          .selectFrom('results')
          .select([...resultColumns, 'seq'])
          .where('contributor', '=', contributor)
          .where('seq', '<', beforeSeq)
          .orderBy('seq', 'desc')
          .limit(limit)
          .execute();
      const rows = new Map<ContributorId, Awaited<ReturnType<typeof latest>>>();
      for (const contributor of contributors) rows.set(contributor, await latest(contributor));
      return (await withPackedBefore(trx, rows, { beforeSeq, limit })).map(withoutBytes);
    });
  }

  async vesting(): Promise<StoredResult[]> {
    const rows = await this.#db.selectFrom('results').select(resultColumns).where('vests_at_ms', 'is not', null).orderBy('seq').execute();
    return rows.map(withoutBytes);
  }

  async result(id: ResultId): Promise<StoredResult | undefined> {
    // Most that are asked for are rows, and need no snapshot to be found.
    const row = (await unpackedRow(this.#db, id)) ?? (await inSnapshot(this.#db, (trx) => rowOf(trx, id)));
    return row && resultOf(row);
  }

  async setFile(job: JobId, output: string, blob: BlobHash, extensions: number, madeMs: number): Promise<boolean> {
    return inTransaction(this.#db, async (trx) => {
      const row = await trx.selectFrom('jobs').select(['status', 'extensions', 'deleted_ms']).where('id', '=', job).forNoKeyUpdate().executeTakeFirst();
      if (row?.status !== 'done' || row.extensions !== extensions || row.deleted_ms !== null) return false;
      await trx
        .insertInto('job_files')
        .values({ job, output, hash: blob, made_ms: madeMs })
        .onConflict((conflict) => conflict.columns(['job', 'output']).doUpdateSet({ hash: blob, made_ms: madeMs }))
        .execute();
      return true;
    });
  }

  async file(job: JobId, output: string): Promise<BlobHash | undefined> {
    const row = await this.#db.selectFrom('job_files').select('hash').where('job', '=', job).where('output', '=', output).executeTakeFirst();
    return row?.hash;
  }
}
