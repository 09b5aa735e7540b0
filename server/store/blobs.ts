import { randomUUID } from 'node:crypto';
import { createReadStream, linkSync, mkdirSync, renameSync, statSync, unlinkSync, utimesSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BlobHash } from '../../shared/model.ts';
import { assertBlobHash, BlobBanned, type BlobOptions, type BlobStore, type HeldBlobs } from './blob-store.ts';
import { isMissing, removeLeftovers, synchronise, writeHashed } from './hashed-file.ts';

/** Files that are still being written, or looked at before they go, lie here, apart from the finished ones. */
const TEMPORARY = 'tmp';

/**
 * Bytes in files named by their SHA-256, `ab/abcdef…`, below `folder`, which several processes may share, on one machine or on several. Leftovers
 * of interrupted writes are removed once nobody has written to them for an hour. What is banned is neither taken nor given. A file's
 * modification time says when it was put or touched last.
 */
export function openBlobStore(folder: string, { clock = Date.now, isBanned = () => false }: BlobOptions = {}): BlobStore {
  const temporary = join(folder, TEMPORARY);
  mkdirSync(temporary, { recursive: true, mode: 0o700 });
  removeLeftovers(temporary);
  return new FileBlobs(folder, { clock, isBanned });
}

class FileBlobs implements BlobStore {
  readonly #folder: string;
  readonly #clock: () => number;
  readonly #isBanned: (hash: BlobHash) => boolean;

  constructor(folder: string, { clock, isBanned }: Required<BlobOptions>) {
    this.#folder = folder;
    this.#clock = clock;
    this.#isBanned = isBanned;
  }

  #path(hash: BlobHash): string {
    assertBlobHash(hash);
    return join(this.#folder, hash.slice(0, 2), hash);
  }

  #newTemporary(): string {
    return join(this.#folder, TEMPORARY, randomUUID());
  }

  async put(
    source: AsyncIterable<Uint8Array>,
    options: { readonly bytesMax: number; readonly expected?: BlobHash },
  ): Promise<{ hash: BlobHash; bytes: number }> {
    const temporary = this.#newTemporary();
    try {
      const { hash, bytes } = await writeHashed(source, temporary, options);
      if (this.#isBanned(hash)) throw new BlobBanned(hash);
      await this.#keep(temporary, hash);
      return { hash, bytes };
    } finally {
      await rm(temporary, { force: true });
    }
  }

  /** A rename is atomic; once the folders are synchronised it survives a loss of power too. */
  async #keep(temporary: string, hash: BlobHash): Promise<void> {
    const path = this.#path(hash);
    const place = dirname(path);
    if (await mkdir(place, { recursive: true, mode: 0o700 })) await synchronise(this.#folder);
    // In one turn, so that no removal of this process comes between: what is here is new again, or else this is it.
    if (!this.#touch(hash)) {
      const nowSeconds = this.#clock() / 1000;
      utimesSync(temporary, nowSeconds, nowSeconds);
      renameSync(temporary, path);
    }
    // Also for a blob that exists: whoever wrote it may not have come this far yet.
    await synchronise(place);
  }

  async get(hash: BlobHash): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#isBanned(hash)) return undefined;
    try {
      // A Buffer of a whole file has its memory to itself; a plain view of it can be transferred to a worker thread.
      const bytes = await readFile(this.#path(hash));
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async size(hash: BlobHash): Promise<number | undefined> {
    if (this.#isBanned(hash)) return undefined;
    try {
      return (await stat(this.#path(hash))).size;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async hold(hashes: readonly BlobHash[]): Promise<HeldBlobs> {
    return { paths: hashes.map((hash) => this.#path(hash)), release: () => undefined };
  }

  async address(): Promise<null> {
    return null;
  }

  async touch(hash: BlobHash): Promise<boolean> {
    return this.#touch(hash);
  }

  #touch(hash: BlobHash): boolean {
    const nowSeconds = this.#clock() / 1000;
    return unlessMissing(() => {
      utimesSync(this.#path(hash), nowSeconds, nowSeconds);
      return true;
    });
  }

  /**
   * Another process may touch it between a look and the removal, so it is looked at again where nobody can find it any more. One that was
   * touched comes back, unless its bytes were put anew meanwhile.
   */
  async remove(hash: BlobHash, untouchedSinceMs: number): Promise<boolean> {
    const path = this.#path(hash);
    const aside = this.#newTemporary();
    return unlessMissing(() => {
      if (touchedMs(statSync(path)) > untouchedSinceMs) return false;
      renameSync(path, aside);
      const isWanted = touchedMs(statSync(aside)) > untouchedSinceMs;
      if (isWanted) linkUnlessThere(aside, path);
      unlinkSync(aside);
      return !isWanted;
    });
  }

  async *untouched(sinceMs: number): AsyncGenerator<BlobHash[]> {
    removeLeftovers(join(this.#folder, TEMPORARY));
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

  async stream(hash: BlobHash, from = 0): Promise<NodeJS.ReadableStream> {
    return createReadStream(this.#path(hash), { start: from });
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

function linkUnlessThere(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
