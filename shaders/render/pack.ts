import { encodeScene, sceneSections } from '../../shared/formats.ts';
import { buildBvh } from './bvh.ts';
import type { Image, Material, MeshScene, Texture, Triangles, Vec3, Wrap } from './mesh.ts';

/** The layouts written here are documented with `sceneSections` in shared/formats.ts. */

const NO_LIGHT = 0xffffffff;
const WRAPS: Readonly<Record<Wrap, number>> = { repeat: 0, clamp: 1, mirror: 2 };

export interface PackedScene {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lights: number;
}

/** IEC 61966-2-1: byte value of an sRGB channel -> linear. */
const srgbToLinear: Float32Array<ArrayBuffer> = Float32Array.from({ length: 256 }, (_, byte) => {
  const value = byte / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
});

/** Relative luminance of linear sRGB, Rec. 709. */
export const luminance = (rgb: Vec3): number => 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];

/** Builds the BVH and lays everything out. A scene needs at least one triangle. The same scene gives the same bytes. */
export function packScene(scene: MeshScene): PackedScene {
  const { corners, bounds } = edgeForm(scene.triangles);
  const { nodes, order } = buildBvh(bounds);
  const lights = selectLights(scene, corners, order);
  const { textures, texels } = packTextures(scene);
  const bytes = encodeScene({
    nodes,
    triangles: packTriangles(scene.triangles, corners, order, lights.lightOf),
    attributes: packAttributes(scene.triangles, order),
    materials: packMaterials(scene.materials),
    lights: lights.section,
    textures,
    texels,
    srgb: bytesOf(srgbToLinear),
  });
  return { bytes, lights: lights.section.byteLength / sceneSections.lights.stride };
}

const bytesOf = (array: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

const scratch = new DataView(new ArrayBuffer(4));

/** The f32 nearest to `value` that is not above it (sign -1) or not below it (sign +1). */
export function roundOutward(value: number, sign: -1 | 1): number {
  const near = Math.fround(value);
  if (sign < 0 ? near <= value : near >= value) return near;
  if (near === 0) return sign * 2 ** -149;
  scratch.setFloat32(0, near);
  // Bit patterns of one sign are ordered like the magnitudes.
  scratch.setInt32(0, scratch.getInt32(0) + (near > 0 === sign > 0 ? 1 : -1));
  return scratch.getFloat32(0);
}

/**
 * The triangles as the kernel sees them, first corner and two f32 edges (9 numbers), and boxes around exactly those:
 * the corner v0 + edge differs from the file's in its last bit.
 */
function edgeForm({ count, positions }: Triangles): { corners: Float32Array; bounds: Float32Array } {
  const corners = new Float32Array(count * 9);
  const bounds = new Float32Array(count * 6);
  for (let triangle = 0; triangle < count; triangle++) {
    for (let axis = 0; axis < 3; axis++) {
      const at = triangle * 9 + axis;
      const first = positions[at]!;
      corners[at] = first;
      corners[at + 3] = positions[at + 3]! - first;
      corners[at + 6] = positions[at + 6]! - first;
      const [second, third] = [first + corners[at + 3]!, first + corners[at + 6]!];
      bounds[triangle * 6 + axis] = roundOutward(Math.min(first, second, third), -1);
      bounds[triangle * 6 + 3 + axis] = roundOutward(Math.max(first, second, third), 1);
    }
  }
  return { corners, bounds };
}

function packTriangles({ materials }: Triangles, corners: Float32Array, order: Uint32Array, lightOf: Uint32Array): Uint8Array {
  const floats = new Float32Array(order.length * 12);
  const words = new Uint32Array(floats.buffer);
  for (let place = 0; place < order.length; place++) {
    const triangle = order[place]!;
    for (let row = 0; row < 3; row++) for (let axis = 0; axis < 3; axis++) floats[place * 12 + row * 4 + axis] = corners[triangle * 9 + row * 3 + axis]!;
    words[place * 12 + 3] = materials[triangle]!;
    words[place * 12 + 7] = triangle;
    words[place * 12 + 11] = lightOf[place]!;
  }
  return bytesOf(floats);
}

/**
 * Unit vector -> two snorm16 (x low, y high): projected on the octahedron |x| + |y| + |z| = 1, its lower half folded out.
 * Source: Cigolle et al., "A Survey of Efficient Representations for Independent Unit Vectors", JCGT 3(2), 2014.
 */
export function encodeOctahedral(x: number, y: number, z: number): number {
  const sum = Math.abs(x) + Math.abs(y) + Math.abs(z);
  let [u, v] = [x / sum, y / sum];
  if (z < 0) [u, v] = [(1 - Math.abs(v)) * (u < 0 ? -1 : 1), (1 - Math.abs(u)) * (v < 0 ? -1 : 1)];
  return ((Math.round(u * 32767) & 0xffff) | (Math.round(v * 32767) << 16)) >>> 0;
}

function packAttributes({ normals, uvs }: Triangles, order: Uint32Array): Uint8Array {
  const floats = new Float32Array(order.length * 12);
  const words = new Uint32Array(floats.buffer);
  for (let place = 0; place < order.length; place++) {
    const triangle = order[place]!;
    for (let corner = 0; corner < 3; corner++) {
      const from = triangle * 9 + corner * 3;
      words[place * 12 + corner] = encodeOctahedral(normals[from]!, normals[from + 1]!, normals[from + 2]!);
    }
    for (let i = 0; i < 6; i++) floats[place * 12 + 3 + i] = uvs[triangle * 6 + i]!;
  }
  return bytesOf(floats);
}

function packMaterials(materials: readonly Material[]): Uint8Array {
  const floats = new Float32Array(materials.length * 16);
  const integers = new Int32Array(floats.buffer);
  materials.forEach((material, index) => {
    floats.set([...material.baseColor, material.metallic, ...material.emission, material.roughness], index * 16);
    integers.set([material.baseTexture, material.metallicRoughnessTexture, material.emissionTexture, material.doubleSided ? 1 : 0], index * 16 + 8);
  });
  return bytesOf(floats);
}

/** Means of an image's linear red, green and blue, when read as sRGB. */
function meanOf({ texels }: Image): Vec3 {
  const sums: [number, number, number] = [0, 0, 0];
  for (let at = 0; at < texels.length; at += 4) for (let channel = 0; channel < 3; channel++) sums[channel]! += srgbToLinear[texels[at + channel]!]!;
  const [red, green, blue] = sums;
  const count = texels.length / 4;
  return [red / count, green / count, blue / count];
}

/** What a material sends out on average, as luminance: its factor, times the mean of its emission texture. */
function meanEmission({ emission, emissionTexture }: Material, scene: MeshScene, means: Map<number, Vec3>): number {
  if (emissionTexture < 0 || luminance(emission) === 0) return luminance(emission);
  const { image } = scene.textures[emissionTexture]!;
  const mean = means.get(image) ?? meanOf(scene.images[image]!);
  means.set(image, mean);
  return luminance([emission[0] * mean[0], emission[1] * mean[1], emission[2] * mean[2]]);
}

/** Section `lights`, chosen with a probability proportional to area times mean luminance, and every place's index in it. */
function selectLights(scene: MeshScene, corners: Float32Array, order: Uint32Array): { section: Uint8Array; lightOf: Uint32Array } {
  const means = new Map<number, Vec3>();
  const emissions = Float64Array.from(scene.materials, (material) => meanEmission(material, scene, means));
  const lightOf = new Uint32Array(order.length).fill(NO_LIGHT);
  const places: number[] = [];
  let sum = 0;
  const powerOf = (place: number): number => emissions[scene.triangles.materials[order[place]!]!]! * areaOf(corners, order[place]!);
  for (let place = 0; place < order.length; place++) {
    const power = powerOf(place);
    if (power <= 0) continue;
    lightOf[place] = places.length;
    places.push(place);
    sum += power;
  }
  const floats = new Float32Array(places.length * 4);
  const words = new Uint32Array(floats.buffer);
  let below = 0;
  places.forEach((place, light) => {
    const power = powerOf(place);
    below += power;
    words[light * 4] = place;
    floats[light * 4 + 1] = light === places.length - 1 ? 1 : below / sum;
    floats[light * 4 + 2] = power / sum;
    floats[light * 4 + 3] = areaOf(corners, order[place]!);
  });
  return { section: bytesOf(floats), lightOf };
}

function areaOf(corners: Float32Array, triangle: number): number {
  const at = triangle * 9;
  const [ax, ay, az] = [corners[at + 3]!, corners[at + 4]!, corners[at + 5]!];
  const [bx, by, bz] = [corners[at + 6]!, corners[at + 7]!, corners[at + 8]!];
  return Math.sqrt((ay * bz - az * by) ** 2 + (az * bx - ax * bz) ** 2 + (ax * by - ay * bx) ** 2) / 2;
}

/** Every image once, however many textures read it. */
function packTextures({ textures, images }: MeshScene): { textures: Uint8Array; texels: Uint8Array } {
  const firsts: number[] = [];
  let texelCount = 0;
  for (const { width, height } of images) {
    firsts.push(texelCount);
    texelCount += width * height;
  }
  const texels = new Uint8Array(texelCount * 4);
  images.forEach((image, index) => {
    texels.set(image.texels, firsts[index]! * 4);
  });
  const words = textures.flatMap((texture) => [firsts[texture.image]!, images[texture.image]!.width, images[texture.image]!.height, textureFlags(texture)]);
  return { textures: bytesOf(Uint32Array.from(words)), texels };
}

const textureFlags = ({ wrapS, wrapT, nearest, srgb }: Texture): number => WRAPS[wrapS] | (WRAPS[wrapT] << 2) | (nearest ? 16 : 0) | (srgb ? 32 : 0);
