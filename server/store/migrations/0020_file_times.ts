import { type Kysely, sql } from 'kysely';
import { databaseNowMs } from '../dialect.ts';

/** When a job's file was made: whoever touched its bytes later relies on them for himself, and they do not go with the job. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('job_files')
    .addColumn('made_ms', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
  await sql`update job_files set made_ms = ${databaseNowMs(db)}`.execute(db);
}
