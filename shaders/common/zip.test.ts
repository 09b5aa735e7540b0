import { crc32 } from 'node:zlib';
import { unzipSync } from 'fflate';
import { expect, test } from 'vitest';
import { concatBytes } from '../../shared/formats.ts';
import { Directory, type ZipFile, zip } from './zip.ts';

async function* streamed(files: Iterable<ZipFile>): AsyncGenerator<ZipFile> {
  yield* files;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function archive(...files: ZipFile[]): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of zip(streamed(files))) pieces.push(piece);
  return concatBytes(...pieces);
}

test('an independent reader finds every file, whole and in order', async () => {
  const made = await archive(
    { name: '0001.png', pieces: [bytesOf('one '), bytesOf('frame')] },
    { name: '0002.png', pieces: [] },
    { name: '0003.png', pieces: [new Uint8Array(70_000).fill(7)] },
  );
  const read = unzipSync(made);
  expect(Object.keys(read)).toEqual(['0001.png', '0002.png', '0003.png']);
  expect(new TextDecoder().decode(read['0001.png'])).toBe('one frame');
  expect(read['0002.png']).toHaveLength(0);
  expect(read['0003.png']).toEqual(new Uint8Array(70_000).fill(7));
});

test('checksums are those of the files, which are stored as they are', async () => {
  const made = await archive({ name: 'a', pieces: [bytesOf('some '), bytesOf('bytes')] });
  const view = new DataView(made.buffer, made.byteOffset);
  expect([view.getUint32(0, true), view.getUint16(8, true)]).toEqual([0x04034b50, 0]);
  expect(view.getUint32(14, true)).toBe(crc32('some bytes'));
  expect(new TextDecoder().decode(made.subarray(31, 41))).toBe('some bytes');
});

test('equal files give equal archives', async () => {
  const file = { name: 'a', pieces: [bytesOf('x')] };
  expect(await archive(file)).toEqual(await archive(file));
});

test('past 4 GiB the directory is that of ZIP64', () => {
  const directory = new Directory();
  const heads = Array.from({ length: 3 }, (_, at) => directory.add(`${at}.exr`, 5, 2 ** 31));
  const lastAt = 2 * (heads[0]!.byteLength + 2 ** 31);
  const end = directory.end();
  const view = new DataView(end.buffer);
  // From behind: end (22 bytes), its locator (20), the record (56), before them the entry of the last file with a field of 8 bytes.
  const [plain, locator, record] = [end.byteLength - 22, end.byteLength - 42, end.byteLength - 98];
  const directoryAt = lastAt + heads[2]!.byteLength + 2 ** 31;
  expect([view.getUint32(plain, true), view.getUint16(plain + 10, true), view.getUint32(plain + 16, true)]).toEqual([0x06054b50, 3, 0xffffffff]);
  expect([view.getUint32(locator, true), Number(view.getBigUint64(locator + 8, true))]).toEqual([0x07064b50, directoryAt + record]);
  expect([view.getUint32(record, true), Number(view.getBigUint64(record + 32, true))]).toEqual([0x06064b50, 3]);
  expect([Number(view.getBigUint64(record + 40, true)), Number(view.getBigUint64(record + 48, true))]).toEqual([record, directoryAt]);
  expect(Number(view.getBigUint64(record - 8, true))).toBe(lastAt);
  // The first two lie below 4 GiB or at it, and say so in 32 bits.
  expect(view.getUint32(42, true)).toBe(0);
});

test('a file of 4 GiB is refused', () => {
  expect(() => new Directory().add('0001.exr', 0, 2 ** 32)).toThrow(/0001.exr has 4294967296 bytes/);
});
