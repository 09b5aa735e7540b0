import { type Document, GLB_BUFFER, type GLTF, Logger, Verbosity, WebIO } from '@gltf-transform/core';
import { KHRMaterialsEmissiveStrength, KHRMeshQuantization } from '@gltf-transform/extensions';
import { poseOf } from './camera.ts';
import { readGlb, refuse } from './glb.ts';
import { checkReferences, supportedExtensions } from './gltfCheck.ts';
import { flatten, triangleCount } from './gltfGeometry.ts';
import { readMaterials } from './gltfMaterials.ts';
import { type Placed, placeNodes } from './gltfNodes.ts';
import { checkShape, type Gltf } from './gltfSchema.ts';
import { sceneLimits } from './limits.ts';
import type { CameraPose, MeshScene } from './mesh.ts';

/**
 * glTF 2.0 in one .glb -> plain triangles in world space. In this order, so that nothing large is built from an unchecked number:
 * container, shape of the JSON, references and ranges, node tree, count of triangles; only then the library decodes accessors
 * and materials, sharp the images, and the instances are flattened.
 *
 * Throws `InputError('model')` for anything that cannot be read, naming the field or the limit.
 */
export async function readGltf(bytes: Uint8Array): Promise<MeshScene> {
  const glb = readGlb(bytes);
  const gltf = checkShape(glb.json);
  checkReferences(gltf, glb.binary.byteLength);
  const placed = placeNodes(gltf);
  const capacity = countTriangles(gltf, placed);
  const document = await decodeDocument(gltf, glb.binary);
  const report = [...ignoredExtensions(gltf), ...ignoredFeatures(gltf)];
  const materials = await readMaterials(document, report);
  const triangles = flatten(document, placed, capacity, report);
  return { ...materials, triangles, camera: findCamera(gltf, placed, report), report };
}

/** Triangles of all instances together, from the counts in the JSON alone. */
function countTriangles(gltf: Gltf, placed: readonly Placed[]): number {
  const perMesh = (gltf.meshes ?? []).map(({ primitives }) => primitives.reduce((sum, primitive) => sum + triangleCount(gltf, primitive), 0));
  const count = placed.reduce((sum, { node }) => sum + (node.mesh === undefined ? 0 : perMesh[node.mesh]!), 0);
  if (count > sceneLimits.trianglesMax) throw refuse(`The scene has ${count} triangles.`, `at most ${sceneLimits.trianglesMax} triangles`);
  if (count === 0) throw refuse('The scene has no triangles.', 'at least one triangle');
  return count;
}

/** Hands the checked parts to the library, which resolves accessors (interleaved, sparse), materials and samplers. */
async function decodeDocument(gltf: Gltf, binary: Uint8Array<ArrayBuffer>): Promise<Document> {
  const { buffers, bufferViews, images, samplers, textures, materials } = gltf;
  const json = {
    asset: { version: '2.0' },
    extensionsUsed: (gltf.extensionsUsed ?? []).filter((name) => supportedExtensions.includes(name)),
    // The library takes an absent offset of a sparse part from the accessor around it.
    accessors: gltf.accessors?.map((accessor) => {
      const { sparse } = accessor;
      return sparse
        ? { ...accessor, sparse: { ...sparse, indices: { byteOffset: 0, ...sparse.indices }, values: { byteOffset: 0, ...sparse.values } } }
        : accessor;
    }),
    meshes: gltf.meshes?.map(({ primitives }) => ({ primitives: primitives.map(({ targets: _, ...primitive }) => primitive) })),
    ...{ buffers, bufferViews, images, samplers, textures, materials },
  };
  const io = new WebIO().setLogger(new Logger(Verbosity.SILENT)).registerExtensions([KHRMaterialsEmissiveStrength, KHRMeshQuantization]);
  try {
    return await io.readJSON({ json: json as GLTF.IGLTF, resources: { [GLB_BUFFER]: binary } });
  } catch (error) {
    throw refuse(`The glTF file cannot be read: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
}

/** What well-known extensions would have done, for people. */
const EXTENSION_MEANINGS: Readonly<Record<string, string>> = {
  EXT_mesh_gpu_instancing: 'instances',
  EXT_texture_webp: 'WebP variants of textures',
  KHR_draco_mesh_compression: 'compressed geometry; its uncompressed fallback is used',
  KHR_lights_punctual: 'point, spot and directional lights',
  KHR_materials_clearcoat: 'clear coats',
  KHR_materials_ior: 'indices of refraction',
  KHR_materials_sheen: 'sheen',
  KHR_materials_specular: 'specular colours',
  KHR_materials_transmission: 'transparency of glass',
  KHR_materials_unlit: 'unlit materials; they are lit here',
  KHR_materials_variants: 'material variants',
  KHR_materials_volume: 'volumes',
  KHR_texture_basisu: 'KTX2 variants of textures',
  KHR_texture_transform: 'texture transforms',
};

function ignoredExtensions(gltf: Gltf): string[] {
  const names = [...new Set(gltf.extensionsUsed)].filter((name) => !supportedExtensions.includes(name)).toSorted();
  return names.map((name) => `The extension ${name} was ignored${Object.hasOwn(EXTENSION_MEANINGS, name) ? ` (${EXTENSION_MEANINGS[name]})` : ''}.`);
}

function ignoredFeatures(gltf: Gltf): string[] {
  const primitives = (gltf.meshes ?? []).flatMap((mesh) => mesh.primitives);
  const count = (test: (primitive: (typeof primitives)[number]) => boolean): number => primitives.filter(test).length;
  const found: readonly (readonly [number, string])[] = [
    [gltf.animations?.length ?? 0, 'Animations were ignored: the file’s rest pose is rendered'],
    [gltf.skins?.length ?? 0, 'Skins were ignored: the meshes are rendered in their rest pose'],
    [Math.max(0, (gltf.scenes?.length ?? 0) - 1), 'Further scenes were ignored'],
    [count(({ mode }) => mode !== undefined && mode < 4), 'Points and lines were ignored'],
    [count(({ attributes }) => attributes.POSITION === undefined), 'Primitives without positions were ignored'],
    [count(({ targets }) => (targets?.length ?? 0) > 0), 'Morph targets were ignored'],
    [count(({ attributes }) => attributes.COLOR_0 !== undefined), 'Vertex colours were ignored'],
  ];
  return found.filter(([times]) => times > 0).map(([times, sentence]) => `${sentence} (${times}).`);
}

/** The first perspective camera of the scene. Its near and far planes and aspect ratio do not matter to a path tracer. */
function findCamera(gltf: Gltf, placed: readonly Placed[], report: string[]): CameraPose | null {
  let found: CameraPose | null = null;
  let [orthographic, further] = [0, 0];
  for (const { node, world } of placed) {
    if (node.camera === undefined) continue;
    const { type, perspective } = gltf.cameras![node.camera]!;
    if (type === 'orthographic' || !perspective) orthographic++;
    else if (found) further++;
    else {
      const column = (index: number, sign: number) => [world[index * 4]! * sign, world[index * 4 + 1]! * sign, world[index * 4 + 2]! * sign] as const;
      found = poseOf(column(3, 1), column(2, -1), column(1, 1), perspective.yfov);
      if (!found) report.push('A camera whose transform leaves it no direction was ignored.');
    }
  }
  if (orthographic > 0) report.push(`Orthographic cameras are not supported and were ignored (${orthographic}).`);
  if (further > 0) report.push(`Only the first camera is used; others were ignored (${further}).`);
  if (!found) report.push('The scene has no perspective camera: one that sees everything was added.');
  return found;
}
