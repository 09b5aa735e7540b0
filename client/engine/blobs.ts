import { toHex } from '../../shared/formats.ts';
import { limits, MIB } from '../../shared/limits.ts';
import type { BlobHash } from '../../shared/model.ts';
import { type BlobInput, Refused } from './api.ts';
import { type Clock, jitteredMs } from './clock.ts';
import { wireBytes } from './connection.ts';

/** What a browser keeps on its disk, at least: inputs of a handful of large jobs. With a larger cap, what one job may have and as much again as small ones have. */
const DISK_BYTES_MIN = 512 * MIB;
const DISK_BYTES_BESIDE = 64 * MIB;
/** Where nothing else is to be had: of memory. A larger input is fetched again when its job comes back. */
const MEMORY_BYTES_MAX = 512 * MIB;
const CACHE_NAME = 'tessera-inputs-v1';
/** Bytes handed to the browser's store at a time: it would make a copy of whatever it gets. */
const STORED_BYTES = 4 * MIB;
const RETRY_MS_FIRST = 500;
const RETRY_MS_MOST = 15_000;
/** An upload that has not ended by then is taken for dead: 8 MiB at 1 Mbit/s take 67 s. Nobody tells how far it is. */
const UPLOAD_MS_MAX = 120_000;

export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<BlobHash> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))) as BlobHash;
}

interface BlobCache {
  /** From the next `put` on. */
  bytesMax: number;
  get(hash: BlobHash): Promise<Uint8Array<ArrayBuffer> | undefined>;
  put(hash: BlobHash, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** Drops the blobs that were not asked for the longest. */
export class MemoryCache implements BlobCache {
  readonly #blobs = new Map<BlobHash, Uint8Array<ArrayBuffer>>();
  #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytesMax(): number {
    return this.#bytesMax;
  }

  set bytesMax(bytes: number) {
    this.#bytesMax = bytes;
    this.#trim();
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
    this.#trim();
  }

  #trim(): void {
    for (const [old, held] of this.#blobs) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#blobs.delete(old);
      this.#bytes -= held.byteLength;
    }
  }
}

/** The browser's own store: survives a reload. The oldest entries go first. */
class BrowserCache implements BlobCache {
  bytesMax: number;
  readonly #cache: Cache;

  constructor(cache: Cache, bytesMax: number) {
    this.#cache = cache;
    this.bytesMax = bytesMax;
  }

  async get(hash: BlobHash): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const response = await this.#cache.match(`/blobs/${hash}`);
    return response && new Uint8Array(await response.arrayBuffer());
  }

  async put(hash: BlobHash, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (bytes.byteLength > this.bytesMax) return;
    await this.#makeRoom(bytes.byteLength);
    await this.#cache.put(`/blobs/${hash}`, new Response(piecesOf(bytes), { headers: { 'content-length': String(bytes.byteLength) } }));
  }

  async #makeRoom(wantedBytes: number): Promise<void> {
    const entries = await Promise.all(
      (await this.#cache.keys()).map(async (request) => ({ request, bytes: Number((await this.#cache.match(request))?.headers.get('content-length') ?? 0) })),
    );
    let bytes = entries.reduce((sum, entry) => sum + entry.bytes, wantedBytes);
    for (const entry of entries) {
      if (bytes <= this.bytesMax) return;
      await this.#cache.delete(entry.request);
      bytes -= entry.bytes;
    }
  }
}

function piecesOf(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at < bytes.byteLength) controller.enqueue(bytes.slice(at, at + STORED_BYTES));
      else controller.close();
      at += STORED_BYTES;
    },
  });
}

const diskBytes = (inputsMax: number): number => Math.max(DISK_BYTES_MIN, inputsMax + DISK_BYTES_BESIDE);
const memoryBytes = (inputsMax: number): number => Math.min(MEMORY_BYTES_MAX, inputsMax);

async function openCache(inputsMax: number): Promise<BlobCache> {
  try {
    // Node has no `caches`; in a cross-site frame, or with storage switched off, `open` throws a SecurityError.
    if (typeof caches !== 'undefined') return new BrowserCache(await caches.open(CACHE_NAME), diskBytes(inputsMax));
  } catch {
    // The memory cache below does the same for as long as the engine lives.
  }
  return new MemoryCache(memoryBytes(inputsMax));
}

export interface BlobLimits {
  /** Bytes of the inputs of one job; the caches are made for it. */
  readonly inputsMax: number;
  /** A download that brings nothing for so long is taken for dead, and goes on from where it was. */
  readonly stallMs: number;
}

const usual: BlobLimits = { inputsMax: limits.downloadBytesDefault, stallMs: limits.downloadStallMsMax };

const damaged = (hash: BlobHash): Refused => new Refused('conflict', `input ${hash.slice(0, 12)} arrived damaged`);

/** Content-addressed bytes: inputs come from here, large results go there. Every transfer is retried until its signal aborts. */
export class Blobs {
  readonly #origin: string;
  readonly #clock: Clock;
  readonly #stallMs: number;
  #inputsMax: number;
  #cache: Promise<BlobCache> | null = null;

  constructor(origin: string, clock: Clock, { inputsMax, stallMs }: BlobLimits = usual) {
    this.#origin = origin;
    this.#clock = clock;
    this.#stallMs = stallMs;
    this.#inputsMax = inputsMax;
  }

  /** Lets go at once of what a lower cap leaves no room for in memory. */
  async setInputsMax(bytes: number): Promise<void> {
    this.#inputsMax = bytes;
    const cache = await this.#cache;
    if (cache) cache.bytesMax = cache instanceof MemoryCache ? memoryBytes(bytes) : diskBytes(bytes);
  }

  /** Throws `Refused` when the coordinator has no such blob or bytes that do not match their hash. */
  async get({ hash, bytes: length }: BlobInput, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    this.#cache ??= openCache(this.#inputsMax);
    const cache = await this.#cache;
    const cached = await cache.get(hash).catch(() => undefined);
    // What a browser stored may have been damaged or changed: the hash decides, not the place.
    if (cached?.byteLength === length && (await sha256(cached)) === hash) return cached;
    const fetched = await this.#download(hash, length, signal);
    if ((await sha256(fetched)) !== hash) throw damaged(hash);
    // A full disk or a revoked permission only costs the next download.
    await cache.put(hash, fetched).catch(() => undefined);
    return fetched;
  }

  /** All of it in one piece of memory, made beforehand. What breaks off, or stands still, goes on from where it was. */
  async #download(hash: BlobHash, length: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const into = new Uint8Array(length);
    let at = 0;
    for (let failures = 0; ; failures++) {
      signal.throwIfAborted();
      const before = at;
      const stall = new AbortController();
      const stalled = (): void => stall.abort(new Error('the download stands still'));
      let timer = setTimeout(stalled, this.#stallMs);
      try {
        for await (const { bytes, from } of this.#piecesFrom(hash, at, length, AbortSignal.any([signal, stall.signal]))) {
          if (from + bytes.byteLength > length) throw damaged(hash);
          into.set(bytes, from);
          at = from + bytes.byteLength;
          clearTimeout(timer);
          timer = setTimeout(stalled, this.#stallMs);
        }
        if (at === length) return into;
        throw damaged(hash);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Refused) throw error;
      } finally {
        clearTimeout(timer);
      }
      if (at > before) failures = 0;
      await this.#clock.sleep(jitteredMs(failures, RETRY_MS_FIRST, RETRY_MS_MOST), signal);
    }
  }

  /** Pieces from there on, or from the beginning where the coordinator gives no less. */
  async *#piecesFrom(hash: BlobHash, at: number, length: number, signal: AbortSignal): AsyncGenerator<{ readonly bytes: Uint8Array; readonly from: number }> {
    const headers: Record<string, string> = at > 0 ? { range: `bytes=${at}-` } : {};
    const response = await this.#answer(await fetch(`${this.#origin}/blobs/${hash}`, { headers, signal }));
    let from = response.status === 206 ? at : 0;
    if (response.status === 206 && response.headers.get('content-range') !== `bytes ${at}-${length - 1}/${length}`) throw damaged(hash);
    const reader = response.body?.getReader();
    if (!reader) throw new Error('the answer has no body');
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      yield { bytes: next.value, from };
      from += next.value.byteLength;
    }
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
        return await attempt(AbortSignal.any([signal, AbortSignal.timeout(UPLOAD_MS_MAX)]));
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Refused) throw error;
        await this.#clock.sleep(jitteredMs(attempts, RETRY_MS_FIRST, RETRY_MS_MOST), signal);
      }
    }
  }
}
