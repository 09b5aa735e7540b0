export { TriangleBuilder } from './triangleBuilder.ts';

/**
 * A scene as plain data (x right, y up, right-handed, metres): what the glTF reader and the built-in scenes make, and `pack.ts` packs.
 * What moves has one entry for every frame of the job, what does not has one.
 */

export type Vec3 = readonly [number, number, number];

/** Column-major 4x4 as in glTF: element (row, column) at column * 4 + row. The last row is 0 0 0 1. */
export type Matrix = Float64Array;

/** How a material reads a texture. */
export interface TextureSlot {
  /** Index in `MeshScene.textures`. */
  readonly texture: number;
  /** Which of a triangle's two sets of coordinates places it. */
  readonly uvSet: 0 | 1;
  /** KHR_texture_transform: (u, v) -> (a u + b v + c, d u + e v + f), as [a, b, c, d, e, f]. */
  readonly transform: readonly [number, number, number, number, number, number];
}

/** The places of a material that a texture can modulate; which channels count is glTF's. */
export const textureSlots = [
  'base',
  'metallicRoughness',
  'normal',
  'emission',
  'transmission',
  'specular',
  'specularColor',
  'clearcoat',
  'clearcoatRoughness',
  'clearcoatNormal',
] as const;
export type TextureSlotName = (typeof textureSlots)[number];

/** glTF 2.0 metallic-roughness with its extensions; every factor is multiplied with its texture. */
export interface Material {
  /** Linear reflectance, 0 to 1. */
  readonly baseColor: Vec3;
  /** Coverage, 0 to 1. */
  readonly alpha: number;
  /** `mask`: solid where coverage reaches `alphaCutoff`, not there elsewhere. `blend`: there with its coverage as the probability. */
  readonly alphaMode: 'opaque' | 'mask' | 'blend';
  readonly alphaCutoff: number;
  readonly metallic: number;
  readonly roughness: number;
  /** Linear radiance. */
  readonly emission: Vec3;
  /** KHR_materials_unlit: cameras see `emission` (there the base colour and its texture), nothing else does, and nothing is reflected. */
  readonly unlit: boolean;
  /** Index of refraction, at least 1. */
  readonly ior: number;
  /** KHR_materials_specular: strength, and tint of the reflection at normal incidence of what is no metal. */
  readonly specular: number;
  readonly specularColor: Vec3;
  /** Share of the light entering what is no metal that passes through instead of being scattered back. */
  readonly transmission: number;
  /** Has an inside (KHR_materials_volume with a thickness): light is refracted. Otherwise an infinitely thin wall. */
  readonly solid: boolean;
  /** Colour of white light after `attenuationDistance` metres inside; Infinity where nothing is absorbed. */
  readonly attenuationColor: Vec3;
  readonly attenuationDistance: number;
  readonly clearcoat: number;
  readonly clearcoatRoughness: number;
  /** Factors on x and y of the normal maps. */
  readonly normalScale: number;
  readonly clearcoatNormalScale: number;
  readonly doubleSided: boolean;
  readonly textures: Readonly<Partial<Record<TextureSlotName, TextureSlot>>>;
}

export interface Image {
  readonly width: number;
  readonly height: number;
  /** RGBA8, straight alpha, rows from the top. */
  readonly texels: Uint8Array;
}

export type Wrap = 'repeat' | 'clamp' | 'mirror';

/** One way of reading an image. */
export interface Texture {
  /** Index in `MeshScene.images`. */
  readonly image: number;
  readonly wrapS: Wrap;
  readonly wrapT: Wrap;
  readonly nearest: boolean;
  /** The colour bytes are sRGB-encoded; linear otherwise. Alpha is always linear. */
  readonly srgb: boolean;
}

/** Where a camera stands. `forward` and `up` are unit vectors at right angles. */
export interface CameraPose {
  readonly position: Vec3;
  readonly forward: Vec3;
  readonly up: Vec3;
}

export interface Camera {
  readonly name: string;
  /** Full vertical field of view in radians; of an orthographic camera the height of what it sees, in metres. */
  readonly projection: { readonly kind: 'perspective'; readonly yfov: number } | { readonly kind: 'orthographic'; readonly height: number };
  readonly poses: readonly CameraPose[];
}

/** KHR_lights_punctual. A light that shines along -z of its node. */
export interface PunctualLight {
  readonly kind: 'point' | 'spot' | 'directional';
  /** Linear colour times intensity: candela for `point` and `spot`, lux for `directional`. */
  readonly color: Vec3;
  /** Radians, `spot` only: full intensity inside the inner cone, none outside the outer. */
  readonly innerCone: number;
  readonly outerCone: number;
  /** `direction`: unit vector in which it shines. */
  readonly poses: readonly { readonly position: Vec3; readonly direction: Vec3 }[];
}

/** Parallel arrays over triangles, counter-clockwise seen from the front. */
export interface Triangles {
  readonly count: number;
  /** 9 a triangle: three corners. */
  readonly positions: Float32Array;
  /** 9 a triangle: three unit normals. */
  readonly normals: Float32Array;
  /** 12 a triangle: three unit tangents, each with the sign of its bitangent, cross(normal, tangent) * sign; null where no material has a normal map. */
  readonly tangents: Float32Array | null;
  /** 6 a triangle: three texture coordinates, v down. */
  readonly uvs: Float32Array;
  /** The second set; null where none is used. */
  readonly uvs1: Float32Array | null;
  /** 12 a triangle: linear RGBA of three corners, 0 to 1; null where all are white. */
  readonly colors: Float32Array | null;
  /** 1 a triangle: index in `MeshScene.materials`. */
  readonly materials: Uint32Array;
}

/** A mesh somewhere in the world. */
export interface Instance {
  /** Index in `MeshScene.meshes`. */
  readonly mesh: number;
  /** From the mesh's space to the world's, invertible. */
  readonly transforms: readonly Matrix[];
}

export interface MeshScene {
  /** Each in a space of its own. What is there once and does not move is one mesh in world space, the first one. */
  readonly meshes: readonly Triangles[];
  readonly instances: readonly Instance[];
  readonly materials: readonly Material[];
  readonly textures: readonly Texture[];
  readonly images: readonly Image[];
  readonly lights: readonly PunctualLight[];
  /** None: fit one to the bounding box. */
  readonly cameras: readonly Camera[];
  /** What was ignored or repaired, in plain sentences. */
  readonly report: readonly string[];
}

export const whiteMaterial: Material = {
  baseColor: [1, 1, 1],
  alpha: 1,
  alphaMode: 'opaque',
  alphaCutoff: 0.5,
  metallic: 0,
  roughness: 1,
  emission: [0, 0, 0],
  unlit: false,
  ior: 1.5,
  specular: 1,
  specularColor: [1, 1, 1],
  transmission: 0,
  solid: false,
  attenuationColor: [1, 1, 1],
  attenuationDistance: Infinity,
  clearcoat: 0,
  clearcoatRoughness: 0,
  normalScale: 1,
  clearcoatNormalScale: 1,
  doubleSided: false,
  textures: {},
};

export const identityMatrix = (): Matrix => Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);

/** A scene of one mesh in world space that does not move. */
export const stillScene = (triangles: Triangles, materials: readonly Material[], more: Partial<MeshScene> = {}): MeshScene => ({
  meshes: [triangles],
  instances: [{ mesh: 0, transforms: [identityMatrix()] }],
  materials,
  textures: [],
  images: [],
  lights: [],
  cameras: [],
  report: [],
  ...more,
});
