import { refuse } from './glb.ts';
import { checkAccessors, checkIndex, checkKind } from './gltfCheckAccessors.ts';
import { checkCompressed, compressionOf } from './gltfCompressed.ts';
import { supportedExtensions } from './gltfExtensions.ts';
import type { Gltf, GltfMaterial, GltfTextureInfo } from './gltfSchema.ts';
import { sceneLimits } from './limits.ts';

/**
 * What the shape of the JSON cannot say: that indices meet their lists, ranges lie inside what they are ranges of, and the
 * whole is of a bearable size. The library slices buffers without looking, so nothing may reach it unchecked.
 */

/** Throws `InputError('model')` naming the field. `binaryBytes` is the length of the GLB's binary chunk. */
export function checkReferences(gltf: Gltf, binaryBytes: number): void {
  if (gltf.asset.version !== '2.0') throw refuse(`asset.version is ${JSON.stringify(gltf.asset.version.slice(0, 20))}.`, 'glTF 2.0');
  for (const name of gltf.extensionsRequired ?? [])
    if (!supportedExtensions.includes(name))
      throw refuse(`The file requires the extension ${name}, which is not supported.`, `at most ${supportedExtensions.join(', ')}`);
  checkBuffers(gltf, binaryBytes);
  checkAccessors(gltf);
  checkTextures(gltf);
  checkMeshes(gltf);
  checkNodes(gltf);
  checkAnimations(gltf);
  gltf.cameras?.forEach((camera, i) => {
    if (!camera[camera.type]) throw refuse(`cameras[${i}].${camera.type} is missing.`);
  });
}

function checkUri(path: string, uri: string): void {
  if (!uri.startsWith('data:')) throw refuse(`${path}.uri names another file, ${JSON.stringify(uri.slice(0, 60))}.`, 'one .glb that contains everything');
  if (!/^data:[^,]{0,200};base64,/.test(uri)) throw refuse(`${path}.uri is a data URI that is not base64.`);
}

/** A buffer without data may only stand for what its views hold compressed. */
function checkBuffers(gltf: Gltf, binaryBytes: number): void {
  gltf.buffers?.forEach(({ uri, byteLength }, i) => {
    if (uri !== undefined) checkUri(`buffers[${i}]`, uri);
    else if (i > 0) return;
    const bytes = uri === undefined ? binaryBytes : base64Bytes(uri);
    const isPlaceholder = i === 0 && binaryBytes === 0 && uri === undefined;
    if (byteLength > bytes && !isPlaceholder) throw refuse(`buffers[${i}].byteLength is ${byteLength}, but there are only ${bytes} bytes.`);
  });
  const hasData = (buffer: number): boolean => gltf.buffers![buffer]!.uri !== undefined || (buffer === 0 && binaryBytes > 0);
  const checkRange = (path: string, { buffer, byteOffset = 0, byteLength }: { buffer: number; byteOffset?: number | undefined; byteLength: number }): void => {
    checkIndex(`${path}.buffer`, buffer, gltf.buffers);
    if (!hasData(buffer)) throw refuse(`buffers[${buffer}] has no data: only the first buffer can be the GLB’s binary chunk.`);
    const end = byteOffset + byteLength;
    const total = gltf.buffers![buffer]!.byteLength;
    if (end > total) throw refuse(`${path} ends at byte ${end} of a buffer of ${total} bytes.`);
  };
  let decoded = 0;
  gltf.bufferViews?.forEach((view, i) => {
    const compressed = compressionOf(view);
    if (!compressed) {
      checkRange(`bufferViews[${i}]`, view);
      return;
    }
    checkRange(`bufferViews[${i}].extensions.${compressed.extension}`, compressed.view);
    decoded += checkCompressed(`bufferViews[${i}]`, view, compressed.view);
    if (decoded > sceneLimits.meshoptBytesMax)
      throw refuse(`The compressed buffer views up to bufferViews[${i}] hold ${decoded} bytes.`, `at most ${sceneLimits.meshoptBytesMax} bytes`);
  });
}

const base64Bytes = (uri: string): number => Buffer.byteLength(uri.slice(uri.indexOf(',') + 1), 'base64');

/** All places of a material that name a texture, with their paths in the JSON. */
export function texturesOf(material: GltfMaterial): Record<string, GltfTextureInfo | undefined> {
  const { pbrMetallicRoughness: pbr, normalTexture, occlusionTexture, emissiveTexture, extensions: more } = material;
  return {
    baseColorTexture: pbr?.baseColorTexture,
    metallicRoughnessTexture: pbr?.metallicRoughnessTexture,
    normalTexture,
    occlusionTexture,
    emissiveTexture,
    transmissionTexture: more?.KHR_materials_transmission?.transmissionTexture,
    thicknessTexture: more?.KHR_materials_volume?.thicknessTexture,
    specularTexture: more?.KHR_materials_specular?.specularTexture,
    specularColorTexture: more?.KHR_materials_specular?.specularColorTexture,
    clearcoatTexture: more?.KHR_materials_clearcoat?.clearcoatTexture,
    clearcoatRoughnessTexture: more?.KHR_materials_clearcoat?.clearcoatRoughnessTexture,
    clearcoatNormalTexture: more?.KHR_materials_clearcoat?.clearcoatNormalTexture,
  };
}

function checkTextures(gltf: Gltf): void {
  gltf.images?.forEach(({ uri, bufferView }, i) => {
    if (uri !== undefined) checkUri(`images[${i}]`, uri);
    else if (bufferView === undefined) throw refuse(`images[${i}] has neither bufferView nor uri.`);
    checkIndex(`images[${i}].bufferView`, bufferView, gltf.bufferViews);
  });
  gltf.textures?.forEach(({ source, sampler, extensions }, i) => {
    const webp = extensions?.EXT_texture_webp?.source;
    if (source === undefined && webp === undefined)
      throw refuse(`textures[${i}] has no source: its image is in a format of an extension.`, 'PNG, JPEG or WebP as the source');
    checkIndex(`textures[${i}].source`, source, gltf.images);
    checkIndex(`textures[${i}].extensions.EXT_texture_webp.source`, webp, gltf.images);
    checkIndex(`textures[${i}].sampler`, sampler, gltf.samplers);
  });
  gltf.materials?.forEach((material, i) => {
    for (const [slot, info] of Object.entries(texturesOf(material))) checkIndex(`materials[${i}].${slot}.index`, info?.index, gltf.textures);
  });
}

const ATTRIBUTE_TYPES = {
  NORMAL: ['VEC3'],
  TANGENT: ['VEC4'],
  TEXCOORD_0: ['VEC2'],
  TEXCOORD_1: ['VEC2'],
  COLOR_0: ['VEC3', 'VEC4'],
} as const;

function checkMeshes(gltf: Gltf): void {
  let total = 0;
  gltf.meshes?.forEach(({ primitives }, i) => {
    total += primitives.length;
    if (total > sceneLimits.primitivesMax) throw refuse(`The meshes up to meshes[${i}] have ${total} primitives.`, `at most ${sceneLimits.primitivesMax}`);
    primitives.forEach((primitive, j) => {
      const path = `meshes[${i}].primitives[${j}]`;
      checkIndex(`${path}.indices`, primitive.indices, gltf.accessors);
      checkIndex(`${path}.material`, primitive.material, gltf.materials);
      for (const [name, accessor] of Object.entries(primitive.attributes)) checkIndex(`${path}.attributes.${name.slice(0, 40)}`, accessor, gltf.accessors);
      const { indices, attributes } = primitive;
      if (indices !== undefined) checkKind(gltf, `${path}.indices`, indices, ['SCALAR'], [5121, 5123, 5125]);
      if (attributes.POSITION === undefined) return;
      checkKind(gltf, `${path}.attributes.POSITION`, attributes.POSITION, ['VEC3']);
      const { count } = gltf.accessors![attributes.POSITION]!;
      for (const [name, types] of Object.entries(ATTRIBUTE_TYPES)) {
        const accessor = attributes[name];
        if (accessor === undefined) continue;
        checkKind(gltf, `${path}.attributes.${name}`, accessor, types);
        if (gltf.accessors![accessor]!.count !== count) throw refuse(`${path} has ${count} positions, but ${gltf.accessors![accessor]!.count} of ${name}.`);
      }
    });
  });
}

function checkNodes(gltf: Gltf): void {
  gltf.nodes?.forEach((node, i) => {
    checkIndex(`nodes[${i}].mesh`, node.mesh, gltf.meshes);
    checkIndex(`nodes[${i}].camera`, node.camera, gltf.cameras);
    checkIndex(`nodes[${i}].extensions.KHR_lights_punctual.light`, node.extensions?.KHR_lights_punctual?.light, gltf.extensions?.KHR_lights_punctual?.lights);
    for (const child of node.children ?? []) checkIndex(`nodes[${i}].children`, child, gltf.nodes);
    checkInstancing(gltf, `nodes[${i}].extensions.EXT_mesh_gpu_instancing.attributes`, node.extensions?.EXT_mesh_gpu_instancing?.attributes ?? {});
  });
  checkIndex('scene', gltf.scene, gltf.scenes);
  gltf.scenes?.forEach((scene, i) => {
    for (const root of scene.nodes ?? []) checkIndex(`scenes[${i}].nodes`, root, gltf.nodes);
  });
}

function checkInstancing(gltf: Gltf, path: string, attributes: Readonly<Record<string, number>>): void {
  let first: { name: string; count: number } | undefined;
  for (const [name, accessor] of Object.entries(attributes)) {
    checkIndex(`${path}.${name.slice(0, 40)}`, accessor, gltf.accessors);
    if (name === 'ROTATION') checkKind(gltf, `${path}.${name}`, accessor, ['VEC4'], [5126, 5120, 5122]);
    else if (name === 'TRANSLATION' || name === 'SCALE') checkKind(gltf, `${path}.${name}`, accessor, ['VEC3'], [5126]);
    else continue;
    const { count } = gltf.accessors![accessor]!;
    first ??= { name, count };
    if (count !== first.count) throw refuse(`${path} has ${first.count} of ${first.name}, but ${count} of ${name}.`, 'one entry for every instance');
  }
}

function checkAnimations(gltf: Gltf): void {
  gltf.animations?.forEach(({ channels, samplers }, i) => {
    samplers.forEach(({ input, output, interpolation }, j) => {
      const path = `animations[${i}].samplers[${j}]`;
      checkIndex(`${path}.input`, input, gltf.accessors);
      checkIndex(`${path}.output`, output, gltf.accessors);
      checkKind(gltf, `${path}.input`, input, ['SCALAR'], [5126]);
      const perTime = interpolation === 'CUBICSPLINE' ? 3 : 1;
      const [times, values] = [gltf.accessors![input]!.count, gltf.accessors![output]!.count];
      const isOfNode = channels.some(({ sampler, target }) => sampler === j && target.path !== 'weights' && target.path !== 'pointer');
      if (isOfNode && values !== times * perTime) throw refuse(`${path} has ${times} times, but ${values} values.`, `${perTime} for every time`);
    });
    channels.forEach(({ sampler, target }, j) => {
      const path = `animations[${i}].channels[${j}]`;
      checkIndex(`${path}.sampler`, sampler, samplers);
      checkIndex(`${path}.target.node`, target.node, gltf.nodes);
      const output = `animations[${i}].samplers[${sampler}].output`;
      if (target.path === 'rotation') checkKind(gltf, output, samplers[sampler]!.output, ['VEC4']);
      if (target.path === 'translation' || target.path === 'scale') checkKind(gltf, output, samplers[sampler]!.output, ['VEC3'], [5126]);
    });
  });
}
