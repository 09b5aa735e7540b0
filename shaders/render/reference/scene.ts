import { decodeScene, sceneSections } from '../../../shared/formats.ts';

/** A packed scene as typed arrays over its sections, indexed in 32-bit words. `...Words` is the same memory as integers. */
export interface Scene {
  readonly nodes: Float32Array;
  readonly nodeWords: Uint32Array;
  readonly triangles: Float32Array;
  readonly triangleWords: Uint32Array;
  readonly attributes: Float32Array;
  readonly attributeWords: Int32Array;
  readonly materials: Float32Array;
  readonly materialWords: Int32Array;
  readonly lights: Float32Array;
  readonly lightWords: Uint32Array;
  readonly lightCount: number;
  readonly textures: Uint32Array;
  readonly texels: Uint32Array;
  readonly srgb: Float32Array;
}

/** 32-bit words of one element of a section. */
export const words = {
  node: sceneSections.nodes.stride / 4,
  triangle: sceneSections.triangles.stride / 4,
  attribute: sceneSections.attributes.stride / 4,
  material: sceneSections.materials.stride / 4,
  light: sceneSections.lights.stride / 4,
  texture: sceneSections.textures.stride / 4,
} as const;

/** Reads a packed scene without copying it where its memory is aligned. Throws `FormatError` on a damaged one. */
export function loadScene(packed: Uint8Array<ArrayBuffer>): Scene {
  const sections = decodeScene(packed.byteOffset % 4 === 0 ? packed : packed.slice());
  const floats = (bytes: Uint8Array<ArrayBuffer>): Float32Array => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const unsigned = (bytes: Uint8Array<ArrayBuffer>): Uint32Array => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const signed = (bytes: Uint8Array<ArrayBuffer>): Int32Array => new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  return {
    nodes: floats(sections.nodes),
    nodeWords: unsigned(sections.nodes),
    triangles: floats(sections.triangles),
    triangleWords: unsigned(sections.triangles),
    attributes: floats(sections.attributes),
    attributeWords: signed(sections.attributes),
    materials: floats(sections.materials),
    materialWords: signed(sections.materials),
    lights: floats(sections.lights),
    lightWords: unsigned(sections.lights),
    lightCount: sections.lights.byteLength / sceneSections.lights.stride,
    textures: unsigned(sections.textures),
    texels: unsigned(sections.texels),
    srgb: floats(sections.srgb),
  };
}
