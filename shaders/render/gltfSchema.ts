import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { Clean } from 'typebox/value';
import { refuse } from './glb.ts';
import { sceneLimits } from './limits.ts';

/**
 * The part of glTF 2.0 that is read here. Everything else is cut off before anyone sees it, so that a library or a later
 * line of ours can only meet values of these shapes. Names and units are the specification's.
 */

const list = <T extends Parameters<typeof Type.Array>[0]>(item: T, maxItems: number) => Type.Optional(Type.Array(item, { maxItems }));
const numbers = (count: number) => Type.Optional(Type.Array(Type.Number(), { minItems: count, maxItems: count }));
const index = Type.Integer({ minimum: 0 });
const maybeIndex = Type.Optional(index);
const maybeNumber = Type.Optional(Type.Number());

const textureInfo = Type.Optional(Type.Object({ index, texCoord: maybeIndex }));

const accessor = Type.Object({
  bufferView: maybeIndex,
  byteOffset: maybeIndex,
  componentType: Type.Enum([5120, 5121, 5122, 5123, 5125, 5126]),
  count: Type.Integer({ minimum: 1 }),
  type: Type.Enum(['SCALAR', 'VEC2', 'VEC3', 'VEC4', 'MAT2', 'MAT3', 'MAT4']),
  normalized: Type.Optional(Type.Boolean()),
  sparse: Type.Optional(
    Type.Object({
      count: Type.Integer({ minimum: 1 }),
      indices: Type.Object({ bufferView: index, byteOffset: maybeIndex, componentType: Type.Enum([5121, 5123, 5125]) }),
      values: Type.Object({ bufferView: index, byteOffset: maybeIndex }),
    }),
  ),
});

const material = Type.Object({
  pbrMetallicRoughness: Type.Optional(
    Type.Object({
      baseColorFactor: numbers(4),
      metallicFactor: maybeNumber,
      roughnessFactor: maybeNumber,
      baseColorTexture: textureInfo,
      metallicRoughnessTexture: textureInfo,
    }),
  ),
  emissiveFactor: numbers(3),
  emissiveTexture: textureInfo,
  normalTexture: textureInfo,
  occlusionTexture: textureInfo,
  alphaMode: Type.Optional(Type.Enum(['OPAQUE', 'MASK', 'BLEND'])),
  doubleSided: Type.Optional(Type.Boolean()),
  extensions: Type.Optional(
    Type.Object({ KHR_materials_emissive_strength: Type.Optional(Type.Object({ emissiveStrength: Type.Optional(Type.Number({ minimum: 0 })) })) }),
  ),
});

const primitive = Type.Object({
  attributes: Type.Record(Type.String(), index),
  indices: maybeIndex,
  material: maybeIndex,
  mode: Type.Optional(Type.Enum([0, 1, 2, 3, 4, 5, 6])),
  /** Only whether there are any. */
  targets: Type.Optional(Type.Array(Type.Unknown())),
});

const node = Type.Object({
  children: Type.Optional(Type.Array(index)),
  matrix: numbers(16),
  translation: numbers(3),
  rotation: numbers(4),
  scale: numbers(3),
  mesh: maybeIndex,
  camera: maybeIndex,
});

const camera = Type.Object({
  type: Type.Enum(['perspective', 'orthographic']),
  perspective: Type.Optional(Type.Object({ yfov: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: Math.PI }) })),
});

const gltfSchema = Type.Object({
  asset: Type.Object({ version: Type.String() }),
  extensionsUsed: list(Type.String({ maxLength: 100 }), 1000),
  extensionsRequired: list(Type.String({ maxLength: 100 }), 1000),
  buffers: list(Type.Object({ uri: Type.Optional(Type.String()), byteLength: Type.Integer({ minimum: 1 }) }), 1000),
  bufferViews: list(
    Type.Object({
      buffer: index,
      byteOffset: maybeIndex,
      byteLength: Type.Integer({ minimum: 1 }),
      byteStride: Type.Optional(Type.Integer({ minimum: 4, maximum: 252 })),
    }),
    sceneLimits.bufferViewsMax,
  ),
  accessors: list(accessor, sceneLimits.accessorsMax),
  images: list(Type.Object({ uri: Type.Optional(Type.String()), bufferView: maybeIndex }), sceneLimits.texturesMax),
  samplers: list(
    Type.Object({
      magFilter: Type.Optional(Type.Enum([9728, 9729])),
      wrapS: Type.Optional(Type.Enum([33071, 33648, 10497])),
      wrapT: Type.Optional(Type.Enum([33071, 33648, 10497])),
    }),
    sceneLimits.materialsMax,
  ),
  textures: list(Type.Object({ source: maybeIndex, sampler: maybeIndex }), sceneLimits.texturesMax),
  materials: list(material, sceneLimits.materialsMax),
  meshes: list(Type.Object({ primitives: Type.Array(primitive, { minItems: 1 }) }), sceneLimits.meshesMax),
  cameras: list(camera, 10_000),
  nodes: list(node, sceneLimits.nodesMax),
  scenes: list(Type.Object({ nodes: Type.Optional(Type.Array(index)) }), 10_000),
  scene: maybeIndex,
  /** Only whether there are any. */
  animations: Type.Optional(Type.Array(Type.Unknown())),
  skins: Type.Optional(Type.Array(Type.Unknown())),
});

export type Gltf = Static<typeof gltfSchema>;
export type GltfAccessor = Static<typeof accessor>;
export type GltfNode = Static<typeof node>;
export type GltfPrimitive = Static<typeof primitive>;

const compiled = Compile(gltfSchema);

/** Cuts everything unknown off and returns what is left. Throws `InputError('model')` naming the first wrong field. */
export function checkShape(json: unknown): Gltf {
  if (!compiled.Check(json)) throw shapeError(json);
  return Clean(gltfSchema, json) as Gltf;
}

function shapeError(json: unknown): Error {
  const error = compiled.Errors(json).at(0);
  // "/meshes/3/primitives" -> "meshes[3].primitives"
  const path = (error?.instancePath ?? '')
    .slice(1)
    .replaceAll(/\/(\d+)/g, '[$1]')
    .replaceAll('/', '.');
  return refuse(`The glTF JSON is wrong at ${path || 'its top'}: ${error?.message ?? 'unexpected value'}.`);
}
