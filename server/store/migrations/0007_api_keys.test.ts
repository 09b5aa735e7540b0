import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { expect, test } from 'vitest';
import { openSqliteStore } from '../sqlite.ts';
import { EmbeddedDialect, openDatabaseFile } from '../sqlite-dialect.ts';
import { exampleJob, temporaryFolder } from '../testing.ts';
import * as start from './0001_start.ts';
import * as trust from './0002_trust.ts';
import * as adaptive from './0003_adaptive.ts';
import * as groups from './0005_groups.ts';
import * as widget from './0006_widget.ts';

test('jobs of before were ordered with no key, and end as they would have', async () => {
  const folder = temporaryFolder();
  const path = join(folder.path, 'tessera.sqlite');
  const db = new Kysely({ dialect: new EmbeddedDialect(openDatabaseFile(path, folder.path)) });
  const before = { '0001_start': start, '0002_trust': trust, '0003_adaptive': adaptive, '0005_groups': groups, '0006_widget': widget };
  expect((await new Migrator({ db, provider: { getMigrations: async () => before } }).migrateToLatest()).error).toBeUndefined();
  await db.destroy();
  const { id, owner } = exampleJob();
  const file = new Database(path);
  file.exec(`insert into jobs (id, title, workload, version, status, visibility, gallery, owner, seed, params_json, prepared_json, inputs_json, checks_json, unit,
      rate_per_unit, work_held, checks_held, held_from_json, closing, created_ms)
    values ('${id}', 'Old', 'example', 1, 'open', 'public', 0, '${owner}', 1, '{}', '{}', '[]', '{"targetError":0.0001}', 'test', 1, 900, 100, '[]', 0, 5)`);
  file.close();
  const store = await openSqliteStore(folder.path);
  const checksDone = { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 0 };
  const summary = { parts: { total: 1, accepted: 1, checking: 0, leased: 0 }, contributors: 1, checksDone, paidMicroCredits: '400' };
  await store.commit([{ kind: 'jobEnded', id, status: 'done', atMs: 9, summary }]);
  expect(await store.jobs.get(id)).toMatchObject({ status: 'done', title: 'Old', summary: { paidMicroCredits: '400' }, priceVersion: null });
  expect(await store.apiKeys.page(owner, { beforeSeq: 9, limit: 9 })).toEqual({ keys: [], nextSeq: null });
  await store.close();
  folder.remove();
});
