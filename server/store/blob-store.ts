import type { BlobHash } from '../../shared/model.ts';

/** Content-addressed bytes, in a folder or in an S3 store. What cannot be told because the store is away rejects with `BlobsUnavailable`. */
export interface BlobStore {
  /** Streams to a temporary file while hashing; nothing is there under its hash before all of it is. Throws `BlobTooLarge`, or `BlobMismatch` when `expected` is given and wrong. */
  put(source: AsyncIterable<Uint8Array>, options: { readonly bytesMax: number; readonly expected?: BlobHash }): Promise<{ hash: BlobHash; bytes: number }>;
  get(hash: BlobHash): Promise<Uint8Array<ArrayBuffer> | undefined>;
  size(hash: BlobHash): Promise<number | undefined>;
  /** From that byte on, 0 when it is left out. Rejects when it is not here. */
  stream(hash: BlobHash, from?: number): Promise<NodeJS.ReadableStream>;
  /** An address where anybody may read it for some minutes without us; null where there is none. */
  address(hash: BlobHash): Promise<BlobAddress | null>;
  /** Files of this machine that worker threads may read until `release` is called. Rejects when one is not here. */
  hold(hashes: readonly BlobHash[]): Promise<HeldBlobs>;
  /** Counts as put now: whoever begins to rely on a blob says so before anybody else can remove it. False when it is not here. */
  touch(hash: BlobHash): Promise<boolean>;
  /** Deletes a blob that was neither put nor touched after this moment. False when it was, or is not here. */
  remove(hash: BlobHash, untouchedSinceMs: number): Promise<boolean>;
  /** At least all blobs that were neither put nor touched after this moment, in bunches; `remove` knows it of each. */
  untouched(sinceMs: number): AsyncIterable<BlobHash[]>;
}

export interface HeldBlobs {
  /** In the order of the hashes. */
  readonly paths: readonly string[];
  release(): void;
}

export interface BlobAddress {
  readonly url: string;
  /** It can be used for so long at least. */
  readonly seconds: number;
}

export interface BlobOptions {
  readonly clock?: () => number;
  readonly isBanned?: (hash: BlobHash) => boolean;
}

export class BlobTooLarge extends Error {
  override readonly name = 'BlobTooLarge';
}

export class BlobMismatch extends Error {
  override readonly name = 'BlobMismatch';
}

/** The operator refuses these bytes. */
export class BlobBanned extends Error {
  override readonly name = 'BlobBanned';
}

/** The store of blobs does not answer, or not as it should: trying again helps once it is back. */
export class BlobsUnavailable extends Error {
  override readonly name = 'BlobsUnavailable';
}

/** Whether the disk, or what the process may have of it, is used up. */
export const isDiskFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException | null)?.code ?? '');

/** Whether trying again later may help: nothing is wrong with the bytes, but with the place. */
export const isPassing = (error: unknown): boolean => error instanceof BlobsUnavailable || isDiskFull(error);

export function assertBlobHash(hash: string): void {
  if (!/^[0-9a-f]{64}$/.test(hash)) throw new RangeError(`not a blob hash: ${JSON.stringify(hash).slice(0, 80)}`);
}
