import type { Kysely } from 'kysely';
import { columnTypes, makeAppendOnly, strictTable } from '../dialect.ts';

/** The price book; quotes and jobs name the entry that their rate is from. Those of before name none. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('prices')
    .addColumn('version', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('workload', 'text', (column) => column.notNull())
    .addColumn('kernel_version', 'integer', (column) => column.notNull())
    .addColumn('rate_per_unit', columnTypes.credits, (column) => column.notNull())
    .addColumn('calibration_json', 'text', (column) => column.notNull())
    .addColumn('from_ms', 'integer', (column) => column.notNull())
    .modifyEnd(strictTable)
    .execute();
  await makeAppendOnly(db, 'prices');
  await db.schema.createIndex('prices_by_workload').on('prices').columns(['workload', 'version']).execute();
  for (const table of ['jobs', 'quotes']) await db.schema.alterTable(table).addColumn('price_version', 'integer').execute();
}
