import type { Gltf } from './gltfSchema.ts';

/** Which extensions are honoured, and what people are told about the others and about parts of the core that are not read. */

export const supportedExtensions = [
  'EXT_mesh_gpu_instancing',
  'EXT_meshopt_compression',
  'EXT_texture_webp',
  'KHR_lights_punctual',
  'KHR_materials_clearcoat',
  'KHR_materials_emissive_strength',
  'KHR_materials_ior',
  'KHR_materials_specular',
  'KHR_materials_transmission',
  'KHR_materials_unlit',
  'KHR_materials_volume',
  'KHR_mesh_quantization',
  'KHR_meshopt_compression',
  'KHR_texture_transform',
];

/** What well-known extensions would have done, for people. */
const EXTENSION_MEANINGS: Readonly<Record<string, string>> = {
  EXT_mesh_features: 'identifiers of features',
  EXT_structural_metadata: 'metadata',
  EXT_texture_avif: 'AVIF variants of textures',
  KHR_animation_pointer: 'animations of materials, lights and cameras',
  KHR_audio_emitter: 'sounds',
  KHR_draco_mesh_compression: 'compressed geometry; its uncompressed fallback is used',
  KHR_gaussian_splatting: 'Gaussian splats',
  KHR_lights_image_based: 'the file’s own environment map',
  EXT_lights_image_based: 'the file’s own environment map',
  KHR_materials_anisotropy: 'highlights stretched along the surface',
  KHR_materials_diffuse_transmission: 'diffuse light through leaves and paper',
  KHR_materials_dispersion: 'splitting of light into its colours',
  KHR_materials_iridescence: 'thin-film colours',
  KHR_materials_pbrSpecularGlossiness: 'the older specular-glossiness materials; their metallic-roughness values are used',
  KHR_materials_sheen: 'sheen',
  KHR_materials_subsurface: 'light scattered below the surface',
  KHR_materials_variants: 'material variants',
  KHR_node_visibility: 'hidden nodes; they are shown here',
  KHR_texture_basisu: 'KTX2 variants of textures',
  KHR_xmp_json_ld: 'metadata',
  MSFT_lod: 'levels of detail',
  MSFT_texture_dds: 'DDS variants of textures',
};

export function ignoredExtensions(gltf: Gltf): string[] {
  const names = [...new Set(gltf.extensionsUsed)].filter((name) => !supportedExtensions.includes(name)).toSorted();
  return names.map((name) => `The extension ${name} was ignored${Object.hasOwn(EXTENSION_MEANINGS, name) ? ` (${EXTENSION_MEANINGS[name]})` : ''}.`);
}

export function ignoredFeatures(gltf: Gltf): string[] {
  const primitives = (gltf.meshes ?? []).flatMap((mesh) => mesh.primitives);
  const count = (test: (primitive: (typeof primitives)[number]) => boolean): number => primitives.filter(test).length;
  const instances = (gltf.nodes ?? []).flatMap(({ extensions }) => Object.keys(extensions?.EXT_mesh_gpu_instancing?.attributes ?? {}));
  const found: readonly (readonly [number, string])[] = [
    [gltf.skins?.length ?? 0, 'Skins were ignored: the meshes are rendered in their rest pose'],
    [Math.max(0, (gltf.scenes?.length ?? 0) - 1), 'Further scenes were ignored'],
    [count(({ mode }) => mode !== undefined && mode < 4), 'Points and lines were ignored'],
    [count(({ attributes }) => attributes.POSITION === undefined), 'Primitives without positions were ignored'],
    [count(({ targets }) => (targets?.length ?? 0) > 0), 'Morph targets were ignored'],
    [instances.filter((name) => !['TRANSLATION', 'ROTATION', 'SCALE'].includes(name)).length, 'Attributes of instances other than their places were ignored'],
    [
      (gltf.extensions?.KHR_lights_punctual?.lights ?? []).filter(({ range }) => range !== undefined).length,
      'Ranges of lights were not applied: light falls off with the square of the distance',
    ],
  ];
  return found.filter(([times]) => times > 0).map(([times, sentence]) => `${sentence} (${times}).`);
}
