import { type Static, type TSchema, Type } from 'typebox';
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
const maybePositive = Type.Optional(Type.Number({ minimum: 0 }));
const maybeName = Type.Optional(Type.String());

/** Offsets and scales beyond this leave f32 no digits for a place in a texture. */
const uvNumber = Type.Number({ minimum: -sceneLimits.uvMax, maximum: sceneLimits.uvMax });
const uvPair = Type.Optional(Type.Array(uvNumber, { minItems: 2, maxItems: 2 }));

const textureFields = {
  index,
  texCoord: maybeIndex,
  extensions: Type.Optional(
    Type.Object({
      KHR_texture_transform: Type.Optional(Type.Object({ offset: uvPair, rotation: Type.Optional(uvNumber), scale: uvPair, texCoord: maybeIndex })),
    }),
  ),
};
const anyTexture = Type.Object(textureFields);
const textureInfo = Type.Optional(anyTexture);
const normalTextureInfo = Type.Optional(Type.Object({ ...textureFields, scale: maybeNumber }));

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

const materialExtensions = Type.Object({
  KHR_materials_emissive_strength: Type.Optional(Type.Object({ emissiveStrength: maybePositive })),
  KHR_materials_ior: Type.Optional(Type.Object({ ior: maybePositive })),
  KHR_materials_transmission: Type.Optional(Type.Object({ transmissionFactor: maybeNumber, transmissionTexture: textureInfo })),
  KHR_materials_volume: Type.Optional(
    Type.Object({ thicknessFactor: maybeNumber, thicknessTexture: textureInfo, attenuationDistance: maybeNumber, attenuationColor: numbers(3) }),
  ),
  KHR_materials_specular: Type.Optional(
    Type.Object({ specularFactor: maybeNumber, specularTexture: textureInfo, specularColorFactor: numbers(3), specularColorTexture: textureInfo }),
  ),
  KHR_materials_clearcoat: Type.Optional(
    Type.Object({
      clearcoatFactor: maybeNumber,
      clearcoatTexture: textureInfo,
      clearcoatRoughnessFactor: maybeNumber,
      clearcoatRoughnessTexture: textureInfo,
      clearcoatNormalTexture: normalTextureInfo,
    }),
  ),
  KHR_materials_unlit: Type.Optional(Type.Object({})),
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
  normalTexture: normalTextureInfo,
  occlusionTexture: textureInfo,
  alphaMode: Type.Optional(Type.Enum(['OPAQUE', 'MASK', 'BLEND'])),
  alphaCutoff: maybePositive,
  doubleSided: Type.Optional(Type.Boolean()),
  extensions: Type.Optional(materialExtensions),
});

const attributes = Type.Record(Type.String(), index);

const primitive = Type.Object({
  attributes,
  indices: maybeIndex,
  material: maybeIndex,
  mode: Type.Optional(Type.Enum([0, 1, 2, 3, 4, 5, 6])),
  /** Only whether there are any. */
  targets: Type.Optional(Type.Array(Type.Unknown())),
});

const node = Type.Object({
  name: maybeName,
  children: Type.Optional(Type.Array(index)),
  matrix: numbers(16),
  translation: numbers(3),
  rotation: numbers(4),
  scale: numbers(3),
  mesh: maybeIndex,
  camera: maybeIndex,
  extensions: Type.Optional(
    Type.Object({
      KHR_lights_punctual: Type.Optional(Type.Object({ light: index })),
      EXT_mesh_gpu_instancing: Type.Optional(Type.Object({ attributes })),
    }),
  ),
});

const camera = Type.Object({
  name: maybeName,
  type: Type.Enum(['perspective', 'orthographic']),
  perspective: Type.Optional(Type.Object({ yfov: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: Math.PI }) })),
  orthographic: Type.Optional(Type.Object({ ymag: Type.Number({ exclusiveMinimum: 0, maximum: sceneLimits.coordinateMax }) })),
});

const light = Type.Object({
  type: Type.Enum(['directional', 'point', 'spot']),
  color: Type.Optional(Type.Array(Type.Number({ minimum: 0 }), { minItems: 3, maxItems: 3 })),
  intensity: maybePositive,
  range: maybeNumber,
  spot: Type.Optional(Type.Object({ innerConeAngle: maybeNumber, outerConeAngle: maybeNumber })),
});

const animation = Type.Object({
  channels: Type.Array(Type.Object({ sampler: index, target: Type.Object({ node: maybeIndex, path: Type.String({ maxLength: 100 }) }) })),
  samplers: Type.Array(Type.Object({ input: index, output: index, interpolation: Type.Optional(Type.Enum(['LINEAR', 'STEP', 'CUBICSPLINE'])) })),
});

/** EXT_meshopt_compression and KHR_meshopt_compression. */
const compressedView = Type.Object({
  buffer: index,
  byteOffset: maybeIndex,
  byteLength: Type.Integer({ minimum: 1 }),
  byteStride: Type.Integer({ minimum: 2, maximum: 256 }),
  count: Type.Integer({ minimum: 1 }),
  mode: Type.Enum(['ATTRIBUTES', 'TRIANGLES', 'INDICES']),
  filter: Type.Optional(Type.Enum(['NONE', 'OCTAHEDRAL', 'QUATERNION', 'EXPONENTIAL', 'COLOR'])),
});
const bufferView = Type.Object({
  buffer: index,
  byteOffset: maybeIndex,
  byteLength: Type.Integer({ minimum: 1 }),
  byteStride: Type.Optional(Type.Integer({ minimum: 4, maximum: 252 })),
  extensions: Type.Optional(Type.Object({ EXT_meshopt_compression: Type.Optional(compressedView), KHR_meshopt_compression: Type.Optional(compressedView) })),
});

const gltfSchema = Type.Object({
  asset: Type.Object({ version: Type.String() }),
  extensionsUsed: list(Type.String({ maxLength: 100 }), 1000),
  extensionsRequired: list(Type.String({ maxLength: 100 }), 1000),
  buffers: list(Type.Object({ uri: Type.Optional(Type.String()), byteLength: Type.Integer({ minimum: 1 }) }), 1000),
  bufferViews: list(bufferView, sceneLimits.bufferViewsMax),
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
  textures: list(
    Type.Object({
      source: maybeIndex,
      sampler: maybeIndex,
      extensions: Type.Optional(Type.Object({ EXT_texture_webp: Type.Optional(Type.Object({ source: index })) })),
    }),
    sceneLimits.texturesMax,
  ),
  materials: list(material, sceneLimits.materialsMax),
  meshes: list(Type.Object({ primitives: Type.Array(primitive, { minItems: 1 }) }), sceneLimits.meshesMax),
  cameras: list(camera, sceneLimits.camerasMax),
  nodes: list(node, sceneLimits.nodesMax),
  scenes: list(Type.Object({ nodes: Type.Optional(Type.Array(index)) }), 10_000),
  scene: maybeIndex,
  animations: list(animation, sceneLimits.animationsMax),
  extensions: Type.Optional(
    Type.Object({ KHR_lights_punctual: Type.Optional(Type.Object({ lights: Type.Array(light, { maxItems: sceneLimits.lightsMax }) })) }),
  ),
  /** Only whether there are any. */
  skins: Type.Optional(Type.Array(Type.Unknown())),
});

export type Gltf = Static<typeof gltfSchema>;
export type GltfAccessor = Static<typeof accessor>;
export type GltfBufferView = Static<typeof bufferView>;
export type GltfCompressedView = Static<typeof compressedView>;
export type GltfMaterial = Static<typeof material>;
export type GltfTextureInfo = Static<typeof anyTexture>;
export type GltfLight = Static<typeof light>;
export type GltfNode = Static<typeof node>;
export type GltfPrimitive = Static<typeof primitive>;

/** Compiled where code may be made (`typebox/compile`), interpreted in pages, whose policy forbids that. */
export type Checker = (schema: TSchema) => { Check(value: unknown): boolean; Errors(value: unknown): readonly { instancePath: string; message: string }[] };

/** Cuts everything unknown off and returns what is left. Throws `InputError('model')` naming the first wrong field. */
export function checkShape(json: unknown, checker: Checker): Gltf {
  checkLengths(json);
  if (!checker(gltfSchema).Check(json)) throw shapeError(json, checker);
  return Clean(gltfSchema, json) as Gltf;
}

/** Keys of one object of the JSON. A primitive has a dozen attributes. */
const KEYS_MAX = 1000;
/** Items of any list of the JSON: the longest that may be. */
const ITEMS_MAX = sceneLimits.accessorsMax;

/** Bounds the time that the library takes for errors and for cutting off: 10 us an item, where the check itself takes a hundredth. */
function checkLengths(json: unknown): void {
  const stack: { value: unknown; path: string }[] = [{ value: json, path: '' }];
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    const { value, path } = entry;
    if (Array.isArray(value)) {
      if (value.length > ITEMS_MAX) throw refuse(`The glTF JSON is wrong at ${path}: it has ${value.length} items.`, `at most ${ITEMS_MAX} items`);
      for (const item of value) if (typeof item === 'object' && item !== null) stack.push({ value: item, path: `${path}[]` });
    } else if (typeof value === 'object' && value !== null) {
      const keys = Object.entries(value);
      if (keys.length > KEYS_MAX) throw refuse(`The glTF JSON is wrong at ${path || 'its top'}: it has ${keys.length} keys.`, `at most ${KEYS_MAX} keys`);
      // Nobody reads extras.
      for (const [key, item] of keys)
        if (typeof item === 'object' && item !== null && key !== 'extras')
          stack.push({ value: item, path: path ? `${path}.${key.slice(0, 40)}` : key.slice(0, 40) });
    }
    if (path.length > PATH_CHARS_MAX) throw refuse(`The glTF JSON is nested too deep at ${path.slice(0, 100)}.`);
  }
}

/** Of a path in the JSON. */
const PATH_CHARS_MAX = 2000;

function shapeError(json: unknown, checker: Checker): Error {
  const [error, above] = firstError(json, checker);
  // "/meshes/3/primitives" -> "meshes[3].primitives"
  const path = (above + (error?.instancePath ?? ''))
    .slice(1)
    .replaceAll(/\/(\d+)/g, '[$1]')
    .replaceAll('/', '.');
  return refuse(`The glTF JSON is wrong at ${path || 'its top'}: ${error?.message ?? 'unexpected value'}.`);
}

/** Looks for the wrong item of a list with the fast check, and only there for what is wrong with it. */
function firstError(json: unknown, checker: Checker): readonly [{ instancePath: string; message: string } | undefined, string] {
  for (const [name, property] of Object.entries(gltfSchema.properties)) {
    const list = (json as Record<string, unknown> | null)?.[name];
    if (!Array.isArray(list) || !('items' in property)) continue;
    if ('maxItems' in property && list.length > Number(property.maxItems))
      return [{ instancePath: '', message: `must not have more than ${property.maxItems} items` }, `/${name}`];
    const item = checker(property.items);
    const wrong = list.findIndex((value) => !item.Check(value));
    if (wrong >= 0) return [item.Errors(list[wrong]).at(0), `/${name}/${wrong}`];
  }
  return [checker(gltfSchema).Errors(json).at(0), ''];
}
