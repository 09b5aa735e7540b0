import { radiancePart } from '../../shared/formats.ts';
import { pcgHash, seedOf } from '../../shared/rng.ts';
import { numbers } from '../common/numbers.ts';
import type { ElementKind, Place } from './grid.ts';
import { type RenderJob, settingsOf } from './params.ts';
import { type Purpose, unitNumber } from './reference/coverage.ts';
import { turn } from './reference/frame.ts';
import { beyond, foundWeight, LightSample, sampleLight, triangleDensity } from './reference/lights.ts';
import { pushAll, pushEach, pushed, roundAs } from './reference/rounding.ts';
import { evaluate, Scattered, sample as sampleDirection, shade } from './reference/scatter.ts';
import { flag, Scene } from './reference/scene.ts';
import { describe, NO_LIGHT, Surface, startOf } from './reference/surface.ts';
import { DISTANCE_MAX, Hit, traverse } from './reference/trace.ts';
import { addScaled, dot, f32, largest, normalize, set, type Vector, vector } from './reference/vector.ts';

/**
 * The truth that results are checked against: the path tracer of `pathtrace.wgsl` once more, in TypeScript, f32 operation by f32
 * operation. Single-threaded; the registers below are shared by all calls.
 */

export { Scene };
export const loadScene = (packed: Uint8Array<ArrayBuffer>): Scene => new Scene(packed);

/** Steps of one surface hit beside those of its rays: what shading costs. */
const SURFACE_STEPS = 8;

/** Fixed dimensions of a path's numbers, drawn in pairs: those of the pixel first, then eight to every surface. */
const dimension = { pixel: 0, lens: 2, surfaces: 8, perSurface: 8 } as const;
const surfaceDimension = { lightAndLobe: 0, onLight: 2, direction: 4, rouletteAndPassing: 6 } as const;
/** Hashed, not of low discrepancy: keys of coverage, and rounding. */
const SHADOW_KEY = 1;
const ROUNDING = 0xfffffff0;
/** A path survives with at most this probability where it may end, so that it does end. */
const SURVIVAL_MAX = f32(0.95);
/** Surfaces that a path meets before it may end by chance. */
export const ROULETTE_DEPTH = 3;
const LOG2_E = f32(Math.LOG2E);
/** ln(2)^n / n!: Taylor's coefficients of 2^x, as f32. */
const EXP2 = [0, 1, 2, 3, 4, 5, 6].map((power) =>
  f32(Array.from({ length: power }, (_, n) => Math.LN2 / (n + 1)).reduce((product, next) => product * next, 1)),
);

const hit = new Hit();
const shadowHit = new Hit();
const surface = new Surface();
const scattered = new Scattered();
const light = new LightSample();
const origin = vector();
const direction = vector();
const throughput = vector();
const radiance = vector();
const found = vector();
const start = vector();
const aside = vector();
/** Of the latest path, what its camera ray and the first surface took. */
let firstSteps = 0;
const values = new Float32Array(4);
const pair = new Float32Array(2);
const chances = new Float32Array(2);
const disc = new Float32Array(2);
/** [density with which the present ray was chosen] */
const chosen = new Float32Array(1);
const purpose: Purpose = { skipTriangle: -1, skipInstance: -1, camera: true, shadow: false, key: 0 };
const shadowPurpose: Purpose = { skipTriangle: -1, skipInstance: -1, camera: false, shadow: true, key: 0 };

/** Where a path goes through, and what its numbers are made of. */
interface Path {
  readonly x: number;
  readonly y: number;
  readonly sample: number;
  readonly sequence: number;
  readonly key: number;
}

/** The path of one sample of a pixel of a frame. */
function pathOf(job: RenderJob, { frame, x, y }: Pick<Place, 'frame' | 'x' | 'y'>, sample: number): Path {
  const sequence = seedOf(job.seed, frame, y * job.params.width + x);
  return { x, y, sample, sequence, key: pcgHash((sequence ^ sample) >>> 0) };
}

/** e^-x for x >= 0: 2^whole exactly, the rest by a Taylor polynomial on half an octave, error below 2^-22. */
function fading(x: number): number {
  const y = Math.max(f32(-x * LOG2_E), -126);
  const whole = Math.floor(f32(y + 0.5));
  const f = f32(y - whole);
  let p = EXP2[6]!;
  for (let power = 5; power >= 0; power--) p = f32(EXP2[power]! + f32(f * p));
  return p * 2 ** whole;
}

/** radiance += throughput * color * weight */
function gather(color: Vector, weight: number): void {
  for (let channel = 0; channel < 3; channel++) radiance[channel] = radiance[channel]! + f32(f32(throughput[channel]! * color[channel]!) * weight);
}

function aimCamera(job: RenderJob, frame: number, path: Path): void {
  const { cameras } = job.prepared;
  const camera = cameras[Math.min(frame, cameras.length - 1)]!;
  const { width, height } = job.params;
  numbers(path.sequence, path.sample, dimension.pixel, pair);
  const x = f32(f32(path.x + pair[0]!) * f32(1 / width));
  const y = f32(f32(path.y + pair[1]!) * f32(1 / height));
  numbers(path.sequence, path.sample, dimension.lens, pair);
  turn(pair[1]!, disc);
  const radius = f32(Math.sqrt(pair[0]!));
  const [a, b] = [f32(disc[0]! * radius), f32(disc[1]! * radius)];
  const inverseFocus = f32(camera.inverseFocus);
  for (let axis = 0; axis < 3; axis++) {
    aside[axis] = f32(f32(camera.lensRight[axis]!) * a) + f32(f32(camera.lensDown[axis]!) * b);
    const along = f32(f32(f32(camera.origin[axis]!) + f32(f32(camera.originRight[axis]!) * x)) + f32(f32(camera.originDown[axis]!) * y));
    origin[axis] = along + aside[axis]!;
    const straight = f32(f32(f32(camera.corner[axis]!) + f32(f32(camera.right[axis]!) * x)) + f32(f32(camera.down[axis]!) * y));
    direction[axis] = straight - f32(aside[axis]! * inverseFocus);
  }
  normalize(direction, direction);
  pushAll(direction, 1);
}

/** Adds the light emitted by the surface, weighted against `directLight` having found it too (balance heuristic, Veach 1997). */
function gatherEmission(scene: Scene, depth: number): void {
  let weight = 1;
  if (depth > 0 && surface.light !== NO_LIGHT) {
    const distance = hit.tuv[0]!;
    weight = foundWeight(chosen[0]!, triangleDensity(scene, surface.light, f32(distance * distance), dot(surface.geometric, surface.view)));
  }
  gather(surface.emission, weight);
}

/** Adds the light of one random point of one random light, where nothing stands between. */
function directLight(scene: Scene, job: RenderJob, choice: number, path: Path, base: number): void {
  numbers(path.sequence, path.sample, base + surfaceDimension.onLight, pair);
  startOf(surface, surface.geometric, start);
  sampleLight(scene, job.prepared.sky, start, choice, pair[0]!, pair[1]!, light);
  if (largest(light.radiance) === 0) return;
  if (!evaluate(scene, surface, light.direction, scattered)) return;
  shadowPurpose.skipTriangle = hit.triangle;
  shadowPurpose.skipInstance = hit.instance;
  shadowPurpose.key = pcgHash((path.key ^ (base + SHADOW_KEY)) >>> 0);
  startOf(surface, light.direction, start);
  traverse(scene, start, light.direction, light.distance, shadowPurpose, shadowHit);
  if (shadowHit.triangle >= 0) return;
  const weight = light.pdf === 0 ? 1 : f32(1 / f32(light.pdf + scattered.pdf[0]!));
  for (let channel = 0; channel < 3; channel++) found[channel] = f32(light.radiance[channel]! * scattered.value[channel]!) * weight;
  gather(found, 1);
}

/** What the inside of the solid that a ray has crossed let through. */
function absorb(): void {
  if (largest(surface.absorption) === 0) return;
  for (let channel = 0; channel < 3; channel++) throughput[channel] = throughput[channel]! * fading(f32(surface.absorption[channel]! * hit.tuv[0]!));
}

/** Chooses the next ray; false where the path ends. */
function scatter(scene: Scene, path: Path, depth: number, base: number, lobe: number, roulette: boolean): boolean {
  numbers(path.sequence, path.sample, base + surfaceDimension.direction, pair);
  numbers(path.sequence, path.sample, base + surfaceDimension.rouletteAndPassing, chances);
  if (!sampleDirection(scene, surface, lobe, chances[1]!, pair[0]!, pair[1]!, scattered)) return false;
  chosen[0] = scattered.pdf[0]!;
  const inverse = f32(1 / chosen[0]!);
  for (let channel = 0; channel < 3; channel++) throughput[channel] = throughput[channel]! * f32(scattered.value[channel]! * inverse);
  pushEach(throughput);
  if (roulette && depth >= ROULETTE_DEPTH) {
    const survival = pushed(Math.min(largest(throughput), SURVIVAL_MAX));
    if (chances[0]! >= survival) return false;
    const rise = f32(1 / survival);
    for (let channel = 0; channel < 3; channel++) throughput[channel] = throughput[channel]! * rise;
  }
  startOf(surface, scattered.direction, origin);
  direction.set(scattered.direction);
  purpose.skipTriangle = hit.triangle;
  purpose.skipInstance = hit.instance;
  return true;
}

function begin(scene: Scene, job: RenderJob, frame: number, path: Path): void {
  scene.enter(frame);
  aimCamera(job, frame, path);
  hit.steps = 0;
  shadowHit.steps = 0;
  purpose.skipTriangle = -1;
  purpose.skipInstance = -1;
}

const stepsOfFirst = (): number => hit.steps + (hit.triangle < 0 ? 0 : SURFACE_STEPS);

/** Traces one path into `radiance` and returns its steps. */
function trace(scene: Scene, job: RenderJob, frame: number, path: Path): number {
  const { bounces } = job.params;
  const roulette = settingsOf(job.params).roulette;
  begin(scene, job, frame, path);
  set(radiance, 0, 0, 0);
  set(throughput, 1, 1, 1);
  let surfaces = 0;
  for (let depth = 0; ; depth++) {
    const base = dimension.surfaces + depth * dimension.perSurface;
    purpose.camera = depth === 0;
    purpose.key = pcgHash((path.key ^ base) >>> 0);
    traverse(scene, origin, direction, DISTANCE_MAX, purpose, hit);
    if (depth === 0) firstSteps = stepsOfFirst();
    if (hit.triangle < 0) {
      beyond(scene, job.prepared.sky, direction, chosen[0]!, depth === 0, found);
      gather(found, 1);
      break;
    }
    surfaces++;
    describe(scene, hit, direction, surface);
    absorb();
    gatherEmission(scene, depth);
    // The ray from the last surface still finds light, as the other half of its direct light.
    if (depth > bounces || (surface.flags & flag.unlit) !== 0) break;
    shade(scene, surface);
    numbers(path.sequence, path.sample, base + surfaceDimension.lightAndLobe, pair);
    const lobe = pair[1]!;
    if (scene.lightCount > 0) directLight(scene, job, pair[0]!, path, base);
    if (!scatter(scene, path, depth, base, lobe, roulette)) break;
  }
  return hit.steps + shadowHit.steps + surfaces * SURFACE_STEPS;
}

/** What a camera ray sees first: four values, in steps of 2^-12, 0 where it sees nothing. */
function traceFeatures(scene: Scene, job: RenderJob, kind: ElementKind, frame: number, path: Path, out: Float32Array): void {
  out.fill(0);
  begin(scene, job, frame, path);
  purpose.camera = true;
  purpose.key = pcgHash((path.key ^ dimension.surfaces) >>> 0);
  traverse(scene, origin, direction, DISTANCE_MAX, purpose, hit);
  firstSteps = stepsOfFirst();
  if (hit.triangle < 0) return;
  describe(scene, hit, direction, surface);
  if (kind === 'albedo') {
    for (let channel = 0; channel < 3; channel++) out[channel] = surface.base[channel]! * STEPS_PER_UNIT;
    out[3] = hit.tuv[0]! * 2 ** -(job.prepared.depthLog2 + radiancePart.stepLog2);
  } else {
    for (let axis = 0; axis < 3; axis++) out[axis] = f32(f32(surface.shading[axis]! * 0.5) + 0.5) * STEPS_PER_UNIT;
    out[3] = STEPS_PER_UNIT;
  }
}

const STEPS_PER_UNIT = 2 ** -radiancePart.stepLog2;

/** One sample of an element before it is rounded: of light three values of linear radiance, of features four in steps. */
function traceSample(scene: Scene, job: RenderJob, place: Place, path: Path, out: Float32Array): void {
  if (place.kind === 'light') {
    trace(scene, job, place.frame, path);
    out.set(radiance);
  } else traceFeatures(scene, job, place.kind, place.frame, path, out);
}

/** The sample as device number `variant` would trace it, each rounding otherwise and 0 as the reference; 0 where it is not finite. */
export function traceVariant(scene: Scene, job: RenderJob, place: Place, sample: number, variant: number, out: Float32Array): void {
  const path = pathOf(job, place, sample);
  roundAs(variant === 0 ? 0 : seedOf(path.key, variant));
  try {
    traceSample(scene, job, place, path, out);
  } finally {
    roundAs(0);
  }
  for (let word = 0; word < 4; word++) if (!Number.isFinite(out[word]!)) out[word] = 0;
}

/**
 * One path through pixel (x, y) of a frame: its linear radiance, unquantised, and its steps: node visits, triangle tests and 8 per surface
 * hit, of all its rays; and of these the steps of the camera's ray and what it hits.
 */
export function tracePath(scene: Scene, job: RenderJob, x: number, y: number, sample: number, frame = 0) {
  const steps = trace(scene, job, frame, pathOf(job, { frame, x, y }, sample));
  return { r: radiance[0]!, g: radiance[1]!, b: radiance[2]!, steps, firstSteps };
}

/** Steps of all samples of an element. A kernel traces the two elements of a pixel's features together: each is one half. */
export function stepsOf(scene: Scene, job: RenderJob, place: Place): number {
  let sum = 0;
  for (let sample = place.first; sample < place.end; sample++) {
    const path = pathOf(job, place, sample);
    if (place.kind === 'light') sum += trace(scene, job, place.frame, path);
    else {
      traceFeatures(scene, job, place.kind, place.frame, path, values);
      sum += firstSteps / 2;
    }
  }
  return sum;
}

/** Whole steps of `value` steps, the fraction rounded up with its own probability. NaN and infinities count as nothing. */
function stochasticSteps(value: number, u: number): number {
  if (!(value > 0 && value < Infinity)) return 0;
  if (value >= f32(radiancePart.sampleStepsMax)) return radiancePart.sampleStepsMax;
  const whole = Math.floor(value);
  return u < f32(value - whole) ? whole + 1 : whole;
}

/** Adds one sample to the four sums at `out[at]`, rounded by numbers of its path's own. `values` as `traceSample` gives them. */
export function addSample(job: RenderJob, place: Place, sample: number, values: ArrayLike<number>, out: Uint32Array, at: number): void {
  const { key } = pathOf(job, place, sample);
  const isLight = place.kind === 'light';
  const toSteps = isLight ? 2 ** -(job.prepared.quantumLog2 + radiancePart.stepLog2) : 1;
  const steps = [0, 1, 2].map((channel) => stochasticSteps(f32(values[channel]! * toSteps), unitNumber(key, ROUNDING + channel))) as [number, number, number];
  let fourth = 0;
  if (isLight) {
    const [r, g, b] = steps;
    const sum = f32(f32(f32(f32(0.2126) * f32(r)) + f32(f32(0.7152) * f32(g))) + f32(f32(0.0722) * f32(b)));
    const q = Math.min(f32(sum * 2 ** radiancePart.stepLog2), radiancePart.squareLuminanceMax);
    fourth = stochasticSteps(f32(f32(q * q) / radiancePart.squareStep), unitNumber(key, ROUNDING + 3));
  } else if (place.kind === 'albedo') fourth = stochasticSteps(values[3]!, unitNumber(key, ROUNDING + 3));
  else fourth = values[3]!;
  steps.forEach((value, channel) => {
    out[at + channel] = out[at + channel]! + value;
  });
  out[at + 3] = out[at + 3]! + fourth;
}

/** Adds all samples of an element to the four sums at `out[at]`. */
export function addSamples(scene: Scene, job: RenderJob, place: Place, out: Uint32Array, at: number): void {
  for (let sample = place.first; sample < place.end; sample++) {
    traceSample(scene, job, place, pathOf(job, place, sample), values);
    addSample(job, place, sample, values, out, at);
  }
}

/** Distance of what the middle of the picture shows, along the camera's axis; Infinity where it shows nothing. Of the camera without a lens. */
export function focusOf(scene: Scene, job: RenderJob, frame: number): number {
  const middle = { x: Math.floor(job.params.width / 2), y: Math.floor(job.params.height / 2), sample: 0, sequence: 0, key: 0 };
  begin(scene, job, frame, middle);
  const { forward } = axisOf(job, frame);
  traverse(scene, origin, direction, DISTANCE_MAX, purpose, hit);
  return hit.triangle < 0 ? Infinity : hit.tuv[0]! * dot(direction, forward);
}

/** The camera's axis: of perspective cameras the middle of the image plane, of others their one direction. */
function axisOf(job: RenderJob, frame: number): { forward: Vector } {
  const { cameras } = job.prepared;
  const { corner, right, down } = cameras[Math.min(frame, cameras.length - 1)]!;
  const forward = Float32Array.from(corner);
  addScaled(forward, forward, Float32Array.from(right), 0.5);
  addScaled(forward, forward, Float32Array.from(down), 0.5);
  normalize(forward, forward);
  return { forward };
}
