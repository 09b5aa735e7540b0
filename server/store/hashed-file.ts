import { createHash } from 'node:crypto';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { HOUR_MS } from '../../shared/limits.ts';
import type { BlobHash } from '../../shared/model.ts';
import { BlobMismatch, BlobTooLarge } from './blob-store.ts';

/** A file that somebody writes grows, so one that has not for so long is nobody's. */
export const TEMPORARY_MS_MAX = HOUR_MS;

export const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Writes a new file, on disk when this resolves. Stops reading as soon as the cap is passed. */
export async function writeHashed(
  source: AsyncIterable<Uint8Array>,
  path: string,
  { bytesMax, expected }: { readonly bytesMax: number; readonly expected?: BlobHash | undefined },
): Promise<{ hash: BlobHash; bytes: number }> {
  const file = await open(path, 'wx', 0o600);
  try {
    const digest = createHash('sha256');
    let bytes = 0;
    for await (const chunk of source) {
      bytes += chunk.byteLength;
      if (bytes > bytesMax) throw new BlobTooLarge(`more than ${bytesMax} bytes`);
      digest.update(chunk);
      await file.writeFile(chunk);
    }
    await file.sync();
    const hash = digest.digest('hex') as BlobHash;
    if (expected !== undefined && hash !== expected) throw new BlobMismatch(`the bytes have the SHA-256 ${hash}, not ${expected}`);
    return { hash, bytes };
  } finally {
    await file.close();
  }
}

/** Removes what interrupted processes left. Others may be writing here too, so what is young stays. */
export function removeLeftovers(folder: string): void {
  const before = Date.now() - TEMPORARY_MS_MAX;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found && found.mtimeMs < before) rmSync(path, { recursive: true, force: true });
  }
}

export async function synchronise(folder: string): Promise<void> {
  // Windows has no such call for folders.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
