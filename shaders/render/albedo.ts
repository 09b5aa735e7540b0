import { ALBEDO_EDGE } from '../../shared/formats.ts';

/**
 * Directional albedos: the share of light from one direction that a GGX lobe sends on, which layers and compensation need and no kernel can
 * integrate. Pairs of f32 over (cosine of the viewer, roughness), ALBEDO_EDGE x ALBEDO_EDGE a table, cosine within a row.
 */

/**
 * Microfacet normals per entry: away from the view, where few of them send the most aside, and around it. Error below 1e-3, of glass seen from
 * inside, where total reflection begins at an edge, 4e-3.
 */
const STEPS_AWAY = 48;
const STEPS_AROUND = 24;
const ROUGHNESS_MIN = Math.sqrt(1e-3);
/** At grazing angles of exactly 0 nothing is defined. */
const COSINE_MIN = 1e-3;
const USUAL_IOR = 1.5;
const USUAL_F0 = 0.04;

/** Reflectance of a smooth boundary; `eta`: index of refraction beyond it over that on this side. */
function fresnel(cosine: number, eta: number): number {
  const c = Math.min(Math.abs(cosine), 1);
  const g2 = eta * eta - 1 + c * c;
  if (g2 <= 0) return 1;
  const g = Math.sqrt(g2);
  const a = (g - c) / (g + c);
  const b = (c * (g + c) - 1) / (c * (g - c) + 1);
  return 0.5 * a * a * (1 + b * b);
}

const grazing = (cosine: number): number => Math.min(Math.max((fresnel(cosine, USUAL_IOR) - USUAL_F0) / (1 - USUAL_F0), 0), 1);

/** Smith's lambda of a direction with this cosine to the normal. */
const lambda = (cosine: number, alpha: number): number => (Math.sqrt(1 + alpha * alpha * (1 / (cosine * cosine) - 1)) - 1) / 2;

/**
 * Calls `visit` for visible microfacet normals, as scatter.wgsl draws them: cosine of view and normal, z of the normal, and what share of
 * all it stands for, which is least where they lie flattest.
 */
function eachNormal(cosine: number, alpha: number, visit: (viewHalf: number, z: number, share: number) => void): void {
  const sine = Math.sqrt(1 - cosine * cosine);
  const length = Math.hypot(sine * alpha, cosine);
  const [sx, sz] = [(sine * alpha) / length, cosine / length];
  for (let i = 0; i < STEPS_AWAY; i++) {
    const rest = 1 - (i + 0.5) / STEPS_AWAY;
    for (let j = 0; j < STEPS_AROUND; j++) {
      const phi = ((j + 0.5) / STEPS_AROUND) * Math.PI;
      const height = rest * rest * (1 + sz);
      const z = height - sz;
      const radius = Math.sqrt(Math.max((1 - z) * (1 + z), 0));
      const [cx, cy] = [radius * Math.cos(phi) + sx, radius * Math.sin(phi)];
      const norm = Math.hypot(cx * alpha, cy * alpha, height);
      visit((sine * cx * alpha + cosine * height) / norm, height / norm, (2 * rest) / (STEPS_AWAY * STEPS_AROUND));
    }
  }
}

/** (share reflected with the weight 1 - grazing, share with the weight grazing): a lobe of F0 and F90 reflects F0 x the first + F90 x the second. */
function reflection(cosine: number, alpha: number): [number, number] {
  let [normal, atGrazing] = [0, 0];
  const viewLambda = lambda(cosine, alpha);
  eachNormal(cosine, alpha, (viewHalf, half, share) => {
    const z = 2 * viewHalf * half - cosine;
    if (z <= 0) return;
    const passed = (share * (1 + viewLambda)) / (1 + viewLambda + lambda(z, alpha));
    const weight = grazing(viewHalf);
    normal += passed * (1 - weight);
    atGrazing += passed * weight;
  });
  return [normal, atGrazing];
}

/** Share of light that a boundary sends on, reflected or refracted. */
function boundary(cosine: number, alpha: number, eta: number): number {
  let sum = 0;
  const viewLambda = lambda(cosine, alpha);
  eachNormal(cosine, alpha, (viewHalf, half, share) => {
    const f = fresnel(viewHalf, eta);
    const up = 2 * viewHalf * half - cosine;
    if (up > 0) sum += (share * f * (1 + viewLambda)) / (1 + viewLambda + lambda(up, alpha));
    const k = 1 - (1 - viewHalf * viewHalf) / (eta * eta);
    if (k <= 0) return;
    const down = -(half * (viewHalf / eta - Math.sqrt(k)) - cosine / eta);
    if (down > 0) sum += (share * (1 - f) * (1 + viewLambda)) / (1 + viewLambda + lambda(down, alpha));
  });
  return sum;
}

function table(entry: (cosine: number, alpha: number) => readonly [number, number]): Float32Array<ArrayBuffer> {
  const out = new Float32Array(ALBEDO_EDGE * ALBEDO_EDGE * 2);
  for (let row = 0; row < ALBEDO_EDGE; row++) {
    const alpha = Math.max(row / (ALBEDO_EDGE - 1), ROUGHNESS_MIN) ** 2;
    for (let column = 0; column < ALBEDO_EDGE; column++)
      out.set(entry(Math.max(column / (ALBEDO_EDGE - 1), COSINE_MIN), alpha), (row * ALBEDO_EDGE + column) * 2);
  }
  return out;
}

const known = new Map<number, Float32Array<ArrayBuffer>>();

function remembered(ior: number, make: () => Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const before = known.get(ior);
  if (before) return before;
  const fresh = make();
  if (known.size < 64) known.set(ior, fresh);
  return fresh;
}

/** Section `tables`: that of reflection, then one of glass for every index of refraction, (from outside, from inside). */
export function ggxTables(iors: readonly number[]): Float32Array<ArrayBuffer> {
  const tables = [
    remembered(0, () => table(reflection)),
    ...iors.map((ior) => remembered(ior, () => table((cosine, alpha) => [boundary(cosine, alpha, ior), boundary(cosine, alpha, 1 / ior)]))),
  ];
  const out = new Float32Array(tables.length * ALBEDO_EDGE ** 2 * 2);
  for (const [index, one] of tables.entries()) out.set(one, index * one.length);
  return out;
}
