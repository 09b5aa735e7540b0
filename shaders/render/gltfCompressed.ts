import { refuse } from './glb.ts';
import type { GltfBufferView, GltfCompressedView } from './gltfSchema.ts';

/** What EXT_meshopt_compression and KHR_meshopt_compression announce, checked before anything is decoded. */

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
