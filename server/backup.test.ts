import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { audit } from './audit.ts';
import { backup } from './backup.ts';
import { blobPath, lookAtCopy, MANIFEST } from './backup-files.ts';
import { readConfig } from './config.ts';
import { restore } from './restore.ts';
import { openBlobStore } from './store/blobs.ts';
import { packAll } from './store/packs.testing.ts';
import { startS3 } from './store/s3.testing.ts';
import { openSqliteStore } from './store/sqlite.ts';
import {
  contributorIdOf,
  exampleContributor,
  exampleJob,
  exampleResult,
  exampleTransfer,
  inChunks,
  pattern,
  sha256,
  temporaryFolder,
} from './store/testing.ts';

let root: ReturnType<typeof temporaryFolder>;
let data: string;
const at = (name: string): string => join(root.path, name);
beforeEach(() => {
  root = temporaryFolder();
  data = at('data');
});
afterEach(() => root.remove());

type Command = typeof backup;
async function run(command: Command, args: readonly string[], dataDir: string, env: Readonly<Record<string, string>> = {}) {
  const lines: string[] = [];
  const code = await command(args, readConfig({ DATA_DIR: dataDir, ...env }), (line) => lines.push(line));
  return { code, said: lines.join('\n') };
}

const bytes = pattern(70_000);
async function fill(): Promise<void> {
  const store = await openSqliteStore(data);
  await store.people.createContributor(exampleContributor());
  await store.jobs.create(exampleJob({ inputs: [] }), []);
  const { hash } = await openBlobStore(join(data, 'blobs')).put(inChunks(bytes, 9000), { bytesMax: 1e6 });
  await store.commit([
    { kind: 'result', result: exampleResult({ hash, inline: null, contributor: contributorIdOf(1) }) },
    { kind: 'transfer', transfer: exampleTransfer({ id: 'grant/1' }) },
  ]);
  await store.nextEpoch();
  await store.close();
  writeFileSync(join(data, 'suspended-sites.txt'), 's_1\n');
}

test('a stopped coordinator is copied and restored: balances, bytes, what the operator has set; leases of after the backup are void', async () => {
  await fill();
  expect(await run(backup, [at('copy')], data)).toMatchObject({ code: 0, said: expect.stringContaining('1 blobs of 70000 bytes') });
  expect(statSync(blobPath(at('copy'), sha256(bytes))).ino).toBe(statSync(blobPath(data, sha256(bytes))).ino);
  expect(await run(restore, [at('copy')], at('new'))).toMatchObject({ code: 0 });
  expect(await run(audit, [], at('new'))).toMatchObject({ code: 0, said: expect.stringContaining('test: 2 accounts, 1 transfers, sum 0') });
  expect(await openBlobStore(at('new/blobs')).get(sha256(bytes))).toEqual(bytes);
  expect(readFileSync(at('new/suspended-sites.txt'), 'utf8')).toBe('s_1\n');
  const [before, after] = [await openSqliteStore(data), await openSqliteStore(at('new'))];
  expect((await after.nextEpoch()) - (await before.nextEpoch())).toBe(100_000);
  await Promise.all([before.close(), after.close()]);
});

test('bytes of results that are packed are copied as others are, and a copy of a version without packs is still understood', async () => {
  await fill();
  const store = await openSqliteStore(data);
  const id = exampleResult().id;
  const summary = { parts: { total: 1, accepted: 1, checking: 0, leased: 0 }, contributors: 1, paidMicroCredits: '0' };
  const checksDone = { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 0 };
  await store.commit([
    { kind: 'verdict', id, state: 'accepted', errorBound: 0, vesting: null, evidence: [], atMs: 1 },
    { kind: 'jobEnded', id: exampleJob().id, status: 'done', atMs: 2, summary: { ...summary, checksDone } },
  ]);
  expect(await packAll(store)).toBe(1);
  await store.close();
  expect(await run(backup, [at('copy')], data)).toMatchObject({ code: 0, said: expect.stringContaining('1 blobs of 70000 bytes') });
  expect(await run(restore, [at('copy')], at('new'))).toMatchObject({ code: 0 });
  const restored = await openSqliteStore(at('new'));
  expect(await restored.jobs.result(id)).toMatchObject({ hash: sha256(bytes), inline: null, state: 'accepted' });
  await restored.close();
  const before = new Database(at('new/tessera.sqlite'));
  for (const table of ['result_packs', 'result_pack_authors', 'result_pack_blobs']) before.exec(`drop table ${table}`);
  before.close();
  expect(lookAtCopy(at('new/tessera.sqlite')).hashes).toEqual([]);
});

test('what is damaged, not whole or of a newer version is not restored, and leaves nothing behind', async () => {
  await fill();
  const blob = blobPath(at('copy'), sha256(bytes));
  const manifest = (): Record<string, unknown> => JSON.parse(readFileSync(at(`copy/${MANIFEST}`), 'utf8')) as Record<string, unknown>;
  const spoils: readonly (readonly [string, () => void])[] = [
    ['no manifest.json', () => rmSync(at(`copy/${MANIFEST}`))],
    ['newer version (9999_later)', () => writeFileSync(at(`copy/${MANIFEST}`), JSON.stringify({ ...manifest(), schema: '9999_later' }))],
    ['no backup of this version', () => writeFileSync(at(`copy/${MANIFEST}`), JSON.stringify({ ...manifest(), format: 2 }))],
    ['is damaged', () => writeFileSync(at('copy/tessera.sqlite'), readFileSync(at('copy/tessera.sqlite')).fill(7, 5000, 5001))],
    ['is damaged', () => writeFileSync(at('copy/blobs.txt'), '')],
    ['is damaged or gone', () => rmSync(blob)],
    [
      'is damaged or gone',
      () => {
        rmSync(blob);
        writeFileSync(blob, bytes.slice().fill(9, 0, 1));
      },
    ],
  ];
  for (const [said, spoil] of spoils) {
    rmSync(at('copy'), { recursive: true, force: true });
    expect((await run(backup, [at('copy')], data)).code).toBe(0);
    spoil();
    expect(await run(restore, [at('copy')], at('new'))).toMatchObject({ code: 1, said: expect.stringContaining(said) });
    expect(existsSync(at('new')) ? readdirSync(at('new'), { recursive: true }).filter((name) => name !== 'blobs') : []).toEqual([]);
  }
  rmSync(at('copy'), { recursive: true });
  rmSync(blobPath(data, sha256(bytes)));
  expect(await run(backup, [at('copy')], data)).toMatchObject({ code: 1, said: expect.stringContaining('1 blobs are missing') });
  expect((await run(restore, [at('copy')], at('new'))).code).toBe(1);
});

test('nothing is written over what is there, and wrong usage is 2', async () => {
  await fill();
  for (const command of [backup, restore]) expect((await run(command, [], data)).code).toBe(2);
  expect((await run(backup, [data], data)).code).toBe(2);
  expect((await run(backup, [at('copy')], at('elsewhere'))).said).toContain('pg_dump');
  expect((await run(backup, [at('copy')], data)).code).toBe(0);
  expect(await run(restore, [at('copy')], data)).toMatchObject({ code: 2, said: expect.stringContaining('is not empty') });
});

test('blobs go from an S3 store into a backup, and from there into a folder or another store', async () => {
  await fill();
  const s3 = await startS3();
  try {
    expect((await run(backup, [at('copy')], data)).code).toBe(0);
    expect((await run(restore, [at('copy')], at('second'), s3.env)).code).toBe(0);
    expect(existsSync(at('second/blobs'))).toBe(false);
    expect((await run(backup, [at('again')], at('second'), s3.env)).code).toBe(0);
    expect(new Uint8Array(readFileSync(blobPath(at('again'), sha256(bytes))))).toEqual(bytes);
    s3.weather('refused');
    expect(await run(backup, [at('away')], at('second'), s3.env)).toMatchObject({ code: 1, said: expect.stringContaining('does not answer') });
    expect(existsSync(at('away'))).toBe(false);
  } finally {
    await s3.close();
  }
});

/** A coordinator at work; `port` and, from then on, jobs come in. */
async function atWork(): Promise<{ child: ChildProcess; port: string; jobs(count: number): Promise<void> }> {
  const child = spawn(execPath, [join(import.meta.dirname, 'backup.writer.ts'), data], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const { value: port } = (await lines.next()) as { value: string };
  return {
    child,
    port,
    async jobs(count) {
      for (let seen = 0; seen < count; seen++) await lines.next();
    },
  };
}

test('while jobs come, are paid and are deleted, a backup is of one moment and has all bytes of it', { timeout: 60_000 }, async () => {
  const { child, port, jobs } = await atWork();
  try {
    for (const name of ['one', 'two']) {
      await jobs(25);
      expect(await run(backup, [at(name)], data, { PORT: port })).toMatchObject({ code: 0 });
    }
    expect(await run(backup, [at('stranger')], data, { PORT: '1' })).toMatchObject({ code: 1, said: expect.stringContaining('does not answer') });
  } finally {
    child.kill('SIGKILL');
  }
  await once(child, 'exit');
  for (const name of ['one', 'two']) {
    expect(await run(restore, [at(name)], at(`new ${name}`))).toMatchObject({ code: 0 });
    expect(await run(audit, [], at(`new ${name}`))).toMatchObject({ code: 0, said: expect.stringContaining('sum 0, imbalance 0') });
    const { hashes } = lookAtCopy(at(`new ${name}/tessera.sqlite`));
    expect(hashes.length).toBeGreaterThan(15);
    for (const hash of hashes) expect(sha256(readFileSync(blobPath(at(`new ${name}`), hash)))).toBe(hash);
    const database = new Database(at(`new ${name}/tessera.sqlite`), { readonly: true });
    const { jobs, paid } = database
      .prepare<[], { jobs: number; paid: number }>("select (select count(*) from jobs where status = 'done') as jobs, (select count(*) from transfers) as paid")
      .get()!;
    expect(paid).toBe(jobs);
    database.close();
  }
  // What was copied for it is gone.
  expect(readdirSync(data).filter((name) => name.startsWith('backup-'))).toEqual([]);
});

test('killed at any point, command or coordinator, there is no half backup that could be restored', { timeout: 120_000 }, async () => {
  const { child, port, jobs } = await atWork();
  await jobs(60);
  for (const stage of ['', 'tessera.sqlite', 'blobs']) {
    const command = spawn(execPath, [join(import.meta.dirname, 'backup.ts'), at('copy')], { env: { DATA_DIR: data, PORT: port }, stdio: 'ignore' });
    const partial = () => readdirSync(root.path).find((name) => name.startsWith('copy.partial-'));
    const isThere = () => existsSync(at('copy')) || (partial() !== undefined && existsSync(at(`${partial()}/${stage}`)));
    await expect.poll(isThere, { timeout: 40_000, interval: 1 }).toBe(true);
    command.kill('SIGKILL');
    await once(command, 'exit');
    const [half, whole] = [partial(), existsSync(at('copy'))];
    // Faster than we looked, it was done.
    expect(half === undefined).toBe(whole);
    const restored = await run(restore, [at(half ?? 'copy')], at(`new ${stage}`));
    expect(restored).toMatchObject(whole ? { code: 0 } : { code: 1, said: expect.stringContaining('was not finished') });
    rmSync(at(half ?? 'copy'), { recursive: true });
  }
  // The coordinator noticed, and the next one is whole.
  expect((await run(backup, [at('whole')], data, { PORT: port })).code).toBe(0);
  const under = run(backup, [at('copy')], data, { PORT: port });
  child.kill('SIGKILL');
  const { code } = await under;
  expect(existsSync(at('copy'))).toBe(code === 0);
  expect((await run(restore, [at('whole')], at('new'))).code).toBe(0);
});
