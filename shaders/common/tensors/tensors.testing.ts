import { crc32, deflateRawSync } from 'node:zlib';
import { concatBytes } from '../../../shared/formats.ts';

/** Files for tests, written by hand, so that what is wrong with them can be chosen. */

export interface ZipFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly stored?: boolean;
  /** What the archive says in place of the truth. */
  readonly says?: {
    readonly bytes?: number;
    readonly packed?: number;
    readonly crc?: number;
    readonly method?: number;
    readonly flags?: number;
    readonly local?: number;
  };
}

const words = (...pairs: readonly (readonly [bytes: 2 | 4, value: number])[]): Uint8Array<ArrayBuffer> => {
  const out = new DataView(new ArrayBuffer(pairs.reduce((sum, [bytes]) => sum + bytes, 0)));
  let at = 0;
  for (const [bytes, value] of pairs) {
    if (bytes === 2) out.setUint16(at, value, true);
    else out.setUint32(at, value, true);
    at += bytes;
  }
  return new Uint8Array(out.buffer);
};

export function zipOf(files: readonly ZipFile[], comment = ''): Uint8Array<ArrayBuffer> {
  const locals: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let offset = 0;
  for (const { path, bytes, stored = false, says = {} } of files) {
    const name = new TextEncoder().encode(path);
    const packed = stored ? bytes : deflateRawSync(bytes);
    const {
      flags = 0,
      method = stored ? 0 : 8,
      crc = crc32(bytes),
      bytes: size = bytes.byteLength,
      packed: packedSize = packed.byteLength,
      local = offset,
    } = says;
    const common = [
      [2, 20],
      [2, flags],
      [2, method],
      [2, 0],
      [2, 0],
      [4, crc],
      [4, packedSize],
      [4, size],
      [2, name.byteLength],
      [2, 0],
    ] as const;
    locals.push(words([4, 0x04034b50], ...common), name, packed);
    central.push(words([4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, local]), name);
    offset += 30 + name.byteLength + packed.byteLength;
  }
  const list = concatBytes(...central);
  const tail = words([4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, list.byteLength], [4, offset], [2, comment.length]);
  return concatBytes(...locals, list, tail, new TextEncoder().encode(comment));
}

/** A .npy file with any header. */
export function npyOf(header: string, data: Uint8Array, version = 1): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(`${header}\n`);
  const length = version === 1 ? words([2, text.byteLength]) : words([4, text.byteLength]);
  return concatBytes(Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0), length, text, data);
}

export function safetensorsOf(header: unknown, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  return concatBytes(words([4, json.byteLength], [4, 0]), json, data);
}
