import { randomUUID } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { MIB } from '../../shared/limits.ts';
import type { BlobHash } from '../../shared/model.ts';
import type { S3Config } from '../config.ts';
import { BlobCache, type HeldFile } from './blob-cache.ts';
import {
  assertBlobHash,
  type BlobAddress,
  BlobBanned,
  BlobMismatch,
  type BlobOptions,
  type BlobStore,
  BlobsUnavailable,
  type HeldBlobs,
} from './blob-store.ts';
import { writeHashed } from './hashed-file.ts';
import { REQUEST_MS_MAX, S3Client, type S3ClientOptions } from './s3-client.ts';

/** What S3 takes in one piece. */
const OBJECT_BYTES_MAX = 5 * 1024 * MIB;
/** A removal that began so long ago was given up by who died over it; one under way is over long before. */
const REMOVAL_MS_MAX = 3 * REQUEST_MS_MAX;
const REMOVAL_POLL_MS = 200;
/** Times that somebody else's removal may come between. */
const REMOVALS_MAX = 10;
/** When the store breaks off, or gives other bytes than were put there, it is asked once more. */
const DOWNLOADS_MAX = 2;
const LIST_MAX = 1000;

const objectKey = (hash: BlobHash): string => `blobs/${hash}`;
/** Below it each removal has its own, which names when it began. */
const removalPrefix = (hash: BlobHash): string => `removing/${hash}/`;

/** What we say of an object: its bytes, so that a half of one is known for that wherever stores are less careful than S3, and our own time. */
const TOUCHED = 'x-amz-meta-touched-ms';
const BYTES = 'x-amz-meta-bytes';

interface Found {
  readonly bytes: number;
  readonly touchedMs: number;
}

export interface S3Options extends BlobOptions, S3ClientOptions {
  /** For what is on its way, and for copies; of this process alone. */
  readonly cacheFolder: string;
}

/** Throws a plain sentence when the store refuses us or has no such bucket. When it does not answer, it may later. */
export async function openS3Blobs(config: S3Config, { cacheFolder, clock = Date.now, isBanned = () => false, ...options }: S3Options): Promise<BlobStore> {
  const client = new S3Client(config, options);
  const store = new S3Blobs(client, new BlobCache(cacheFolder, config.cacheBytesMax), { clock, isBanned });
  await client.send({ method: 'GET', key: '', query: { 'list-type': '2', 'max-keys': '1' } }).then(
    async (response) => {
      await response.body?.cancel();
      if (!response.ok) throw new Error(`There is no bucket ${config.bucket} at ${config.endpoint}. Make it first, or correct S3_BUCKET.`);
    },
    (error: unknown) => {
      const cause = String((error as Error).cause);
      if (/status 4/.test(cause)) throw new Error(`The store at ${config.endpoint} refuses the bucket ${config.bucket}: ${cause}. Correct the settings S3_*.`);
    },
  );
  return store;
}

/**
 * Blobs as objects of an S3-compatible store, `blobs/<SHA-256>`. Whatever is put is hashed on its way into a local file first, whatever is read to
 * be computed with on its way into another; who gets it through us knows its hash and looks himself.
 *
 * An S3 store has no transactions. Whoever removes an object first says so in another, `removing/<SHA-256>/…`, and then looks whether it was touched;
 * whoever puts or touches it looks afterwards whether somebody removes it, waits, and begins anew. One of the two sees the other, as the store
 * shows what was written before.
 */
class S3Blobs implements BlobStore {
  readonly #client: S3Client;
  readonly #cache: BlobCache;
  readonly #clock: () => number;
  readonly #isBanned: (hash: BlobHash) => boolean;

  constructor(client: S3Client, cache: BlobCache, { clock, isBanned }: Required<BlobOptions>) {
    this.#client = client;
    this.#cache = cache;
    this.#clock = clock;
    this.#isBanned = isBanned;
  }

  async put(
    source: AsyncIterable<Uint8Array>,
    { bytesMax, expected }: { readonly bytesMax: number; readonly expected?: BlobHash },
  ): Promise<{ hash: BlobHash; bytes: number }> {
    const temporary = this.#cache.newTemporary();
    try {
      const { hash, bytes } = await writeHashed(source, temporary, { bytesMax: Math.min(bytesMax, OBJECT_BYTES_MAX), expected });
      if (this.#isBanned(hash)) throw new BlobBanned(hash);
      await this.#unlessRemoved(hash, async () => {
        await this.#upload(temporary, hash, bytes);
        return true;
      });
      // Results are read again at once, to be checked.
      (await this.#cache.keep(temporary, hash, bytes)).release();
      return { hash, bytes };
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async #upload(path: string, hash: BlobHash, bytes: number): Promise<void> {
    const headers = {
      // Stores that check it refuse other bytes.
      'x-amz-content-sha256': hash,
      'content-type': 'application/octet-stream',
      'cache-control': 'public, max-age=31536000, immutable',
      [BYTES]: String(bytes),
      [TOUCHED]: String(this.#clock()),
    };
    await this.#written({ method: 'PUT', key: objectKey(hash), headers, body: await openAsBlob(path) });
  }

  /** False: there was no such bucket or object. */
  async #written(request: Parameters<S3Client['send']>[0]): Promise<boolean> {
    const response = await this.#client.send(request);
    const text = await textOf(response);
    // A copy that fails half-way has begun to answer already.
    if (response.ok && /<Error>/.test(text)) throw new BlobsUnavailable('The store of files could not do this; try again.', { cause: text.slice(0, 200) });
    if (!response.ok && request.method === 'PUT' && request.headers?.['x-amz-copy-source'] === undefined)
      throw new BlobsUnavailable('The store of files has lost its bucket; tell the operator.');
    return response.ok;
  }

  async #find(key: string): Promise<Found | undefined> {
    const { ok, headers } = await this.#client.send({ method: 'HEAD', key });
    const bytes = Number(headers.get('content-length'));
    if (!ok || headers.get(BYTES) !== String(bytes)) return undefined;
    return { bytes, touchedMs: Number(headers.get(TOUCHED)) };
  }

  /** Does it again until nobody was removing it meanwhile. */
  async #unlessRemoved(hash: BlobHash, act: () => Promise<boolean>): Promise<boolean> {
    for (let times = 0; times < REMOVALS_MAX; times++) {
      const done = await act();
      if (!(await this.#awaitRemoval(hash))) return done;
    }
    throw new BlobsUnavailable('This file is being removed; try again.');
  }

  /** Whether there was one to wait for. */
  async #awaitRemoval(hash: BlobHash): Promise<boolean> {
    for (let wasThere = false; ; wasThere = true) {
      const { objects } = await this.#list(removalPrefix(hash));
      if (objects.length === 0) return wasThere;
      const dead = objects.filter(({ key }) => Number(key.slice(removalPrefix(hash).length).split('-')[0]) < this.#clock() - REMOVAL_MS_MAX);
      for (const { key } of dead) await this.#written({ method: 'DELETE', key });
      if (dead.length < objects.length) await sleep(REMOVAL_POLL_MS);
    }
  }

  async get(hash: BlobHash): Promise<Uint8Array<ArrayBuffer> | undefined> {
    assertBlobHash(hash);
    if (this.#isBanned(hash)) return undefined;
    const held = await this.#hold(hash);
    if (!held) return undefined;
    try {
      const bytes = await readFile(held.path);
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    } finally {
      held.release();
    }
  }

  async #hold(hash: BlobHash): Promise<HeldFile | undefined> {
    return this.#cache
      .holdOrBring(hash, () => this.#download(hash))
      .catch((error: unknown) => {
        if (error instanceof NotThere) return undefined;
        throw error;
      });
  }

  async #download(hash: BlobHash): Promise<HeldFile> {
    for (let times = 1; ; times++) {
      const response = await this.#client.send({ method: 'GET', key: objectKey(hash) });
      if (!response.ok) {
        await response.body?.cancel();
        throw new NotThere(hash);
      }
      const temporary = this.#cache.newTemporary();
      try {
        const { bytes } = await writeHashed(this.#client.bytesOf(response), temporary, { bytesMax: OBJECT_BYTES_MAX, expected: hash });
        return await this.#cache.keep(temporary, hash, bytes);
      } catch (error) {
        await rm(temporary, { force: true });
        if (times < DOWNLOADS_MAX && (error instanceof BlobMismatch || error instanceof BlobsUnavailable)) continue;
        throw error instanceof BlobMismatch ? new BlobsUnavailable('The store of files gives other bytes than were put there.', { cause: error }) : error;
      }
    }
  }

  async hold(hashes: readonly BlobHash[]): Promise<HeldBlobs> {
    const held: HeldFile[] = [];
    const release = (): void => {
      for (const file of held) file.release();
    };
    try {
      for (const hash of hashes) {
        assertBlobHash(hash);
        const file = await this.#hold(hash);
        if (!file) throw new Error(`the blob ${hash} is gone`);
        held.push(file);
      }
    } catch (error) {
      release();
      throw error;
    }
    return { paths: held.map(({ path }) => path), release };
  }

  /** Asked of the store each time: what was removed by another coordinator is gone, though a copy may be here. */
  async size(hash: BlobHash): Promise<number | undefined> {
    assertBlobHash(hash);
    return this.#isBanned(hash) ? undefined : (await this.#find(objectKey(hash)))?.bytes;
  }

  async stream(hash: BlobHash, from = 0): Promise<NodeJS.ReadableStream> {
    assertBlobHash(hash);
    const headers: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
    const response = await this.#client.send({ method: 'GET', key: objectKey(hash), headers });
    if (!response.ok || (from > 0 && response.status !== 206)) {
      await response.body?.cancel();
      throw response.ok ? new BlobsUnavailable('The store of files gives no ranges.') : new NotThere(hash);
    }
    return Readable.from(this.#client.bytesOf(response), { objectMode: false });
  }

  address(hash: BlobHash): Promise<BlobAddress | null> {
    assertBlobHash(hash);
    return this.#client.address(objectKey(hash), this.#clock());
  }

  async touch(hash: BlobHash): Promise<boolean> {
    assertBlobHash(hash);
    return this.#unlessRemoved(hash, async () => {
      const found = await this.#find(objectKey(hash));
      // Its bytes stay where they are: a copy onto itself changes what is said of it.
      return found !== undefined && this.#copyOntoItself(hash, found.bytes);
    });
  }

  #copyOntoItself(hash: BlobHash, bytes: number): Promise<boolean> {
    const headers = {
      'x-amz-copy-source': `/${this.#client.bucket}/${objectKey(hash)}`,
      'x-amz-metadata-directive': 'REPLACE',
      'content-type': 'application/octet-stream',
      'cache-control': 'public, max-age=31536000, immutable',
      [BYTES]: String(bytes),
      [TOUCHED]: String(this.#clock()),
    };
    return this.#written({ method: 'PUT', key: objectKey(hash), headers });
  }

  async remove(hash: BlobHash, untouchedSinceMs: number): Promise<boolean> {
    assertBlobHash(hash);
    const isOld = async (): Promise<boolean> => ((await this.#find(objectKey(hash)))?.touchedMs ?? Number.POSITIVE_INFINITY) <= untouchedSinceMs;
    if (!(await isOld())) return false;
    const began = this.#clock();
    const key = `${removalPrefix(hash)}${began}-${randomUUID()}`;
    await this.#written({ method: 'PUT', key, body: new Blob([]) });
    try {
      // Whoever takes us for dead may rely on it again.
      if (!(await isOld()) || this.#clock() - began > REMOVAL_MS_MAX - REQUEST_MS_MAX) return false;
      return await this.#written({ method: 'DELETE', key: objectKey(hash) });
    } finally {
      await this.#written({ method: 'DELETE', key });
    }
  }

  /** By the store's own time, which a touch moves on in most of them; `remove` goes by ours. */
  async *untouched(sinceMs: number): AsyncGenerator<BlobHash[]> {
    for (let after = ''; ; ) {
      const { objects, isWhole } = await this.#list('blobs/', after);
      const old = objects.filter(({ key, modifiedMs }) => /^blobs\/[0-9a-f]{64}$/.test(key) && modifiedMs <= sinceMs);
      if (old.length > 0) yield old.map(({ key }) => key.slice('blobs/'.length) as BlobHash);
      if (isWhole || objects.length === 0) return;
      after = objects.at(-1)!.key;
    }
  }

  /** In the order of their keys, which have nothing in them that XML would write otherwise. */
  async #list(prefix: string, after = ''): Promise<{ objects: { key: string; modifiedMs: number }[]; isWhole: boolean }> {
    const query = { 'list-type': '2', prefix, 'max-keys': String(LIST_MAX), ...(after === '' ? {} : { 'start-after': after }) };
    const xml = await textOf(await this.#client.send({ method: 'GET', key: '', query }));
    const objects = [...xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)].map(([, each = '']) => ({
      key: /<Key>([^<]*)<\/Key>/.exec(each)?.[1] ?? '',
      modifiedMs: Date.parse(/<LastModified>([^<]*)<\/LastModified>/.exec(each)?.[1] ?? ''),
    }));
    return { objects, isWhole: !/<IsTruncated>true<\/IsTruncated>/.test(xml) };
  }
}

const textOf = (response: Response): Promise<string> =>
  response.text().catch((error: unknown) => {
    throw new BlobsUnavailable('The store of files broke off; try again.', { cause: error });
  });

class NotThere extends Error {
  override readonly name = 'NotThere';

  constructor(hash: BlobHash) {
    super(`there is no blob ${hash}`);
  }
}
