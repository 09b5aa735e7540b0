import { radiancePart } from '../../shared/formats.ts';
import { pcgHash, seedOf } from '../../shared/rng.ts';
import { pushAll, pushEach, pushed, roundAs } from './reference/rounding.ts';
import { enterFrame, evaluate, Scattered, sample as sampleDirection } from './reference/scatter.ts';
import { loadScene, type Scene, words } from './reference/scene.ts';
import { describe, emissionAt, NO_LIGHT, Surface } from './reference/surface.ts';
import { DISTANCE_MAX, Hit, traverse } from './reference/trace.ts';
import { cross, dot, f32, load, normalize, scale, set, type Vector, vector } from './reference/vector.ts';
import type { RenderJob } from './spec.ts';

/**
 * The truth that results are checked against: the path tracer of `pathtrace.wgsl` once more, in TypeScript, f32 operation by f32
 * operation. Single-threaded; the registers below are shared by all calls.
 */

export { loadScene, type Scene };

/** Steps of one surface hit beside those of its rays: what shading costs. */
const SURFACE_STEPS = 8;

/** Fixed dimensions of a path's random numbers: the first eight belong to the pixel, then eight to every surface. */
const dimension = { pixelX: 0, pixelY: 1, red: 2, squares: 5, surfaces: 8, perSurface: 8 } as const;
const surfaceDimension = { light: 0, lightU: 1, lightV: 2, lobe: 3, directionU: 4, directionV: 5 } as const;

/** Shadow rays end this far before the light, relatively. */
const SHADOW_SHARE = f32(0.9999);

const hit = new Hit();
const shadowHit = new Hit();
const surface = new Surface();
const scattered = new Scattered();
const origin = vector();
const direction = vector();
const throughput = vector();
const radiance = vector();
const emission = vector();
const edge1 = vector();
const edge2 = vector();
const lightNormal = vector();
const toLight = vector();
/** [density with which the present ray was chosen] */
const chosen = new Float32Array(1);

/** Random number of a path: `seedOf(seed, pixel, sample, dimension)`, the upper 24 bits as a fraction. */
const uniform = (key: number, index: number): number => (pcgHash((key ^ index) >>> 0) >>> 8) * 2 ** -24;

/** Key of all random numbers of one path. */
export const pathKey = (job: RenderJob, x: number, y: number, sample: number): number => seedOf(job.seed, y * job.params.width + x, sample);

/** radiance += throughput * color * weight */
function gather(color: Vector, weight: number): void {
  for (let channel = 0; channel < 3; channel++) radiance[channel] = radiance[channel]! + f32(f32(throughput[channel]! * color[channel]!) * weight);
}

function aimCamera(job: RenderJob, x: number, y: number, key: number): void {
  const { camera } = job.prepared;
  const { width, height } = job.params;
  const u = f32(f32(x + uniform(key, dimension.pixelX)) * f32(1 / width));
  const v = f32(f32(y + uniform(key, dimension.pixelY)) * f32(1 / height));
  for (let axis = 0; axis < 3; axis++) {
    origin[axis] = camera.origin[axis]!;
    direction[axis] = f32(f32(camera.corner[axis]!) + f32(f32(camera.right[axis]!) * u)) + f32(f32(camera.down[axis]!) * v);
  }
  normalize(direction, direction);
  pushAll(direction, 1);
}

/** Density per unit of solid angle with which `directLight` chooses a point of a light at this distance and cosine. */
function lightDensity(scene: Scene, light: number, distance2: number, cosine: number): number {
  const at = light * words.light;
  return pushed(f32(f32(f32(scene.lights[at + 2]! / scene.lights[at + 3]!) * distance2) / cosine));
}

/** Adds the light emitted by the surface, weighted against `directLight` having found it too (balance heuristic, Veach 1997). */
function gatherEmission(scene: Scene, depth: number): void {
  let weight = 1;
  if (depth > 0 && surface.light !== NO_LIGHT) {
    const distance = hit.tuv[0]!;
    const density = lightDensity(scene, surface.light, f32(distance * distance), dot(surface.geometric, surface.view));
    weight = f32(chosen[0]! / f32(chosen[0]! + density));
  }
  gather(surface.emission, weight);
}

/** First light whose cumulative probability exceeds `u`. */
function pickLight(scene: Scene, u: number): number {
  let [low, high] = [0, scene.lightCount - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (u < scene.lights[middle * words.light + 1]!) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Adds the light of one random point of one random light, where nothing stands between. */
function directLight(scene: Scene, triangle: number, key: number, base: number): void {
  const light = pickLight(scene, uniform(key, base + surfaceDimension.light));
  const lit = scene.lightWords[light * words.light]!;
  const at = lit * words.triangle;
  // Heitz, "A Low-Distortion Map Between Triangle and Square", 2019.
  let u = uniform(key, base + surfaceDimension.lightU);
  let v = uniform(key, base + surfaceDimension.lightV);
  if (v > u) {
    u = f32(u * 0.5);
    v = f32(v - u);
  } else {
    v = f32(v * 0.5);
    u = f32(u - v);
  }
  load(edge1, scene.triangles, at + 4);
  load(edge2, scene.triangles, at + 8);
  for (let axis = 0; axis < 3; axis++) {
    const point = f32(f32(scene.triangles[at + axis]! + f32(edge1[axis]! * u)) + f32(edge2[axis]! * v));
    toLight[axis] = point - surface.origin[axis]!;
  }
  const distance2 = dot(toLight, toLight);
  const distance = pushed(f32(Math.sqrt(distance2)));
  scale(toLight, toLight, f32(1 / distance));
  pushAll(toLight, 1);
  if (!evaluate(surface, toLight, scattered)) return;
  cross(lightNormal, edge1, edge2);
  normalize(lightNormal, lightNormal);
  pushEach(lightNormal);
  const cosine = -dot(lightNormal, toLight);
  if (!emissionAt(scene, lit, u, v, cosine > 0, emission)) return;
  const density = lightDensity(scene, light, distance2, Math.abs(cosine));
  traverse(scene, surface.origin, toLight, triangle, f32(distance * SHADOW_SHARE), true, shadowHit);
  if (shadowHit.triangle >= 0) return;
  const weight = f32(1 / f32(density + scattered.pdf[0]!));
  for (let channel = 0; channel < 3; channel++) emission[channel] = f32(emission[channel]! * scattered.value[channel]!) * weight;
  gather(emission, 1);
}

/** Traces one path into `radiance` and returns its steps. */
function trace(scene: Scene, job: RenderJob, x: number, y: number, key: number): number {
  const { sky } = job.prepared;
  const { bounces } = job.params;
  aimCamera(job, x, y, key);
  set(radiance, 0, 0, 0);
  set(throughput, 1, 1, 1);
  hit.steps = 0;
  shadowHit.steps = 0;
  let surfaces = 0;
  for (let depth = 0, start = -1; ; depth++) {
    traverse(scene, origin, direction, start, DISTANCE_MAX, false, hit);
    if (hit.triangle < 0) {
      set(emission, sky[0], sky[1], sky[2]);
      gather(emission, 1);
      break;
    }
    surfaces++;
    describe(scene, hit, direction, surface);
    gatherEmission(scene, depth);
    // The ray from the last surface still finds light, as the other half of its direct light.
    if (depth > bounces) break;
    const base = dimension.surfaces + depth * dimension.perSurface;
    start = hit.triangle;
    enterFrame(surface);
    if (scene.lightCount > 0) directLight(scene, start, key, base);
    const [lobe, u, v] = [surfaceDimension.lobe, surfaceDimension.directionU, surfaceDimension.directionV];
    if (!sampleDirection(surface, uniform(key, base + lobe), uniform(key, base + u), uniform(key, base + v), scattered)) break;
    chosen[0] = scattered.pdf[0]!;
    const inverse = f32(1 / chosen[0]!);
    for (let channel = 0; channel < 3; channel++) throughput[channel] = throughput[channel]! * f32(scattered.value[channel]! * inverse);
    pushEach(throughput);
    origin.set(surface.origin);
    direction.set(scattered.direction);
  }
  return hit.steps + shadowHit.steps + surfaces * SURFACE_STEPS;
}

/** The path as device number `variant` would trace it, each rounding otherwise and 0 as the reference: linear radiance into `out`, 0 where it is not finite. */
export function traceVariant(scene: Scene, job: RenderJob, x: number, y: number, sample: number, variant: number, out: Float32Array): void {
  const key = pathKey(job, x, y, sample);
  roundAs(variant === 0 ? 0 : seedOf(key, variant));
  try {
    trace(scene, job, x, y, key);
  } finally {
    roundAs(0);
  }
  for (let channel = 0; channel < 3; channel++) out[channel] = Number.isFinite(radiance[channel]!) ? radiance[channel]! : 0;
}

/**
 * One path through pixel (x, y) of the job's picture: its linear radiance, unquantised, and its steps: node visits, triangle tests
 * and 8 per surface hit, of all its rays.
 */
export function tracePath(scene: Scene, job: RenderJob, x: number, y: number, sample: number): { r: number; g: number; b: number; steps: number } {
  const steps = trace(scene, job, x, y, pathKey(job, x, y, sample));
  return { r: radiance[0]!, g: radiance[1]!, b: radiance[2]!, steps };
}

/** Whole steps of `value` steps, the fraction rounded up with its own probability. NaN and infinities count as nothing. */
function stochasticSteps(value: number, u: number): number {
  if (!(value > 0 && value < Infinity)) return 0;
  if (value >= f32(radiancePart.sampleStepsMax)) return radiancePart.sampleStepsMax;
  const whole = Math.floor(value);
  return u < f32(value - whole) ? whole + 1 : whole;
}

/** Adds a sample of this linear radiance to the four sums at `out[at]`, as `radiancePart` lays them out, rounded by numbers of its path's own. */
export function addRadiance(job: RenderJob, key: number, color: ArrayLike<number>, out: Uint32Array, at: number): void {
  const toSteps = 2 ** -(job.prepared.quantumLog2 + radiancePart.stepLog2);
  const r = stochasticSteps(f32(color[0]! * toSteps), uniform(key, dimension.red));
  const g = stochasticSteps(f32(color[1]! * toSteps), uniform(key, dimension.red + 1));
  const b = stochasticSteps(f32(color[2]! * toSteps), uniform(key, dimension.red + 2));
  const luminance = f32(f32(f32(f32(0.2126) * f32(r)) + f32(f32(0.7152) * f32(g))) + f32(f32(0.0722) * f32(b)));
  const q = Math.min(f32(luminance * 2 ** radiancePart.stepLog2), radiancePart.squareLuminanceMax);
  out[at] = out[at]! + r;
  out[at + 1] = out[at + 1]! + g;
  out[at + 2] = out[at + 2]! + b;
  out[at + 3] = out[at + 3]! + stochasticSteps(f32(f32(q * q) / radiancePart.squareStep), uniform(key, dimension.squares));
}

/** Adds samples [first, end) of one pixel to the four sums at `out[at]`. */
export function addSamples(scene: Scene, job: RenderJob, x: number, y: number, first: number, end: number, out: Uint32Array, at: number): void {
  for (let sample = first; sample < end; sample++) {
    const key = pathKey(job, x, y, sample);
    trace(scene, job, x, y, key);
    addRadiance(job, key, radiance, out, at);
  }
}
