import { ALBEDO_EDGE } from '../../../shared/formats.ts';
import { Frame, turn } from './frame.ts';
import { pushAll, pushEach, pushed } from './rounding.ts';
import { flag, type Scene } from './scene.ts';
import type { Surface } from './surface.ts';
import { dot, f32, luminance, normalize, scale, set, type Vector, vector } from './vector.ts';

/**
 * Reflection and refraction at a surface, as glTF 2.0 (appendix B) layers them, without its gains and losses of energy; the sources are named
 * in scatter.wgsl, which this mirrors. Local coordinates have the shading normal as z. Registers are shared by all calls: a surface
 * is entered with `shade`, then directions are evaluated or drawn.
 */

const INVERSE_PI = f32(1 / Math.PI);
/** Index and reflectance at normal incidence of coats, and of what is no metal unless it says otherwise. */
const USUAL_IOR = 1.5;
const USUAL_F0 = f32(0.04);
const NO_DIVISION_BY_ZERO = f32(1e-20);
const GRAZING_SCALE = f32(1 / f32(1 - USUAL_F0));

/** BSDF times cosine of a direction, and the density with which `sample` would choose it. */
export class Scattered {
  readonly value = vector();
  readonly pdf = new Float32Array(1);
  /** In world space. */
  readonly direction = vector();
}

const frame = new Frame();
const coatFrame = new Frame();
const view = vector();
const coatView = vector();
const light = vector();
const mirrored = vector();
const half = vector();
const coatLight = vector();
const coatHalf = vector();
const circle = new Float32Array(2);
const energy = new Float32Array(2);
const through = new Float32Array(2);
/** [value, density] of a lobe. */
const lobe = new Float32Array(2);

const specularF0 = vector();
const specularF90 = vector();
const diffuseColor = vector();
const reflectance = vector();
/** Probabilities of the lobes, and factors on them; f32. */
const chance = { coat: 0, specular: 0, glass: 0, diffuse: 0 };
const factor = { glass: 0 };

/** Reflectance of a smooth boundary; `eta`: index of refraction beyond it over that on this side; 1 where all is reflected. */
function fresnel(cosine: number, eta: number): number {
  const c = Math.min(Math.abs(cosine), 1);
  const g2 = f32(f32(f32(eta * eta) - 1) + f32(c * c));
  if (g2 <= 0) return 1;
  const g = pushed(f32(Math.sqrt(g2)));
  const a = f32(f32(g - c) / f32(g + c));
  const b = f32(f32(f32(c * f32(g + c)) - 1) / f32(f32(c * f32(g - c)) + 1));
  return pushed(Math.min(f32(f32(0.5 * f32(a * a)) * f32(1 + f32(b * b))), 1));
}

const grazing = (cosine: number): number => Math.min(Math.max(f32(f32(fresnel(cosine, USUAL_IOR) - USUAL_F0) * GRAZING_SCALE), 0), 1);

/** Bilinear from the tables of albedo.ts. */
function albedo(scene: Scene, table: number, cosine: number, roughness: number, out: Float32Array): void {
  const edge = ALBEDO_EDGE - 1;
  const x = f32(Math.min(Math.max(cosine, 0), 1) * edge);
  const y = f32(Math.min(Math.max(roughness, 0), 1) * edge);
  const column = Math.min(Math.floor(x), edge - 1);
  const row = Math.min(Math.floor(y), edge - 1);
  const [fx, fy] = [f32(x - column), f32(y - row)];
  const [gx, gy] = [f32(1 - fx), f32(1 - fy)];
  const at = ((row + table * ALBEDO_EDGE) * ALBEDO_EDGE + column) * 2;
  const { tables } = scene;
  for (let channel = 0; channel < 2; channel++) {
    const below = at + ALBEDO_EDGE * 2 + channel;
    const low = f32(f32(tables[at + channel]! * gx) + f32(tables[at + 2 + channel]! * fx));
    const high = f32(f32(tables[below]! * gx) + f32(tables[below + 2]! * fx));
    out[channel] = f32(low * gy) + f32(high * fy);
  }
}

/** Prepares for directions in and out of this surface. */
export function shade(scene: Scene, surface: Surface): void {
  frame.around(surface.shading);
  frame.toLocal(view, surface.view);
  pushAll(view, 1);
  let below = 1;
  chance.coat = 0;
  if (scene.clearcoat) {
    coatFrame.around(surface.coating);
    coatFrame.toLocal(coatView, surface.view);
    pushAll(coatView, 1);
    albedo(scene, 0, coatView[2]!, surface.coatRoughness, energy);
    chance.coat = f32(surface.coat * f32(f32(energy[0]! * USUAL_F0) + energy[1]!));
    below = f32(1 - chance.coat);
  }
  albedo(scene, 0, view[2]!, surface.roughness, energy);
  const lost = pushed(f32(f32(1 / f32(energy[0]! + energy[1]!)) - 1));
  const scattering = f32(f32(f32(1 - surface.metallic) * f32(1 - surface.transmission)) * below);
  const metallic = f32(surface.metallic * below);
  const bright = f32(surface.grazing * scattering);
  for (let channel = 0; channel < 3; channel++) {
    const dielectric = surface.dielectric[channel]!;
    const base = surface.base[channel]!;
    const enamel = f32(1 + f32(dielectric * lost));
    const metal = f32(f32(1 + f32(base * lost)) * metallic);
    specularF0[channel] = f32(f32(dielectric * enamel) * scattering) + f32(base * metal);
    specularF90[channel] = f32(enamel * bright) + metal;
    const layer = f32(f32(f32(dielectric * energy[0]!) + f32(surface.grazing * energy[1]!)) * enamel);
    diffuseColor[channel] = surface.diffuse[channel]! * f32(Math.max(f32(1 - layer), 0) * below);
    reflectance[channel] = f32(specularF0[channel]! * energy[0]!) + f32(specularF90[channel]! * energy[1]!);
  }
  chance.specular = luminance(reflectance);
  chance.diffuse = luminance(diffuseColor);
  chance.glass = 0;
  if (scene.glass) shadeGlass(scene, surface, below);
  const sum = f32(f32(f32(chance.coat + chance.specular) + chance.glass) + chance.diffuse);
  const share = f32(1 / Math.max(sum, NO_DIVISION_BY_ZERO));
  chance.coat = pushed(f32(chance.coat * share));
  chance.specular = pushed(f32(chance.specular * share));
  chance.glass = pushed(f32(chance.glass * share));
  chance.diffuse = pushed(f32(chance.diffuse * share));
}

function shadeGlass(scene: Scene, surface: Surface, below: number): void {
  chance.glass = f32(f32(f32(1 - surface.metallic) * surface.transmission) * below);
  albedo(scene, surface.glassTable, view[2]!, surface.roughness, through);
  const solid = surface.front ? through[0]! : through[1]!;
  const sent = (surface.flags & flag.solid) === 0 ? f32(energy[0]! + energy[1]!) : solid;
  factor.glass = pushed(f32(chance.glass / sent));
}

/** sqrt(alpha^2 sin^2 + cos^2) of a local direction. */
const slope = (w: Vector, alpha2: number): number => f32(Math.sqrt(f32(f32(alpha2 * f32(f32(w[0]! * w[0]!) + f32(w[1]! * w[1]!))) + f32(w[2]! * w[2]!))));

/** GGX density of a microfacet normal. */
function density(h: Vector, alpha2: number): number {
  const spread = f32(f32(f32(h[0]! * h[0]!) + f32(h[1]! * h[1]!)) + f32(f32(alpha2 * h[2]!) * h[2]!));
  return pushed(f32(f32(alpha2 * INVERSE_PI) / f32(spread * spread)));
}

function alpha2Of(roughness: number): number {
  const alpha = f32(roughness * roughness);
  return f32(alpha * alpha);
}

/** lobe = (D V cosine, density of sampling it) of a GGX reflection. */
function reflected(from: Vector, to: Vector, h: Vector, roughness: number): void {
  const alpha2 = alpha2Of(roughness);
  const d = density(h, alpha2);
  const viewSlope = slope(from, alpha2);
  const visibility = pushed(f32(0.5 / f32(f32(to[2]! * viewSlope) + f32(from[2]! * slope(to, alpha2)))));
  lobe[0] = f32(d * visibility) * to[2]!;
  lobe[1] = pushed(f32(f32(d * 0.5) / f32(from[2]! + viewSlope)));
}

/** The same of a refraction; nothing where the two lie on the wrong sides of the microfacet. */
function refracted(roughness: number, eta: number): void {
  lobe.fill(0);
  const viewHalf = dot(view, half);
  const lightHalf = dot(light, half);
  if (!(viewHalf > 0 && lightHalf < 0)) return;
  const alpha2 = alpha2Of(roughness);
  const d = density(half, alpha2);
  const viewSlope = slope(view, alpha2);
  const below = -light[2]!;
  const denominator = f32(viewHalf + f32(eta * lightHalf));
  const jacobian = pushed(f32(f32(f32(viewHalf * -lightHalf) * f32(eta * eta)) / f32(denominator * denominator)));
  const visibility = pushed(f32(2 / f32(f32(below * viewSlope) + f32(view[2]! * slope(light, alpha2)))));
  lobe[0] = f32(f32(d * visibility) * below) * jacobian;
  lobe[1] = pushed(f32(f32(d * 2) / f32(view[2]! + viewSlope))) * jacobian;
}

function halve(out: Vector, a: Vector, b: Vector): void {
  set(out, a[0]! + b[0]!, a[1]! + b[1]!, a[2]! + b[2]!);
  normalize(out, out);
  pushAll(out, 1);
}

/** half = that of a refraction, on the side of the viewer. */
function halveThrough(eta: number): void {
  set(half, view[0]! + f32(light[0]! * eta), view[1]! + f32(light[1]! * eta), view[2]! + f32(light[2]! * eta));
  const side = half[2]! < 0 ? -1 : 1;
  scale(half, half, side);
  normalize(half, half);
  pushAll(half, 1);
}

/** All lobes together for `light` on the side of the viewer, with `half`, `coatLight` and `coatHalf`. */
function evaluateAbove(scene: Scene, surface: Surface, out: Scattered): void {
  const z = light[2]!;
  const matte = f32(INVERSE_PI * z);
  let pdf = f32(chance.diffuse * f32(z * INVERSE_PI));
  reflected(view, light, half, surface.roughness);
  const cosine = dot(view, half);
  const weight = grazing(cosine);
  const rest = f32(1 - weight);
  for (let channel = 0; channel < 3; channel++) {
    const fresnelColor = f32(f32(specularF0[channel]! * rest) + f32(specularF90[channel]! * weight));
    out.value[channel] = f32(diffuseColor[channel]! * matte) + f32(fresnelColor * lobe[0]!);
  }
  pdf = f32(pdf + f32(chance.specular * lobe[1]!));
  if (scene.glass && chance.glass > 0) {
    const f = fresnel(cosine, surface.eta);
    const added = f32(f32(f * factor.glass) * lobe[0]!);
    for (let channel = 0; channel < 3; channel++) out.value[channel] = out.value[channel]! + added;
    pdf = f32(pdf + f32(f32(chance.glass * f) * lobe[1]!));
  }
  if (scene.clearcoat && surface.coat > 0 && coatLight[2]! > 0) {
    reflected(coatView, coatLight, coatHalf, surface.coatRoughness);
    const f = f32(USUAL_F0 + f32(f32(1 - USUAL_F0) * grazing(dot(coatView, coatHalf))));
    const added = f32(f32(surface.coat * f) * lobe[0]!);
    for (let channel = 0; channel < 3; channel++) out.value[channel] = out.value[channel]! + added;
    pdf = f32(pdf + f32(chance.coat * lobe[1]!));
  }
  out.pdf[0] = pdf;
}

/** What passes to the other side, with `light` there and `half`. */
function evaluateBelow(surface: Surface, out: Scattered): void {
  set(out.value, 0, 0, 0);
  out.pdf[0] = 0;
  if (chance.glass === 0) return;
  const passed = f32(1 - fresnel(dot(view, half), surface.eta));
  if ((surface.flags & flag.solid) !== 0) refracted(surface.roughness, surface.eta);
  else {
    set(mirrored, light[0]!, light[1]!, -light[2]!);
    reflected(view, mirrored, half, surface.roughness);
  }
  const value = f32(f32(passed * factor.glass) * lobe[0]!);
  for (let channel = 0; channel < 3; channel++) out.value[channel] = surface.base[channel]! * value;
  out.pdf[0] = f32(chance.glass * passed) * lobe[1]!;
}

/** Fills in `value` and `pdf` of a world direction, for the surface that was shaded last; false where nothing goes there. */
export function evaluate(scene: Scene, surface: Surface, direction: Vector, out: Scattered): boolean {
  frame.toLocal(light, direction);
  const outside = dot(direction, surface.geometric);
  if (light[2]! > 0 && outside > 0) {
    if (scene.clearcoat) {
      coatFrame.toLocal(coatLight, direction);
      halve(coatHalf, coatView, coatLight);
    }
    halve(half, view, light);
    evaluateAbove(scene, surface, out);
    return out.pdf[0]! !== 0;
  }
  if (!(scene.glass && light[2]! < 0 && outside < 0)) return false;
  if ((surface.flags & flag.solid) !== 0) halveThrough(surface.eta);
  else {
    set(mirrored, light[0]!, light[1]!, -light[2]!);
    halve(half, view, mirrored);
  }
  evaluateBelow(surface, out);
  return out.pdf[0]! !== 0;
}

const stretched = vector();

/** out = a visible GGX normal. Dupuy & Benyoub, "Sampling Visible GGX Normals with Spherical Caps", HPG 2023. */
function drawVisibleNormal(out: Vector, from: Vector, roughness: number, u: number): void {
  const alpha = f32(roughness * roughness);
  set(stretched, from[0]! * alpha, from[1]! * alpha, from[2]!);
  normalize(stretched, stretched);
  pushEach(stretched);
  const height = f32(f32(1 - u) * f32(1 + stretched[2]!));
  const z = f32(height - stretched[2]!);
  const radius = f32(Math.sqrt(Math.max(f32(f32(1 - z) * f32(1 + z)), 0)));
  const [x, y] = [f32(f32(radius * circle[0]!) + stretched[0]!), f32(f32(radius * circle[1]!) + stretched[1]!)];
  set(out, x * alpha, y * alpha, height);
  normalize(out, out);
  pushEach(out);
}

/** out = `from` reflected about a microfacet. */
function reflect(out: Vector, from: Vector, about: Vector): void {
  const twice = f32(2 * dot(from, about));
  for (let axis = 0; axis < 3; axis++) out[axis] = f32(twice * about[axis]!) - from[axis]!;
}

/** light = the direction in which the view passes a microfacet of a solid; not a number where all is reflected. */
function refract(eta: number): void {
  const inverse = f32(1 / eta);
  const c = dot(view, half);
  const k = f32(1 - f32(f32(inverse * inverse) * f32(1 - f32(c * c))));
  const along = f32(f32(inverse * c) - f32(Math.sqrt(k)));
  for (let axis = 0; axis < 3; axis++) light[axis] = f32(half[axis]! * along) - f32(view[axis]! * inverse);
}

/** Draws a direction as `sampleDirection` in scatter.wgsl does and fills in all of `out`; false where the path ends. */
export function sample(scene: Scene, surface: Surface, choice: number, passing: number, u: number, v: number, out: Scattered): boolean {
  turn(v, circle);
  let coated = false;
  const specularEnd = f32(chance.coat + chance.specular);
  if (scene.clearcoat && choice < chance.coat) {
    drawVisibleNormal(coatHalf, coatView, surface.coatRoughness, u);
    reflect(coatLight, coatView, coatHalf);
    pushAll(coatLight, 1);
    coatFrame.toWorld(out.direction, coatLight);
    frame.toLocal(light, out.direction);
    halve(half, view, light);
    coated = true;
  } else if (choice < f32(specularEnd + chance.glass)) {
    drawVisibleNormal(half, view, surface.roughness, u);
    if (scene.glass && choice >= specularEnd && passing >= fresnel(dot(view, half), surface.eta)) return passThrough(surface, out);
    reflect(light, view, half);
  } else {
    const radius = f32(Math.sqrt(u));
    set(light, radius * circle[0]!, radius * circle[1]!, Math.sqrt(f32(1 - u)));
    halve(half, view, light);
  }
  pushAll(light, 1);
  frame.toWorld(out.direction, light);
  pushAll(out.direction, 1);
  if (!(light[2]! > 0 && dot(out.direction, surface.geometric) > 0)) return false;
  if (scene.clearcoat && !coated) {
    coatFrame.toLocal(coatLight, out.direction);
    halve(coatHalf, coatView, coatLight);
  }
  evaluateAbove(scene, surface, out);
  return out.pdf[0]! > 0;
}

function passThrough(surface: Surface, out: Scattered): boolean {
  if ((surface.flags & flag.solid) !== 0) refract(surface.eta);
  else {
    reflect(light, view, half);
    light[2] = -light[2]!;
  }
  pushAll(light, 1);
  frame.toWorld(out.direction, light);
  pushAll(out.direction, 1);
  if (!(light[2]! < 0 && dot(out.direction, surface.geometric) < 0)) return false;
  evaluateBelow(surface, out);
  return out.pdf[0]! > 0;
}
