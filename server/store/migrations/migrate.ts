import type { Kysely } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import * as start from './0001_start.ts';
import * as trust from './0002_trust.ts';
import * as adaptive from './0003_adaptive.ts';
import * as groups from './0005_groups.ts';
import * as widget from './0006_widget.ts';
import * as apiKeys from './0007_api_keys.ts';
import * as quotes from './0009_quotes.ts';
import * as lifecycle from './0010_lifecycle.ts';
import * as moderation from './0011_moderation.ts';
import * as webhooks from './0012_webhooks.ts';
import * as ledger from './0014_ledger.ts';
import * as money from './0015_money.ts';
import * as prices from './0016_prices.ts';
import * as keys from './0017_keys.ts';
import * as sharing from './0018_sharing.ts';
import * as erasure from './0019_erasure.ts';
import * as fileTimes from './0020_file_times.ts';
import * as resultPacks from './0021_result_packs.ts';

/** Append-only: a released migration is never edited, the next one gets the next number. */
const migrations: Readonly<Record<string, Migration>> = {
  '0001_start': start,
  '0002_trust': trust,
  '0003_adaptive': adaptive,
  '0005_groups': groups,
  '0006_widget': widget,
  '0007_api_keys': apiKeys,
  '0009_quotes': quotes,
  '0010_lifecycle': lifecycle,
  '0011_moderation': moderation,
  '0012_webhooks': webhooks,
  '0014_ledger': ledger,
  '0015_money': money,
  '0016_prices': prices,
  '0017_keys': keys,
  '0018_sharing': sharing,
  '0019_erasure': erasure,
  '0020_file_times': fileTimes,
  '0021_result_packs': resultPacks,
};

/** Whether a database whose last migration this is can be brought up to date. */
export const isKnownSchema = (name: string): boolean => Object.hasOwn(migrations, name);

/** Brings a database up to date, each migration in a transaction of its own. Throws when a newer version of the project wrote it. */
export async function migrate<Schema>(db: Kysely<Schema>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve({ ...migrations }) } });
  const { error } = await migrator.migrateToLatest();
  if (error) throw new Error(`the database could not be brought up to date: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}
