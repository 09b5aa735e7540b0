import { MeshoptDecoder } from 'meshoptimizer/decoder';
import { refuse } from './glb.ts';
import type { Gltf, GltfBufferView, GltfCompressedView } from './gltfSchema.ts';

/**
 * EXT_meshopt_compression and its successor KHR_meshopt_compression. The streams are decoded here and not by the library: it trusts
 * the sizes in the JSON, and its release 4.5.1 does not know the successor.
 */

/**
 * No stream can grow more: the attribute codec spends at least two bits on the 256 elements of a block for every byte of an element,
 * the index codecs a byte a triangle or an index.
 */
const RATIO_MAX = 1024;

export function compressionOf({ extensions }: GltfBufferView): { extension: string; view: GltfCompressedView } | null {
  for (const extension of ['KHR_meshopt_compression', 'EXT_meshopt_compression'] as const) {
    const view = extensions?.[extension];
    if (view) return { extension, view };
  }
  return null;
}

/** Throws where the announced sizes cannot be. Gives the number of bytes once decoded. */
export function checkCompressed(path: string, { byteLength, byteStride }: GltfBufferView, view: GltfCompressedView): number {
  const { count, byteStride: stride, mode, filter = 'NONE' } = view;
  const decoded = count * stride;
  if (decoded !== byteLength) throw refuse(`${path} has ${byteLength} bytes, but its compressed stream ${count} times ${stride}.`);
  if (byteStride !== undefined && byteStride !== stride) throw refuse(`${path}.byteStride is ${byteStride}, but ${stride} in its compressed stream.`);
  if (decoded > view.byteLength * RATIO_MAX)
    throw refuse(`${path} announces ${decoded} bytes in a compressed stream of ${view.byteLength} bytes.`, `at most ${RATIO_MAX} times as many`);
  const strideFits = mode === 'ATTRIBUTES' ? stride % 4 === 0 : stride === 2 || stride === 4;
  if (!strideFits) throw refuse(`${path} has a compressed stream of mode ${mode} with a stride of ${stride} bytes.`);
  if (mode === 'TRIANGLES' && count % 3 !== 0) throw refuse(`${path} has a compressed stream of triangles with ${count} indices.`, 'three for every triangle');
  const filterFits =
    filter === 'NONE' ||
    (mode === 'ATTRIBUTES' && (filter === 'EXPONENTIAL' || stride === 8 || (stride === 4 && (filter === 'OCTAHEDRAL' || filter === 'COLOR'))));
  if (!filterFits) throw refuse(`${path} has a compressed stream of mode ${mode} and stride ${stride} with the filter ${filter}.`);
  return decoded;
}

const URI = 'meshopt';

/** The file with its compressed views decoded into one more buffer, whose bytes are in `resources`. All sizes have been checked. */
export async function decompress(gltf: Gltf, binary: Uint8Array): Promise<{ gltf: Gltf; resources: Record<string, Uint8Array<ArrayBuffer>> }> {
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

function bufferBytes(gltf: Gltf, buffer: number, binary: Uint8Array): Uint8Array {
  const { uri } = gltf.buffers![buffer]!;
  return uri === undefined ? binary : new Uint8Array(Buffer.from(uri.slice(uri.indexOf(',') + 1), 'base64'));
}
