import type { BlobHash } from '../../shared/model.ts';

/** Content-addressed bytes on disk. */
export interface BlobStore {
  /** Streams to a temporary file while hashing; fsyncs, then renames. Throws `BlobTooLarge`, or `BlobMismatch` when `expected` is given and wrong. */
  put(source: AsyncIterable<Uint8Array>, options: { readonly bytesMax: number; readonly expected?: BlobHash }): Promise<{ hash: BlobHash; bytes: number }>;
  get(hash: BlobHash): Promise<Uint8Array<ArrayBuffer> | undefined>;
  size(hash: BlobHash): Promise<number | undefined>;
  /** From that byte on, 0 when it is left out. */
  stream(hash: BlobHash, from?: number): NodeJS.ReadableStream;
  /** Where worker threads read it. */
  path(hash: BlobHash): string;
  /** Counts as put now: whoever begins to rely on a blob says so before anybody else can remove it. False when it is not here. */
  touch(hash: BlobHash): boolean;
  /** Deletes a blob that was neither put nor touched after this moment. False when it was, or is not here. */
  remove(hash: BlobHash, untouchedSinceMs: number): boolean;
  /** All blobs that were neither put nor touched after this moment, in bunches. */
  untouched(sinceMs: number): AsyncIterable<BlobHash[]>;
}

export class BlobTooLarge extends Error {
  override readonly name = 'BlobTooLarge';
}

export class BlobMismatch extends Error {
  override readonly name = 'BlobMismatch';
}
