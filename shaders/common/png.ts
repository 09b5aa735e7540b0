import { crc32 } from 'node:zlib';
import { concatBytes } from '../../shared/formats.ts';

/** What PNG files are made of. Source: "PNG Specification (Third Edition)", W3C 2025. */

export const PNG_SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);

export function u32(...values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  for (const [at, value] of values.entries()) view.setUint32(at * 4, value);
  return new Uint8Array(view.buffer);
}

/** Length, type, data, CRC. */
export function pngChunk(type: string, ...data: readonly Uint8Array[]): Uint8Array {
  const body = concatBytes(
    Uint8Array.from(type, (char) => char.charCodeAt(0)),
    ...data,
  );
  return concatBytes(u32(body.byteLength - 4), body, u32(crc32(body)));
}
