import { type Kysely, sql } from 'kysely';
import type { MicroCredits } from '../../shared/credits.ts';
import { fromHex, toHex } from '../../shared/formats.ts';
import type { BlobHash, CreditUnit, JobId, ResultId } from '../../shared/model.ts';
import type { Visibility } from '../../shared/schemas.ts';
import { reopenForKey } from './api-keys.ts';
import { inBatches } from './batches.ts';
import { anyBytes, anyOf, hexOf } from './dialect.ts';
import { assertCovered, assertRoom, heldFromJson } from './jobs.ts';
import { seqsOf } from './ledger.ts';
import { packedDropped } from './packed.ts';
import { forgetPacked, unpackMeasured, unpackResults } from './packs.ts';
import { postTransfers } from './postings.ts';
import type { Tables } from './schema.ts';
import { dropBlocks } from './sharing.ts';
import type { StoredJob, Transfer, Write } from './store.ts';
import { inSnapshot, inTransaction } from './transaction.ts';

/** What becomes of jobs after they were ordered: pauses, extensions, who may see them, and the end of their bytes. */
export interface LifecycleStore {
  /**
   * Opens a job that is done again, with more to compute, and holds for it, in one transaction. `job` is as it is to be: one more extension,
   * open, not paused. Results in `dropped` count no more; what was assembled or measured by the old order is forgotten, and so are the
   * blocks that it was cut into. False when it is not done with one extension less, or deleted. Throws `InsufficientCredits`, and `TooManyOpen` when
   * its owner has `openMax` open.
   */
  extend(job: StoredJob, holds: readonly Transfer[], dropped: readonly ResultId[], openMax?: number): Promise<boolean>;
  setVisibility(job: JobId, visibility: Visibility): Promise<void>;
  /** What a job has paid to auditors so far. */
  spentOnAudits(job: JobId, unit: CreditUnit): Promise<MicroCredits>;
  /** Jobs that ended before this, or were taken down, and whose bytes are still here, oldest first. */
  endedBefore(ms: number, limit: number): Promise<JobId[]>;
  /**
   * From now on the bytes of a job that has ended are not needed. Those in rows are dropped; what lay in blobs is returned, and may be needed by
   * others. Null when it is open, unknown or deleted before.
   */
  forget(job: JobId, atMs: number): Promise<Forgotten | null>;
  /** Of these, the blobs that some job or some result without a verdict needs. */
  needed(hashes: readonly BlobHash[]): Promise<ReadonlySet<BlobHash>>;
  /** Results of a job that were refuted or dropped at or after this time; some had been accepted before. */
  droppedSince(job: JobId, sinceMs: number): Promise<readonly { readonly id: ResultId; readonly atMs: number }[]>;
  /** Files of a job that were made. */
  files(job: JobId): Promise<readonly { readonly output: string; readonly hash: BlobHash }[]>;
}

export interface Forgotten {
  readonly createdMs: number;
  readonly endedMs: number;
  /** What it was uploaded and what was prepared from that. */
  readonly inputs: readonly BlobHash[];
  readonly results: readonly BlobHash[];
  readonly files: readonly { readonly hash: BlobHash; readonly madeMs: number }[];
}

type Db = Kysely<Tables>;

export async function writeJobPaused(trx: Db, { id, paused }: Write & { kind: 'jobPaused' }): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('jobs')
    .set({ paused: paused ? 1 : 0 })
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  if (numUpdatedRows !== 1n) throw new Error(`the unknown job ${id} was paused`);
}

/** The sides of a job's results that may lie in blobs. */
const inBlob = sql<boolean>`inline is null and state in ('committed', 'accepted')`;

/** Inside the caller's transaction: see `LifecycleStore.forget`. */
export async function forgetBytes(trx: Db, job: JobId, atMs: number): Promise<Forgotten | null> {
  const row = await trx
    .updateTable('jobs')
    .set({ deleted_ms: atMs })
    .where('id', '=', job)
    .where('status', '!=', 'open')
    .where('deleted_ms', 'is', null)
    .returning(['created_ms', 'ended_ms'])
    .executeTakeFirst();
  if (!row) return null;
  const results = await trx.selectFrom('results').select('hash').where('job', '=', job).where(inBlob).execute();
  const inputs = await trx.selectFrom('job_blobs').select('hash').where('job', '=', job).execute();
  // Files and results keep their hashes, which the receipt names.
  const files = await trx.selectFrom('job_files').select(['hash', 'made_ms']).where('job', '=', job).execute();
  await trx.deleteFrom('job_blobs').where('job', '=', job).execute();
  await trx.updateTable('results').set({ inline: null, opening_inline: null }).where('job', '=', job).execute();
  const hashesOf = (rows: readonly { readonly hash: BlobHash }[]): BlobHash[] => rows.map(({ hash }) => hash);
  const packed = (await forgetPacked(trx, job)).map((hash) => toHex(hash) as BlobHash);
  const times = { createdMs: row.created_ms, endedMs: row.ended_ms ?? atMs };
  return {
    ...times,
    inputs: hashesOf(inputs),
    results: [...hashesOf(results), ...packed],
    files: files.map(({ hash, made_ms }) => ({ hash, madeMs: made_ms })),
  };
}

export class SqlLifecycle implements LifecycleStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async extend(job: StoredJob, holds: readonly Transfer[], dropped: readonly ResultId[], openMax = Number.POSITIVE_INFINITY): Promise<boolean> {
    return inTransaction(this.#db, async (trx) => {
      await assertRoom(trx, job.owner, openMax);
      const { numUpdatedRows } = await trx
        .updateTable('jobs')
        .set({
          status: 'open',
          paused: 0,
          extensions: job.extensions,
          params_json: JSON.stringify(job.params),
          work_held: job.workHeld,
          checks_held: job.checksHeld,
          held_from_json: heldFromJson(job.heldFrom),
          ended_ms: null,
        })
        .where('id', '=', job.id)
        .where('status', '=', 'done')
        .where('extensions', '=', job.extensions - 1)
        .where('deleted_ms', 'is', null)
        .executeTakeFirstOrThrow();
      if (numUpdatedRows !== 1n) return false;
      await dropBlocks(trx, job.id);
      await assertCovered(trx, holds);
      await reopenForKey(trx, job);
      await trx.deleteFrom('job_files').where('job', '=', job.id).execute();
      await unpackMeasured(trx, job.id);
      await unpackResults(trx, dropped);
      await trx.updateTable('results').set({ passes_wanted: null }).where('job', '=', job.id).where('passes_wanted', 'is not', null).execute();
      await inBatches(trx, dropped, async (batch) => {
        await trx
          .updateTable('results')
          .set({ state: 'discarded', inline: null })
          .where(sql<boolean>`id ${anyOf(trx, batch)}`)
          .execute();
      });
      await postTransfers(trx, holds);
      return true;
    });
  }

  async setVisibility(job: JobId, visibility: Visibility): Promise<void> {
    await this.#db.updateTable('jobs').set({ visibility }).where('id', '=', job).execute();
  }

  async spentOnAudits(job: JobId, unit: CreditUnit): Promise<MicroCredits> {
    const seqs = await seqsOf(this.#db, `job/${job}`, unit);
    const { rows } = await sql<{ amount: bigint }>`
      select cast(coalesce(sum(amount), 0) as bigint) as amount from transfers
      where debit = ${`job/${job}`} and kind = 'audit' and seq in (${seqs})`.execute(this.#db);
    return rows[0]?.amount ?? 0n;
  }

  async endedBefore(ms: number, limit: number): Promise<JobId[]> {
    const rows = await this.#db
      .selectFrom('jobs')
      .select('id')
      .where('ended_ms', 'is not', null)
      .where('deleted_ms', 'is', null)
      .where((eb) => eb.or([eb('ended_ms', '<', ms), eb('id', 'in', eb.selectFrom('job_decisions').select('job').where('taken_down_ms', 'is not', null))]))
      .orderBy('ended_ms')
      .limit(limit)
      .execute();
    return rows.map(({ id }) => id);
  }

  async forget(job: JobId, atMs: number): Promise<Forgotten | null> {
    return inTransaction(this.#db, (trx) => forgetBytes(trx, job, atMs));
  }

  async needed(hashes: readonly BlobHash[]): Promise<ReadonlySet<BlobHash>> {
    const needed = new Set<BlobHash>();
    await inBatches(this.#db, hashes, async (batch) => {
      const listed = anyOf(this.#db, batch);
      const { rows } = await sql<{ hash: BlobHash }>`
        select hash from job_blobs where hash ${listed}
        union select job_files.hash from job_files join jobs on jobs.id = job_files.job where jobs.deleted_ms is null and job_files.hash ${listed}
        union select results.hash from results join jobs on jobs.id = results.job
          where jobs.deleted_ms is null and results.inline is null and results.state in ('committed', 'accepted') and results.hash ${listed}
        union select opening_hash as hash from results where state = 'committed' and opening_hash ${listed}
        union select ${hexOf(this.#db, 'hash')} as hash from result_pack_blobs where hash ${anyBytes(this.#db, batch.map(fromHex))}`.execute(this.#db);
      for (const { hash } of rows) needed.add(hash);
    });
    return needed;
  }

  droppedSince(job: JobId, sinceMs: number): Promise<{ id: ResultId; atMs: number }[]> {
    return inSnapshot(this.#db, async (trx) => {
      const rows = await trx
        .selectFrom('results')
        .select(['id', 'decided_ms'])
        .where('job', '=', job)
        .where('state', 'in', ['refuted', 'discarded'])
        .where('decided_ms', '>=', sinceMs)
        .execute();
      return [...(await packedDropped(trx, job, sinceMs)), ...rows].map(({ id, decided_ms }) => ({ id, atMs: decided_ms ?? sinceMs }));
    });
  }

  async files(job: JobId): Promise<readonly { output: string; hash: BlobHash }[]> {
    return this.#db.selectFrom('job_files').select(['output', 'hash']).where('job', '=', job).orderBy('output').execute();
  }
}
