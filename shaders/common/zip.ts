import { crc32 } from 'node:zlib';
import { concatBytes } from '../../shared/formats.ts';

/**
 * Writes ZIP archives whose files are stored, not compressed: what comes is compressed already. Past 4 GiB, which 50 frames of EXR in
 * HD reach, the directory is that of ZIP64. Source: PKWARE APPNOTE.TXT 6.3.10.
 */

const LOCAL_HEADER = 0x04034b50;
const DIRECTORY_ENTRY = 0x02014b50;
const DIRECTORY_END = 0x06054b50;
const DIRECTORY_END_64 = 0x06064b50;
const DIRECTORY_END_64_LOCATOR = 0x07064b50;
const VERSION_PLAIN = 20;
const VERSION_64 = 45;
const EXTRA_64 = 1;
/** What does not fit is this, and stands in the ZIP64 record. */
const U32_MAX = 0xffffffff;
const U16_MAX = 0xffff;
/** Bit 11: names are UTF-8. */
const UTF8 = 0x800;
/** 1 January 1980, the first day of the format: equal frames give equal archives. */
const [TIME, DATE] = [0, 0x21];

export interface ZipFile {
  /** ASCII. */
  readonly name: string;
  /** Less than 4 GiB in all. */
  readonly pieces: readonly Uint8Array[];
}

/** Little-endian integers of 2, 4 or 8 bytes. */
function fields(...list: readonly (readonly [bytes: 2 | 4 | 8, value: number])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(list.reduce((sum, [bytes]) => sum + bytes, 0)));
  let at = 0;
  for (const [bytes, value] of list) {
    if (bytes === 2) view.setUint16(at, value, true);
    else if (bytes === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += bytes;
  }
  return new Uint8Array(view.buffer);
}

interface Stored {
  readonly name: Uint8Array;
  readonly crc: number;
  readonly bytes: number;
  readonly offset: number;
}

/** What local header and directory entry have in common, from the version needed to the length of the extra field. */
const shared = ({ name, crc, bytes }: Stored, version: number, extraBytes: number): Uint8Array =>
  fields([2, version], [2, UTF8], [2, 0], [2, TIME], [2, DATE], [4, crc], [4, bytes], [4, bytes], [2, name.byteLength], [2, extraBytes]);

function directoryEntry(file: Stored): Uint8Array {
  const large = file.offset >= U32_MAX;
  const extra = large ? fields([2, EXTRA_64], [2, 8], [8, file.offset]) : new Uint8Array(0);
  const version = large ? VERSION_64 : VERSION_PLAIN;
  const behind = fields([2, 0], [2, 0], [2, 0], [4, 0], [4, large ? U32_MAX : file.offset]);
  return concatBytes(fields([4, DIRECTORY_ENTRY], [2, version]), shared(file, version, extra.byteLength), behind, file.name, extra);
}

/** `offset` and `bytes` are those of the directory. */
function directoryEnd(files: number, bytes: number, offset: number): Uint8Array {
  const end = (count: number, size: number, start: number): Uint8Array =>
    fields([4, DIRECTORY_END], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, start], [2, 0]);
  if (files < U16_MAX && offset + bytes < U32_MAX) return end(files, bytes, offset);
  const record = fields(
    ...([
      [4, DIRECTORY_END_64],
      [8, 44],
      [2, VERSION_64],
      [2, VERSION_64],
      [4, 0],
      [4, 0],
      [8, files],
      [8, files],
      [8, bytes],
      [8, offset],
    ] as const),
  );
  const locator = fields([4, DIRECTORY_END_64_LOCATOR], [4, 0], [8, offset + bytes], [4, 1]);
  return concatBytes(record, locator, end(Math.min(files, U16_MAX), Math.min(bytes, U32_MAX), Math.min(offset, U32_MAX)));
}

/** Keeps account of an archive: what goes before each file, and what stands behind the last. */
export class Directory {
  readonly #entries: Uint8Array[] = [];
  #offset = 0;

  /** The header of the file that comes next, of which `name` is ASCII. Throws `RangeError` for one of 4 GiB or more. */
  add(name: string, crc: number, bytes: number): Uint8Array {
    if (bytes >= U32_MAX) throw new RangeError(`${name} has ${bytes} bytes, at most ${U32_MAX - 1}`);
    const file: Stored = { name: Buffer.from(name, 'ascii'), crc, bytes, offset: this.#offset };
    const head = concatBytes(fields([4, LOCAL_HEADER]), shared(file, VERSION_PLAIN, 0), file.name);
    this.#entries.push(directoryEntry(file));
    this.#offset += head.byteLength + bytes;
    return head;
  }

  end(): Uint8Array {
    const entries = concatBytes(...this.#entries);
    return concatBytes(entries, directoryEnd(this.#entries.length, entries.byteLength, this.#offset));
  }
}

/** Pieces of the archive, in order. Holds one file and the directory. */
export async function* zip(files: AsyncIterable<ZipFile>): AsyncGenerator<Uint8Array> {
  const directory = new Directory();
  for await (const { name, pieces } of files) {
    const bytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    yield directory.add(
      name,
      pieces.reduce((sum, piece) => crc32(piece, sum), 0),
      bytes,
    );
    yield* pieces;
  }
  yield directory.end();
}
