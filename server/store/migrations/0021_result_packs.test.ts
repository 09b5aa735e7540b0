import { expect, test } from 'vitest';
import { packAll } from '../packs.testing.ts';
import { openSqliteStore } from '../sqlite.ts';
import { sqliteIn } from '../stores.testing.ts';
import { exampleContributor, exampleJob, exampleResult, resultIdOf, temporaryFolder } from '../testing.ts';

test('a database of the version before keeps its results as rows, which are packed in the course of time', async () => {
  const folder = temporaryFolder();
  const store = await openSqliteStore(folder.path);
  await store.people.createContributor(exampleContributor());
  const job = exampleJob({ inputs: [] });
  await store.jobs.create(job, []);
  const results = Array.from({ length: 40 }, (_, tile) => exampleResult({ id: resultIdOf(tile), at: { pass: 0, tile }, state: 'accepted' }));
  await store.commit(results.map((result) => ({ kind: 'result', result })));
  await store.close();
  const database = sqliteIn(folder.path);
  for (const table of ['result_packs', 'result_pack_authors', 'result_pack_blobs']) await database.run(`drop table ${table}`);
  await database.run("delete from kysely_migration where name >= '0021_result_packs'");
  const reopened = await openSqliteStore(folder.path);
  const kept = await reopened.jobs.results(job.id);
  expect(kept).toEqual(results.map((result) => ({ ...result, inline: null })));
  expect(await packAll(reopened, { packResults: 10 })).toBe(40);
  expect((await reopened.jobs.results(job.id)).map(({ id }) => id)).toEqual(results.map(({ id }) => id));
  await reopened.close();
  folder.remove();
});
