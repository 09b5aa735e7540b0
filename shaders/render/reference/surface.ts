import { pushAll, pushEach, pushed, pushedBy } from './rounding.ts';
import { type Scene, words } from './scene.ts';
import { sampleTexture } from './texture.ts';
import type { Hit } from './trace.ts';
import { addScaled, combine, cross, dot, f32, largest, load, negate, normalize, scale, set, type Vector, vector } from './vector.ts';

const DOUBLE_SIDED = 1;
export const NO_LIGHT = 0xffffffff;
/** GGX width below which f32 half vectors are too coarse. */
const ALPHA_MIN = f32(1e-3);
/** Reflectance of a dielectric of index 1.5 at normal incidence, as glTF has it. */
const DIELECTRIC_F0 = f32(0.04);
const SNORM_SCALE = f32(1 / 32767);
/** Distance by which rays start off a surface, relative to its size and to its distance from the origin. */
const OFFSET = 2 ** -19;
/** Rounding moves an origin less than it does a direction: along the surface by what (u, v) are off, off it by one addition. */
const ORIGIN_SHARE = 1 / 4;

const edge1 = vector();
const edge2 = vector();
const corner = vector();
const texel = new Float32Array(3);
const normals = [vector(), vector(), vector()] as const;

/** What a path needs to know where it met the scene. */
export class Surface {
  /** Of the flat triangle, on the side of the viewer. */
  readonly geometric = vector();
  /** Interpolated; the geometric one where it would face away from the viewer. */
  readonly shading = vector();
  /** Towards the viewer, unit length. */
  readonly view = vector();
  /** Where rays start from here: off the surface, on the side of the viewer. */
  readonly origin = vector();
  /** Radiance towards the viewer. */
  readonly emission = vector();
  light = NO_LIGHT;
  readonly diffuse = vector();
  readonly f0 = vector();
  /** [GGX alpha] */
  readonly alpha = new Float32Array(1);
}

/** Unit normal from two snorm16 in octahedral coordinates. Cigolle et al., JCGT 3(2), 2014. */
function decodeNormal(out: Vector, packed: number): void {
  let x = Math.max(f32(((packed << 16) >> 16) * SNORM_SCALE), -1);
  let y = Math.max(f32((packed >> 16) * SNORM_SCALE), -1);
  const z = f32(f32(1 - Math.abs(x)) - Math.abs(y));
  if (z < 0) {
    const folded = f32(1 - Math.abs(y)) * (x >= 0 ? 1 : -1);
    y = f32(1 - Math.abs(x)) * (y >= 0 ? 1 : -1);
    x = folded;
  }
  set(out, x, y, z);
  normalize(out, out);
}

/** Weighted mean of three numbers of the attributes, `stride` words apart. */
function interpolated(from: Float32Array, at: number, stride: number, w: number, u: number, v: number): number {
  return f32(f32(f32(from[at]! * w) + f32(from[at + stride]! * u)) + f32(from[at + 2 * stride]! * v));
}

/**
 * Radiance that a triangle emits at barycentric (u, v), into `out`; zero on the back unless the material is double-sided.
 * Returns whether anything is emitted.
 */
export function emissionAt(scene: Scene, triangle: number, u: number, v: number, front: boolean, out: Vector): boolean {
  const material = scene.triangleWords[triangle * words.triangle + 3]! * words.material;
  load(out, scene.materials, material + 4);
  if (!front && (scene.materialWords[material + 11]! & DOUBLE_SIDED) === 0) set(out, 0, 0, 0);
  if (largest(out) === 0) return false;
  const texture = scene.materialWords[material + 10]!;
  if (texture >= 0) {
    const w = f32(f32(1 - u) - v);
    const at = triangle * words.attribute + 3;
    sampleTexture(scene, texture, interpolated(scene.attributes, at, 2, w, u, v), interpolated(scene.attributes, at + 1, 2, w, u, v), texel);
    for (let channel = 0; channel < 3; channel++) out[channel] = out[channel]! * texel[channel]!;
  }
  return largest(out) > 0;
}

/** By shares of what was added up to each component: tangents turn round where z changes its sign, and the z of a wall along an axis does not. */
function pushNormal(normal: Vector): void {
  for (let axis = 0; axis < 3; axis++) normal[axis] = pushedBy(normal[axis]!, largestOf(axis));
}

const largestOf = (axis: number): number => Math.max(Math.abs(normals[0][axis]!), Math.abs(normals[1][axis]!), Math.abs(normals[2][axis]!));

/** Fills in what a ray in `direction` sees at its hit. */
export function describe(scene: Scene, hit: Hit, direction: Vector, out: Surface): void {
  const { triangle, tuv } = hit;
  const at = triangle * words.triangle;
  const [u, v] = [tuv[1]!, tuv[2]!];
  const w = f32(f32(1 - u) - v);
  load(corner, scene.triangles, at);
  load(edge1, scene.triangles, at + 4);
  load(edge2, scene.triangles, at + 8);
  cross(out.geometric, edge1, edge2);
  normalize(out.geometric, out.geometric);
  pushEach(out.geometric);
  scale(out.view, direction, -1);
  const front = dot(out.geometric, out.view) > 0;
  if (!front) negate(out.geometric);

  const attribute = triangle * words.attribute;
  for (let index = 0; index < 3; index++) decodeNormal(normals[index]!, scene.attributeWords[attribute + index]!);
  combine(out.shading, normals[0], w, normals[1], u, normals[2], v);
  normalize(out.shading, out.shading);
  pushNormal(out.shading);
  if (!front) negate(out.shading);
  // Also true of NaN, where the three normals cancel.
  if (!(dot(out.shading, out.view) > 0)) out.shading.set(out.geometric);

  combine(out.origin, edge1, u, edge2, v, corner, 1);
  const size = Math.max(largest(out.origin), Math.max(largest(edge1), largest(edge2)));
  addScaled(out.origin, out.origin, out.geometric, f32(size * OFFSET));
  pushAll(out.origin, size * ORIGIN_SHARE);

  out.light = scene.triangleWords[at + 11]!;
  emissionAt(scene, triangle, u, v, front, out.emission);
  describeMaterial(scene, triangle, w, u, v, out);
}

/** Metallic-roughness as in appendix B of the glTF 2.0 specification: diffuse colour, F0 and alpha. */
function describeMaterial(scene: Scene, triangle: number, w: number, u: number, v: number, out: Surface): void {
  const material = scene.triangleWords[triangle * words.triangle + 3]! * words.material;
  const { materials, materialWords } = scene;
  let metallic = materials[material + 3]!;
  let roughness = materials[material + 7]!;
  load(out.diffuse, materials, material);
  const [baseTexture, roughnessTexture] = [materialWords[material + 8]!, materialWords[material + 9]!];
  if (baseTexture >= 0 || roughnessTexture >= 0) {
    const at = triangle * words.attribute + 3;
    const s = interpolated(scene.attributes, at, 2, w, u, v);
    const t = interpolated(scene.attributes, at + 1, 2, w, u, v);
    if (baseTexture >= 0) {
      sampleTexture(scene, baseTexture, s, t, texel);
      for (let channel = 0; channel < 3; channel++) out.diffuse[channel] = out.diffuse[channel]! * texel[channel]!;
    }
    if (roughnessTexture >= 0) {
      sampleTexture(scene, roughnessTexture, s, t, texel);
      roughness = f32(roughness * texel[1]!);
      metallic = f32(metallic * texel[2]!);
    }
  }
  const dielectric = f32(1 - metallic);
  for (let channel = 0; channel < 3; channel++) {
    const base = out.diffuse[channel]!;
    out.f0[channel] = f32(DIELECTRIC_F0 * dielectric) + f32(base * metallic);
    out.diffuse[channel] = base * dielectric;
  }
  out.alpha[0] = Math.max(pushed(f32(roughness * roughness)), ALPHA_MIN);
}
