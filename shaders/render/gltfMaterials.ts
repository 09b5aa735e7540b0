import type { Document, Texture as GltfImage, Material as GltfMaterial, TextureInfo } from '@gltf-transform/core';
import type { EmissiveStrength } from '@gltf-transform/extensions';
import { refuse } from './glb.ts';
import { decodeImages } from './images.ts';
import { sceneLimits } from './limits.ts';
import { type Image, type Material, type Texture, type Vec3, type Wrap, whiteMaterial } from './mesh.ts';

const WRAPS: Readonly<Record<number, Wrap>> = { 33071: 'clamp', 33648: 'mirror', 10497: 'repeat' };
const NEAREST = 9728;

/** glTF 2.0: what a primitive without a material is drawn with. */
const defaultMaterial: Material = { ...whiteMaterial, metallic: 1 };

export interface Materials {
  /** In the file's order, then the default material. */
  readonly materials: readonly Material[];
  readonly textures: readonly Texture[];
  readonly images: readonly Image[];
}

/** Reads all materials and decodes the images they use. Adds sentences about what is ignored to `report`. */
export async function readMaterials(document: Document, report: string[]): Promise<Materials> {
  const table = new TextureTable();
  const sources = document.getRoot().listMaterials();
  const materials = sources.map((source, index) => readMaterial(source, index, table));
  reportIgnored(sources, table, report);
  return { materials: [...materials, defaultMaterial], textures: table.textures, images: await decodeImages(table.images) };
}

/** Numbers textures and images in the order of their first use; an image that two textures read is there once. */
class TextureTable {
  readonly textures: Texture[] = [];
  readonly images: GltfImage[] = [];
  /** Textures left out because they are placed by a second set of texture coordinates. */
  secondSets = 0;
  readonly #known = new Map<string, number>();

  indexOf(source: GltfImage | null, info: TextureInfo | null, srgb: boolean): number {
    if (!source || !info) return -1;
    if (info.getTexCoord() !== 0) {
      this.secondSets++;
      return -1;
    }
    if (!this.images.includes(source)) this.images.push(source);
    const texture: Texture = {
      image: this.images.indexOf(source),
      wrapS: WRAPS[info.getWrapS()] ?? 'repeat',
      wrapT: WRAPS[info.getWrapT()] ?? 'repeat',
      nearest: info.getMagFilter() === NEAREST,
      srgb,
    };
    const key = JSON.stringify(texture);
    const index = this.#known.get(key) ?? this.textures.push(texture) - 1;
    this.#known.set(key, index);
    return index;
  }
}

const clamp = (value: number): number => Math.min(1, Math.max(0, value));

function readMaterial(source: GltfMaterial, index: number, table: TextureTable): Material {
  const [red, green, blue] = source.getBaseColorFactor();
  const strength = source.getExtension<EmissiveStrength>('KHR_materials_emissive_strength')?.getEmissiveStrength() ?? 1;
  const emission = source.getEmissiveFactor().map((factor) => Math.max(0, factor) * strength) as unknown as Vec3;
  if (Math.max(...emission) > sceneLimits.radianceMax)
    throw refuse(`materials[${index}] emits a radiance of ${Math.max(...emission)}.`, `at most ${sceneLimits.radianceMax}`);
  return {
    baseColor: [clamp(red), clamp(green), clamp(blue)],
    metallic: clamp(source.getMetallicFactor()),
    roughness: clamp(source.getRoughnessFactor()),
    emission,
    baseTexture: table.indexOf(source.getBaseColorTexture(), source.getBaseColorTextureInfo(), true),
    metallicRoughnessTexture: table.indexOf(source.getMetallicRoughnessTexture(), source.getMetallicRoughnessTextureInfo(), false),
    emissionTexture: table.indexOf(source.getEmissiveTexture(), source.getEmissiveTextureInfo(), true),
    doubleSided: source.getDoubleSided(),
  };
}

function reportIgnored(sources: readonly GltfMaterial[], table: TextureTable, report: string[]): void {
  const count = (test: (source: GltfMaterial) => boolean): number => sources.filter(test).length;
  const add = (found: number, sentence: string): void => {
    if (found > 0) report.push(`${sentence} (${found} of ${sources.length} materials).`);
  };
  add(
    count((source) => source.getAlphaMode() === 'BLEND'),
    'Alpha mode BLEND was ignored: the surfaces are drawn opaque',
  );
  add(
    count((source) => source.getAlphaMode() === 'MASK'),
    'Alpha mode MASK was ignored: nothing is cut out',
  );
  add(
    count((source) => source.getNormalTexture() !== null),
    'Normal maps were ignored',
  );
  add(
    count((source) => source.getOcclusionTexture() !== null),
    'Occlusion maps were ignored: light is traced instead',
  );
  if (table.secondSets > 0) report.push(`Textures placed by a second UV set were left out (${table.secondSets}).`);
}
