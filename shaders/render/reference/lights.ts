import { meanPresence } from './coverage.ts';
import { Frame, turn } from './frame.ts';
import { pushAll, pushEach, pushed } from './rounding.ts';
import { COVERED_IN_PART, type Scene, words } from './scene.ts';
import { emissionAt, isMirrored, NO_LIGHT, pointToWorld, unfold, vectorToWorld } from './surface.ts';
import { DISTANCE_MAX } from './trace.ts';
import { addScaled, cross, dot, f32, load, negate, normalize, scale, set, type Vector, vector } from './vector.ts';

/** Where light comes from; mirrors lights.wgsl, where the sources are named. */

const kind = { triangle: 0, point: 1, spot: 2, directional: 3, sun: 4, environment: 5 } as const;
/** Shadow rays end this far before the light, relatively. */
const SHADOW_SHARE = f32(0.9999);
const INVERSE_TWO_PI = f32(0.15915494309189535);
const BELOW_ONE = f32(0.99999994);

/** A direction towards light: what arrives from there, and the density with which it was chosen; 0 for a light that rays cannot hit. */
export class LightSample {
  readonly direction = vector();
  readonly radiance = vector();
  distance = 0;
  pdf = 0;
}

const edge1 = vector();
const edge2 = vector();
const corner = vector();
const normal = vector();
const local = vector();
const sunFrame = new Frame();
const circle = new Float32Array(2);
const texel = vector();
/** [x, y] of the map, then the sum of the direction's components' sizes. */
const place = vector();
/** Cumulative probability before and at an entry. */
const columns = new Float32Array(2);
const rows = new Float32Array(2);

const at = (light: number, word: number): number => light * words.light + word;
const probabilityOf = (scene: Scene, light: number): number => scene.lights[at(light, 7)]!;

/** First light of the frame whose cumulative probability exceeds `u`. */
function pickLight(scene: Scene, u: number): number {
  let [low, high] = [scene.firstLight, scene.firstLight + scene.lightCount - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (u < scene.lights[at(middle, 3)]!) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Density per unit of solid angle with which a point of an emitting triangle at this distance and cosine is chosen. */
export const triangleDensity = (scene: Scene, light: number, distance2: number, cosine: number): number =>
  pushed(f32(f32(f32(probabilityOf(scene, light) / scene.lights[at(light, 11)]!) * distance2) / cosine));

function towards(origin: Vector, out: LightSample): number {
  for (let axis = 0; axis < 3; axis++) out.direction[axis] = out.direction[axis]! - origin[axis]!;
  const distance2 = dot(out.direction, out.direction);
  const distance = pushed(f32(Math.sqrt(distance2)));
  scale(out.direction, out.direction, f32(1 / distance));
  pushAll(out.direction, 1);
  out.distance = f32(distance * SHADOW_SHARE);
  return distance2;
}

function sampleTriangle(scene: Scene, light: number, origin: Vector, u: number, v: number, out: LightSample): void {
  const triangle = scene.lightWords[at(light, 1)]!;
  const from = triangle * words.triangle;
  // Heitz, "A Low-Distortion Map Between Triangle and Square", 2019.
  const [s, t] = v > u ? [f32(u * 0.5), f32(v - f32(u * 0.5))] : [f32(u - f32(v * 0.5)), f32(v * 0.5)];
  load(corner, scene.triangles, from);
  load(edge1, scene.triangles, from + 4);
  load(edge2, scene.triangles, from + 8);
  const instance = scene.lightWords[at(light, 2)]!;
  if (scene.placed) {
    pointToWorld(scene, instance, corner);
    vectorToWorld(scene, instance, edge1);
    vectorToWorld(scene, instance, edge2);
  }
  addScaled(out.direction, corner, edge1, s);
  addScaled(out.direction, out.direction, edge2, t);
  const distance2 = towards(origin, out);
  cross(normal, edge1, edge2);
  normalize(normal, normal);
  if (scene.placed && isMirrored(scene, instance)) negate(normal);
  pushEach(normal);
  const cosine = -dot(normal, out.direction);
  emissionAt(scene, triangle, s, t, cosine > 0, out.radiance);
  if ((scene.triangleWords[from + 3]! & COVERED_IN_PART) !== 0) scale(out.radiance, out.radiance, meanPresence(scene, triangle, s, t));
  out.pdf = triangleDensity(scene, light, distance2, Math.abs(cosine));
}

/** A light without a surface: a point, a spot, a direction or the sun. */
function sampleBare(scene: Scene, light: number, origin: Vector, u: number, v: number, out: LightSample): void {
  const which = scene.lightWords[at(light, 0)]!;
  const probability = probabilityOf(scene, light);
  load(out.radiance, scene.lights, at(light, 8));
  load(local, scene.lights, at(light, 12));
  out.pdf = 0;
  out.distance = DISTANCE_MAX;
  if (which === kind.directional) {
    scale(out.radiance, out.radiance, f32(1 / probability));
    scale(out.direction, local, -1);
  } else if (which === kind.sun) {
    const area = scene.lights[at(light, 11)]!;
    const fallen = f32(u * area);
    const size = f32(Math.sqrt(Math.max(f32(fallen * f32(2 - fallen)), 0)));
    turn(v, circle);
    negate(local);
    sunFrame.around(local);
    set(local, circle[0]! * size, circle[1]! * size, 1 - fallen);
    sunFrame.toWorld(out.direction, local);
    normalize(out.direction, out.direction);
    pushAll(out.direction, 2 ** -4);
    out.pdf = f32(f32(probability * INVERSE_TWO_PI) / area);
  } else {
    load(out.direction, scene.lights, at(light, 4));
    const distance2 = towards(origin, out);
    let strength = pushed(f32(1 / f32(distance2 * probability)));
    if (which === kind.spot) {
      const ramp = f32(scene.lights[at(light, 15)]! - f32(dot(out.direction, local) * scene.lights[at(light, 11)]!));
      const cone = Math.min(Math.max(ramp, 0), 1);
      strength = f32(strength * f32(cone * cone));
    }
    scale(out.radiance, out.radiance, strength);
  }
}

/** A texel of the octahedral map times `weight`, added to `out`; past its edges the map goes on, mirrored. */
function decodeTexel(scene: Scene, column: number, row: number, out: Vector): void {
  const edge = scene.environmentEdge;
  const inside = (value: number): number => Math.min(Math.max(value, 0), edge - 1);
  let [x, y] = [column, row];
  if (column < 0 || column >= edge) [x, y] = [inside(x), edge - 1 - y];
  if (row < 0 || row >= edge) [x, y] = [edge - 1 - x, inside(y)];
  const bits = scene.environment[y * edge + x]!;
  const size = 2 ** ((bits >>> 27) - 24);
  set(out, (bits & 511) * size, ((bits >>> 9) & 511) * size, ((bits >>> 18) & 511) * size);
}

const upper = vector();
const lower = vector();

/** out = a row of two texels, mixed. */
function mixRow(scene: Scene, column: number, row: number, gx: number, fx: number, out: Vector): void {
  decodeTexel(scene, column, row, texel);
  scale(out, texel, gx);
  decodeTexel(scene, column + 1, row, texel);
  addScaled(out, out, texel, fx);
}

/** Bilinear radiance at octahedral coordinates, times the sky's factor. */
function environmentRadiance(scene: Scene, sky: ArrayLike<number>, px: number, py: number, out: Vector): void {
  const x = f32(f32(px * scene.environmentEdge) - 0.5);
  const y = f32(f32(py * scene.environmentEdge) - 0.5);
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [fx, fy] = [f32(x - left), f32(y - top)];
  const [gx, gy] = [f32(1 - fx), f32(1 - fy)];
  mixRow(scene, left, top, gx, fx, upper);
  mixRow(scene, left, top + 1, gx, fx, lower);
  for (let channel = 0; channel < 3; channel++) out[channel] = f32(f32(upper[channel]! * gy) + f32(lower[channel]! * fy)) * f32(sky[channel]!);
}

/** Octahedral coordinates in [0, 1] of a direction, y up, and the sum of its components' sizes, into `place`. */
function placeOf(direction: Vector): void {
  const [x, y, z] = [direction[0]!, direction[1]!, direction[2]!];
  const sum = f32(f32(Math.abs(x) + Math.abs(y)) + Math.abs(z));
  const inverse = f32(1 / sum);
  let [px, pz] = [pushed(f32(x * inverse)), pushed(f32(z * inverse))];
  if (y < 0) [px, pz] = [f32(1 - Math.abs(pz)) * (px >= 0 ? 1 : -1), f32(1 - Math.abs(px)) * (pz >= 0 ? 1 : -1)];
  set(place, f32(px * 0.5) + 0.5, f32(pz * 0.5) + 0.5, sum);
}

/** Cumulative probability before and at entry `index` of a row of the table. */
function stepOf(scene: Scene, index: number, row: number, out: Float32Array): void {
  const from = row * scene.environmentEdge + index;
  out[0] = index > 0 ? scene.environmentCdf[from - 1]! : 0;
  out[1] = scene.environmentCdf[from]!;
}

function pickEntry(scene: Scene, u: number, row: number): number {
  const from = row * scene.environmentEdge;
  let [low, high] = [0, scene.environmentEdge - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (u < scene.environmentCdf[from + middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Density per unit of solid angle of the texel that `columns` and `rows` tell of. */
function environmentDensity(scene: Scene, sum: number): number {
  const share = f32(f32(f32(columns[1]! - columns[0]!) * f32(rows[1]! - rows[0]!)) * probabilityOf(scene, scene.environmentLight));
  const edge = scene.environmentEdge;
  return pushed(f32(f32(f32(share * f32(edge * edge)) * 0.25) / f32(f32(sum * sum) * sum)));
}

/** What arrives from a direction into `out`; returns the density with which `sampleEnvironment` chooses it. */
function environmentAt(scene: Scene, sky: ArrayLike<number>, direction: Vector, out: Vector): number {
  placeOf(direction);
  const last = scene.environmentEdge - 1;
  const column = Math.min(Math.floor(f32(place[0]! * scene.environmentEdge)), last);
  const row = Math.min(Math.floor(f32(place[1]! * scene.environmentEdge)), last);
  stepOf(scene, column, row, columns);
  stepOf(scene, row, scene.environmentEdge, rows);
  environmentRadiance(scene, sky, place[0]!, place[1]!, out);
  return environmentDensity(scene, place[2]!);
}

function sampleEnvironment(scene: Scene, sky: ArrayLike<number>, u: number, v: number, out: LightSample): void {
  const edge = scene.environmentEdge;
  const row = pickEntry(scene, v, edge);
  stepOf(scene, row, edge, rows);
  const column = pickEntry(scene, u, row);
  stepOf(scene, column, row, columns);
  const inverse = f32(1 / edge);
  const inside = (value: number, range: Float32Array): number => Math.min(Math.max(f32(f32(value - range[0]!) / f32(range[1]! - range[0]!)), 0), BELOW_ONE);
  const px = pushed(f32(f32(column + inside(u, columns)) * inverse));
  const py = pushed(f32(f32(row + inside(v, rows)) * inverse));
  unfold(local, f32(f32(px * 2) - 1), f32(f32(py * 2) - 1));
  set(out.direction, local[0]!, local[2]!, local[1]!);
  pushAll(out.direction, 1);
  environmentRadiance(scene, sky, px, py, out.radiance);
  out.distance = DISTANCE_MAX;
  out.pdf = environmentDensity(scene, f32(f32(Math.abs(local[0]!) + Math.abs(local[2]!)) + Math.abs(local[1]!)));
}

export function sampleLight(scene: Scene, sky: ArrayLike<number>, origin: Vector, choice: number, u: number, v: number, out: LightSample): void {
  const light = pickLight(scene, choice);
  const which = scene.lightWords[at(light, 0)]!;
  if (which === kind.environment) sampleEnvironment(scene, sky, u, v, out);
  else if (which !== kind.triangle) sampleBare(scene, light, origin, u, v, out);
  else sampleTriangle(scene, light, origin, u, v, out);
}

/** Weight of light that a ray found which was chosen with density `chosen`, and that `sampleLight` finds with `density`. */
export const foundWeight = (chosen: number, density: number): number => pushed(f32(chosen / f32(chosen + density)));

/** Light of all that lies beyond the scene, for a ray that was chosen with density `chosen`; a camera's ray has not been chosen. */
export function beyond(scene: Scene, sky: ArrayLike<number>, direction: Vector, chosen: number, camera: boolean, out: Vector): void {
  for (let channel = 0; channel < 3; channel++) out[channel] = sky[channel]!;
  if (scene.environmentEdge > 0) {
    const density = environmentAt(scene, sky, direction, out);
    if (!camera) scale(out, out, foundWeight(chosen, density));
  }
  if (scene.sunLight === NO_LIGHT) return;
  load(local, scene.lights, at(scene.sunLight, 12));
  cross(normal, direction, local);
  if (!(pushed(dot(normal, normal)) < scene.lights[at(scene.sunLight, 15)]! && dot(direction, local) < 0)) return;
  const density = f32(f32(probabilityOf(scene, scene.sunLight) * INVERSE_TWO_PI) / scene.lights[at(scene.sunLight, 11)]!);
  load(texel, scene.lights, at(scene.sunLight, 8));
  const weight = camera ? 1 : foundWeight(chosen, density);
  for (let channel = 0; channel < 3; channel++) out[channel] = out[channel]! + f32(texel[channel]! * weight);
}
