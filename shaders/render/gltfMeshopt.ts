import { MeshoptDecoder } from 'meshoptimizer/decoder';
import { refuse } from './glb.ts';
import { bufferBytes } from './gltfBuffers.ts';
import { compressionOf } from './gltfCompressed.ts';
import type { Gltf } from './gltfSchema.ts';

/**
 * EXT_meshopt_compression and its successor KHR_meshopt_compression. The streams are decoded here and not by the library: it trusts
 * the sizes in the JSON, and its release 4.5.1 does not know the successor.
 */

const URI = 'meshopt';

/** The file with its compressed views decoded into one more buffer, whose bytes are in `resources`. All sizes have been checked. */
export async function decompress(gltf: Gltf, binary: Uint8Array<ArrayBuffer>): Promise<{ gltf: Gltf; resources: Record<string, Uint8Array<ArrayBuffer>> }> {
  const views = gltf.bufferViews ?? [];
  if (!views.some(compressionOf)) return { gltf, resources: {} };
  await MeshoptDecoder.ready;
  const target = new Uint8Array(views.reduce((sum, view) => sum + (compressionOf(view) ? roundUp(view.byteLength) : 0), 0));
  const sources = new Map<number, Uint8Array>();
  let at = 0;
  const bufferViews = views.map((view, index) => {
    const compressed = compressionOf(view)?.view;
    if (!compressed) return view;
    const { buffer, byteOffset = 0, byteLength, count, byteStride, mode, filter = 'NONE' } = compressed;
    const source = sources.get(buffer) ?? bufferBytes(gltf, buffer, binary);
    sources.set(buffer, source);
    const out = { buffer: gltf.buffers!.length, byteOffset: at, byteLength: view.byteLength, ...(view.byteStride && { byteStride: view.byteStride }) };
    try {
      MeshoptDecoder.decodeGltfBuffer(
        target.subarray(at, at + view.byteLength),
        count,
        byteStride,
        source.subarray(byteOffset, byteOffset + byteLength),
        mode,
        filter,
      );
    } catch {
      throw refuse(`The compressed stream of bufferViews[${index}] is malformed.`);
    }
    at += roundUp(view.byteLength);
    return out;
  });
  // Placeholders of what was compressed have no views left, and no bytes either.
  return { gltf: { ...gltf, bufferViews, buffers: [...gltf.buffers!, { uri: URI, byteLength: target.byteLength }] }, resources: { [URI]: target } };
}

const roundUp = (bytes: number): number => Math.ceil(bytes / 4) * 4;
