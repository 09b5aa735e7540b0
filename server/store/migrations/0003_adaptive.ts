import type { Kysely } from 'kysely';

/** Results say how many adaptive passes their tile needs. Those of open jobs that have none yet are measured at the next start. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('results').addColumn('passes_wanted', 'real').execute();
}
