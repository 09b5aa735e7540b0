import type { Kysely } from 'kysely';
import { clusteredTable, columnTypes, strictTable, withSequence } from '../dialect.ts';

/** Results that nothing changes any more, many in a row (`pack-format.ts`). Those of before are rows until the coordinator packs them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await withSequence(db.schema.createTable('result_packs'))
    .addColumn('job', 'text', (column) => column.notNull())
    .addColumn('results', 'integer', (column) => column.notNull())
    .addColumn('refuted', 'integer', (column) => column.notNull())
    .addColumn('measured', 'integer', (column) => column.notNull())
    .addColumn('dropped_ms', 'integer')
    .addColumn('first_seq', 'integer', (column) => column.notNull())
    .addColumn('last_seq', 'integer', (column) => column.notNull())
    .addColumn('first_id', 'text', (column) => column.notNull())
    .addColumn('last_id', 'text', (column) => column.notNull())
    .addColumn('first_tile', 'integer', (column) => column.notNull())
    .addColumn('last_tile', 'integer', (column) => column.notNull())
    // What is read least comes last: SQLite reads the columns before it without its pages.
    .addColumn('ids', columnTypes.bytes, (column) => column.notNull())
    .addColumn('data', columnTypes.bytes, (column) => column.notNull())
    .addColumn('inline', columnTypes.bytes)
    .modifyEnd(strictTable)
    .execute();
  await db.schema.createIndex('result_packs_by_job').on('result_packs').columns(['job', 'first_seq', 'last_seq']).execute();
  await db.schema.createIndex('result_packs_by_id').on('result_packs').columns(['last_id', 'first_id']).execute();
  await db.schema
    .createTable('result_pack_authors')
    .addColumn('pack', 'integer', (column) => column.notNull())
    .addColumn('place', 'integer', (column) => column.notNull())
    .addColumn('contributor', 'text', (column) => column.notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('site', 'text')
    .addColumn('accepted', 'integer', (column) => column.notNull())
    .addColumn('first_seq', 'integer', (column) => column.notNull())
    .addColumn('last_seq', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('result_pack_authors_key', ['pack', 'place'])
    .modifyEnd(clusteredTable)
    .execute();
  await db.schema.createIndex('result_pack_authors_by_contributor').on('result_pack_authors').columns(['contributor', 'last_seq', 'first_seq']).execute();
  await db.schema
    .createTable('result_pack_blobs')
    .addColumn('pack', 'integer', (column) => column.notNull())
    .addColumn('hash', columnTypes.bytes, (column) => column.notNull())
    .addPrimaryKeyConstraint('result_pack_blobs_key', ['pack', 'hash'])
    .modifyEnd(clusteredTable)
    .execute();
  await db.schema.createIndex('result_pack_blobs_by_hash').on('result_pack_blobs').column('hash').execute();
}
