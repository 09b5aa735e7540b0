import { decodeResult, FormatError } from '../../shared/formats.ts';
import type { PartMask } from '../../shared/model.ts';

/** A result that may hold more parts than are asked for. */
export interface OpenedResult {
  /** Parts in the bytes. */
  readonly parts: PartMask;
  /** The words of one part. Throws `FormatError` for a part that is not there. */
  words(part: number): Uint32Array;
}

/** Reads the part mask from the header and checks everything else against it. Throws `FormatError`. */
export function openResult(bytes: Uint8Array, partBytes: number): OpenedResult {
  if (bytes.byteLength < 16) throw new FormatError(`result has ${bytes.byteLength} bytes, less than its header`);
  const parts = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true) as PartMask;
  const partOf = decodeResult(bytes, parts, partBytes);
  return {
    parts,
    words(part) {
      const found = partOf(part);
      // A subarray need not start at a multiple of four bytes.
      const aligned = found.byteOffset % 4 === 0 ? found : found.slice();
      return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
    },
  };
}
