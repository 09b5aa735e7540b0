import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, link, open } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { BlobHash } from '../shared/model.ts';
import { blobHash } from '../shared/schemas.ts';

/**
 * A backup is a folder: `manifest.json`, `tessera.sqlite`, `blobs.txt` (a line `<SHA-256> <bytes>` for each blob), `blobs/ab/abcdef…`, and what the
 * operator has set up in files. The manifest is written last, and the folder gets its name after that: one without is none.
 */
export const MANIFEST = 'manifest.json';
export const DATABASE = 'tessera.sqlite';
export const BLOB_LIST = 'blobs.txt';
/** Of the data folder; a certificate of our own is what others have agreed to. */
export const operatorFiles = ['suspended-sites.txt', 'tls/certificate.pem', 'tls/key.pem'] as const;

const FORMAT = 1;
const file = Type.Object({ sha256: blobHash, bytes: Type.Integer({ minimum: 0 }) });
const manifest = Type.Object({
  format: Type.Literal(FORMAT),
  createdMs: Type.Number(),
  /** The last migration of the database. */
  schema: Type.String(),
  database: file,
  blobList: file,
  blobs: Type.Object({ count: Type.Integer({ minimum: 0 }), bytes: Type.Integer({ minimum: 0 }) }),
  /** Blobs that the database speaks of and that were not there. */
  missing: Type.Array(blobHash),
});
export interface Manifest {
  readonly format: typeof FORMAT;
  readonly createdMs: number;
  readonly schema: string;
  readonly database: FileSum;
  readonly blobList: FileSum;
  readonly blobs: { readonly count: number; readonly bytes: number };
  readonly missing: readonly BlobHash[];
}
export interface FileSum {
  readonly sha256: BlobHash;
  readonly bytes: number;
}
export const manifestFormat = FORMAT;

/** Undefined for what is no manifest of this version. */
export function readManifest(text: string): Manifest | undefined {
  try {
    const read: unknown = JSON.parse(text);
    return Value.Check(manifest, read) ? (read as Manifest) : undefined;
  } catch {
    return undefined;
  }
}

export async function sumOf(path: string): Promise<FileSum> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.byteLength;
  }
  return { sha256: hash.digest('hex') as BlobHash, bytes };
}

export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Another name of the same file where the file system has that: blobs are never changed. Otherwise a copy, on disk when this resolves. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    await copyFile(from, to);
    await syncFile(to);
  }
}

export const blobPath = (folder: string, hash: string): string => join(folder, 'blobs', hash.slice(0, 2), hash);

/** What a copy of the database says of itself, and the blobs that it cannot do without. */
export function lookAtCopy(path: string): { readonly schema: string; readonly hashes: readonly BlobHash[] } {
  const database = new Database(path, { readonly: true, fileMustExist: true });
  try {
    const [schema] = database.prepare<[], { name: string }>('select name from kysely_migration order by name desc limit 1').all();
    // A copy of an older version has none.
    const isPacked = database.prepare("select 1 from sqlite_master where name = 'result_pack_blobs'").get() !== undefined;
    const rows = database
      .prepare<[], { hash: BlobHash }>(
        `select hash from job_blobs
         union select job_files.hash from job_files join jobs on jobs.id = job_files.job where jobs.deleted_ms is null
         union select results.hash from results join jobs on jobs.id = results.job
           where jobs.deleted_ms is null and results.inline is null and results.state in ('committed', 'accepted')
         union select opening_hash from results where state = 'committed' and opening_hash is not null and opening_inline is null
         ${isPacked ? 'union select lower(hex(hash)) from result_pack_blobs' : ''}`,
      )
      .all();
    return { schema: schema?.name ?? '', hashes: rows.map(({ hash }) => hash).sort() };
  } finally {
    database.close();
  }
}
