import type { Gltf, GltfTextureInfo } from './gltfSchema.ts';
import type { Texture, TextureSlot, Wrap } from './mesh.ts';

const WRAPS: Readonly<Record<number, Wrap>> = { 33071: 'clamp', 33648: 'mirror', 10497: 'repeat' };
const NEAREST = 9728;

/** Numbers textures and images in the order of their first use; an image that two textures read is there once. */
export class TextureTable {
  readonly textures: Texture[] = [];
  /** Indices of images in the file. */
  readonly images: number[] = [];
  /** Textures left out because they are placed by a third or later set of texture coordinates. */
  laterSets = 0;
  readonly #gltf: Gltf;
  readonly #known = new Map<string, number>();

  constructor(gltf: Gltf) {
    this.#gltf = gltf;
  }

  /** Null: no texture, or one that is left out. `srgb`: of the colour bytes. */
  slot(info: GltfTextureInfo | undefined, srgb: boolean): TextureSlot | null {
    if (!info) return null;
    const transform = info.extensions?.KHR_texture_transform;
    const uvSet = transform?.texCoord ?? info.texCoord ?? 0;
    if (uvSet !== 0 && uvSet !== 1) {
      this.laterSets++;
      return null;
    }
    return { texture: this.#textureOf(info.index, srgb), uvSet, transform: uvTransform(transform ?? {}) };
  }

  #textureOf(index: number, srgb: boolean): number {
    const { source, sampler, extensions } = this.#gltf.textures![index]!;
    const { wrapS = 10497, wrapT = 10497, magFilter } = this.#gltf.samplers?.[sampler ?? -1] ?? {};
    // EXT_texture_webp: its image is the better one, the core's a fallback.
    const texture: Texture = {
      image: this.#imageOf(extensions?.EXT_texture_webp?.source ?? source!),
      wrapS: WRAPS[wrapS]!,
      wrapT: WRAPS[wrapT]!,
      nearest: magFilter === NEAREST,
      srgb,
    };
    const key = JSON.stringify(texture);
    const known = this.#known.get(key) ?? this.textures.push(texture) - 1;
    this.#known.set(key, known);
    return known;
  }

  #imageOf(image: number): number {
    const known = this.images.indexOf(image);
    return known < 0 ? this.images.push(image) - 1 : known;
  }
}

/**
 * Scaled, then turned, then moved. "Counter-clockwise" with v down, as in the specification's example, Khronos' TextureTransformTest, three.js
 * and Blender; the matrix in its text is printed by rows, though GLSL reads it by columns.
 */
function uvTransform({ offset = [0, 0], rotation = 0, scale = [1, 1] }: { offset?: number[]; rotation?: number; scale?: number[] }): TextureSlot['transform'] {
  const [sine, cosine] = [Math.sin(rotation), Math.cos(rotation)];
  const [su, sv] = scale as [number, number];
  const [ou, ov] = offset as [number, number];
  return [cosine * su, sine * sv, ou, -sine * su + 0, cosine * sv, ov];
}
