import type { BlobHash } from '../../shared/model.ts';
import { TesseraError } from './error.ts';
import { backoffMs, type Http, wait } from './http.ts';

/** The protocol of resumable uploads, tus 1.0.0 (https://tus.io/protocols/resumable-upload): core, creation, termination. */

/** So much is lost at most when a connection breaks, and so often progress is told. */
const PIECE_BYTES = 4 * 1024 * 1024;
/** Tries in a row that bring nothing. */
const TRIES_MAX = 10;
const TUS = { 'tus-resumable': '1.0.0' } as const;

export interface UploadOptions {
  /** Bytes that are durable on the coordinator, of all. */
  readonly progress?: (sent: number, total: number) => void;
  /** Ends the upload; what was sent is deleted. */
  readonly signal?: AbortSignal;
  /** An upload that broke off earlier, by the address that `begun` told: it goes on where it was. */
  readonly resume?: string;
  /** Told the address of a new upload. */
  readonly begun?: (address: string) => void;
}

export interface Uploaded {
  /** What quotes and jobs name the file by: SHA-256, 64 hex digits. */
  readonly hash: BlobHash;
  readonly bytes: number;
}

const isPassing = (error: unknown): boolean =>
  error instanceof TesseraError && (error.code === 'offline' || error.code === 'busy' || error.status === 409 || error.status === 423 || error.status >= 500);

/** Sends a file, going on where it was after a broken connection. Throws `TesseraError` when it is refused. */
export async function upload(http: Http, file: Blob, options: UploadOptions = {}): Promise<Uploaded> {
  const { signal } = options;
  const address = options.resume ?? (await create(http, file.size, signal));
  if (options.resume === undefined) options.begun?.(address);
  try {
    return await sendAll(http, address, file, options);
  } catch (error) {
    if (signal?.aborted) await http.send(address, { method: 'DELETE', headers: TUS }).catch(() => undefined);
    throw error;
  }
}

async function create(http: Http, bytes: number, signal: AbortSignal | undefined): Promise<string> {
  const headers = { ...TUS, 'upload-length': String(bytes) };
  const response = await http.send('/api/uploads', { method: 'POST', headers, signal, repeatable: true });
  const location = response.headers.get('location');
  if (location === null) throw new TesseraError('internal', 'The coordinator began an upload without saying where.');
  return new URL(location, http.server).href;
}

async function sendAll(http: Http, address: string, file: Blob, { progress, signal, resume }: UploadOptions): Promise<Uploaded> {
  let at = resume === undefined ? 0 : null;
  for (let tries = 0; ; ) {
    try {
      if (at === null) {
        const state = await http.send(address, { method: 'HEAD', headers: TUS, signal });
        const hash = state.headers.get('upload-hash');
        at = offsetOf(state);
        if (hash !== null && at === file.size) return { hash: hash as BlobHash, bytes: file.size };
      }
      progress?.(at, file.size);
      const answer = await http.send(address, {
        method: 'PATCH',
        headers: { ...TUS, 'upload-offset': String(at), 'content-type': 'application/offset+octet-stream' },
        body: file.slice(at, at + PIECE_BYTES),
        signal,
      });
      at = offsetOf(answer);
      tries = 0;
      const hash = answer.headers.get('upload-hash');
      if (hash === null) continue;
      progress?.(file.size, file.size);
      return { hash: hash as BlobHash, bytes: file.size };
    } catch (error) {
      if (!isPassing(error) || ++tries >= TRIES_MAX) throw error;
      // How far it came is the coordinator's to say.
      at = null;
      await wait(backoffMs(tries), signal);
    }
  }
}

function offsetOf(response: Response): number {
  const offset = Number(response.headers.get('upload-offset') ?? Number.NaN);
  if (!Number.isSafeInteger(offset) || offset < 0) throw new TesseraError('internal', 'The coordinator does not say how much of the upload it has.');
  return offset;
}
