import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { DAY_MS, HOUR_MS, limits, MIB } from '../shared/limits.ts';
import type { BlobHash, OwnerId } from '../shared/model.ts';
import { blobHash } from '../shared/schemas.ts';
import { newUploadId } from './ids.ts';
import { BlobBanned, BlobMismatch, type BlobStore } from './store/blob-store.ts';
import { synchronise } from './store/hashed-file.ts';

/** How long an upload may rest before it is removed. */
export const UPLOAD_MS_MAX = DAY_MS;
/** So much is sent again at most after a loss of power. */
const DURABLE_EVERY_BYTES = 4 * MIB;
const SWEEP_EVERY_MS = HOUR_MS;

/** An upload as its file of particulars says. */
const particulars = Type.Object({
  id: Type.String({ pattern: '^u_[A-Za-z0-9_-]{16}$' }),
  owner: Type.String(),
  length: Type.Integer({ minimum: 0, maximum: limits.uploadBytesMax }),
  /** Bytes that are on disk. */
  offset: Type.Integer({ minimum: 0 }),
  /** What its sender says that the whole will be. */
  expected: Type.Union([blobHash, Type.Null()]),
  /** What its sender says of it, as it came. */
  metadata: Type.Union([Type.String({ maxLength: limits.uploadMetadataCharsMax }), Type.Null()]),
  /** Of the whole, once it is a blob. */
  hash: Type.Union([blobHash, Type.Null()]),
  touchedMs: Type.Number(),
});

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

interface State {
  readonly id: string;
  owner: OwnerId;
  readonly length: number;
  offset: number;
  readonly expected: BlobHash | null;
  readonly metadata: string | null;
  hash: BlobHash | null;
  touchedMs: number;
  busy: boolean;
  /** Particulars are written one after the other. */
  noted: Promise<void>;
}

export interface UploadsDeps {
  /** Holds two files for each upload: `<id>.part` with its bytes and `<id>.json` with its particulars. */
  readonly folder: string;
  readonly blobs: BlobStore;
  readonly clock: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
}

/**
 * Uploads that go on where they were, also after the coordinator was killed. Bytes are written as they come; every few mebibytes, and at the end
 * of a request however it ends, they are synchronised and the offset behind them is written. What counts is that offset: bytes beyond it are
 * cut off when the upload goes on.
 *
 *   created -> [ receiving <-> resting ] -> a blob -> forgotten a day later
 *                     |
 *                     '-> deleted, or forgotten after a day of rest
 */
export class Uploads {
  readonly #deps: UploadsDeps;
  readonly #uploads: Map<string, State>;
  readonly #timer: NodeJS.Timeout;

  private constructor(deps: UploadsDeps, uploads: Map<string, State>) {
    this.#deps = deps;
    this.#uploads = uploads;
    this.#timer = setInterval(() => void this.sweep(), SWEEP_EVERY_MS);
  }

  /** Reads back what an earlier process left. */
  static async open(deps: UploadsDeps): Promise<Uploads> {
    const uploads = new Map<string, State>();
    await mkdir(deps.folder, { recursive: true, mode: 0o700 });
    const names = await readdir(deps.folder);
    for (const name of names) {
      if (!name.endsWith('.json')) continue;
      const read = parsed(await readFile(join(deps.folder, name), 'utf8'));
      if (Value.Check(particulars, read) && `${read.id}.json` === name)
        uploads.set(read.id, { ...read, owner: read.owner as OwnerId, busy: false, noted: Promise.resolve() });
    }
    // A half-written file of particulars, or bytes whose particulars are gone.
    for (const name of names) if (!uploads.has(name.replace(/\.(json|part)$/, ''))) await rm(join(deps.folder, name), { force: true });
    const opened = new Uploads(deps, uploads);
    await opened.sweep();
    return opened;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Throws `UploadError` when the owner has too many unfinished ones. */
  async create(owner: OwnerId, length: number, expected: BlobHash | null, metadata: string | null = null): Promise<Upload> {
    const unfinished = [...this.#uploads.values()].filter((each) => each.owner === owner && each.hash === null).length;
    if (unfinished >= limits.unfinishedUploadsPerOwnerMax) throw new UploadError('tooMany', 'Too many uploads are unfinished. Finish or delete one.');
    const id = newUploadId(this.#deps.randomBytes);
    const touchedMs = this.#deps.clock();
    const state: State = { id, owner, length, offset: 0, expected, metadata, hash: null, touchedMs, busy: false, noted: Promise.resolve() };
    this.#uploads.set(id, state);
    try {
      await (await open(this.#partOf(id), 'wx', 0o600)).close();
      await this.#note(state);
    } catch (error) {
      await this.#forget(state);
      throw error;
    }
    return this.#view(state);
  }

  /** Throws `UploadError` when it is not there for this owner. One that was whole when the process ended becomes a blob first. */
  async get(owner: OwnerId, id: string): Promise<Upload> {
    const { offset, length, hash, busy } = this.#own(owner, id);
    return offset === length && hash === null && !busy ? this.append(owner, id, offset, none()) : this.#view(this.#own(owner, id));
  }

  /**
   * Adds bytes behind `offset`. `sha256`: of these bytes; when they have another, none of them counts. Once all are there they are a blob. Throws
   * `UploadError`, or `BlobMismatch` when the whole is not what was announced; then the upload is gone.
   */
  async append(owner: OwnerId, id: string, offset: number, source: AsyncIterable<Uint8Array>, sha256?: Uint8Array): Promise<Upload> {
    const state = this.#own(owner, id);
    if (state.busy) throw new UploadError('busy', 'Somebody is sending this upload.');
    if (offset !== state.offset) throw new UploadError('elsewhere', `${state.offset} bytes of this upload are here.`);
    if (state.hash !== null) return this.#view(state);
    state.busy = true;
    try {
      await this.#receive(state, source, sha256);
      if (state.offset === state.length) await this.#finish(state);
      return this.#view(state);
    } finally {
      state.busy = false;
    }
  }

  async remove(owner: OwnerId, id: string): Promise<void> {
    const state = this.#own(owner, id);
    if (state.busy) throw new UploadError('busy', 'Somebody is sending this upload.');
    await this.#forget(state);
  }

  /** Whoever signs in takes his unfinished uploads along. */
  async changeOwner(from: OwnerId, to: OwnerId): Promise<void> {
    for (const state of this.#uploads.values()) {
      if (state.owner !== from) continue;
      state.owner = to;
      await this.#note(state);
    }
  }

  /** Removes what has rested for too long. */
  async sweep(): Promise<void> {
    const before = this.#deps.clock() - UPLOAD_MS_MAX;
    for (const state of [...this.#uploads.values()]) if (!state.busy && state.touchedMs <= before) await this.#forget(state);
  }

  async #receive(state: State, source: AsyncIterable<Uint8Array>, sha256: Uint8Array | undefined): Promise<void> {
    const file = await open(this.#partOf(state.id), 'r+');
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
        if (sha256 === undefined && end - state.offset >= DURABLE_EVERY_BYTES) await this.#reach(state, file, end);
      }
      if (sha256 !== undefined && !hash.digest().equals(sha256))
        throw new UploadError('checksum', 'The bytes do not have the checksum that was sent with them.');
      await this.#reach(state, file, end);
    } catch (error) {
      // What came before the connection broke is as good as any.
      if (!(error instanceof UploadError) && sha256 === undefined) await this.#reach(state, file, end);
      throw error;
    } finally {
      await file.close();
    }
  }

  async #reach(state: State, file: FileHandle, end: number): Promise<void> {
    if (end === state.offset) return;
    await file.datasync();
    state.offset = end;
    state.touchedMs = this.#deps.clock();
    await this.#note(state);
  }

  async #finish(state: State): Promise<void> {
    const { blobs } = this.#deps;
    const options = { bytesMax: limits.uploadBytesMax, ...(state.expected === null ? {} : { expected: state.expected }) };
    try {
      const { hash } = await blobs.put(createReadStream(this.#partOf(state.id)), options);
      state.hash = hash;
    } catch (error) {
      // Sent again it would be no other.
      if (error instanceof BlobMismatch || error instanceof BlobBanned) await this.#forget(state);
      throw error;
    }
    // It is remembered for who did not hear the answer; its bytes lie in the blob now.
    await this.#note(state);
    await rm(this.#partOf(state.id), { force: true });
  }

  #own(owner: OwnerId, id: string): State {
    const state = this.#uploads.get(id);
    if (!state || state.owner !== owner) throw new UploadError('unknown', 'There is no such upload.');
    return state;
  }

  #partOf(id: string): string {
    return join(this.#deps.folder, `${id}.part`);
  }

  #noteOf(id: string): string {
    return join(this.#deps.folder, `${id}.json`);
  }

  #note(state: State): Promise<void> {
    state.noted = state.noted.catch(() => undefined).then(() => this.#write(state));
    return state.noted;
  }

  async #write({ busy: _, noted: __, ...state }: State): Promise<void> {
    const path = this.#noteOf(state.id);
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

  async #forget({ id }: State): Promise<void> {
    this.#uploads.delete(id);
    await rm(this.#noteOf(id), { force: true });
    await rm(this.#partOf(id), { force: true });
  }

  #view({ id, length, offset, metadata, hash, touchedMs }: State): Upload {
    return { id, length, offset, metadata, hash, expiresMs: touchedMs + UPLOAD_MS_MAX };
  }
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
