import { type Kysely, sql } from 'kysely';
import type { MicroCredits } from '../../shared/credits.ts';
import type { ContributorId, LedgerUnit } from '../../shared/model.ts';
import type { Action, BannedContent, LogRow, OperatorJob, OperatorReport } from '../../shared/schemas.ts';
import { available } from './postings.ts';
import type { Tables } from './schema.ts';
import type { StoredSite } from './store.ts';

/** Rows of a table, newest first, older than `before`. */
interface PageRequest {
  /** `seq` of the last row of the page before. */
  readonly before?: number | undefined;
  readonly limit: number;
}
export type Sequenced<Row> = Row & { readonly seq: number };

/** Results of a contributor over all workloads. */
export interface StandingSums {
  readonly id: ContributorId;
  readonly accepted: number;
  readonly refuted: number;
  readonly discarded: number;
  readonly suspendedUntilMs: number;
}

/** What the operator's page shows. */
export interface OperatorTables {
  countOpenReports(): Promise<number>;
  report(id: string): Promise<OperatorReport | undefined>;
  reports(page: PageRequest & { readonly closed: boolean }): Promise<Sequenced<OperatorReport>[]>;
  jobs(page: PageRequest): Promise<Sequenced<OperatorJob>[]>;
  contents(page: PageRequest): Promise<Sequenced<BannedContent>[]>;
  sites(page: PageRequest): Promise<Sequenced<Pick<StoredSite, 'id' | 'name' | 'origin' | 'sharePercent' | 'createdMs' | 'provenMs' | 'switchedOffMs'>>[]>;
  log(page: PageRequest & { readonly action?: Action | undefined }): Promise<LogRow[]>;
  /** Those that are suspended at `nowMs`, whether they are connected or not. */
  suspended(nowMs: number, limit: number): Promise<StandingSums[]>;
  /** Those that are nobody's: the only ones that may be negative among them. */
  accounts(): Promise<{ readonly id: string; readonly unit: LedgerUnit; readonly microCredits: MicroCredits }[]>;
}

const AFTER_ALL = Number.MAX_SAFE_INTEGER;

export class SqlOperatorTables implements OperatorTables {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async countOpenReports(): Promise<number> {
    const query = this.#db.selectFrom('reports').select((eb) => eb.fn.countAll<number>().as('count'));
    return (await query.where('closed_ms', 'is', null).executeTakeFirstOrThrow()).count;
  }

  async report(id: string): Promise<OperatorReport | undefined> {
    const row = await this.#reports().where('reports.id', '=', id).executeTakeFirst();
    return row && reportOf(row);
  }

  async reports({ closed, before = AFTER_ALL, limit }: PageRequest & { readonly closed: boolean }): Promise<Sequenced<OperatorReport>[]> {
    const query = this.#reports()
      .where('reports.closed_ms', closed ? 'is not' : 'is', null)
      .where('reports.seq', '<', before);
    return (await query.orderBy('reports.seq', 'desc').limit(limit).execute()).map((row) => ({ ...reportOf(row), seq: row.seq }));
  }

  #reports() {
    return this.#db
      .selectFrom('reports')
      .innerJoin('jobs', 'jobs.id', 'reports.job')
      .select(['reports.seq', 'reports.id', 'reports.job', 'jobs.title', 'reports.reason', 'reports.text'])
      .select(['reports.created_ms', 'reports.closed_ms', 'reports.outcome']);
  }

  async jobs({ before = AFTER_ALL, limit }: PageRequest): Promise<Sequenced<OperatorJob>[]> {
    const rows = await this.#db
      .selectFrom('jobs')
      .leftJoin('job_decisions', 'job_decisions.job', 'jobs.id')
      .select(['jobs.seq', 'id', 'title', 'workload', 'status', 'visibility', 'created_ms', 'hidden', 'taken_down_ms', 'reason'])
      .select((eb) => [
        eb.selectFrom('reports').select(eb.fn.countAll<number>().as('count')).whereRef('reports.job', '=', 'jobs.id').as('reports'),
        eb.selectFrom('job_uploads').select(eb.fn.countAll<number>().as('count')).whereRef('job_uploads.job', '=', 'jobs.id').as('files'),
      ])
      .where('jobs.seq', '<', before)
      .orderBy('jobs.seq', 'desc')
      .limit(limit)
      .execute();
    return rows.map(({ seq, id, title, workload, status, visibility, created_ms, hidden, taken_down_ms, reason, reports, files }) => ({
      seq,
      id,
      title,
      workload,
      status,
      visibility,
      createdMs: created_ms,
      hidden: hidden === 1,
      takenDown: taken_down_ms === null ? null : { atMs: taken_down_ms, reason: reason ?? '' },
      reports: reports ?? 0,
      files: files ?? 0,
    }));
  }

  async contents({ before = AFTER_ALL, limit }: PageRequest): Promise<Sequenced<BannedContent>[]> {
    const rows = await this.#db.selectFrom('banned_contents').selectAll().where('seq', '<', before).orderBy('seq', 'desc').limit(limit).execute();
    return rows.map(({ at_ms: atMs, ...row }) => ({ ...row, atMs }));
  }

  async sites({ before = AFTER_ALL, limit }: PageRequest): ReturnType<OperatorTables['sites']> {
    const rows = await this.#db.selectFrom('sites').selectAll().where('seq', '<', before).orderBy('seq', 'desc').limit(limit).execute();
    return rows.map((row) => ({
      seq: row.seq,
      id: row.id,
      name: row.name,
      origin: row.origin,
      sharePercent: row.share_percent,
      createdMs: row.created_ms,
      provenMs: row.proven_ms,
      switchedOffMs: row.switched_off_ms,
    }));
  }

  async log({ before = AFTER_ALL, action, limit }: PageRequest & { readonly action?: Action | undefined }): Promise<LogRow[]> {
    const query = this.#db.selectFrom('operator_log').selectAll().where('seq', '<', before);
    const rows = await (action === undefined ? query : query.where('action', '=', action)).orderBy('seq', 'desc').limit(limit).execute();
    return rows.map(({ at_ms: atMs, ...row }) => ({ ...row, atMs }));
  }

  async suspended(nowMs: number, limit: number): Promise<StandingSums[]> {
    const rows = await this.#db
      .selectFrom('standings')
      .select((eb) => [
        'contributor',
        eb.fn.sum<number>('accepted').as('accepted'),
        eb.fn.sum<number>('refuted').as('refuted'),
        eb.fn.sum<number>('discarded').as('discarded'),
        eb.fn.max('suspended_until_ms').as('suspended_until_ms'),
      ])
      .groupBy('contributor')
      .having((eb) => eb(eb.fn.max('suspended_until_ms'), '>', nowMs))
      .limit(limit)
      .execute();
    return rows.map(({ contributor, suspended_until_ms, ...sums }) => ({ id: contributor, ...sums, suspendedUntilMs: suspended_until_ms }));
  }

  async accounts(): Promise<{ id: string; unit: LedgerUnit; microCredits: MicroCredits }[]> {
    const rows = await this.#db
      .selectFrom('accounts')
      .selectAll()
      .where(sql<boolean>`id like 'operator/%' or id like 'chain/%'`)
      .orderBy('id')
      .orderBy('unit')
      .execute();
    return rows.map((row) => ({ id: row.id, unit: row.unit, microCredits: available(row) }));
  }
}

interface ReportRow extends Pick<Tables['reports'], 'id' | 'job' | 'reason' | 'text' | 'created_ms' | 'closed_ms' | 'outcome'> {
  readonly title: string;
}

const reportOf = ({ id, job, title, reason, text, created_ms, closed_ms, outcome }: ReportRow): OperatorReport => ({
  id,
  job,
  title,
  reason,
  text,
  createdMs: created_ms,
  closedMs: closed_ms,
  outcome,
});
