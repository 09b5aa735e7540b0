import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BlobHash } from '../../shared/model.ts';
import { BlobMismatch, type BlobStore, BlobTooLarge } from './store.ts';

/** The operator refuses these bytes. */
export class BlobBanned extends Error {
  override readonly name = 'BlobBanned';
}

/** Files that are still being written lie here, apart from the finished ones. */
const TEMPORARY = 'tmp';

/**
 * Bytes in files named by their SHA-256, `ab/abcdef…`, below `folder`. Leftovers of interrupted writes are removed at once,
 * so the folder must belong to this process alone (the database beside it sees to that). What is banned is neither taken nor given.
 */
export function openBlobStore(folder: string, isBanned: (hash: BlobHash) => boolean = () => false): BlobStore {
  const temporary = join(folder, TEMPORARY);
  mkdirSync(temporary, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(temporary)) rmSync(join(temporary, name), { recursive: true, force: true });
  return new FileBlobs(folder, isBanned);
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

class FileBlobs implements BlobStore {
  readonly #folder: string;
  readonly #isBanned: (hash: BlobHash) => boolean;

  constructor(folder: string, isBanned: (hash: BlobHash) => boolean) {
    this.#folder = folder;
    this.#isBanned = isBanned;
  }

  path(hash: BlobHash): string {
    if (!/^[0-9a-f]{64}$/.test(hash)) throw new RangeError(`not a blob hash: ${JSON.stringify(hash).slice(0, 80)}`);
    return join(this.#folder, hash.slice(0, 2), hash);
  }

  async put(
    source: AsyncIterable<Uint8Array>,
    options: { readonly bytesMax: number; readonly expected?: BlobHash },
  ): Promise<{ hash: BlobHash; bytes: number }> {
    const temporary = join(this.#folder, TEMPORARY, randomUUID());
    try {
      const { hash, bytes } = await writeHashed(source, temporary, options.bytesMax);
      if (options.expected !== undefined && hash !== options.expected) throw new BlobMismatch(`the bytes have the SHA-256 ${hash}, not ${options.expected}`);
      if (this.#isBanned(hash)) throw new BlobBanned(hash);
      await this.#keep(temporary, hash);
      return { hash, bytes };
    } finally {
      await rm(temporary, { force: true });
    }
  }

  /** A rename is atomic; once the folders are synchronised it survives a loss of power too. */
  async #keep(temporary: string, hash: BlobHash): Promise<void> {
    const path = this.path(hash);
    const place = dirname(path);
    if (await mkdir(place, { recursive: true, mode: 0o700 })) await synchronise(this.#folder);
    if ((await this.size(hash)) === undefined) await rename(temporary, path);
    // Also for a blob that exists: whoever wrote it may not have come this far yet.
    await synchronise(place);
  }

  async get(hash: BlobHash): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#isBanned(hash)) return undefined;
    try {
      // A Buffer of a whole file has its memory to itself; a plain view of it can be transferred to a worker thread.
      const bytes = await readFile(this.path(hash));
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async size(hash: BlobHash): Promise<number | undefined> {
    if (this.#isBanned(hash)) return undefined;
    try {
      return (await stat(this.path(hash))).size;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  stream(hash: BlobHash, from = 0): NodeJS.ReadableStream {
    return createReadStream(this.path(hash), { start: from });
  }
}

/** Writes a new file, on disk when this resolves. Stops reading as soon as the cap is passed. */
async function writeHashed(source: AsyncIterable<Uint8Array>, path: string, bytesMax: number): Promise<{ hash: BlobHash; bytes: number }> {
  const file = await open(path, 'wx', 0o600);
  try {
    const digest = createHash('sha256');
    let bytes = 0;
    for await (const chunk of source) {
      bytes += chunk.byteLength;
      if (bytes > bytesMax) throw new BlobTooLarge(`more than ${bytesMax} bytes`);
      digest.update(chunk);
      await file.writeFile(chunk);
    }
    await file.sync();
    return { hash: digest.digest('hex') as BlobHash, bytes };
  } finally {
    await file.close();
  }
}

async function synchronise(folder: string): Promise<void> {
  // Windows has no such call for folders.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
