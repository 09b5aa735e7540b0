import { limits, MIB } from '../../shared/limits.ts';
import type { BlobHash } from '../../shared/model.ts';
import { ApiError, errorOf, offline } from './api.ts';

/** XMLHttpRequest because fetch cannot tell how much of a body has been sent. `progress` is called with 0 to 1. */
export function upload(file: Blob, progress: (share: number) => void, signal: AbortSignal): Promise<{ hash: BlobHash; bytes: number }> {
  if (file.size > limits.uploadBytesMax)
    return Promise.reject(
      new ApiError('too_large', `The file has ${(file.size / MIB).toFixed(1)} MiB.`, undefined, `At most ${limits.uploadBytesMax / MIB} MiB.`),
    );
  return new Promise((resolve, reject) => {
    const http = new XMLHttpRequest();
    http.open('POST', '/api/uploads');
    http.responseType = 'json';
    http.setRequestHeader('content-type', 'application/octet-stream');
    http.upload.onprogress = (event) => progress(event.loaded / Math.max(1, event.total));
    http.onload = () =>
      http.status >= 200 && http.status < 300 ? resolve(http.response as { hash: BlobHash; bytes: number }) : reject(errorOf(http.status, http.response));
    http.onerror = () => reject(offline());
    http.onabort = () => reject(signal.reason);
    signal.addEventListener('abort', () => http.abort(), { once: true });
    http.send(file);
  });
}
