import type { Document } from '@gltf-transform/core';
import { refuse } from './glb.ts';
import type { MaterialNeeds } from './gltfGeometry.ts';
import type { Gltf, GltfMaterial } from './gltfSchema.ts';
import { TextureTable } from './gltfTextures.ts';
import { decodeImages } from './images.ts';
import { sceneLimits } from './limits.ts';
import { type Image, type Material, type Texture, type TextureSlot, type TextureSlotName, type Vec3, whiteMaterial } from './mesh.ts';

/** glTF 2.0: what a primitive without a material is drawn with. */
const defaultMaterial: Material = { ...whiteMaterial, metallic: 1 };

/** Beyond this a factor on normals or an index of refraction changes nothing but the digits that f32 has for it. */
const FACTOR_MAX = 1000;

export interface Materials {
  /** In the file's order, then the default material. */
  readonly materials: readonly Material[];
  readonly textures: readonly Texture[];
  readonly images: readonly Image[];
}

/** Reads all materials and decodes the images they use. Adds sentences about what is ignored or repaired to `report`. */
export async function readMaterials(gltf: Gltf, document: Document, report: string[]): Promise<Materials> {
  const table = new TextureTable(gltf);
  const sources = gltf.materials ?? [];
  const materials = sources.map((source, index) => readMaterial(source, index, table));
  reportIgnored(sources, table, report);
  const images = document.getRoot().listTextures();
  return { materials: [...materials, defaultMaterial], textures: table.textures, images: await decodeImages(table.images.map((index) => images[index]!)) };
}

const clamp = (value: number, most = 1): number => Math.min(most, Math.max(0, value));
const clamp3 = (values: readonly number[], most = 1): Vec3 => [clamp(values[0]!, most), clamp(values[1]!, most), clamp(values[2]!, most)];
const ALPHA_MODES = { OPAQUE: 'opaque', MASK: 'mask', BLEND: 'blend' } as const;

function readMaterial(source: GltfMaterial, index: number, table: TextureTable): Material {
  const { pbrMetallicRoughness: pbr = {}, normalTexture, extensions: more = {} } = source;
  const { baseColorFactor = [1, 1, 1, 1] } = pbr;
  const transmission = more.KHR_materials_transmission;
  const volume = more.KHR_materials_volume;
  const specular = more.KHR_materials_specular;
  const coat = more.KHR_materials_clearcoat;
  const strength = more.KHR_materials_emissive_strength?.emissiveStrength ?? 1;
  const emission = (source.emissiveFactor ?? [0, 0, 0]).map((factor) => Math.max(0, factor) * strength) as unknown as Vec3;
  if (Math.max(...emission) > sceneLimits.radianceMax)
    throw refuse(`materials[${index}] emits a radiance of ${Math.max(...emission)}.`, `at most ${sceneLimits.radianceMax}`);
  const distance = volume?.attenuationDistance ?? 0;
  const material: Material = {
    baseColor: clamp3(baseColorFactor),
    alpha: clamp(baseColorFactor[3]!),
    alphaMode: ALPHA_MODES[source.alphaMode ?? 'OPAQUE'],
    alphaCutoff: source.alphaCutoff ?? 0.5,
    metallic: clamp(pbr.metallicFactor ?? 1),
    roughness: clamp(pbr.roughnessFactor ?? 1),
    emission,
    unlit: false,
    ior: iorOf(source),
    specular: clamp(specular?.specularFactor ?? 1),
    specularColor: clamp3(specular?.specularColorFactor ?? [1, 1, 1], FACTOR_MAX),
    transmission: clamp(transmission?.transmissionFactor ?? 0),
    solid: (volume?.thicknessFactor ?? 0) > 0,
    attenuationColor: clamp3(volume?.attenuationColor ?? [1, 1, 1]),
    attenuationDistance: distance > 0 ? distance : Infinity,
    clearcoat: clamp(coat?.clearcoatFactor ?? 0),
    clearcoatRoughness: clamp(coat?.clearcoatRoughnessFactor ?? 0),
    normalScale: scaleOf(normalTexture),
    clearcoatNormalScale: scaleOf(coat?.clearcoatNormalTexture),
    doubleSided: source.doubleSided ?? false,
    textures: present({
      base: table.slot(pbr.baseColorTexture, true),
      metallicRoughness: table.slot(pbr.metallicRoughnessTexture, false),
      normal: table.slot(normalTexture, false),
      emission: table.slot(source.emissiveTexture, true),
      transmission: table.slot(transmission?.transmissionTexture, false),
      specular: table.slot(specular?.specularTexture, false),
      specularColor: table.slot(specular?.specularColorTexture, true),
      clearcoat: table.slot(coat?.clearcoatTexture, false),
      clearcoatRoughness: table.slot(coat?.clearcoatRoughnessTexture, false),
      clearcoatNormal: table.slot(coat?.clearcoatNormalTexture, false),
    }),
  };
  return more.KHR_materials_unlit ? unlit(material) : material;
}

/** Shows its base colour. The base texture stays where coverage is read from. */
function unlit({ baseColor, alpha, alphaMode, alphaCutoff, doubleSided, textures: { base } }: Material): Material {
  return {
    ...whiteMaterial,
    ...{ alpha, alphaMode, alphaCutoff, doubleSided },
    baseColor: [0, 0, 0],
    emission: baseColor,
    unlit: true,
    textures: base ? { base, emission: base } : {},
  };
}

const scaleOf = (info: { scale?: number } | undefined): number => Math.min(FACTOR_MAX, Math.max(-FACTOR_MAX, info?.scale ?? 1));

function iorOf({ extensions }: GltfMaterial): number {
  const ior = extensions?.KHR_materials_ior?.ior ?? 1.5;
  return ior === 0 ? 1.5 : Math.min(FACTOR_MAX, Math.max(1, ior));
}

const present = (slots: Record<TextureSlotName, TextureSlot | null>): Material['textures'] =>
  Object.fromEntries(Object.entries(slots).filter(([, slot]) => slot !== null));

function reportIgnored(sources: readonly GltfMaterial[], table: TextureTable, report: string[]): void {
  const add = (sentence: string, test: (source: GltfMaterial) => boolean): void => {
    const found = sources.filter(test).length;
    if (found > 0) report.push(`${sentence} (${found} of ${sources.length} materials).`);
  };
  add('Occlusion maps were not applied: light is traced instead', (source) => source.occlusionTexture !== undefined);
  add('Thickness maps were not applied: light is traced through the real thickness', (source) => volumeOf(source)?.thicknessTexture !== undefined);
  add('An index of refraction of 0 (mirror at every angle) is not supported: 1.5 is used', (source) => source.extensions?.KHR_materials_ior?.ior === 0);
  add('Indices of refraction below 1 were raised to 1', (source) => {
    const ior = source.extensions?.KHR_materials_ior?.ior ?? 1;
    return ior > 0 && ior < 1;
  });
  add('Clear coats with a normal map on another UV set than the normal map’s use the latter’s tangents', ({ normalTexture, extensions }) => {
    const coat = extensions?.KHR_materials_clearcoat?.clearcoatNormalTexture;
    return normalTexture !== undefined && coat !== undefined && uvSetOf(normalTexture) !== uvSetOf(coat);
  });
  if (table.laterSets > 0) report.push(`Textures placed by a third or later UV set were left out (${table.laterSets}).`);
}

const volumeOf = (source: GltfMaterial) => source.extensions?.KHR_materials_volume;
const uvSetOf = (info: NonNullable<GltfMaterial['normalTexture']>): number => info.extensions?.KHR_texture_transform?.texCoord ?? info.texCoord ?? 0;

/** What of a mesh its materials read. */
export const needsOf = (materials: readonly Material[]): MaterialNeeds[] =>
  materials.map(({ textures }) => ({
    uvs1: Object.values(textures).some(({ uvSet }) => uvSet === 1),
    tangents: (textures.normal ?? textures.clearcoatNormal)?.uvSet ?? null,
  }));
