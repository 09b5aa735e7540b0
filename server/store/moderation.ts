import type { Kysely, Selectable } from 'kysely';
import type { BlobHash, JobId, OwnerId } from '../../shared/model.ts';
import type { Action, BannedContent, NetworkPause, ReportReason } from '../../shared/schemas.ts';
import { exclusively } from './dialect.ts';
import { type OperatorTables, SqlOperatorTables } from './operator-tables.ts';
import type { Tables } from './schema.ts';
import { inTransaction } from './transaction.ts';

export interface StoredReport {
  readonly id: string;
  readonly job: JobId;
  readonly reporter: OwnerId;
  readonly reason: ReportReason;
  readonly text: string;
  readonly createdMs: number;
}

export interface JobDecision {
  readonly job: JobId;
  readonly hidden: boolean;
  readonly takenDownMs: number | null;
  readonly reason: string;
}

/** A row of the operator's log. */
export interface LogEntry {
  readonly atMs: number;
  readonly session: string;
  readonly action: Action;
  /** Id of what it is done to; empty for the network. */
  readonly target: string;
  readonly reason: string;
}

/** What an action changes in the database. */
export type Change =
  | { readonly kind: 'reportClosed'; readonly id: string; readonly atMs: number }
  /** Closes the reports of a job that is taken down. */
  | { readonly kind: 'jobDecided'; readonly decision: JobDecision; readonly atMs: number }
  | { readonly kind: 'banned'; readonly content: BannedContent }
  | { readonly kind: 'banLifted'; readonly hash: BlobHash }
  | { readonly kind: 'paused'; readonly pause: NetworkPause }
  | { readonly kind: 'resumed'; readonly atMs: number }
  | { readonly kind: 'sessionMade'; readonly hash: Uint8Array; readonly id: string; readonly atMs: number; readonly expiresMs: number }
  | { readonly kind: 'sessionEnded'; readonly id: string };

/** Reports, and what the operator decides. */
export interface ModerationStore {
  readonly tables: OperatorTables;
  /** `known`: its reporter has an open report of this job. `enough`: `openMax` others have. */
  addReport(report: StoredReport, openMax: number): Promise<'added' | 'known' | 'enough'>;
  /** What an operator does and the row that says so, in one transaction. */
  act(entries: readonly LogEntry[], changes: readonly Change[]): Promise<void>;
  decisions(): Promise<JobDecision[]>;
  bannedHashes(): Promise<{ readonly hash: BlobHash; readonly reason: string }[]>;
  uploadsOf(job: JobId): Promise<BlobHash[]>;
  /** Jobs that one of these files was uploaded for. */
  jobsWith(uploads: readonly BlobHash[]): Promise<JobId[]>;
  /** Whether a job without a file of its own has this input: then it is the workload's, and nobody's content. */
  isCommonInput(hash: BlobHash): Promise<boolean>;
  pause(): Promise<NetworkPause | null>;
  /** The id of a session that has not expired. */
  operatorSession(hash: Uint8Array, nowMs: number): Promise<{ readonly id: string; readonly expiresMs: number } | undefined>;
}

const decisionOf = (row: Selectable<Tables['job_decisions']>): JobDecision => ({
  job: row.job,
  hidden: row.hidden === 1,
  takenDownMs: row.taken_down_ms,
  reason: row.reason,
});

export class SqlModeration implements ModerationStore {
  readonly tables: OperatorTables;
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
    this.tables = new SqlOperatorTables(db);
  }

  async addReport({ id, job, reporter, reason, text, createdMs }: StoredReport, openMax: number): Promise<'added' | 'known' | 'enough'> {
    return inTransaction(this.#db, async (trx) => {
      await exclusively(trx, `reports of ${job}`);
      const open = await trx.selectFrom('reports').select('reporter').where('job', '=', job).where('closed_ms', 'is', null).execute();
      if (open.some((row) => row.reporter === reporter)) return 'known';
      if (open.length >= openMax) return 'enough';
      await trx.insertInto('reports').values({ id, job, reporter, reason, text, created_ms: createdMs, closed_ms: null, outcome: null }).execute();
      return 'added';
    });
  }

  async act(entries: readonly LogEntry[], changes: readonly Change[]): Promise<void> {
    await inTransaction(this.#db, async (trx) => {
      for (const change of changes) await apply(trx, change);
      for (const { atMs, session, action, target, reason } of entries)
        await trx.insertInto('operator_log').values({ at_ms: atMs, session, action, target, reason }).execute();
    });
  }

  async decisions(): Promise<JobDecision[]> {
    return (await this.#db.selectFrom('job_decisions').selectAll().execute()).map(decisionOf);
  }

  bannedHashes(): Promise<{ hash: BlobHash; reason: string }[]> {
    return this.#db.selectFrom('banned_contents').select(['hash', 'reason']).execute();
  }

  async uploadsOf(job: JobId): Promise<BlobHash[]> {
    const rows = await this.#db.selectFrom('job_uploads').select('hash').where('job', '=', job).execute();
    return rows.map(({ hash }) => hash);
  }

  async jobsWith(uploads: readonly BlobHash[]): Promise<JobId[]> {
    if (uploads.length === 0) return [];
    const rows = await this.#db.selectFrom('job_uploads').select('job').distinct().where('hash', 'in', uploads).execute();
    return rows.map(({ job }) => job);
  }

  /** Reads all jobs: for an operator, now and then. */
  async isCommonInput(hash: BlobHash): Promise<boolean> {
    const query = this.#db
      .selectFrom('jobs')
      .select('id')
      .where('inputs_json', 'like', `%"${hash}"%`)
      .where('id', 'not in', (eb) => eb.selectFrom('job_uploads').select('job'));
    return (await query.limit(1).executeTakeFirst()) !== undefined;
  }

  async pause(): Promise<NetworkPause | null> {
    const row = await this.#db.selectFrom('network_pauses').selectAll().where('ended_ms', 'is', null).orderBy('seq', 'desc').limit(1).executeTakeFirst();
    return row ? { sinceMs: row.since_ms, reason: row.reason } : null;
  }

  async operatorSession(hash: Uint8Array, nowMs: number): Promise<{ id: string; expiresMs: number } | undefined> {
    const row = await this.#db.selectFrom('operator_sessions').selectAll().where('hash', '=', hash).where('expires_ms', '>', nowMs).executeTakeFirst();
    return row && { id: row.id, expiresMs: row.expires_ms };
  }
}

async function apply(trx: Kysely<Tables>, change: Change): Promise<void> {
  if (change.kind === 'reportClosed') await closeReports(trx, 'id', change.id, 'dismissed', change.atMs);
  else if (change.kind === 'jobDecided') await decide(trx, change);
  else if (change.kind === 'banned') {
    const { hash, kind, job, reason, atMs } = change.content;
    const row = { hash, kind, job, reason, at_ms: atMs };
    await trx
      .insertInto('banned_contents')
      .values(row)
      .onConflict((conflict) => conflict.column('hash').doNothing())
      .execute();
  } else if (change.kind === 'banLifted') await trx.deleteFrom('banned_contents').where('hash', '=', change.hash).execute();
  else if (change.kind === 'paused') await trx.insertInto('network_pauses').values({ since_ms: change.pause.sinceMs, reason: change.pause.reason }).execute();
  else if (change.kind === 'resumed') await trx.updateTable('network_pauses').set({ ended_ms: change.atMs }).where('ended_ms', 'is', null).execute();
  else if (change.kind === 'sessionMade') {
    await trx.deleteFrom('operator_sessions').where('expires_ms', '<=', change.atMs).execute();
    await trx.insertInto('operator_sessions').values({ hash: change.hash, id: change.id, expires_ms: change.expiresMs }).execute();
  } else if (change.kind === 'sessionEnded') await trx.deleteFrom('operator_sessions').where('id', '=', change.id).execute();
  else throw new Error(`unknown change ${(change satisfies never as Change).kind}`);
}

const closeReports = (trx: Kysely<Tables>, column: 'id' | 'job', value: string, outcome: 'dismissed' | 'upheld', atMs: number): Promise<unknown> =>
  trx
    .updateTable('reports')
    .set({ closed_ms: atMs, outcome })
    .where(column, '=', value as JobId)
    .where('closed_ms', 'is', null)
    .execute();

async function decide(trx: Kysely<Tables>, { decision, atMs }: Change & { kind: 'jobDecided' }): Promise<void> {
  const { job, hidden, takenDownMs, reason } = decision;
  const row = { hidden: hidden ? 1 : 0, taken_down_ms: takenDownMs, reason };
  await trx
    .insertInto('job_decisions')
    .values({ job, ...row })
    .onConflict((conflict) => conflict.column('job').doUpdateSet(row))
    .execute();
  if (takenDownMs !== null) await closeReports(trx, 'job', job, 'upheld', atMs);
}
