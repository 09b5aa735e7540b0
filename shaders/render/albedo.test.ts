import { expect, test } from 'vitest';
import { ALBEDO_EDGE } from '../../shared/formats.ts';
import { ggxTables } from './albedo.ts';

/** Entries against integrals over directions, where the tables are means over microfacet normals. */

type Vec3 = readonly [number, number, number];
const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

function entry(iors: readonly number[], table: number, column: number, row: number): [number, number] {
  const all = ggxTables(iors);
  const at = ((table * ALBEDO_EDGE + row) * ALBEDO_EDGE + column) * 2;
  return [all[at]!, all[at + 1]!];
}

/** Unpolarised reflectance, from Fresnel's two amplitudes. */
function fresnel(cosine: number, eta: number): number {
  const sine2 = (1 - cosine * cosine) / eta ** 2;
  if (sine2 >= 1) return 1;
  const through = Math.sqrt(1 - sine2);
  const across = (cosine - eta * through) / (cosine + eta * through);
  const along = (eta * cosine - through) / (eta * cosine + through);
  return (across ** 2 + along ** 2) / 2;
}

const lambda = (cosine: number, alpha: number): number => (Math.sqrt(1 + (alpha ** 2 * (1 - cosine ** 2)) / cosine ** 2) - 1) / 2;
const ggx = (z: number, alpha: number): number => alpha ** 2 / (Math.PI * (z * z * (alpha ** 2 - 1) + 1) ** 2);

/** Sum over the directions of a hemisphere, z up, weighted by their solid angles. */
function integrate(value: (direction: Vec3) => number, rows = 500): number {
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    const theta = (((i + 0.5) / rows) * Math.PI) / 2;
    for (let j = 0; j < rows; j++) {
      // Seen in the plane of x and z, both halves are alike.
      const phi = ((j + 0.5) / rows) * Math.PI;
      sum += value([Math.sin(theta) * Math.cos(phi), Math.sin(theta) * Math.sin(phi), Math.cos(theta)]) * Math.sin(theta);
    }
  }
  return (sum * Math.PI * Math.PI) / rows ** 2;
}

const viewOf = (column: number): Vec3 => {
  const cosine = column / (ALBEDO_EDGE - 1);
  return [Math.sqrt(1 - cosine * cosine), 0, cosine];
};
const alphaOf = (row: number): number => (row / (ALBEDO_EDGE - 1)) ** 2;

/** D G2 / (4 view.z) of a reflection, and the cosine to its microfacet. */
function mirrored(view: Vec3, light: Vec3, alpha: number): { value: number; cosine: number } {
  const sum: Vec3 = [view[0] + light[0], view[1] + light[1], view[2] + light[2]];
  const length = Math.hypot(...sum);
  const shadowing = 1 + lambda(view[2], alpha) + lambda(light[2], alpha);
  return { value: ggx(sum[2] / length, alpha) / shadowing / (4 * view[2]), cosine: dot(view, sum) / length };
}

/** Walter et al., "Microfacet Models for Refraction through Rough Surfaces", EGSR 2007, equation 21, times the cosine. `light` lies below. */
function refracted(view: Vec3, light: Vec3, alpha: number, eta: number): number {
  const sum: Vec3 = [view[0] + eta * light[0], view[1] + eta * light[1], view[2] + eta * light[2]];
  const size = Math.hypot(...sum) * (sum[2] < 0 ? -1 : 1);
  const half: Vec3 = [sum[0] / size, sum[1] / size, sum[2] / size];
  const [vh, lh] = [dot(view, half), dot(light, half)];
  if (vh <= 0 || lh >= 0) return 0;
  const shadowing = 1 + lambda(view[2], alpha) + lambda(-light[2], alpha);
  return ((1 - fresnel(vh, eta)) * ((vh * -lh) / view[2]) * eta ** 2 * ggx(half[2], alpha)) / shadowing / (vh + eta * lh) ** 2;
}

const places = [
  [31, 31],
  [31, 12],
  [16, 20],
  [16, 31],
  [5, 24],
  [3, 14],
] as const;

test.each(places)('reflection at cosine %i/31, roughness %i/31', (column, row) => {
  const view = viewOf(column);
  const weighted = (of: (weight: number) => number): number =>
    integrate((light) => {
      const { value, cosine } = mirrored(view, light, alphaOf(row));
      return value * of((fresnel(cosine, 1.5) - 0.04) / 0.96);
    });
  const [normal, grazing] = entry([], 0, column, row);
  expect(Math.abs(normal - weighted((weight) => 1 - weight))).toBeLessThan(2e-3);
  expect(Math.abs(grazing - weighted((weight) => weight))).toBeLessThan(2e-3);
});

test.each(places)('glass at cosine %i/31, roughness %i/31, from outside and from inside', (column, row) => {
  const [view, alpha] = [viewOf(column), alphaOf(row)];
  const [outside, inside] = entry([1.2, 1.6], 2, column, row);
  for (const [found, eta] of [
    [outside, 1.6],
    [inside, 1 / 1.6],
  ] as const) {
    const reflectedShare = integrate((light) => {
      const { value, cosine } = mirrored(view, light, alpha);
      return value * fresnel(cosine, eta);
    });
    const refractedShare = integrate((light) => refracted(view, [light[0], light[1], -light[2]], alpha, eta));
    expect(Math.abs(found - reflectedShare - refractedShare), `${eta}: ${found} against ${reflectedShare} + ${refractedShare}`).toBeLessThan(4e-3);
  }
});

test('nothing is gained anywhere, a smooth surface loses nothing, and rougher ones lose more', () => {
  const iors = [1.001, 1.33, 3];
  const tables = ggxTables(iors);
  expect(tables).toHaveLength((1 + iors.length) * ALBEDO_EDGE ** 2 * 2);
  for (let table = 0; table < 4; table++) {
    for (let row = 0; row < ALBEDO_EDGE; row++) {
      for (let column = 0; column < ALBEDO_EDGE; column++) {
        const at = ((table * ALBEDO_EDGE + row) * ALBEDO_EDGE + column) * 2;
        const [a, b] = [tables[at]!, tables[at + 1]!];
        const sent = table === 0 ? [a + b] : [a, b];
        for (const share of sent) {
          // From inside rough glass of an index of 3 little gets out at once.
          expect(share).toBeGreaterThan(table === 0 ? 0.3 : 0.05);
          expect(share).toBeLessThanOrEqual(1.0001);
        }
      }
    }
  }
  const total = (column: number, row: number): number => entry([], 0, column, row).reduce((sum, value) => sum + value);
  expect(total(31, 0)).toBeGreaterThan(0.999);
  for (let row = 1; row < ALBEDO_EDGE; row++) expect(total(20, row)).toBeLessThanOrEqual(total(20, row - 1) + 1e-3);
});

test('equal glass is computed once and comes out the same in any order', () => {
  const [a, b] = [ggxTables([1.5, 1.4]), ggxTables([1.4, 1.5])];
  const table = (all: Float32Array, index: number): Float32Array => all.subarray(index * ALBEDO_EDGE ** 2 * 2, (index + 1) * ALBEDO_EDGE ** 2 * 2);
  expect(table(a, 1)).toEqual(table(b, 2));
  expect(table(a, 2)).toEqual(table(b, 1));
  expect(table(a, 1)).not.toEqual(table(a, 2));
});
