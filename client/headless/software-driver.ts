import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';

/**
 * A Vulkan driver that computes on the processor (SwiftShader) and a Vulkan loader, out of the npm package
 * `@sparticuz/chromium`, for machines that have neither a GPU nor libvulkan. The loader also serves a real GPU whose
 * driver came without one.
 */
export interface Driver {
  /** Holds libvulkan.so.1: for LD_LIBRARY_PATH. */
  readonly folder: string;
  /** Manifest of SwiftShader: for VK_DRIVER_FILES. */
  readonly manifest: string;
}

const FILES = ['libvk_swiftshader.so', 'libvulkan.so.1', 'vk_swiftshader_icd.json'];
/** Inside the project, not in the shared temporary folder: libraries are loaded from here. */
const CACHE = join(import.meta.dirname, '../../.cache');

/** Null where the package is not installed or has no driver for this platform. Unpacks once. */
export async function unpackDriver(): Promise<Driver | null> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return null;
  const archive = archivePath();
  if (!archive || !existsSync(archive)) return null;
  const packed = await readFile(archive);
  const folder = join(CACHE, `vulkan-${createHash('sha256').update(packed).digest('hex').slice(0, 16)}`);
  if (!existsSync(folder)) await unpack(packed, folder);
  return { folder, manifest: join(folder, 'vk_swiftshader_icd.json') };
}

function archivePath(): string | null {
  try {
    // The package exports its entry only, which lies in build/esm.
    return fileURLToPath(new URL('../../bin/swiftshader.tar.br', import.meta.resolve('@sparticuz/chromium')));
  } catch {
    return null;
  }
}

/** Into a folder of its own first: another process may unpack at the same time, and half a driver must never be found. */
async function unpack(packed: Uint8Array, folder: string): Promise<void> {
  const files = untar(await promisify(brotliDecompress)(packed));
  await mkdir(CACHE, { recursive: true });
  const making = await mkdtemp(join(CACHE, 'unpacking-'));
  try {
    for (const name of FILES) {
      const bytes = files.get(name);
      if (!bytes) throw new Error(`@sparticuz/chromium holds no ${name}`);
      await writeFile(join(making, name), bytes, { mode: 0o755 });
    }
    await rename(making, folder);
  } catch (error) {
    await rm(making, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
}

const BLOCK = 512;

/** The regular files of a tar archive, by name. Names up to 100 bytes, as here; links and folders are skipped. */
export function untar(archive: Buffer): Map<string, Buffer> {
  const text = (at: number, length: number): string => archive.toString('latin1', at, at + length).replace(/\0.*$/s, '');
  const files = new Map<string, Buffer>();
  for (let at = 0; at + BLOCK <= archive.byteLength && archive[at] !== 0; ) {
    const bytes = Number.parseInt(text(at + 124, 12), 8);
    const kind = text(at + 156, 1);
    if (!(bytes >= 0) || at + BLOCK + bytes > archive.byteLength) throw new Error('the tar archive is damaged');
    if (kind === '0' || kind === '') files.set(text(at, 100).replace(/^\.\//, ''), archive.subarray(at + BLOCK, at + BLOCK + bytes));
    at += BLOCK + Math.ceil(bytes / BLOCK) * BLOCK;
  }
  return files;
}
