import { crc32, inflateRawSync } from 'node:zlib';
import { InputError } from '../../../shared/workload.ts';
import { archiveLimits } from './limits.ts';
import { shown, told } from './names.ts';

/**
 * Files of a ZIP archive (PKWARE APPNOTE 6.3.10), from strangers. Everything is decided from the central directory before anything is
 * unpacked: how much it would be, and that no two entries share bytes (D. Fifield, "A better zip bomb", 2019). An entry that unpacks to
 * anything but its declared size and checksum is refused, and never takes more memory than it declared.
 */

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const COMMENT_BYTES_MAX = 0xffff;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;

export interface ArchiveEntry {
  readonly path: string;
  /** The last part of its path, fit to be shown. */
  readonly name: string;
  readonly bytes: number;
  /** Unpacks it. Throws `InputError` when it is damaged. */
  read(): Uint8Array<ArrayBuffer>;
}

interface Listed {
  readonly path: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly bytes: number;
  readonly local: number;
}

export const isArchive = (bytes: Uint8Array): boolean =>
  bytes.byteLength >= END_BYTES && [LOCAL_SIGNATURE, END_SIGNATURE].includes(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true));

/** The files of an archive in the natural order of their paths, `img2` before `img10`; folders and what systems leave behind are passed over. Throws `InputError` naming the field. */
export function readArchive(field: string, bytes: Uint8Array): ArchiveEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { start, entries: listed } = list(field, bytes, view);
  const total = listed.reduce((sum, entry) => sum + entry.bytes, 0);
  if (total > archiveLimits.totalBytesMax)
    throw new InputError(field, `The archive would unpack to ${total} bytes.`, `at most ${archiveLimits.totalBytesMax} bytes`);
  requireApart(field, view, listed, start);
  const order = new Intl.Collator('en', { numeric: true });
  return listed
    .filter(({ path }) => !isPassedOver(path))
    .sort((a, b) => order.compare(a.path, b.path) || (a.path < b.path ? -1 : 1))
    .map((entry) => ({ path: entry.path, name: baseName(entry.path), bytes: entry.bytes, read: () => unpack(field, bytes, view, entry) }));
}

/** Some write backslashes. */
const baseName = (path: string): string => shown(path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1));
const isPassedOver = (path: string): boolean =>
  baseName(path) === '' || path.startsWith('__MACOSX/') || baseName(path).startsWith('.') || baseName(path) === 'Thumbs.db';

/** `start`: where the list of files begins. */
function list(field: string, bytes: Uint8Array, view: DataView): { readonly start: number; readonly entries: readonly Listed[] } {
  const end = findEnd(view);
  if (end === null) throw new InputError(field, 'This is no ZIP archive, or it is cut off.', 'a .zip file');
  const [disk, count, size, start] = [
    view.getUint16(end + 4, true),
    view.getUint16(end + 10, true),
    view.getUint32(end + 12, true),
    view.getUint32(end + 16, true),
  ];
  if (disk !== 0 || count === 0xffff || start === 0xffffffff)
    throw new InputError(field, 'The archive is of the large kind (ZIP64), or in pieces.', 'one plain .zip file');
  if (count > archiveLimits.entriesMax) throw new InputError(field, `The archive has ${count} entries.`, `at most ${archiveLimits.entriesMax}`);
  const damaged = new InputError(field, 'The list of files in this archive is damaged.', 'a .zip file');
  if (start + size > end) throw damaged;
  const decoder = new TextDecoder();
  const seen = new Set<string>();
  const entries: Listed[] = [];
  let at = start;
  for (let index = 0; index < count; index++) {
    if (at + ENTRY_BYTES > end || view.getUint32(at, true) !== ENTRY_SIGNATURE) throw damaged;
    const [nameBytes, extraBytes, commentBytes] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true), view.getUint16(at + 32, true)];
    if (at + ENTRY_BYTES + nameBytes > end) throw damaged;
    const path = decoder.decode(bytes.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes));
    const entry: Listed = {
      path,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      bytes: view.getUint32(at + 24, true),
      local: view.getUint32(at + 42, true),
    };
    if (seen.has(path)) throw new InputError(field, `Two files are called ${told(path)}.`, 'different names');
    seen.add(path);
    requirePlain(field, entry, view.getUint16(at + 8, true));
    entries.push(entry);
    at += ENTRY_BYTES + nameBytes + extraBytes + commentBytes;
  }
  return { start, entries };
}

/** The record that ends an archive lies behind everything, but for a comment. */
function findEnd(view: DataView): number | null {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= Math.max(0, last - COMMENT_BYTES_MAX); at--)
    if (view.getUint32(at, true) === END_SIGNATURE && at + END_BYTES + view.getUint16(at + 20, true) === view.byteLength) return at;
  return null;
}

function requirePlain(field: string, { path, method, packed, bytes }: Listed, flags: number): void {
  const { nameCharsMax, entryBytesMax, ratioMax, ratioFreeBytes } = archiveLimits;
  if (path.length > nameCharsMax) throw new InputError(field, `${told(path)}... is a name of ${path.length} characters.`, `at most ${nameCharsMax}`);
  if (flags & ENCRYPTED) throw new InputError(field, `${told(path)} is encrypted.`, 'files without a password');
  if (method !== STORED && method !== DEFLATED) throw new InputError(field, `${told(path)} is packed by method ${method}.`, 'stored, or deflated');
  if (method === STORED && packed !== bytes) throw new InputError(field, `${told(path)} says two sizes, ${packed} and ${bytes}.`, 'one');
  if (bytes > entryBytesMax) throw new InputError(field, `${told(path)} would unpack to ${bytes} bytes.`, `at most ${entryBytesMax} bytes`);
  if (bytes > Math.max(packed * ratioMax, ratioFreeBytes))
    throw new InputError(field, `${told(path)} would unpack from ${packed} to ${bytes} bytes.`, `at most ${ratioMax} times as many`);
}

/** The bytes of an entry behind its local header. */
function dataOf(field: string, view: DataView, { path, local, packed }: Listed): { readonly from: number; readonly to: number } {
  const damaged = new InputError(field, `${told(path)} is damaged.`, 'a whole .zip file');
  if (local + LOCAL_BYTES > view.byteLength || view.getUint32(local, true) !== LOCAL_SIGNATURE) throw damaged;
  const from = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (from + packed > view.byteLength) throw damaged;
  return { from, to: from + packed };
}

function requireApart(field: string, view: DataView, entries: readonly Listed[], start: number): void {
  let end = 0;
  for (const entry of entries.toSorted((a, b) => a.local - b.local)) {
    if (entry.local < end) throw new InputError(field, `${told(entry.path)} shares bytes with another file.`, 'files apart from each other');
    end = dataOf(field, view, entry).to;
    if (end > start) throw new InputError(field, `${told(entry.path)} shares bytes with the list of files.`, 'files apart from it');
  }
}

const CHUNK_BYTES_MIN = 64;

/** Inflates to at most `bytes`, in one piece of that size and a byte that stays free: 128 MiB in 16 KiB pieces took three times the memory and the time. */
function inflate(packed: Uint8Array, bytes: number): Uint8Array<ArrayBuffer> {
  const chunkSize = Math.max(CHUNK_BYTES_MIN, bytes + 1);
  const out = inflateRawSync(packed, { maxOutputLength: Math.max(1, bytes), chunkSize });
  // Node takes small pieces from memory that others share.
  return out.buffer.byteLength > chunkSize ? new Uint8Array(out) : new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
}

function unpack(field: string, bytes: Uint8Array, view: DataView, entry: Listed): Uint8Array<ArrayBuffer> {
  const { from, to } = dataOf(field, view, entry);
  const packed = bytes.subarray(from, to);
  let out: Uint8Array<ArrayBuffer>;
  try {
    out = entry.method === STORED ? new Uint8Array(packed) : inflate(packed, entry.bytes);
  } catch {
    throw new InputError(field, `${told(entry.path)} is damaged.`, 'a whole .zip file');
  }
  if (out.byteLength !== entry.bytes || crc32(out) !== entry.crc)
    throw new InputError(field, `${told(entry.path)} is not what the archive says.`, `${entry.bytes} bytes`);
  return out;
}
