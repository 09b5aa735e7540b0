import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, mkdirSync, readdirSync, renameSync, rmSync, statSync, unlinkSync, utimesSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BlobHash } from '../../shared/model.ts';
import { BlobMismatch, type BlobStore, BlobTooLarge } from './blob-store.ts';

/** The operator refuses these bytes. */
export class BlobBanned extends Error {
  override readonly name = 'BlobBanned';
}

interface BlobOptions {
  readonly clock?: () => number;
  readonly isBanned?: (hash: BlobHash) => boolean;
}

/** Files that are still being written lie here, apart from the finished ones. */
const TEMPORARY = 'tmp';

/**
 * Bytes in files named by their SHA-256, `ab/abcdef…`, below `folder`. Leftovers of interrupted writes are removed at once,
 * so the folder must belong to this process alone (the database beside it sees to that). What is banned is neither taken nor given. A file's
 * modification time says when it was put or touched last.
 */
export function openBlobStore(folder: string, { clock = Date.now, isBanned = () => false }: BlobOptions = {}): BlobStore {
  const temporary = join(folder, TEMPORARY);
  mkdirSync(temporary, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(temporary)) rmSync(join(temporary, name), { recursive: true, force: true });
  return new FileBlobs(folder, { clock, isBanned });
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

class FileBlobs implements BlobStore {
  readonly #folder: string;
  readonly #clock: () => number;
  readonly #isBanned: (hash: BlobHash) => boolean;

  constructor(folder: string, { clock, isBanned }: Required<BlobOptions>) {
    this.#folder = folder;
    this.#clock = clock;
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
    // In one turn, so that no removal comes between: what is here is new again, or else this is it.
    if (!this.touch(hash)) {
      renameSync(temporary, path);
      this.touch(hash);
    }
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

  touch(hash: BlobHash): boolean {
    const nowSeconds = this.#clock() / 1000;
    return unlessMissing(() => {
      utimesSync(this.path(hash), nowSeconds, nowSeconds);
      return true;
    });
  }

  remove(hash: BlobHash, untouchedSinceMs: number): boolean {
    const path = this.path(hash);
    return unlessMissing(() => {
      if (touchedMs(statSync(path)) > untouchedSinceMs) return false;
      unlinkSync(path);
      return true;
    });
  }

  async *untouched(sinceMs: number): AsyncGenerator<BlobHash[]> {
    for (const name of await readdir(this.#folder)) {
      if (!/^[0-9a-f]{2}$/.test(name)) continue;
      const old: BlobHash[] = [];
      for (const hash of await readdir(join(this.#folder, name))) {
        const found = await stat(join(this.#folder, name, hash)).catch(() => undefined);
        if (found && touchedMs(found) <= sinceMs && /^[0-9a-f]{64}$/.test(hash)) old.push(hash as BlobHash);
      }
      if (old.length > 0) yield old;
    }
  }

  stream(hash: BlobHash, from = 0): NodeJS.ReadableStream {
    return createReadStream(this.path(hash), { start: from });
  }
}

/** Seconds with a fraction do not come back exactly. */
const touchedMs = ({ mtimeMs }: { readonly mtimeMs: number }): number => Math.round(mtimeMs);

/** What `act` returns; false when there is no such file. */
function unlessMissing(act: () => boolean): boolean {
  try {
    return act();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
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

export async function synchronise(folder: string): Promise<void> {
  // Windows has no such call for folders.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
