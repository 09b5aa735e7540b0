import { toHex } from '../../shared/formats.ts';
import { limits, MIB } from '../../shared/limits.ts';
import type { BlobHash } from '../../shared/model.ts';
import { type BlobInput, Refused } from './api.ts';
import { type Clock, jitteredMs } from './clock.ts';
import { wireBytes } from './connection.ts';

/** Inputs of a handful of large jobs. */
const CACHE_BYTES_MAX = 256 * MIB;
const CACHE_NAME = 'tessera-inputs-v1';
const RETRY_MS_FIRST = 500;
const RETRY_MS_MOST = 15_000;
/** A transfer that has not ended by then is taken for dead: 8 MiB at 1 Mbit/s take 67 s. */
const TRANSFER_MS_MAX = 120_000;

export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<BlobHash> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))) as BlobHash;
}

interface BlobCache {
  get(hash: BlobHash): Promise<Uint8Array<ArrayBuffer> | undefined>;
  put(hash: BlobHash, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** Drops the blobs that were not asked for the longest. */
export class MemoryCache implements BlobCache {
  readonly #blobs = new Map<BlobHash, Uint8Array<ArrayBuffer>>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  async get(hash: BlobHash): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = this.#blobs.get(hash);
    if (!bytes) return undefined;
    // A Map keeps the order of insertion: the first entry is always the least recently used one.
    this.#blobs.delete(hash);
    this.#blobs.set(hash, bytes);
    return bytes;
  }

  async put(hash: BlobHash, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (bytes.byteLength > this.#bytesMax || this.#blobs.has(hash)) return;
    this.#blobs.set(hash, bytes);
    this.#bytes += bytes.byteLength;
    for (const [old, held] of this.#blobs) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#blobs.delete(old);
      this.#bytes -= held.byteLength;
    }
  }
}

/** The browser's own store: survives a reload. The oldest entries go first. */
class BrowserCache implements BlobCache {
  readonly #cache: Cache;

  constructor(cache: Cache) {
    this.#cache = cache;
  }

  async get(hash: BlobHash): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const response = await this.#cache.match(`/blobs/${hash}`);
    return response && new Uint8Array(await response.arrayBuffer());
  }

  async put(hash: BlobHash, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#makeRoom(bytes.byteLength);
    await this.#cache.put(`/blobs/${hash}`, new Response(bytes, { headers: { 'content-length': String(bytes.byteLength) } }));
  }

  async #makeRoom(wantedBytes: number): Promise<void> {
    const entries = await Promise.all(
      (await this.#cache.keys()).map(async (request) => ({ request, bytes: Number((await this.#cache.match(request))?.headers.get('content-length') ?? 0) })),
    );
    let bytes = entries.reduce((sum, entry) => sum + entry.bytes, wantedBytes);
    for (const entry of entries) {
      if (bytes <= CACHE_BYTES_MAX) return;
      await this.#cache.delete(entry.request);
      bytes -= entry.bytes;
    }
  }
}

async function openCache(): Promise<BlobCache> {
  try {
    // Node has no `caches`; in a cross-site frame, or with storage switched off, `open` throws a SecurityError.
    if (typeof caches !== 'undefined') return new BrowserCache(await caches.open(CACHE_NAME));
  } catch {
    // The memory cache below does the same for as long as the engine lives.
  }
  return new MemoryCache(CACHE_BYTES_MAX);
}

/** Content-addressed bytes: inputs come from here, large results go there. Every transfer is retried until its signal aborts. */
export class Blobs {
  readonly #origin: string;
  readonly #clock: Clock;
  #cache: Promise<BlobCache> | null = null;

  constructor(origin: string, clock: Clock) {
    this.#origin = origin;
    this.#clock = clock;
  }

  /** Throws `Refused` when the coordinator has no such blob or bytes that do not match their hash. */
  async get({ hash, bytes: length }: BlobInput, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    this.#cache ??= openCache();
    const cache = await this.#cache;
    const cached = await cache.get(hash).catch(() => undefined);
    // What a browser stored may have been damaged or changed: the hash decides, not the place.
    if (cached && (await sha256(cached)) === hash) return cached;
    const fetched = await this.#retried(signal, async (once) => {
      const response = await this.#answer(await fetch(`${this.#origin}/blobs/${hash}`, { signal: once }));
      return new Uint8Array(await response.arrayBuffer());
    });
    if (fetched.byteLength !== length || (await sha256(fetched)) !== hash) throw new Refused('conflict', `input ${hash.slice(0, 12)} arrived damaged`);
    // A full disk or a revoked permission only costs the next download.
    await cache.put(hash, fetched).catch(() => undefined);
    return fetched;
  }

  /** Bytes as a message carries them: themselves when they are small, otherwise null once they are stored under their hash. Throws like `put`. */
  async attach(hash: BlobHash, bytes: Uint8Array<ArrayBuffer>, token: string, signal: AbortSignal): Promise<Uint8Array | null> {
    if (bytes.byteLength <= limits.inlineResultBytesMax) return wireBytes(bytes);
    await this.put(hash, bytes, token, signal);
    return null;
  }

  /** Stores a result or an opening; the lease's token is the permission. Throws `Refused` when the coordinator will not have it. */
  async put(hash: BlobHash, bytes: Uint8Array<ArrayBuffer>, token: string, signal: AbortSignal): Promise<void> {
    if (bytes.byteLength > limits.resultBytesMax) throw new Refused('too_large', `a result of ${bytes.byteLength} bytes, ${limits.resultBytesMax} are allowed`);
    const headers = { authorization: `Lease ${token}`, 'content-type': 'application/octet-stream' };
    await this.#retried(signal, async (once) =>
      this.#answer(await fetch(`${this.#origin}/blobs/${hash}`, { method: 'PUT', headers, body: bytes, signal: once })),
    );
  }

  /** 4xx but for 408 and 429 will not change by asking again. */
  async #answer(response: Response): Promise<Response> {
    if (response.ok) return response;
    const message = `${response.status} ${(await response.text()).slice(0, 200)}`;
    if (response.status < 500 && response.status !== 408 && response.status !== 429)
      throw new Refused(response.status === 404 ? 'not_found' : 'forbidden', message);
    throw new Error(message);
  }

  async #retried<T>(signal: AbortSignal, attempt: (once: AbortSignal) => Promise<T>): Promise<T> {
    for (let attempts = 0; ; attempts++) {
      signal.throwIfAborted();
      try {
        return await attempt(AbortSignal.any([signal, AbortSignal.timeout(TRANSFER_MS_MAX)]));
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Refused) throw error;
        await this.#clock.sleep(jitteredMs(attempts, RETRY_MS_FIRST, RETRY_MS_MOST), signal);
      }
    }
  }
}
