import { vertexColor } from './coverage.ts';
import { pushAll, pushEach, pushed, pushedBy } from './rounding.ts';
import { flag, flagsOf, materialOf, type Scene, slot, textureOf, words } from './scene.ts';
import { sampleTexture } from './texture.ts';
import type { Hit } from './trace.ts';
import { addScaled, combine, cross, dot, f32, largest, load, negate, normalize, rowDot, rowPoint, scale, set, type Vector, vector } from './vector.ts';

export const NO_LIGHT = 0xffffffff;
const SNORM_SCALE = f32(1 / 32767);
const SNORM15_SCALE = f32(1 / 16383);
/** Roughness below which f32 half vectors are too coarse: GGX widths of 1e-3. */
const ROUGHNESS_MIN = f32(0.0316227766);
/** Distance by which rays start off a surface, relative to its size and to its distance from the origin. */
const OFFSET = 2 ** -19;
/** Rounding moves an origin less than it does a direction: along the surface by what (u, v) are off, off it by one addition. */
const ORIGIN_SHARE = 1 / 4;

const edge1 = vector();
const edge2 = vector();
const corner = vector();
const around = vector();
const tangent = vector();
const bitangent = vector();
const texel = new Float32Array(4);
const color = new Float32Array(4);
const scratch = vector();
const corners = [vector(), vector(), vector()] as const;

/** What a path needs to know where it met the scene. */
export class Surface {
  /** Of the flat triangle, on the side of the viewer. */
  readonly geometric = vector();
  /** Interpolated and mapped; the geometric one where it would face away from the viewer. */
  readonly shading = vector();
  /** The same of the clear coat. */
  readonly coating = vector();
  /** Towards the viewer, unit length. */
  readonly view = vector();
  readonly position = vector();
  /** Radiance towards the viewer. */
  readonly emission = vector();
  light = NO_LIGHT;
  readonly base = vector();
  readonly diffuse = vector();
  /** Reflectance at normal incidence of what is no metal. */
  readonly dielectric = vector();
  /** From the inside of a solid: what it absorbs per metre. */
  readonly absorption = vector();
  /** f32 numbers: see `Surface` of surface.wgsl. */
  offset = 0;
  grazing = 0;
  metallic = 0;
  roughness = 0;
  transmission = 0;
  eta = 1;
  coat = 0;
  coatRoughness = 0;
  flags = 0;
  glassTable = 0;
  front = true;
}

/** Unit vector on the octahedron, z along its axis. Cigolle et al., JCGT 3(2), 2014. */
export function unfold(out: Vector, px: number, py: number): void {
  const z = f32(f32(1 - Math.abs(px)) - Math.abs(py));
  if (z < 0) set(out, f32(1 - Math.abs(py)) * (px >= 0 ? 1 : -1), f32(1 - Math.abs(px)) * (py >= 0 ? 1 : -1), z);
  else set(out, px, py, z);
  normalize(out, out);
}

const snorm = (value: number, size: number): number => Math.max(f32(value * size), -1);
const decodeNormal = (out: Vector, bits: number): void => unfold(out, snorm((bits << 16) >> 16, SNORM_SCALE), snorm(bits >> 16, SNORM_SCALE));
const decodeTangent = (out: Vector, bits: number): void => unfold(out, snorm((bits << 16) >> 16, SNORM_SCALE), snorm(bits >> 17, SNORM15_SCALE));

export function pointToWorld(scene: Scene, instance: number, p: Vector): void {
  const at = instance * words.instance;
  set(p, rowPoint(scene.instances, at, p), rowPoint(scene.instances, at + 4, p), rowPoint(scene.instances, at + 8, p));
}

export function vectorToWorld(scene: Scene, instance: number, v: Vector): void {
  const at = instance * words.instance;
  set(v, rowDot(scene.instances, at, v), rowDot(scene.instances, at + 4, v), rowDot(scene.instances, at + 8, v));
}

export const isMirrored = (scene: Scene, instance: number): boolean => scene.instanceWords[instance * words.instance + 26] === 1;

function normalToWorld(scene: Scene, instance: number, n: Vector): void {
  const at = instance * words.instance + 12;
  const { instances } = scene;
  const [x, y, z] = [n[0]!, n[1]!, n[2]!];
  for (let axis = 0; axis < 3; axis++) n[axis] = f32(f32(instances[at + axis]! * x) + f32(instances[at + 4 + axis]! * y)) + f32(instances[at + 8 + axis]! * z);
}

/**
 * Radiance that a triangle emits at barycentric (u, v), into `out`; zero on the back unless the material is double-sided.
 * Returns whether anything is emitted.
 */
export function emissionAt(scene: Scene, triangle: number, u: number, v: number, front: boolean, out: Vector): boolean {
  const material = materialOf(scene, triangle);
  load(out, scene.materials, material * words.material + 4);
  if (!front && (flagsOf(scene, material) & flag.doubleSided) === 0) set(out, 0, 0, 0);
  if (largest(out) === 0) return false;
  sampleTexture(scene, textureOf(scene, material, slot.emission), triangle, u, v, texel);
  for (let channel = 0; channel < 3; channel++) out[channel] = out[channel]! * texel[channel]!;
  return largest(out) > 0;
}

/** By shares of what was added up to each component: tangents turn round where z changes its sign, and the z of a wall along an axis does not. */
function pushNormal(normal: Vector): void {
  for (let axis = 0; axis < 3; axis++) normal[axis] = pushedBy(normal[axis]!, largestOf(axis));
}

const largestOf = (axis: number): number => Math.max(Math.abs(corners[0][axis]!), Math.abs(corners[1][axis]!), Math.abs(corners[2][axis]!));

/** A normal bent by a map, before it is turned to the viewer. */
function mapped(scene: Scene, index: number, factor: number, triangle: number, instance: number, u: number, v: number, out: Vector): void {
  out.set(around);
  if (index < 0) return;
  const w = f32(f32(1 - u) - v);
  const at = triangle * words.attribute + 3;
  for (let place = 0; place < 3; place++) decodeTangent(corners[place]!, scene.attributeWords[at + place]!);
  combine(tangent, corners[0], w, corners[1], u, corners[2], v);
  let handed = ((scene.attributeWords[at]! >>> 16) & 1) === 1 ? -1 : 1;
  if (scene.placed) {
    vectorToWorld(scene, instance, tangent);
    if (isMirrored(scene, instance)) handed = -handed;
  }
  normalize(tangent, tangent);
  cross(bitangent, around, tangent);
  sampleTexture(scene, index, triangle, u, v, texel);
  const bend = (channel: number): number => f32(f32(texel[channel]! * 2) - 1);
  combine(out, tangent, f32(bend(0) * factor), bitangent, f32(f32(bend(1) * factor) * handed), around, bend(2));
  normalize(out, out);
  pushEach(out);
}

/** The side of the viewer, or the geometric normal where the other would face away from it. Also where it is NaN, because normals cancelled. */
function face(normal: Vector, surface: Surface): void {
  if (!surface.front) negate(normal);
  if (!(dot(normal, surface.view) > 0)) normal.set(surface.geometric);
}

/** Where a ray that goes to this side of the surface starts. */
export function startOf(surface: Surface, direction: Vector, out: Vector): void {
  const side = dot(direction, surface.geometric) > 0 ? 1 : -1;
  addScaled(out, surface.position, surface.geometric, f32(side * surface.offset));
}

/** Fills in what a ray in `direction` sees at its hit. */
export function describe(scene: Scene, hit: Hit, direction: Vector, out: Surface): void {
  const { triangle, instance, tuv } = hit;
  const at = triangle * words.triangle;
  const [u, v] = [tuv[1]!, tuv[2]!];
  const w = f32(f32(1 - u) - v);
  load(corner, scene.triangles, at);
  load(edge1, scene.triangles, at + 4);
  load(edge2, scene.triangles, at + 8);
  const attribute = triangle * words.attribute;
  for (let index = 0; index < 3; index++) decodeNormal(corners[index]!, scene.attributeWords[attribute + index]!);
  combine(around, corners[0], w, corners[1], u, corners[2], v);
  if (scene.placed) {
    pointToWorld(scene, instance, corner);
    vectorToWorld(scene, instance, edge1);
    vectorToWorld(scene, instance, edge2);
    normalToWorld(scene, instance, around);
  }
  cross(out.geometric, edge1, edge2);
  normalize(out.geometric, out.geometric);
  if (scene.placed && isMirrored(scene, instance)) negate(out.geometric);
  pushEach(out.geometric);
  scale(out.view, direction, -1);
  out.front = dot(out.geometric, out.view) > 0;
  if (!out.front) negate(out.geometric);
  combine(out.position, edge1, u, edge2, v, corner, 1);
  const size = Math.max(largest(out.position), Math.max(largest(edge1), largest(edge2)));
  out.offset = f32(size * OFFSET);
  pushAll(out.position, size * ORIGIN_SHARE);
  const light = scene.triangleWords[at + 11]!;
  const firstLight = scene.placed ? scene.instanceWords[instance * words.instance + 25]! : scene.firstLight;
  out.light = light === NO_LIGHT ? NO_LIGHT : firstLight + light;

  const material = materialOf(scene, triangle);
  out.flags = flagsOf(scene, material);
  emissionAt(scene, triangle, u, v, out.front, out.emission);
  normalize(around, around);
  pushNormal(around);
  mapped(scene, textureOf(scene, material, slot.normal), scene.materials[material * words.material + 21]!, triangle, instance, u, v, out.shading);
  face(out.shading, out);
  describeMaterial(scene, material, triangle, u, v, out);
  if (scene.clearcoat) describeCoat(scene, material, triangle, instance, u, v, out);
}

/** Metallic-roughness as in appendix B of the glTF 2.0 specification, with specular, ior, transmission and volume. */
function describeMaterial(scene: Scene, material: number, triangle: number, u: number, v: number, out: Surface): void {
  const { materials } = scene;
  const at = material * words.material;
  const read = (place: number): Float32Array => {
    sampleTexture(scene, textureOf(scene, material, place), triangle, u, v, texel);
    return texel;
  };
  vertexColor(scene, triangle, u, v, color);
  if ((out.flags & flag.unlit) !== 0) for (let channel = 0; channel < 3; channel++) out.emission[channel] = out.emission[channel]! * color[channel]!;
  read(slot.base);
  for (let channel = 0; channel < 3; channel++) out.base[channel] = f32(materials[at + channel]! * texel[channel]!) * color[channel]!;
  read(slot.metallicRoughness);
  out.roughness = Math.max(pushed(f32(materials[at + 15]! * texel[1]!)), ROUGHNESS_MIN);
  out.metallic = f32(materials[at + 7]! * texel[2]!);
  const ior = materials[at + 16]!;
  const ratio = pushed(f32(f32(ior - 1) / f32(ior + 1)));
  const normal = f32(ratio * ratio);
  read(slot.specularColor);
  for (let channel = 0; channel < 3; channel++) out.dielectric[channel] = f32(f32(materials[at + 8 + channel]! * texel[channel]!) * normal);
  out.grazing = f32(materials[at + 11]! * read(slot.specular)[3]!);
  const scattering = f32(1 - out.metallic);
  for (let channel = 0; channel < 3; channel++) {
    out.dielectric[channel] = Math.min(out.dielectric[channel]!, 1) * out.grazing;
    out.diffuse[channel] = out.base[channel]! * scattering;
  }
  out.transmission = 0;
  set(out.absorption, 0, 0, 0);
  if (!scene.glass) return;
  out.transmission = f32(materials[at + 17]! * read(slot.transmission)[0]!);
  const kept = f32(1 - out.transmission);
  for (let channel = 0; channel < 3; channel++) out.diffuse[channel] = out.diffuse[channel]! * kept;
  const outside = out.front || (out.flags & flag.solid) === 0;
  out.eta = outside ? ior : pushed(f32(1 / ior));
  if (!outside) load(out.absorption, materials, at + 12);
  out.glassTable = scene.materialWords[at + 34]!;
}

function describeCoat(scene: Scene, material: number, triangle: number, instance: number, u: number, v: number, out: Surface): void {
  const at = material * words.material;
  sampleTexture(scene, textureOf(scene, material, slot.clearcoat), triangle, u, v, texel);
  out.coat = f32(scene.materials[at + 18]! * texel[0]!);
  sampleTexture(scene, textureOf(scene, material, slot.clearcoatRoughness), triangle, u, v, texel);
  out.coatRoughness = Math.max(pushed(f32(scene.materials[at + 19]! * texel[1]!)), ROUGHNESS_MIN);
  mapped(scene, textureOf(scene, material, slot.clearcoatNormal), scene.materials[at + 22]!, triangle, instance, u, v, scratch);
  out.coating.set(scratch);
  face(out.coating, out);
}
