import { type Kysely, sql } from 'kysely';
import { strictTable } from '../dialect.ts';

/**
 * Jobs can be paused, extended and deleted, and it is known which blobs are needed: those of `job_blobs` and `job_files` by jobs that are not
 * deleted, and those that results name. What jobs of before were uploaded is not known any more; their prepared inputs are.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const column of ['paused', 'extensions'])
    await db.schema
      .alterTable('jobs')
      .addColumn(column, 'integer', (built) => built.notNull().defaultTo(0))
      .execute();
  await db.schema.alterTable('jobs').addColumn('deleted_ms', 'integer').execute();
  await sql`create index jobs_by_end on jobs (ended_ms) where ended_ms is not null and deleted_ms is null`.execute(db);
  await db.schema
    .createTable('job_blobs')
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('job', 'text', (column) => column.notNull().references('jobs.id'))
    .addPrimaryKeyConstraint('job_blobs_key', ['hash', 'job'])
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('job_blobs_by_job').on('job_blobs').column('job').execute();
  const { rows } = await sql<{ id: string; inputs_json: string }>`select id, inputs_json from jobs`.execute(db);
  for (const { id, inputs_json: json } of rows)
    for (const { hash } of JSON.parse(json) as { hash: string }[]) await sql`insert or ignore into job_blobs (hash, job) values (${hash}, ${id})`.execute(db);
  await db.schema.createIndex('job_files_by_hash').on('job_files').column('hash').execute();
  // Small results lie in their rows. Openings are needed until the verdict.
  await sql`create index results_by_hash on results (hash) where inline is null and state in ('committed', 'accepted')`.execute(db);
  await sql`create index results_by_opening on results (opening_hash) where state = 'committed' and opening_hash is not null`.execute(db);
}
