import type { Gltf } from './gltfSchema.ts';

/** Bytes of one of the file's buffers: its binary chunk, or what a base64 data URI holds. Both have been checked. */
export function bufferBytes(gltf: Gltf, buffer: number, binary: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { uri } = gltf.buffers![buffer]!;
  return uri === undefined ? binary : dataUriBytes(uri);
}

export const dataUriBytes = (uri: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(uri.slice(uri.indexOf(',') + 1)), (character) => character.charCodeAt(0));
