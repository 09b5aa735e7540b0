import type { BlobHash } from '../../shared/model.ts';
import { TesseraError } from './error.ts';
import { backoffMs, type Http, wait } from './http.ts';

/** The protocol of resumable uploads, tus 1.0.0 (https://tus.io/protocols/resumable-upload): core, creation, termination. */

/** A piece is what one request sends: as much as takes about a second, so that progress is seen and little is sent twice. */
const PIECE_BYTES_MIN = 256 * 1024;
const PIECE_BYTES_MAX = 8 * 1024 * 1024;
const [QUICK_MS, SLOW_MS] = [500, 2000];
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
  /** Told why nothing goes on at present, and null when it does again. */
  readonly stalled?: (why: TesseraError | null) => void;
  /** Tries in a row that bring nothing before it gives up. Default 10, which are some two minutes. */
  readonly triesMax?: number;
}

export interface Uploaded {
  /** What quotes and jobs name the file by: SHA-256, 64 hex digits. */
  readonly hash: BlobHash;
  readonly bytes: number;
}

const isPassing = (error: unknown): error is TesseraError =>
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

async function sendAll(http: Http, address: string, file: Blob, options: UploadOptions): Promise<Uploaded> {
  const { progress, stalled, signal, resume, triesMax = TRIES_MAX } = options;
  let at = resume === undefined ? 0 : null;
  let piece = PIECE_BYTES_MIN;
  for (let tries = 0; ; ) {
    try {
      if (at === null) {
        const state = await http.send(address, { method: 'HEAD', headers: TUS, signal });
        const hash = state.headers.get('upload-hash');
        at = offsetOf(state);
        if (hash !== null && at === file.size) return { hash: hash as BlobHash, bytes: file.size };
      }
      progress?.(at, file.size);
      const startedMs = performance.now();
      const answer = await http.send(address, {
        method: 'PATCH',
        headers: { ...TUS, 'upload-offset': String(at), 'content-type': 'application/offset+octet-stream' },
        body: file.slice(at, at + piece),
        signal,
      });
      at = offsetOf(answer);
      piece = nextPiece(piece, performance.now() - startedMs);
      if (tries > 0) stalled?.(null);
      tries = 0;
      const hash = answer.headers.get('upload-hash');
      if (hash === null) continue;
      progress?.(file.size, file.size);
      return { hash: hash as BlobHash, bytes: file.size };
    } catch (error) {
      if (!isPassing(error) || ++tries >= triesMax) throw error;
      stalled?.(error);
      // How far it came is the coordinator's to say.
      at = null;
      await wait(backoffMs(tries), signal);
    }
  }
}

function nextPiece(bytes: number, tookMs: number): number {
  if (tookMs < QUICK_MS) return Math.min(PIECE_BYTES_MAX, bytes * 2);
  return tookMs > SLOW_MS ? Math.max(PIECE_BYTES_MIN, bytes / 2) : bytes;
}

function offsetOf(response: Response): number {
  const offset = Number(response.headers.get('upload-offset') ?? Number.NaN);
  if (!Number.isSafeInteger(offset) || offset < 0) throw new TesseraError('internal', 'The coordinator does not say how much of the upload it has.');
  return offset;
}
