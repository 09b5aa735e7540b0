import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { request as ask, type IncomingMessage } from 'node:http';
import { request as askSecurely } from 'node:https';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import Database from 'better-sqlite3';
import type { BlobHash } from '../shared/model.ts';
import {
  BLOB_LIST,
  blobPath,
  DATABASE,
  linkOrCopy,
  lookAtCopy,
  MANIFEST,
  type Manifest,
  manifestFormat,
  operatorFiles,
  readManifest,
  sumOf,
  syncFile,
} from './backup-files.ts';
import { forgetBackupRequest, writeBackupRequest } from './backup-request.ts';
import { type Config, readConfig, readOrExit } from './config.ts';
import { BlobsUnavailable } from './store/blob-store.ts';
import { synchronise } from './store/hashed-file.ts';
import { openBlobs } from './store/open-blobs.ts';
import { copyDatabase } from './store/sqlite-dialect.ts';

/*
 *   npm run backup -- FOLDER     copies the database of DATA_DIR and the blobs that it speaks of into a new folder
 *
 * A coordinator that runs on DATA_DIR makes the copy of the database itself and goes on working; one cannot start meanwhile otherwise. Blobs of
 * BLOBS_DIR become links where the file system has them: copy the folder to another disk. Exits with 0 when all is there, with 1 when
 * not, with 2 on wrong usage. `npm run restore -- FOLDER` is the way back.
 */
const DONE = 0;
const FAILED = 1;
const WRONG_USAGE = 2;
const LINES_MAX = 5;
const SECRET_BYTES = 32;
/** Until a running coordinator has copied its database. */
const ANSWER_MS_MAX = 3_600_000;

type Say = (line: string) => void;

class BackupFailed extends Error {}

/** Answers with the exit code. */
export async function backup(args: readonly string[], config: Config, say: Say): Promise<number> {
  const [folder, ...more] = args;
  if (folder === undefined || more.length > 0) {
    say('Usage: npm run backup -- FOLDER, with the settings of the coordinator.');
    return WRONG_USAGE;
  }
  const target = resolve(folder);
  if (existsSync(target) && readdirSync(target).length > 0) {
    say(`${target} is not empty. Name a folder that is not there yet.`);
    return WRONG_USAGE;
  }
  if (!existsSync(join(config.dataDir, DATABASE))) {
    say(`There is no database in ${config.dataDir}. DATA_DIR must be the folder of a coordinator; what lies in PostgreSQL is copied by pg_dump.`);
    return WRONG_USAGE;
  }
  const partial = `${target}.partial-${randomUUID()}`;
  try {
    await mkdir(partial, { recursive: true, mode: 0o700 });
    const held = await copyOfDatabase(config, join(partial, DATABASE));
    try {
      await copyBlobs(config, partial, say);
      if (!held.isHeld()) throw new BackupFailed('The coordinator ended while its blobs were copied: some may be gone. Try again.');
    } finally {
      held.release();
    }
    await rename(partial, target);
    await synchronise(dirname(target));
    return await report(target, say);
  } catch (error) {
    if (!(error instanceof BackupFailed || error instanceof BlobsUnavailable)) throw error;
    say(error.message);
    return FAILED;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** As long as it is held nothing is deleted of what the copy speaks of. */
interface HeldCopy {
  isHeld(): boolean;
  release(): void;
}

async function copyOfDatabase(config: Config, to: string): Promise<HeldCopy> {
  const path = join(config.dataDir, DATABASE);
  const database = new Database(path, { readonly: true, fileMustExist: true, timeout: 0 });
  try {
    // No coordinator can start while this is read.
    database.exec('begin');
    database.prepare('select count(*) from sqlite_schema').get();
  } catch (error) {
    database.close();
    if (error instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(error.code)) return askCoordinator(config, to);
    throw new BackupFailed(`${path} cannot be read: ${String(error)}.`);
  }
  await copyDatabase(database, to);
  return { isHeld: () => true, release: () => void database.close() };
}

async function askCoordinator({ dataDir, port, tls }: Config, to: string): Promise<HeldCopy> {
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  writeBackupRequest(dataDir, secret, Date.now());
  const url = `${tls === null ? 'http' : 'https'}://localhost:${port}/backup`;
  const asked = (tls === null ? ask : askSecurely)(url, {
    method: 'POST',
    headers: { authorization: `Backup ${secret}` },
    timeout: ANSWER_MS_MAX,
    // It stays on this machine, and a certificate names the machine as others know it.
    rejectUnauthorized: false,
  });
  const answered = Promise.withResolvers<IncomingMessage>();
  asked
    .on('response', answered.resolve)
    .on('error', answered.reject)
    .on('timeout', () => asked.destroy(new Error('no answer')));
  asked.end();
  const response = await answered.promise.catch((error: unknown) => {
    forgetBackupRequest(dataDir);
    throw new BackupFailed(`A coordinator holds ${dataDir}, and ${url} does not answer (${String(error)}). PORT and HTTPS must be those of that coordinator.`);
  });
  let isOpen = true;
  response
    .on('error', () => undefined)
    .on('close', () => {
      isOpen = false;
    });
  const line = Promise.withResolvers<string>();
  createInterface({ input: response })
    .once('line', line.resolve)
    .once('close', () => line.resolve(''))
    .on('error', () => undefined);
  const text = await line.promise;
  const name = response.statusCode === 200 ? (JSON.parse(text) as { copy: string }).copy : '';
  if (name === '') {
    asked.destroy();
    throw new BackupFailed(`A coordinator holds ${dataDir}, and ${url} refuses (status ${response.statusCode}): ${text.slice(0, 300)}`);
  }
  await copyFile(join(dataDir, name), to);
  await syncFile(to);
  return { isHeld: () => isOpen, release: () => void asked.destroy() };
}

async function copyBlobs(config: Config, partial: string, say: Say): Promise<void> {
  const { schema, hashes } = lookAtCopy(join(partial, DATABASE));
  const cache = join(partial, 'cache');
  const blobs = await openBlobs({ ...config, dataDir: cache }, {});
  const missing: BlobHash[] = [];
  const lines: string[] = [];
  let bytes = 0;
  const made = new Set<string>();
  for (const hash of hashes) {
    const to = blobPath(partial, hash);
    if (!made.has(dirname(to))) mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    made.add(dirname(to));
    if ((await blobs.size(hash)) === undefined) {
      missing.push(hash);
      continue;
    }
    const held = await blobs.hold([hash]);
    await linkOrCopy(held.paths[0]!, to).finally(held.release);
    const { size } = await stat(to);
    lines.push(`${hash} ${size}\n`);
    bytes += size;
  }
  await rm(cache, { recursive: true, force: true });
  for (const folder of [...made, join(partial, 'blobs')].filter(existsSync)) await synchronise(folder);
  for (const name of operatorFiles) {
    if (!existsSync(join(config.dataDir, name))) continue;
    await mkdir(dirname(join(partial, name)), { recursive: true, mode: 0o700 });
    await copyFile(join(config.dataDir, name), join(partial, name));
  }
  await writeFile(join(partial, BLOB_LIST), lines.join(''), { flush: true });
  const manifest: Manifest = {
    format: manifestFormat,
    createdMs: Date.now(),
    schema,
    database: await sumOf(join(partial, DATABASE)),
    blobList: await sumOf(join(partial, BLOB_LIST)),
    blobs: { count: lines.length, bytes },
    missing,
  };
  await writeFile(join(partial, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
  await synchronise(partial);
  for (const hash of missing.slice(0, LINES_MAX)) say(`WRONG: the blob ${hash} is not there, and the database speaks of it`);
  if (missing.length > 0) say(`WRONG: ${missing.length} blobs are missing.`);
}

async function report(target: string, say: Say): Promise<number> {
  const made = readManifest(await readFile(join(target, MANIFEST), 'utf8'));
  if (!made) return FAILED;
  say(`${target}: database of ${made.database.bytes} bytes (${made.schema}), ${made.blobs.count} blobs of ${made.blobs.bytes} bytes.`);
  say('Copy it to another machine. The way back: npm run restore -- FOLDER, with DATA_DIR a new folder.');
  return made.missing.length === 0 ? DONE : FAILED;
}

if (process.argv[1] === import.meta.filename)
  process.exitCode = await backup(process.argv.slice(2), await readOrExit(() => readConfig(process.env)), (line) => console.log(line));
