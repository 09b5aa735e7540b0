import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { copyFile, type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { DAY_MS, HOUR_MS, limits, MIB } from '../shared/limits.ts';
import type { BlobHash, OwnerId } from '../shared/model.ts';
import { blobHash } from '../shared/schemas.ts';
import { type FileLock, takeLock } from './file-lock.ts';
import { newUploadId } from './ids.ts';
import { BlobBanned, BlobMismatch, type BlobStore } from './store/blob-store.ts';
import { isMissing, synchronise, TEMPORARY_MS_MAX } from './store/hashed-file.ts';

/** How long an upload may rest before it is removed. */
export const UPLOAD_MS_MAX = DAY_MS;
/** So much is sent again at most after a loss of power. */
const DURABLE_EVERY_BYTES = 4 * MIB;
const SWEEP_EVERY_MS = HOUR_MS;

/** An upload as its file of particulars says. Whose it is, is told by a file beside it, because that changes while somebody receives. */
const particulars = Type.Object({
  id: Type.String({ pattern: '^u_[A-Za-z0-9_-]{16}$' }),
  length: Type.Integer({ minimum: 0, maximum: limits.uploadBytesMax }),
  /** Bytes that are on disk. */
  offset: Type.Integer({ minimum: 0 }),
  /** The file that has them. */
  part: Type.String({ pattern: '^u_[A-Za-z0-9_.-]{16,80}$' }),
  /** What its sender says that the whole will be. */
  expected: Type.Union([blobHash, Type.Null()]),
  /** What its sender says of it, as it came. */
  metadata: Type.Union([Type.String({ maxLength: limits.uploadMetadataCharsMax }), Type.Null()]),
  /** Of the whole, once it is a blob. */
  hash: Type.Union([blobHash, Type.Null()]),
  touchedMs: Type.Number(),
});
type State = Static<typeof particulars>;

export interface Upload {
  readonly id: string;
  readonly length: number;
  readonly offset: number;
  readonly metadata: string | null;
  readonly hash: BlobHash | null;
  readonly expiresMs: number;
}

/** `unknown`: not there, or another's. `elsewhere`: the sender is not where the coordinator is. `busy`: somebody is sending. */
export type UploadRefusal = 'unknown' | 'elsewhere' | 'busy' | 'tooLong' | 'checksum' | 'tooMany';

export class UploadError extends Error {
  override readonly name = 'UploadError';
  readonly why: UploadRefusal;

  constructor(why: UploadRefusal, message: string) {
    super(message);
    this.why = why;
  }
}

export interface UploadsDeps {
  /**
   * Shared by all coordinators of one database. Holds for each upload `<id>.part` with its bytes, `<id>.json` with its particulars, and an empty file
   * `<id>.<digest of its owner>`; while somebody receives, also a lock.
   */
  readonly folder: string;
  readonly blobs: BlobStore;
  readonly clock: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
}

/**
 * Uploads that go on where they were, also after the coordinator was killed, and at another coordinator. Bytes are written as they come; every few
 * mebibytes, and at the end of a request however it ends, they are synchronised and the offset behind them is written. What counts is that offset:
 * bytes beyond it are cut off when the upload goes on. Nothing of it is in memory between two requests.
 *
 *   created -> [ receiving <-> resting ] -> a blob -> forgotten a day later
 *                     |
 *                     '-> deleted, or forgotten after a day of rest
 */
export class Uploads {
  readonly #deps: UploadsDeps;
  readonly #timer: NodeJS.Timeout;

  private constructor(deps: UploadsDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.sweep().catch(() => undefined), SWEEP_EVERY_MS);
  }

  static async open(deps: UploadsDeps): Promise<Uploads> {
    await mkdir(deps.folder, { recursive: true, mode: 0o700 });
    const opened = new Uploads(deps);
    await opened.sweep();
    return opened;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Throws `UploadError` when the owner has too many unfinished ones. */
  async create(owner: OwnerId, length: number, expected: BlobHash | null, metadata: string | null = null): Promise<Upload> {
    const his = await Promise.all((await this.#idsOf(owner)).map((id) => this.#read(id)));
    if (his.filter((state) => state?.hash === null).length >= limits.unfinishedUploadsPerOwnerMax)
      throw new UploadError('tooMany', 'Too many uploads are unfinished. Finish or delete one.');
    const id = newUploadId(this.#deps.randomBytes);
    const state: State = { id, length, offset: 0, part: `${id}.part`, expected, metadata, hash: null, touchedMs: this.#deps.clock() };
    try {
      await (await open(this.#path(state.part), 'wx', 0o600)).close();
      await this.#write(state);
      await (await open(this.#ownOf(owner, id), 'wx', 0o600)).close();
      await synchronise(this.#deps.folder);
    } catch (error) {
      await this.#forget(id);
      throw error;
    }
    return view(state);
  }

  /** Throws `UploadError` when it is not there for this owner. One that was whole when the process ended becomes a blob first. */
  async get(owner: OwnerId, id: string): Promise<Upload> {
    const state = await this.#own(owner, id);
    if (state.offset < state.length || state.hash !== null) return view(state);
    return this.append(owner, id, state.offset, none()).catch((error: unknown) => {
      // Whoever receives it makes it one.
      if (error instanceof UploadError && error.why === 'busy') return view(state);
      throw error;
    });
  }

  /**
   * Adds bytes behind `offset`. `sha256`: of these bytes; when they have another, none of them counts. Once all are there they are a blob. Throws
   * `UploadError`, or `BlobMismatch` when the whole is not what was announced; then the upload is gone.
   */
  append(owner: OwnerId, id: string, offset: number, source: AsyncIterable<Uint8Array>, sha256?: Uint8Array): Promise<Upload> {
    return this.#alone(owner, id, async (state, lock) => {
      if (offset !== state.offset) throw new UploadError('elsewhere', `${state.offset} bytes of this upload are here.`);
      if (state.hash !== null) return view(state);
      if (lock.mayHaveRival) await this.#moveAway(state, lock);
      await this.#receive(state, lock, source, sha256);
      if (state.offset === state.length) await this.#finish(state, lock);
      return view(state);
    });
  }

  async remove(owner: OwnerId, id: string): Promise<void> {
    await this.#alone(owner, id, () => this.#forget(id));
  }

  /** Whoever signs in takes his unfinished uploads along. */
  async changeOwner(from: OwnerId, to: OwnerId): Promise<void> {
    for (const id of await this.#idsOf(from)) await rename(this.#ownOf(from, id), this.#ownOf(to, id)).catch(unlessMissing);
    await synchronise(this.#deps.folder);
  }

  /** Removes all of an owner's. Whoever is sending one is told that it is gone. */
  async removeOf(owner: OwnerId): Promise<void> {
    for (const id of await this.#idsOf(owner)) await this.#forget(id);
    await synchronise(this.#deps.folder);
  }

  /** Removes what has rested for too long, and what is no upload and has not become one for an hour. */
  async sweep(): Promise<void> {
    const before = this.#deps.clock() - UPLOAD_MS_MAX;
    for (const id of new Set((await readdir(this.#deps.folder)).map((name) => name.split('.')[0] ?? ''))) {
      const state = await this.#read(id);
      if (state ? state.touchedMs > before : await this.#isYoung(id)) continue;
      const lock = await this.#lock(id);
      // Somebody may have gone on with it a moment ago.
      if (lock && ((await this.#read(id))?.touchedMs ?? 0) <= before) await this.#forget(id);
      await lock?.release();
    }
  }

  async #isYoung(id: string): Promise<boolean> {
    const files = await Promise.all((await this.#filesOf(id)).map((name) => stat(this.#path(name)).catch(() => undefined)));
    return files.some((file) => file && file.mtimeMs > Date.now() - TEMPORARY_MS_MAX);
  }

  /** Does it while no other request, here or at another coordinator, has this upload. */
  async #alone<T>(owner: OwnerId, id: string, act: (state: State, lock: FileLock) => Promise<T>): Promise<T> {
    await this.#own(owner, id);
    const lock = await this.#lock(id);
    if (!lock) throw new UploadError('busy', 'Somebody is sending this upload.');
    try {
      return await act(await this.#own(owner, id), lock);
    } finally {
      await lock.release();
    }
  }

  /** A sender that brings nothing is cut off before its lock is stale. */
  #lock(id: string): Promise<FileLock | null> {
    return takeLock(this.#path(`${id}.lock`), { clock: this.#deps.clock, staleMs: limits.uploadStallMsMax });
  }

  /** A coordinator that was taken for dead may go on writing into the file that it has open: it goes on in one that nobody reads. */
  async #moveAway(state: State, lock: FileLock): Promise<void> {
    const old = this.#path(state.part);
    state.part = `${state.id}.${randomUUID()}.part`;
    await copyFile(old, this.#path(state.part));
    await this.#note(state, lock);
    await rm(old, { force: true });
  }

  async #receive(state: State, lock: FileLock, source: AsyncIterable<Uint8Array>, sha256: Uint8Array | undefined): Promise<void> {
    const file = await open(this.#path(state.part), 'r+');
    const hash = createHash('sha256');
    let end = state.offset;
    try {
      await file.truncate(end);
      for await (const chunk of source) {
        if (end + chunk.byteLength > state.length) throw new UploadError('tooLong', `The upload was announced with ${state.length} bytes.`);
        hash.update(chunk);
        for (let at = 0; at < chunk.byteLength; ) at += (await file.write(chunk, at, chunk.byteLength - at, end + at)).bytesWritten;
        end += chunk.byteLength;
        // With a checksum nothing counts before all of it has come.
        if (sha256 === undefined && end - state.offset >= DURABLE_EVERY_BYTES) await this.#reach(state, lock, file, end);
      }
      if (sha256 !== undefined && !hash.digest().equals(sha256))
        throw new UploadError('checksum', 'The bytes do not have the checksum that was sent with them.');
      await this.#reach(state, lock, file, end);
    } catch (error) {
      // What came before the connection broke is as good as any.
      if (!(error instanceof UploadError) && sha256 === undefined) await this.#reach(state, lock, file, end);
      throw error;
    } finally {
      await file.close();
    }
  }

  async #reach(state: State, lock: FileLock, file: FileHandle, end: number): Promise<void> {
    if (end === state.offset) return;
    await file.datasync();
    state.offset = end;
    state.touchedMs = this.#deps.clock();
    await this.#note(state, lock);
  }

  async #finish(state: State, lock: FileLock): Promise<void> {
    const { blobs } = this.#deps;
    const options = { bytesMax: limits.uploadBytesMax, ...(state.expected === null ? {} : { expected: state.expected }) };
    try {
      const { hash } = await blobs.put(createReadStream(this.#path(state.part)), options);
      state.hash = hash;
    } catch (error) {
      // Sent again it would be no other.
      if (error instanceof BlobMismatch || error instanceof BlobBanned) await this.#forget(state.id);
      throw error;
    }
    // It is remembered for who did not hear the answer; its bytes lie in the blob now.
    await this.#note(state, lock);
    await rm(this.#path(state.part), { force: true });
  }

  async #own(owner: OwnerId, id: string): Promise<State> {
    const state = existsSync(this.#ownOf(owner, id)) ? await this.#read(id) : undefined;
    if (!state) throw new UploadError('unknown', 'There is no such upload.');
    return state;
  }

  /** Undefined for what is no upload of ours. */
  async #read(id: string): Promise<State | undefined> {
    const read = parsed(await readFile(this.#path(`${id}.json`), 'utf8').catch(() => ''));
    return Value.Check(particulars, read) && read.id === id ? read : undefined;
  }

  async #idsOf(owner: OwnerId): Promise<string[]> {
    const end = `.${keyOf(owner)}`;
    return (await readdir(this.#deps.folder)).filter((name) => name.endsWith(end)).map((name) => name.slice(0, -end.length));
  }

  #ownOf(owner: OwnerId, id: string): string {
    return this.#path(`${id}.${keyOf(owner)}`);
  }

  #path(name: string): string {
    return join(this.#deps.folder, name);
  }

  /** Throws `UploadError` when others have taken us for dead and go on themselves. */
  async #note(state: State, lock: FileLock): Promise<void> {
    if (!(await lock.isMine())) throw new UploadError('busy', 'This upload goes on at another coordinator.');
    await this.#write(state);
  }

  async #write(state: State): Promise<void> {
    const path = this.#path(`${state.id}.json`);
    const file = await open(`${path}.new`, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(state));
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    await synchronise(this.#deps.folder);
  }

  async #filesOf(id: string): Promise<string[]> {
    return (await readdir(this.#deps.folder)).filter((name) => name.startsWith(`${id}.`) && name !== `${id}.lock`);
  }

  /** Its particulars first: without them it is none. */
  async #forget(id: string): Promise<void> {
    await rm(this.#path(`${id}.json`), { force: true });
    for (const name of await this.#filesOf(id)) await rm(this.#path(name), { force: true });
  }
}

const view = ({ id, length, offset, metadata, hash, touchedMs }: State): Upload => ({
  id,
  length,
  offset,
  metadata,
  hash: hash as BlobHash | null,
  expiresMs: touchedMs + UPLOAD_MS_MAX,
});

const OWNER_KEY_CHARS = 32;

/** Owners in a form that any file system takes. */
const keyOf = (owner: OwnerId): string => createHash('sha256').update(owner).digest('hex').slice(0, OWNER_KEY_CHARS);

/** Another request was faster. */
function unlessMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}

async function* none(): AsyncGenerator<Uint8Array> {}

/** Null for what is no JSON: it is no upload of ours. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
