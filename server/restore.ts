import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import Database from 'better-sqlite3';
import type { BlobHash } from '../shared/model.ts';
import {
  BLOB_LIST,
  blobPath,
  DATABASE,
  type FileSum,
  lookAtCopy,
  MANIFEST,
  type Manifest,
  operatorFiles,
  readManifest,
  sumOf,
  syncFile,
} from './backup-files.ts';
import { type Config, readConfig, readOrExit } from './config.ts';
import { BlobMismatch, BlobsUnavailable } from './store/blob-store.ts';
import { isMissing, synchronise } from './store/hashed-file.ts';
import { isKnownSchema } from './store/migrations/migrate.ts';
import { openBlobs } from './store/open-blobs.ts';

/*
 *   npm run restore -- FOLDER     makes a data folder of a backup: DATA_DIR, which must be new or empty
 *
 * Everything is compared with the manifest and every blob with its hash before a database is there that a coordinator could start with. Blobs go
 * where the settings say, into BLOBS_DIR or into an S3 store. Exits with 0 when all is there, with 1 when not, with 2 on wrong usage.
 */
const DONE = 0;
const FAILED = 1;
const WRONG_USAGE = 2;
/** More than a coordinator starts in a lifetime: leases of the time after the backup are of no epoch that comes. */
const EPOCHS_LEFT_OUT = 100_000;

type Say = (line: string) => void;

class RestoreFailed extends Error {}

const isEmpty = (folder: string): boolean => !existsSync(folder) || readdirSync(folder).length === 0;

/** Answers with the exit code. */
export async function restore(args: readonly string[], config: Config, say: Say): Promise<number> {
  const [folder, ...more] = args;
  if (folder === undefined || more.length > 0) {
    say('Usage: npm run restore -- FOLDER, with DATA_DIR a new folder and the settings of the coordinator that will have it.');
    return WRONG_USAGE;
  }
  for (const target of config.s3 === null ? [config.dataDir, config.blobsDir] : [config.dataDir])
    if (!isEmpty(target)) {
      say(`${target} is not empty. Nothing is restored over what is there: set DATA_DIR to a new folder.`);
      return WRONG_USAGE;
    }
  const from = resolve(folder);
  try {
    const manifest = await provedManifest(from);
    await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
    try {
      await putBlobs(from, manifest, config);
      await putFiles(from, config.dataDir);
    } catch (error) {
      for (const target of config.s3 === null ? [config.dataDir, config.blobsDir] : [config.dataDir]) await empty(target);
      throw error;
    }
    say(`${config.dataDir}: the state of ${new Date(manifest.createdMs).toISOString()}, ${manifest.blobs.count} blobs of ${manifest.blobs.bytes} bytes.`);
    if (manifest.missing.length > 0) say(`WRONG: ${manifest.missing.length} blobs were missing when the backup was made.`);
    say('Now: npm run audit, then npm start.');
    return manifest.missing.length === 0 ? DONE : FAILED;
  } catch (error) {
    if (!(error instanceof RestoreFailed || error instanceof BlobsUnavailable)) throw error;
    say(error.message);
    return FAILED;
  }
}

async function provedManifest(from: string): Promise<Manifest> {
  const text = await readFile(join(from, MANIFEST), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) throw new RestoreFailed(`${from} is no backup, or one that was not finished: it has no ${MANIFEST}.`);
    throw error;
  });
  const manifest = readManifest(text);
  if (!manifest) throw new RestoreFailed(`${from} is no backup of this version.`);
  if (!isKnownSchema(manifest.schema)) throw new RestoreFailed(`${from} was made by a newer version (${manifest.schema}).`);
  for (const [name, wanted] of [
    [DATABASE, manifest.database],
    [BLOB_LIST, manifest.blobList],
  ] as const) {
    const found = await sumOf(join(from, name)).catch((error: unknown): FileSum | undefined => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (found?.sha256 !== wanted.sha256) throw new RestoreFailed(`${join(from, name)} is damaged: it is not what the manifest says.`);
  }
  return manifest;
}

async function putBlobs(from: string, manifest: Manifest, config: Config): Promise<void> {
  const lines = (await readFile(join(from, BLOB_LIST), 'utf8')).split('\n').filter(Boolean);
  const listed = new Set(lines.map((line) => line.split(' ')[0]!));
  const missing = new Set<string>(manifest.missing);
  const wanted = lookAtCopy(join(from, DATABASE)).hashes;
  if (listed.size !== manifest.blobs.count || wanted.some((hash) => !listed.has(hash) && !missing.has(hash)))
    throw new RestoreFailed(`${from} has not the blobs that its database speaks of.`);
  const blobs = await openBlobs(config, {});
  for (const hash of listed) {
    await blobs.put(createReadStream(blobPath(from, hash)), { bytesMax: Number.MAX_SAFE_INTEGER, expected: hash as BlobHash }).catch((error: unknown) => {
      if (error instanceof BlobMismatch || isMissing(error)) throw new RestoreFailed(`${blobPath(from, hash)} is damaged or gone: ${String(error)}.`);
      throw error;
    });
  }
}

/** The database comes last, under another name first: a restore that was cut off has none. */
async function putFiles(from: string, dataDir: string): Promise<void> {
  for (const name of operatorFiles) {
    if (!existsSync(join(from, name))) continue;
    await mkdir(dirname(join(dataDir, name)), { recursive: true, mode: 0o700 });
    await copyFile(join(from, name), join(dataDir, name));
  }
  const path = join(dataDir, `restored-${DATABASE}`);
  await copyFile(join(from, DATABASE), path);
  const database = new Database(path);
  try {
    database.pragma('journal_mode = DELETE');
    database.prepare("update counters set value = value + ? where name = 'epoch'").run(EPOCHS_LEFT_OUT);
  } finally {
    database.close();
  }
  await syncFile(path);
  await rename(path, join(dataDir, DATABASE));
  await synchronise(dataDir);
}

/** It was empty before: all that is in it is ours. */
async function empty(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) await rm(join(folder, name), { recursive: true, force: true });
}

if (process.argv[1] === import.meta.filename)
  process.exitCode = await restore(process.argv.slice(2), await readOrExit(() => readConfig(process.env)), (line) => console.log(line));
