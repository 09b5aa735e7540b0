import type { TSchema } from 'typebox';
import { Check, Errors } from 'typebox/value';
import { readGlb } from '../glb.ts';
import { animatedNodes, ignoredAnimations, isPath } from '../gltfAnimated.ts';
import { bufferBytes, dataUriBytes } from '../gltfBuffers.ts';
import { checkReferences } from '../gltfCheck.ts';
import { compressionOf } from '../gltfCompressed.ts';
import { ignoredExtensions, ignoredFeatures, supportedExtensions } from '../gltfExtensions.ts';
import { placeNodes } from '../gltfNodes.ts';
import { planMeshes } from '../gltfPlan.ts';
import { checkShape, type Gltf } from '../gltfSchema.ts';

/** A .glb as the coordinator would read it, without what it would ignore: the preview shows what will be rendered. */
export interface ReadModel {
  readonly gltf: Gltf;
  /** Bytes of each of `gltf.buffers`. */
  readonly buffers: readonly ArrayBuffer[];
  /** Bytes of each of `gltf.images`, as in the file. */
  readonly images: readonly ArrayBuffer[];
  /** What is ignored, in sentences. */
  readonly report: readonly string[];
}

/** Pages may not make code, so the schema is interpreted. */
const interpreted = (schema: TSchema) => ({ Check: (value: unknown) => Check(schema, value), Errors: (value: unknown) => Errors(schema, value) });

/** Throws `InputError('model')` as the coordinator would, for all that can be told without decoding what is inside. */
export async function readModel(bytes: Uint8Array): Promise<ReadModel> {
  const glb = readGlb(bytes);
  const checked = checkShape(glb.json, interpreted);
  checkReferences(checked, glb.binary.byteLength);
  planMeshes(checked, placeNodes(checked, animatedNodes(checked), 1), 1);
  const report = [...ignoredExtensions(checked), ...ignoredFeatures(checked), ...ignoredAnimations(checked, { frames: 1, firstFrame: 0, framesPerSecond: 1 })];
  const { gltf, resources } = (checked.bufferViews ?? []).some(compressionOf)
    ? await (await import('../gltfMeshopt.ts')).decompress(checked, glb.binary)
    : { gltf: checked, resources: {} as Record<string, Uint8Array<ArrayBuffer>> };
  const buffers = (gltf.buffers ?? []).map(({ uri }, index) => (resources[uri ?? ''] ?? bufferBytes(gltf, index, glb.binary)).slice().buffer);
  const images = (gltf.images ?? []).map(({ uri, bufferView }) => {
    if (uri !== undefined) return dataUriBytes(uri).buffer;
    const { buffer, byteOffset = 0, byteLength } = gltf.bufferViews![bufferView!]!;
    return buffers[buffer]!.slice(byteOffset, byteOffset + byteLength);
  });
  return { gltf: shown(gltf), buffers, images, report };
}

/** The parts that are rendered, in a form that three.js shows alike. */
function shown(gltf: Gltf): Gltf {
  const { skins: _, ...rest } = gltf;
  const positions = new Set((gltf.meshes ?? []).flatMap(({ primitives }) => primitives.map(({ attributes }) => attributes.POSITION)));
  return {
    ...rest,
    scenes: gltf.scenes ?? [{ nodes: rootsOf(gltf) }],
    // Without bounds the loader complains for each; nothing is culled by them.
    ...(gltf.accessors && {
      accessors: gltf.accessors.map((accessor, at) => (positions.has(at) ? { ...accessor, min: [0, 0, 0], max: [0, 0, 0] } : accessor)),
    }),
    ...(gltf.meshes && { meshes: gltf.meshes.map(({ primitives }) => ({ primitives: primitives.flatMap(triangles) })) }),
    ...(gltf.nodes && { nodes: gltf.nodes.map(placed) }),
    ...(gltf.extensions?.KHR_lights_punctual && {
      extensions: { KHR_lights_punctual: { lights: gltf.extensions.KHR_lights_punctual.lights.map(({ range: _, ...light }) => light) } },
    }),
    animations: animation(gltf),
    extensionsUsed: (gltf.extensionsUsed ?? []).filter((name) => supportedExtensions.includes(name) && !name.endsWith('meshopt_compression')),
    extensionsRequired: [],
  };
}

function rootsOf({ nodes = [] }: Gltf): number[] {
  const children = new Set(nodes.flatMap((node) => node.children ?? []));
  return [...nodes.keys()].filter((node) => !children.has(node));
}

type Primitive = NonNullable<Gltf['meshes']>[number]['primitives'][number];
type Node = NonNullable<Gltf['nodes']>[number];

function triangles({ targets: _, ...primitive }: Primitive): Primitive[] {
  const { mode = 4, attributes } = primitive;
  return mode < 4 || attributes.POSITION === undefined ? [] : [primitive];
}

function placed(node: Node): Node {
  const instancing = node.extensions?.EXT_mesh_gpu_instancing;
  if (!instancing) return node;
  const attributes = Object.fromEntries(Object.entries(instancing.attributes).filter(([name]) => ['TRANSLATION', 'ROTATION', 'SCALE'].includes(name)));
  return { ...node, extensions: { ...node.extensions, EXT_mesh_gpu_instancing: { attributes } } };
}

/** All animations play at once, and of several that move the same the last one counts: one that is all of them. */
function animation(gltf: Gltf): NonNullable<Gltf['animations']> {
  const animated = animatedNodes(gltf);
  const samplers: NonNullable<Gltf['animations']>[number]['samplers'] = [];
  const channels = new Map<string, NonNullable<Gltf['animations']>[number]['channels'][number]>();
  for (const one of gltf.animations ?? []) {
    const first = samplers.length;
    samplers.push(...one.samplers);
    for (const { sampler, target } of one.channels)
      if (target.node !== undefined && isPath(target.path) && animated.has(target.node))
        channels.set(`${target.node} ${target.path}`, { sampler: first + sampler, target });
  }
  return channels.size > 0 ? [{ samplers, channels: [...channels.values()] }] : [];
}
