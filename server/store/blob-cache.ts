import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobHash } from '../../shared/model.ts';

export interface HeldFile {
  readonly path: string;
  release(): void;
}

interface Entry {
  readonly bytes: number;
  /** Who reads it now. */
  holders: number;
}

/**
 * Copies of blobs that lie elsewhere, as files of this process. What was not used for the longest goes first when they are too many; what is held
 * stays, so the cap may be passed while much is in use. Empty after a start: nobody needs to believe what another process left.
 */
export class BlobCache {
  readonly #folder: string;
  readonly #bytesMax: number;
  /** A Map keeps the order of insertion: the first is the least recently used. */
  readonly #entries = new Map<BlobHash, Entry>();
  readonly #arriving = new Map<BlobHash, Promise<HeldFile>>();
  #bytes = 0;

  constructor(folder: string, bytesMax: number) {
    this.#folder = folder;
    this.#bytesMax = bytesMax;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A name for a file that is not finished. */
  newTemporary(): string {
    return join(this.#folder, `${randomUUID()}.new`);
  }

  /** Takes over a finished file, and holds it. */
  async keep(temporary: string, hash: BlobHash, bytes: number): Promise<HeldFile> {
    if (this.#entries.has(hash)) await rm(temporary, { force: true });
    else await rename(temporary, this.#path(hash));
    if (!this.#entries.has(hash)) {
      this.#entries.set(hash, { bytes, holders: 0 });
      this.#bytes += bytes;
    }
    const held = this.hold(hash)!;
    this.#trim();
    return held;
  }

  /** The file of a blob that is here, which stays until `release`. */
  hold(hash: BlobHash): HeldFile | undefined {
    const entry = this.#entries.get(hash);
    if (!entry) return undefined;
    this.#entries.delete(hash);
    this.#entries.set(hash, entry);
    entry.holders++;
    let isHeld = true;
    const release = (): void => {
      if (isHeld) entry.holders--;
      isHeld = false;
      this.#trim();
    };
    return { path: this.#path(hash), release };
  }

  /** Has it brought when it is not here, once for all who ask at a time. */
  async holdOrBring(hash: BlobHash, bring: () => Promise<HeldFile>): Promise<HeldFile> {
    for (;;) {
      const held = this.hold(hash);
      if (held) return held;
      const arriving = this.#arriving.get(hash);
      if (!arriving) {
        const brought = bring().finally(() => this.#arriving.delete(hash));
        this.#arriving.set(hash, brought);
        return brought;
      }
      // Whoever had it brought may have let it go again, when it is larger than the cap.
      await arriving;
    }
  }

  #path(hash: BlobHash): string {
    return join(this.#folder, hash);
  }

  #trim(): void {
    for (const [hash, { bytes, holders }] of this.#entries) {
      if (this.#bytes <= this.#bytesMax) return;
      if (holders > 0) continue;
      this.#entries.delete(hash);
      this.#bytes -= bytes;
      rmSync(this.#path(hash), { force: true });
    }
  }
}
