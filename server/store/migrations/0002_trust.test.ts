import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { expect, test } from 'vitest';
import { openSqliteStore } from '../sqlite.ts';
import { EmbeddedDialect, openDatabaseFile } from '../sqlite-dialect.ts';
import { contributorIdOf, device, jobIdOf, temporaryFolder } from '../testing.ts';
import * as start from './0001_start.ts';

const ada = device('ada');
const [open, done] = [jobIdOf(1), jobIdOf(2)];

/** A database as the version before left it: an open job that has paid 30 of 100, and one that has ended. */
async function writeOldDatabase(folder: string): Promise<void> {
  const db = new Kysely({ dialect: new EmbeddedDialect(openDatabaseFile(join(folder, 'tessera.sqlite'), folder)) });
  const { error } = await new Migrator({ db, provider: { getMigrations: async () => ({ '0001_start': start }) } }).migrateToLatest();
  expect(error).toBeUndefined();
  await db.destroy();
  const file = new Database(join(folder, 'tessera.sqlite'));
  const held = JSON.stringify([
    { account: `${ada}/grant`, microCredits: '60' },
    { account: `${ada}/earned`, microCredits: '40' },
  ]);
  const policy = '{"auditElements":64,"replicaShare":0.1}';
  const summary =
    '{"parts":{"total":4,"accepted":4,"checking":0,"leased":0},"contributors":1,"checksDone":{"audits":4,"replicas":0,"refuted":0,"elements":256},"paidMicroCredits":"90"}';
  const job = (id: string, status: string, end: string) =>
    `('${id}', 'Box', 'example', 1, '${status}', 'public', 0, '${ada}', 1, '{}', '{}', '[]', '${policy}', 'test', 1, 90, 10, '${held}', 0, 1, ${end})`;
  file.exec(`
    insert into accounts values ('operator/issuance', 'test', -100), ('${ada}/grant', 'test', 0), ('${ada}/earned', 'test', 30), ('job/${open}', 'test', 70);
    insert into transfers (id, unit, debit, credit, micro_credits, kind, at_ms) values
      ('a', 'test', 'operator/issuance', '${ada}/grant', 60, 'grant', 1), ('b', 'test', 'operator/issuance', '${ada}/earned', 40, 'pay', 1),
      ('hold/${open}/0', 'test', '${ada}/grant', 'job/${open}', 60, 'hold', 1), ('hold/${open}/1', 'test', '${ada}/earned', 'job/${open}', 40, 'hold', 1),
      ('pay/r', 'test', 'job/${open}', '${ada}/earned', 30, 'pay', 2);
    insert into contributors (id, secret_hash, owner, created_ms, accepted, refuted, suspended_until_ms) values ('${contributorIdOf(1)}', x'07', '${ada}', 5, 1, 0, 0);
    insert into jobs (id, title, workload, version, status, visibility, gallery, owner, seed, params_json, prepared_json, inputs_json, checks_json, unit,
      rate_per_unit, work_held, checks_held, held_from_json, closing, created_ms, ended_ms, summary_json) values
      ${job(open, 'open', 'null, null')}, ${job(done, 'done', `9, '${summary}'`)};
    insert into job_files values ('${done}', 'png', '${'ab'.repeat(32)}');
    insert into results (id, job, pass, tile, parts, claimed, epoch, attempt, contributor, owner, hash, size_bytes, commitment, nonce, compute_ms, committed_ms,
      state, accepted, evidence_json) values
      ('r_0000000000000001', '${done}', 0, 0, 1, 1, 1, 1, '${contributorIdOf(1)}', '${ada}', 'x', 1, x'01', x'01', 1, 1, 'accepted', 1, '[]');`);
  file.close();
}

test('a database of the version before: open jobs end and are refunded, ended ones stay, the books balance', async () => {
  const folder = temporaryFolder();
  await writeOldDatabase(folder.path);
  const store = await openSqliteStore(folder.path);
  expect(await store.ledger.audit()).toEqual([{ unit: 'test', sum: 0n, wrongAccounts: 0, transfers: 7 }]);
  // Earned credits come back first, and never more than came from there.
  expect(await store.ledger.balance(`${ada}/earned`, 'test')).toBe(70n);
  expect(await store.ledger.balance(`${ada}/grant`, 'test')).toBe(30n);
  expect(await store.ledger.balance(`job/${open}`, 'test')).toBe(0n);
  expect(await store.jobs.get(open)).toMatchObject({ status: 'cancelled', endedMs: expect.any(Number), summary: { parts: { accepted: 0 } } });
  const kept = await store.jobs.get(done);
  expect(kept).toMatchObject({ status: 'done', endedMs: 9, checks: { targetError: 1e-2 }, summary: { parts: { accepted: 4 }, paidMicroCredits: '90' } });
  expect(kept?.summary?.checksDone).toEqual({ cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 1 });
  expect(await store.jobs.file(done, 'png')).toBe('ab'.repeat(32));
  expect(await store.jobs.results(done)).toEqual([]);
  expect(await store.people.contributor(contributorIdOf(1))).toMatchObject({ owner: ada, createdMs: 5 });
  expect(await store.people.standings(contributorIdOf(1))).toEqual(new Map());
  expect(await store.agreements(10)).toEqual([]);
  await store.close();
  folder.remove();
});
