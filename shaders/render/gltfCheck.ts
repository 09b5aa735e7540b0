import { refuse } from './glb.ts';
import type { Gltf, GltfAccessor } from './gltfSchema.ts';
import { sceneLimits } from './limits.ts';

/**
 * What the shape of the JSON cannot say: that indices meet their lists, ranges lie inside what they are ranges of, and the
 * whole is of a bearable size. The library slices buffers without looking, so nothing may reach it unchecked.
 */

/** Extensions that are honoured. */
export const supportedExtensions = ['KHR_materials_emissive_strength', 'KHR_mesh_quantization'];

const COMPONENT_BYTES: Readonly<Record<GltfAccessor['componentType'], number>> = { 5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4 };
const TYPE_NUMBERS: Readonly<Record<GltfAccessor['type'], number>> = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4, MAT2: 4, MAT3: 9, MAT4: 16 };

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
  gltf.nodes?.forEach((node, i) => {
    checkIndex(`nodes[${i}].mesh`, node.mesh, gltf.meshes);
    checkIndex(`nodes[${i}].camera`, node.camera, gltf.cameras);
    for (const child of node.children ?? []) checkIndex(`nodes[${i}].children`, child, gltf.nodes);
  });
  checkIndex('scene', gltf.scene, gltf.scenes);
  gltf.scenes?.forEach((scene, i) => {
    for (const root of scene.nodes ?? []) checkIndex(`scenes[${i}].nodes`, root, gltf.nodes);
  });
  gltf.cameras?.forEach((camera, i) => {
    if (camera.type === 'perspective' && !camera.perspective) throw refuse(`cameras[${i}].perspective is missing.`);
  });
}

/** An absent index is fine. */
function checkIndex(path: string, index: number | undefined, list: readonly unknown[] | undefined): void {
  const length = list?.length ?? 0;
  if (index !== undefined && index >= length) throw refuse(`${path} is ${index}, but there are only ${length}.`);
}

function checkUri(path: string, uri: string): void {
  if (!uri.startsWith('data:')) throw refuse(`${path}.uri names another file, ${JSON.stringify(uri.slice(0, 60))}.`, 'one .glb that contains everything');
  if (!/^data:[^,]{0,200};base64,/.test(uri)) throw refuse(`${path}.uri is a data URI that is not base64.`);
}

function checkBuffers(gltf: Gltf, binaryBytes: number): void {
  gltf.buffers?.forEach(({ uri, byteLength }, i) => {
    if (uri !== undefined) checkUri(`buffers[${i}]`, uri);
    else if (i > 0) throw refuse(`buffers[${i}] has no data: only the first buffer can be the GLB's binary chunk.`);
    const bytes = uri === undefined ? binaryBytes : base64Bytes(uri);
    if (byteLength > bytes) throw refuse(`buffers[${i}].byteLength is ${byteLength}, but there are only ${bytes} bytes.`);
  });
  gltf.bufferViews?.forEach((view, i) => {
    checkIndex(`bufferViews[${i}].buffer`, view.buffer, gltf.buffers);
    const end = (view.byteOffset ?? 0) + view.byteLength;
    const { byteLength } = gltf.buffers![view.buffer]!;
    if (end > byteLength) throw refuse(`bufferViews[${i}] ends at byte ${end} of a buffer of ${byteLength} bytes.`);
  });
}

const base64Bytes = (uri: string): number => Buffer.byteLength(uri.slice(uri.indexOf(',') + 1), 'base64');

function checkAccessors(gltf: Gltf): void {
  let total = 0;
  gltf.accessors?.forEach((accessor, i) => {
    const path = `accessors[${i}]`;
    const size = TYPE_NUMBERS[accessor.type];
    const bytes = COMPONENT_BYTES[accessor.componentType];
    total += accessor.count * size;
    if (total > sceneLimits.accessorNumbersMax)
      throw refuse(`The accessors up to ${path} hold ${total} numbers.`, `at most ${sceneLimits.accessorNumbersMax} numbers`);
    if (accessor.bufferView !== undefined) checkRange(gltf, path, { ...accessor, bufferView: accessor.bufferView }, size * bytes);
    if (!accessor.sparse) return;
    const { count, indices, values } = accessor.sparse;
    if (count > accessor.count) throw refuse(`${path}.sparse.count is ${count}, more than the ${accessor.count} elements.`);
    checkRange(gltf, `${path}.sparse.indices`, { ...indices, count }, COMPONENT_BYTES[indices.componentType]);
    checkRange(gltf, `${path}.sparse.values`, { ...values, count }, size * bytes);
  });
}

function checkRange(gltf: Gltf, path: string, range: { bufferView: number; byteOffset?: number | undefined; count: number }, elementBytes: number): void {
  checkIndex(`${path}.bufferView`, range.bufferView, gltf.bufferViews);
  const view = gltf.bufferViews![range.bufferView]!;
  const end = (range.byteOffset ?? 0) + (range.count - 1) * (view.byteStride ?? elementBytes) + elementBytes;
  if (end > view.byteLength) throw refuse(`${path} ends at byte ${end} of bufferViews[${range.bufferView}], which has ${view.byteLength} bytes.`);
}

function checkTextures(gltf: Gltf): void {
  gltf.images?.forEach(({ uri, bufferView }, i) => {
    if (uri !== undefined) checkUri(`images[${i}]`, uri);
    else if (bufferView === undefined) throw refuse(`images[${i}] has neither bufferView nor uri.`);
    checkIndex(`images[${i}].bufferView`, bufferView, gltf.bufferViews);
  });
  gltf.textures?.forEach(({ source, sampler }, i) => {
    if (source === undefined) throw refuse(`textures[${i}] has no source: its image is in a format of an extension.`, 'PNG, JPEG or WebP as the source');
    checkIndex(`textures[${i}].source`, source, gltf.images);
    checkIndex(`textures[${i}].sampler`, sampler, gltf.samplers);
  });
  gltf.materials?.forEach((material, i) => {
    const { baseColorTexture, metallicRoughnessTexture } = material.pbrMetallicRoughness ?? {};
    const { normalTexture, occlusionTexture, emissiveTexture } = material;
    const slots = { baseColorTexture, metallicRoughnessTexture, normalTexture, occlusionTexture, emissiveTexture };
    for (const [slot, info] of Object.entries(slots)) checkIndex(`materials[${i}].${slot}.index`, info?.index, gltf.textures);
  });
}

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
      if (indices !== undefined) checkAccessorKind(gltf, `${path}.indices`, indices, 'SCALAR', [5121, 5123, 5125]);
      if (attributes.POSITION !== undefined) checkAccessorKind(gltf, `${path}.attributes.POSITION`, attributes.POSITION, 'VEC3');
      const count = gltf.accessors?.[attributes.POSITION ?? -1]?.count;
      for (const [name, type] of [['NORMAL', 'VEC3'] as const, ['TEXCOORD_0', 'VEC2'] as const]) {
        const accessor = attributes[name];
        if (accessor === undefined || count === undefined) continue;
        checkAccessorKind(gltf, `${path}.attributes.${name}`, accessor, type);
        if (gltf.accessors![accessor]!.count !== count) throw refuse(`${path} has ${count} positions, but ${gltf.accessors![accessor]!.count} of ${name}.`);
      }
    });
  });
}

function checkAccessorKind(gltf: Gltf, path: string, accessor: number, type: GltfAccessor['type'], components?: readonly number[]): void {
  const found = gltf.accessors![accessor]!;
  if (found.type !== type) throw refuse(`${path} is of type ${found.type}.`, type);
  if (components && !components.includes(found.componentType)) throw refuse(`${path} has component type ${found.componentType}.`, components.join(', '));
}
