import { type Document, GLB_BUFFER, type GLTF, Logger, Verbosity, WebIO } from '@gltf-transform/core';
import { KHRMeshQuantization } from '@gltf-transform/extensions';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { readGlb, refuse } from './glb.ts';
import { animatedNodes, ignoredAnimations, type Timeline } from './gltfAnimated.ts';
import { readMotion } from './gltfAnimation.ts';
import { checkReferences } from './gltfCheck.ts';
import { ignoredExtensions, ignoredFeatures } from './gltfExtensions.ts';
import { needsOf, readMaterials } from './gltfMaterials.ts';
import { MeshMaker } from './gltfMeshes.ts';
import { decompress } from './gltfMeshopt.ts';
import { placeNodes, worldMatrices } from './gltfNodes.ts';
import { planMeshes } from './gltfPlan.ts';
import { readCameras, readLights } from './gltfPoses.ts';
import { type Checker, checkShape, type Gltf } from './gltfSchema.ts';
import { tangentsReady } from './gltfTangents.ts';
import type { MeshScene } from './mesh.ts';

/**
 * glTF 2.0 in one .glb -> a scene. In this order, so that nothing large is built from an unchecked number: container, shape of the JSON,
 * references and ranges, node tree, counts of triangles, instances and transforms; only then meshopt streams are decoded, the library
 * decodes accessors, sharp the images, and the meshes are built.
 *
 * Without a `timeline` the file's rest pose is read. Throws `InputError('model')` for anything that cannot be read, naming the field or the limit.
 */
export async function readGltf(bytes: Uint8Array, timeline?: Timeline): Promise<MeshScene> {
  const glb = readGlb(bytes);
  const gltf = checkShape(glb.json, compiled);
  checkReferences(gltf, glb.binary.byteLength);
  const frames = timeline?.frames ?? 1;
  const tree = placeNodes(gltf, animatedNodes(gltf), frames);
  const plan = planMeshes(gltf, tree, frames);
  const { gltf: plain, resources } = await decompress(gltf, glb.binary);
  const document = await decodeDocument(plain, { [GLB_BUFFER]: glb.binary, ...resources });
  await tangentsReady();
  const report = [...ignoredExtensions(gltf), ...ignoredFeatures(gltf), ...ignoredAnimations(gltf, timeline)];
  const motion = timeline ? readMotion(gltf, document, timeline, report) : () => null;
  const worlds = worldMatrices(tree, frames, motion);
  const lights = readLights(gltf, tree.placed, worlds, report);
  const materials = await readMaterials(gltf, document, report);
  const meshes = new MeshMaker(gltf, document, plan, needsOf(materials.materials), report).make(tree, worlds);
  const cameras = readCameras(gltf, tree.placed, worlds, report);
  return { ...meshes, ...materials, lights, cameras, report };
}

const checkers = new WeakMap<TSchema, ReturnType<Checker>>();

/** Compiled, which pages may not do, and once. */
const compiled: Checker = (schema) => {
  const checker = checkers.get(schema) ?? Compile(schema);
  checkers.set(schema, checker);
  return checker;
};

/** Hands the checked parts to the library, which resolves accessors (interleaved, sparse) and finds the bytes of images. */
async function decodeDocument(gltf: Gltf, resources: Record<string, Uint8Array<ArrayBuffer>>): Promise<Document> {
  const { buffers, images } = gltf;
  const json = {
    asset: { version: '2.0' },
    // The library takes an absent offset of a sparse part from the accessor around it.
    accessors: gltf.accessors?.map((accessor) => {
      const { sparse } = accessor;
      return sparse
        ? { ...accessor, sparse: { ...sparse, indices: { byteOffset: 0, ...sparse.indices }, values: { byteOffset: 0, ...sparse.values } } }
        : accessor;
    }),
    bufferViews: gltf.bufferViews?.map(({ extensions: _, ...view }) => view),
    meshes: gltf.meshes?.map(({ primitives }) => ({ primitives: primitives.map(({ targets: _, ...primitive }) => primitive) })),
    // Materials are read from the JSON; the library's only tell which primitive has which.
    materials: gltf.materials?.map(() => ({})),
    ...{ buffers, images },
  };
  const io = new WebIO().setLogger(new Logger(Verbosity.SILENT)).registerExtensions([KHRMeshQuantization]);
  try {
    return await io.readJSON({ json: json as GLTF.IGLTF, resources });
  } catch (error) {
    throw refuse(`The glTF file cannot be read: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
}
