import { pushAll, pushEach, pushed } from './rounding.ts';
import type { Surface } from './surface.ts';
import { combine, dot, f32, normalize, set, type Vector, vector } from './vector.ts';

/**
 * Reflection of a surface: Lambert below GGX, mixed by Schlick's Fresnel term as glTF 2.0 (appendix B) has it:
 *   f = (1 - F) diffuse / pi + F D V,  F = F0 + (1 - F0) (1 - view.half)^5
 * with Smith's height-correlated masking (Heitz, JCGT 3(2), 2014). Local coordinates have the shading normal as z.
 */

const INVERSE_PI = f32(1 / Math.PI);
const TWO_PI_QUARTER = Math.PI / 2;
/** Taylor coefficients of sin and cos of (pi/2) x; |x| <= 1/2 leaves an error below 2^-24. */
const SIN = [1, 3, 5, 7, 9].map((power, index) => f32(((index % 2 ? -1 : 1) * TWO_PI_QUARTER ** power) / factorial(power)));
const COS = [0, 2, 4, 6, 8].map((power, index) => f32(((index % 2 ? -1 : 1) * TWO_PI_QUARTER ** power) / factorial(power)));

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1);
}

const tangent = vector();
const bitangent = vector();
const wo = vector();
const wi = vector();
const half = vector();
const circle = new Float32Array(2);

/** What a direction reflects: BRDF times cosine, and the density with which `sample` would choose it. */
export class Scattered {
  readonly value = vector();
  readonly pdf = new Float32Array(1);
  /** In world space. */
  readonly direction = vector();
}

const polynomial = (c: readonly number[], x: number): number => f32(c[0]! + f32(x * f32(c[1]! + f32(x * f32(c[2]! + f32(x * f32(c[3]! + f32(x * c[4]!))))))));

/** circle = (cos, sin) of 2 pi u. Built-in sin and cos differ between GPUs, a polynomial does not. */
function turn(u: number): void {
  const quarters = f32(u * 4);
  const quadrant = Math.floor(f32(quarters + 0.5));
  const rest = f32(quarters - quadrant);
  const square = f32(rest * rest);
  const sin = f32(rest * polynomial(SIN, square));
  const cos = polynomial(COS, square);
  const swap = (quadrant & 1) === 1;
  const [x, y] = [swap ? sin : cos, swap ? cos : sin];
  circle[0] = quadrant === 1 || quadrant === 2 ? -x : x;
  circle[1] = quadrant === 2 || quadrant === 3 ? -y : y;
}

/** Tangents of the shading normal and the view in local coordinates. Duff et al., "Building an Orthonormal Basis, Revisited", JCGT 6(1), 2017. */
export function enterFrame(surface: Surface): void {
  const n = surface.shading;
  const [x, y, z] = [n[0]!, n[1]!, n[2]!];
  const sign = z >= 0 ? 1 : -1;
  const a = f32(-1 / f32(sign + z));
  const b = f32(f32(x * y) * a);
  set(tangent, 1 + sign * f32(f32(x * x) * a), sign * b, -sign * x);
  set(bitangent, b, sign + f32(f32(y * y) * a), -y);
  toLocal(wo, surface.view, n);
  pushAll(wo, 1);
}

function toLocal(out: Vector, world: Vector, normal: Vector): void {
  set(out, dot(world, tangent), dot(world, bitangent), dot(world, normal));
}

/** (1 - x)^5 of Schlick's approximation. */
function schlick(cosine: number): number {
  const x = Math.min(Math.max(f32(1 - cosine), 0), 1);
  const x2 = f32(x * x);
  return f32(f32(x2 * x2) * x);
}

const luminance = (c: Vector): number => f32(f32(f32(f32(0.2126) * c[0]!) + f32(f32(0.7152) * c[1]!)) + f32(f32(0.0722) * c[2]!));

/** Probability of sampling the specular lobe: its share of the reflected light, judged by the angle of view. */
function specularShare(surface: Surface): number {
  const weight = schlick(wo[2]!);
  const f0 = luminance(surface.f0);
  const specular = f32(f0 + f32(f32(1 - f0) * weight));
  const diffuse = f32(f32(1 - specular) * luminance(surface.diffuse));
  return pushed(f32(specular / f32(specular + diffuse)));
}

function halve(): void {
  set(half, wo[0]! + wi[0]!, wo[1]! + wi[1]!, wo[2]! + wi[2]!);
  normalize(half, half);
  pushAll(half, 1);
}

/** Evaluates the local direction `wi` (z > 0), with `half` between it and the view, within the frame entered last. */
function evaluateLocal(surface: Surface, share: number, out: Scattered): void {
  const alpha2 = f32(surface.alpha[0]! * surface.alpha[0]!);
  const spread = f32(f32(f32(half[0]! * half[0]!) + f32(half[1]! * half[1]!)) + f32(f32(alpha2 * half[2]!) * half[2]!));
  const d = pushed(f32(f32(alpha2 * INVERSE_PI) / f32(spread * spread)));
  const viewSlope = slope(wo, alpha2);
  const lightSlope = slope(wi, alpha2);
  const v = pushed(f32(0.5 / f32(f32(wi[2]! * viewSlope) + f32(wo[2]! * lightSlope))));
  const weight = schlick(dot(wo, half));
  const dv = f32(d * v);
  for (let channel = 0; channel < 3; channel++) {
    const f0 = surface.f0[channel]!;
    const fresnel = f32(f0 + f32(f32(1 - f0) * weight));
    const diffuse = f32(f32(f32(1 - fresnel) * surface.diffuse[channel]!) * INVERSE_PI);
    out.value[channel] = f32(diffuse + f32(fresnel * dv)) * wi[2]!;
  }
  // Visible normals have density G1 max(0, wo.h) D / wo.z, and reflecting about them divides by 4 wo.h.
  const specularPdf = pushed(f32(f32(d * 0.5) / f32(wo[2]! + viewSlope)));
  out.pdf[0] = f32(share * specularPdf) + f32(f32(1 - share) * f32(wi[2]! * INVERSE_PI));
}

/** sqrt(alpha^2 sin^2 + cos^2) of a local direction. */
const slope = (w: Vector, alpha2: number): number => f32(Math.sqrt(f32(f32(alpha2 * f32(f32(w[0]! * w[0]!) + f32(w[1]! * w[1]!))) + f32(w[2]! * w[2]!))));

/** Fills in `value` and `pdf` of a world direction; false where nothing is reflected into it. */
export function evaluate(surface: Surface, direction: Vector, out: Scattered): boolean {
  toLocal(wi, direction, surface.shading);
  if (!(wi[2]! > 0 && dot(direction, surface.geometric) > 0)) return false;
  halve();
  evaluateLocal(surface, specularShare(surface), out);
  return true;
}

/** Draws a direction from three numbers in [0, 1) and fills in all of `out`; false where the path ends. */
export function sample(surface: Surface, choice: number, u1: number, u2: number, out: Scattered): boolean {
  const share = specularShare(surface);
  turn(u2);
  if (choice < share) {
    drawVisibleNormal(surface.alpha[0]!, u1);
    const twice = f32(2 * dot(wo, half));
    for (let axis = 0; axis < 3; axis++) wi[axis] = f32(twice * half[axis]!) - wo[axis]!;
  } else {
    const radius = f32(Math.sqrt(u1));
    set(wi, radius * circle[0]!, radius * circle[1]!, Math.sqrt(f32(1 - u1)));
    halve();
  }
  pushAll(wi, 1);
  combine(out.direction, tangent, wi[0]!, bitangent, wi[1]!, surface.shading, wi[2]!);
  pushAll(out.direction, 1);
  if (!(wi[2]! > 0 && dot(out.direction, surface.geometric) > 0)) return false;
  evaluateLocal(surface, share, out);
  return out.pdf[0]! > 0;
}

const stretched = vector();

/** half = a visible GGX normal. Dupuy & Benyoub, "Sampling Visible GGX Normals with Spherical Caps", HPG 2023. */
function drawVisibleNormal(alpha: number, u1: number): void {
  set(stretched, wo[0]! * alpha, wo[1]! * alpha, wo[2]!);
  normalize(stretched, stretched);
  pushEach(stretched);
  const height = f32(f32(1 - u1) * f32(1 + stretched[2]!));
  const z = f32(height - stretched[2]!);
  const radius = f32(Math.sqrt(Math.max(f32(f32(1 - z) * f32(1 + z)), 0)));
  const [x, y] = [f32(f32(radius * circle[0]!) + stretched[0]!), f32(f32(radius * circle[1]!) + stretched[1]!)];
  set(half, x * alpha, y * alpha, height);
  normalize(half, half);
  pushEach(half);
}
