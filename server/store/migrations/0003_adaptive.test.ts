import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { expect, test } from 'vitest';
import { openSqliteStore } from '../sqlite.ts';
import { EmbeddedDialect, openDatabaseFile } from '../sqlite-dialect.ts';
import { exampleContributor, exampleJob, exampleResult, resultIdOf, temporaryFolder, withStore } from '../testing.ts';
import * as start from './0001_start.ts';
import * as trust from './0002_trust.ts';

const accepted = { kind: 'verdict', state: 'accepted', errorBound: 0, vesting: null, evidence: [], atMs: 5 } as const;

test('a database of the version before keeps its results, which are measured when they are read', async () => {
  const folder = temporaryFolder();
  const path = join(folder.path, 'tessera.sqlite');
  const db = new Kysely({ dialect: new EmbeddedDialect(openDatabaseFile(path, folder.path)) });
  const before = { '0001_start': start, '0002_trust': trust };
  expect((await new Migrator({ db, provider: { getMigrations: async () => before } }).migrateToLatest()).error).toBeUndefined();
  await db.destroy();
  const { id, job, contributor, owner } = exampleResult();
  const file = new Database(path);
  file.pragma('foreign_keys = OFF');
  file.exec(`insert into results (id, job, pass, tile, parts, epoch, attempt, contributor, owner, hash, size_bytes, salt, root, commitment, nonce, drawn,
    round, compute_ms, committed_ms, state, evidence_json, error_bound, drill) values
    ('${id}', '${job}', 0, 0, 1, 1, 1, '${contributor}', '${owner}', 'x', 1, x'01', x'01', x'01', x'01', 0, 'first', 1, 1, 'accepted', '[]', 0, 0)`);
  file.close();
  const store = await openSqliteStore(folder.path);
  expect(await store.jobs.results(job)).toMatchObject([{ id, state: 'accepted', passesWanted: null }]);
  await store.commit([{ kind: 'measured', id, passesWanted: 2.25 }]);
  expect(await store.jobs.result(id)).toMatchObject({ passesWanted: 2.25 });
  await store.close();
  folder.remove();
});

test('what was measured comes back after a start, also that a tile can only get better', async () => {
  await withStore(async (store) => {
    const ids = [1, 2].map((number) => resultIdOf(number));
    await store.people.createContributor(exampleContributor());
    await store.jobs.create(exampleJob(), []);
    await store.commit(ids.map((id, tile) => ({ kind: 'result', result: exampleResult({ id, at: { pass: 0, tile } }) })));
    await store.commit([
      ...ids.map((id) => ({ ...accepted, id })),
      { kind: 'measured', id: ids[0]!, passesWanted: 1 / 3 },
      { kind: 'measured', id: ids[1]!, passesWanted: Number.POSITIVE_INFINITY },
    ]);
    const results = await store.jobs.results(exampleResult().job);
    expect(results.map(({ passesWanted }) => passesWanted)).toEqual([1 / 3, Number.POSITIVE_INFINITY]);
  });
});

test('a measurement of a result that is not there fails its commit', async () => {
  await withStore(async (store) => {
    await expect(store.commit([{ kind: 'measured', id: resultIdOf(9), passesWanted: 1 }])).rejects.toThrow('unknown result');
  });
});
