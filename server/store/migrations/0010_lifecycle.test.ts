import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { expect, test } from 'vitest';
import type { BlobHash } from '../../../shared/model.ts';
import { openSqliteStore } from '../sqlite.ts';
import { EmbeddedDialect, openDatabaseFile } from '../sqlite-dialect.ts';
import { device, jobIdOf, temporaryFolder } from '../testing.ts';
import * as start from './0001_start.ts';
import * as trust from './0002_trust.ts';
import * as adaptive from './0003_adaptive.ts';
import * as groups from './0005_groups.ts';
import * as widget from './0006_widget.ts';

test('jobs of before are neither paused, extended nor deleted, and need the inputs that they have', async () => {
  const folder = temporaryFolder();
  const path = join(folder.path, 'tessera.sqlite');
  const db = new Kysely({ dialect: new EmbeddedDialect(openDatabaseFile(path, folder.path)) });
  const before = { '0001_start': start, '0002_trust': trust, '0003_adaptive': adaptive, '0005_groups': groups, '0006_widget': widget };
  expect((await new Migrator({ db, provider: { getMigrations: async () => before } }).migrateToLatest()).error).toBeUndefined();
  await db.destroy();
  const [scene, other] = ['aa'.repeat(32), 'bb'.repeat(32)] as BlobHash[];
  const inputs = JSON.stringify([
    { name: 'scene', hash: scene, bytes: 5 },
    { name: 'again', hash: scene, bytes: 5 },
  ]);
  const file = new Database(path);
  file.exec(`insert into jobs (id, title, workload, version, status, visibility, gallery, owner, seed, params_json, prepared_json, inputs_json, checks_json,
    unit, rate_per_unit, work_held, checks_held, held_from_json, closing, created_ms) values
    ('${jobIdOf(1)}', 't', 'w', 1, 'open', 'public', 0, '${device('ada')}', 1, '{}', '{}', '${inputs}', '{}', 'test', 1, 1, 1, '[]', 0, 1)`);
  file.close();
  const store = await openSqliteStore(folder.path);
  expect(await store.jobs.get(jobIdOf(1))).toMatchObject({ paused: false, extensions: 0, deletedMs: null, visibility: 'public' });
  expect([...(await store.lifecycle.needed([scene!, other!]))]).toEqual([scene]);
  await store.close();
  folder.remove();
});
