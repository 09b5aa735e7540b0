import { InputError } from '../../shared/workload.ts';
import { sceneLimits } from './limits.ts';

/** The GLB container, glTF 2.0 specification, section 4.4: a 12-byte header, a JSON chunk, and mostly a binary one. */

const MAGIC = 0x46546c67;
const JSON_CHUNK = 0x4e4f534a;
const BIN_CHUNK = 0x004e4942;
const HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;

/** A refusal of the uploaded model. */
export const refuse = (message: string, limit?: string): InputError => new InputError('model', message, limit);

export interface Glb {
  /** Parsed, not yet checked. */
  readonly json: unknown;
  /** A copy of the binary chunk, empty where the file has none. */
  readonly binary: Uint8Array<ArrayBuffer>;
}

/** Throws `InputError('model')` unless all lengths agree and the JSON chunk is JSON. */
export function readGlb(bytes: Uint8Array): Glb {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < HEADER_BYTES + CHUNK_HEADER_BYTES || view.getUint32(0, true) !== MAGIC)
    throw refuse('This is not a binary glTF file: it does not start with a GLB header.', 'one .glb file, glTF 2.0');
  const version = view.getUint32(4, true);
  if (version !== 2) throw refuse(`The file is GLB version ${version}.`, 'GLB version 2');
  const length = view.getUint32(8, true);
  if (length !== bytes.byteLength) throw refuse(`The GLB header announces ${length} bytes, but the file has ${bytes.byteLength}.`);
  const json = chunkAt(bytes, view, HEADER_BYTES);
  if (json.type !== JSON_CHUNK) throw refuse('The first chunk of the GLB file is not its JSON chunk.');
  if (json.data.byteLength > sceneLimits.jsonBytesMax)
    throw refuse(`The JSON chunk has ${json.data.byteLength} bytes.`, `at most ${sceneLimits.jsonBytesMax} bytes`);
  const second = json.end < bytes.byteLength ? chunkAt(bytes, view, json.end) : null;
  return { json: parseJson(json.data), binary: new Uint8Array(second?.type === BIN_CHUNK ? second.data : []) };
}

function chunkAt(bytes: Uint8Array, view: DataView, at: number): { type: number; data: Uint8Array; end: number } {
  const start = at + CHUNK_HEADER_BYTES;
  if (start > bytes.byteLength) throw refuse(`The GLB file ends inside the header of the chunk at byte ${at}.`);
  const length = view.getUint32(at, true);
  if (start + length > bytes.byteLength) throw refuse(`The chunk at byte ${at} announces ${length} bytes, but only ${bytes.byteLength - start} follow.`);
  return { type: view.getUint32(at + 4, true), data: bytes.subarray(start, start + length), end: start + length };
}

function parseJson(text: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
  } catch {
    throw refuse('The JSON chunk of the GLB file is not valid JSON.');
  }
}
