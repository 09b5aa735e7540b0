import type { Kysely } from 'kysely';
import { columnTypes, strictTable } from '../dialect.ts';

/** Keys that were rotated: all versions of them but the first, which is in `secrets`. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('key_versions')
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('bytes', columnTypes.bytes, (column) => column.notNull())
    .addColumn('from_ms', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('key_versions_key', ['name', 'version'])
    .modifyEnd(strictTable)
    .execute();
}
