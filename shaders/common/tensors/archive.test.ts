import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../../shared/formats.ts';
import { isArchive, readArchive } from './archive.ts';
import { archiveLimits } from './limits.ts';
import { npyHeader } from './npy.ts';
import { readNpz } from './npz.ts';
import { type ZipFile, zipOf } from './tensors.testing.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const file = (path: string, more: Partial<ZipFile> = {}): ZipFile => ({ path, bytes: text(`this is ${path}`), ...more });

describe('archives', () => {
  it('give their files in natural order, without what systems leave behind', () => {
    const zip = zipOf(
      [file('set/img10.png'), file('set/img2.png', { stored: true }), file('set/', { bytes: text('') }), file('__MACOSX/._a'), file('.DS_Store')],
      'made here',
    );
    expect(isArchive(zip)).toBe(true);
    const entries = readArchive('inputs', zip);
    expect(entries.map(({ name }) => name)).toEqual(['img2.png', 'img10.png']);
    expect(new TextDecoder().decode(entries[1]!.read())).toBe('this is set/img10.png');
  });

  it('name their files so that they can be shown', () => {
    const names = readArchive('inputs', zipOf([file('C:\\photos\\a\u202egnp.exe'), file('photos\\')])).map(({ path, name }) => [path, name]);
    expect(names).toEqual([['C:\\photos\\a\u202egnp.exe', 'a\ufffdgnp.exe']]);
  });

  it('may pack small files as tightly as they come: zeros reach 1000 times', () => {
    const [entry] = readArchive('inputs', zipOf([file('a', { bytes: new Uint8Array(archiveLimits.ratioFreeBytes) })]));
    expect(entry!.read()).toHaveLength(archiveLimits.ratioFreeBytes);
  });

  const zeros = new Uint8Array(archiveLimits.ratioFreeBytes + 1);
  const cases: readonly (readonly [string, Uint8Array, string, string])[] = [
    ['nothing', new Uint8Array(), 'no ZIP', '.zip'],
    ['a cut archive', zipOf([file('a')]).subarray(0, -4), 'no ZIP', '.zip'],
    ['a bomb', zipOf([file('a', { bytes: zeros })]), `to ${archiveLimits.ratioFreeBytes + 1} bytes`, `at most ${archiveLimits.ratioMax} times`],
    ['a declared size beyond the cap', zipOf([file('a', { says: { bytes: 2 ** 30 } })]), 'unpack to 1073741824', 'at most'],
    ['a password', zipOf([file('a', { says: { flags: 1 } })]), 'encrypted', 'password'],
    ['another method', zipOf([file('a', { says: { method: 93 } })]), 'method 93', 'deflated'],
    ['two files of one name', zipOf([file('a'), file('a')]), 'Two files are called "a"', 'different'],
    ['entries that share bytes', zipOf([file('a'), file('b', { says: { local: 0 } })]), 'shares bytes', 'apart'],
    ['an entry that goes on into the list', zipOf([file('a', { stored: true, says: { bytes: 50, packed: 50 } })]), 'shares bytes with the list', 'apart'],
    ['an entry outside', zipOf([file('a', { says: { local: 9999 } })]), 'damaged', 'whole'],
    ['a name of 300 characters', zipOf([file('a'.repeat(300))]), '300 characters', 'at most 255'],
  ];
  it.each(cases)('with %s are refused before anything is unpacked', (_, bytes, message, limit) => {
    expect(() => readArchive('inputs', bytes)).toThrow(
      expect.objectContaining({ name: 'InputError', field: 'inputs', message: expect.stringContaining(message), limit: expect.stringContaining(limit) }),
    );
  });

  it('whose sum of files is too much are refused, though each is not', () => {
    const many = Array.from({ length: 3 }, (_, index) => file(`f${index}`, { bytes: zeros.subarray(0, 1), stored: true, says: {} }));
    const zip = zipOf(many);
    const view = new DataView(zip.buffer);
    // The list says 200 MiB each, stored.
    for (let at = zip.byteLength - 22, found = 0; at > 0 && found < 3; at--)
      if (view.getUint32(at, true) === 0x02014b50) {
        view.setUint32(at + 20, 200 * 2 ** 20, true);
        view.setUint32(at + 24, 200 * 2 ** 20, true);
        found++;
      }
    expect(() => readArchive('inputs', zip)).toThrow(expect.objectContaining({ message: expect.stringContaining('unpack to 629145600 bytes') }));
  });

  it('that lie about a size or a checksum are found out when the file is unpacked, and take no more memory than they said', () => {
    const lies = [
      ['is damaged', { bytes: 5 }],
      ['is not what the archive says', { bytes: 500 }],
      ['is not what the archive says', { crc: 1 }],
    ] as const;
    for (const [message, says] of lies) {
      const [entry] = readArchive('inputs', zipOf([file('a', { says })]));
      expect(() => entry!.read()).toThrow(expect.objectContaining({ name: 'InputError', field: 'inputs', message: expect.stringContaining(message) }));
    }
    // Small files do not keep the pool that Node takes them from.
    const [small] = readArchive('inputs', zipOf([file('a')]));
    expect(small!.read().buffer.byteLength).toBeLessThanOrEqual(64);
  });

  it('are read as NumPy 2.4 wrote them', () => {
    // numpy.savez_compressed(file, **{'x': float32 [[1, 2, 3], [4, 5, 6]], 'layer/w': int8 [7, -8]}): local headers of ZIP64.
    const saved = Buffer.from(
      'UEsDBC0AAAAIAAAAIQB8nN6i//////////8FABQAeC5ucHkBABAAmAAAAAAAAABYAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqKuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CsaaOgq1CmQDLgaGBnsGBgYHIALiBiBeAMQHHABQSwMELQAAAAgAAAAhAEqZyq3//////////wsAFABsYXllci93Lm5weQEAEACCAAAAAAAAAEYAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgXpNpqK6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaRjqaOgq1ChQALvYfAFBLAQItAy0AAAAIAAAAIQB8nN6iWAAAAJgAAAAFAAAAAAAAAAAAAACAAQAAAAB4Lm5weVBLAQItAy0AAAAIAAAAIQBKmcqtRgAAAIIAAAALAAAAAAAAAAAAAACAAY8AAABsYXllci93Lm5weVBLBQYAAAAAAgACAGwAAAASAQAAAAA=',
      'base64',
    );
    const arrays = readNpz('inputs', saved);
    expect([...arrays.keys()]).toEqual(['layer/w', 'x']);
    expect(arrays.get('x')!()).toMatchObject({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
    expect(arrays.get('layer/w')!()).toMatchObject({ shape: [2], data: Int8Array.of(7, -8) });
  });

  it('of NumPy name their arrays', () => {
    const array = concatBytes(npyHeader('f32', [2]), new Uint8Array(Float32Array.of(3, 4).buffer));
    const arrays = readNpz(
      'inputs',
      zipOf([
        { path: 'x.npy', bytes: array },
        { path: 'y.npy', bytes: array, stored: true },
      ]),
    );
    expect([...arrays.keys()]).toEqual(['x', 'y']);
    expect(arrays.get('y')!()).toMatchObject({ shape: [2], data: Float32Array.of(3, 4) });
    expect(() => readNpz('inputs', zipOf([file('a.txt')]))).toThrow(expect.objectContaining({ message: 'The archive holds no .npy file.' }));
  });
});
