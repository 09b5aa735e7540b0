import { limits, MIB } from '../../shared/limits.ts';
import { TesseraError } from '../sdk/error.ts';
import { Http } from '../sdk/http.ts';
import { upload as send, type Uploaded } from '../sdk/upload.ts';
import { ApiError } from './api.ts';

/** Of a file that is sent again after a reload, the upload that it goes on with. Names are people's own, so only a digest of them is kept. */
const PLACE = 'tessera.upload.';
/** A file that was changed in place and kept its date shows it here, mostly. */
const HEAD_BYTES = 64 * 1024;

async function placeOf(file: File): Promise<string | null> {
  // Plain http has no digests: such an upload begins anew after a reload.
  if (!globalThis.crypto?.subtle) return null;
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  const particulars = new TextEncoder().encode(JSON.stringify([file.name, file.size, file.lastModified]));
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array([...particulars, ...head]));
  return PLACE + [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Storage may be full, or switched off. */
function remember(place: string | null, address: string | null): void {
  if (place === null) return;
  try {
    if (address === null) localStorage.removeItem(place);
    else localStorage.setItem(place, address);
  } catch {
    // Then a reload begins anew.
  }
}

function recall(place: string | null): string | undefined {
  try {
    return (place && localStorage.getItem(place)) || undefined;
  } catch {
    return undefined;
  }
}

export interface UploadListeners {
  /** 0 to 1. */
  readonly progress: (share: number) => void;
  /** Why nothing goes on at present; null when it does again. */
  readonly stalled: (why: ApiError | null) => void;
}

const asApiError = ({ code, message, field, limit }: TesseraError): ApiError => new ApiError(code, message, field, limit);

/** Sends a file, for as long as the page is open and nobody aborts: it goes on after a broken connection, and after a reload with the same file. */
export async function upload(file: File, { progress, stalled }: UploadListeners, signal: AbortSignal): Promise<Uploaded> {
  if (file.size > limits.uploadBytesMax)
    throw new ApiError('too_large', `The file has ${(file.size / MIB).toFixed(1)} MiB.`, undefined, `At most ${limits.uploadBytesMax / MIB} MiB.`);
  const http = new Http({ server: location.origin });
  const place = await placeOf(file);
  const options = {
    signal,
    triesMax: Number.POSITIVE_INFINITY,
    progress: (sent: number, total: number) => progress(sent / Math.max(1, total)),
    stalled: (why: TesseraError | null) => stalled(why && asApiError(why)),
    begun: (address: string) => remember(place, address),
  };
  try {
    const resume = recall(place);
    return await (resume === undefined ? send(http, file, options) : resumed(http, file, resume, options));
  } catch (error) {
    throw error instanceof TesseraError ? asApiError(error) : error;
  } finally {
    remember(place, null);
  }
}

/** An upload that is not there any more, or is somebody else's by now, begins anew. */
async function resumed(http: Http, file: File, resume: string, options: Parameters<typeof send>[2]): Promise<Uploaded> {
  try {
    return await send(http, file, { ...options, resume });
  } catch (error) {
    if (error instanceof TesseraError && error.code === 'not_found') return send(http, file, options);
    throw error;
  }
}
