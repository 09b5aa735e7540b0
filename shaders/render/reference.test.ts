import { describe, expect, test } from 'vitest';
import { lookAt } from './camera.ts';
import { type Material, type MeshScene, stillScene, TriangleBuilder, type Vec3, whiteMaterial } from './mesh.ts';
import type { RenderParams, RenderPrepared } from './params.ts';
import { loadScene, tracePath } from './reference.ts';
import { quad, sceneJob, sphere, testScenes } from './testing/scenes.ts';

/** Scenes whose answer can be integrated in f64 by formulas written down once more; those with closed forms are in analytic.test.ts. */

interface Estimate {
  readonly mean: number;
  readonly error: number;
}

type Build = (builder: TriangleBuilder) => void;

function meshOf(materials: readonly Material[], build: Build, position: Vec3, target: Vec3, yfov = 0.001): MeshScene {
  const builder = new TriangleBuilder(5000);
  build(builder);
  return stillScene(builder.finish(), materials, { cameras: [lookAt(position, target, yfov)!] });
}

/** Mean red radiance of `count` paths over the picture and its standard error. */
function estimate(mesh: MeshScene, params: Partial<RenderParams>, prepared: Partial<RenderPrepared>, count: number): Estimate {
  const { job, packed } = sceneJob(mesh, { width: 16, height: 16, ...params }, prepared);
  const scene = loadScene(packed);
  let [sum, squares] = [0, 0];
  for (let path = 0; path < count; path++) {
    const { r } = tracePath(scene, job, path % 16, (path >> 4) % 16, path >> 8);
    sum += r;
    squares += r * r;
  }
  const mean = sum / count;
  return { mean, error: Math.sqrt(Math.max(0, squares / count - mean * mean) / count) };
}

/** `allowed`: beside noise, relatively. */
function expectWithin({ mean, error }: Estimate, truth: number, allowed = 1e-5): void {
  expect(Math.abs(mean - truth), `${mean} +- ${error} against ${truth}`).toBeLessThan(3 * error + allowed * truth);
}

interface Look {
  readonly base: number;
  readonly metallic: number;
  readonly roughness: number;
}

/** Reflectance of a smooth boundary between air and an index of 1.5, from Fresnel's two amplitudes. */
function fresnel(cosine: number): number {
  const through = Math.sqrt(1 - (1 - cosine * cosine) / 1.5 ** 2);
  const across = (cosine - 1.5 * through) / (cosine + 1.5 * through);
  const along = (1.5 * cosine - through) / (1.5 * cosine + through);
  return (across * across + along * along) / 2;
}

/** A GGX lobe times cosine with Smith's height-correlated masking, and how far between normal and grazing incidence its reflectance is. */
function lobe(roughness: number, view: Vec3, light: Vec3): { lobe: number; grazing: number } {
  const sum: Vec3 = [view[0] + light[0], view[1] + light[1], view[2] + light[2]];
  const length = Math.hypot(...sum);
  const [nh, vh] = [sum[2] / length, (view[0] * sum[0] + view[1] * sum[1] + view[2] * sum[2]) / length];
  const a2 = roughness ** 4;
  const d = a2 / (Math.PI * (nh * nh * (a2 - 1) + 1) ** 2);
  const lambda = (c: number): number => (Math.sqrt(1 + (a2 * (1 - c * c)) / (c * c)) - 1) / 2;
  return { lobe: d / (1 + lambda(view[2]) + lambda(light[2])) / (4 * view[2]), grazing: (fresnel(vh) - 0.04) / 0.96 };
}

/** Midpoint quadrature over the hemisphere. */
function integrate(value: (light: Vec3) => readonly [number, number], rows = 300): [number, number] {
  const sums: [number, number] = [0, 0];
  for (let i = 0; i < rows; i++) {
    const theta = (((i + 0.5) / rows) * Math.PI) / 2;
    for (let j = 0; j < 2 * rows; j++) {
      const phi = ((j + 0.5) / rows) * Math.PI;
      const [a, b] = value([Math.sin(theta) * Math.cos(phi), Math.sin(theta) * Math.sin(phi), Math.cos(theta)]);
      sums[0] += a * Math.sin(theta);
      sums[1] += b * Math.sin(theta);
    }
  }
  return [(sums[0] * Math.PI ** 2) / 2 / rows ** 2, (sums[1] * Math.PI ** 2) / 2 / rows ** 2];
}

/**
 * BRDF times cosine with the normal along z, for one view: the layers of glTF 2.0's appendix B, where what the coating sends back is taken
 * from the diffuse base as its directional albedo, and what is lost between microfacets is added to the lobe in proportion (Turquin, 2019).
 */
function brdfCosine({ base, metallic, roughness }: Look, view: Vec3): (light: Vec3) => number {
  const [normal, atGrazing] = integrate((light) => {
    const { lobe: value, grazing } = lobe(roughness, view, light);
    return [value * (1 - grazing), value * grazing];
  });
  const lost = 1 / (normal + atGrazing) - 1;
  const enamel = 1 + 0.04 * lost;
  const metal = 1 + base * lost;
  const diffuse = base * (1 - (0.04 * normal + atGrazing) * enamel);
  return (light) => {
    if (light[2] <= 0) return 0;
    const { lobe: value, grazing } = lobe(roughness, view, light);
    const coated = (diffuse * light[2]) / Math.PI + (0.04 + 0.96 * grazing) * enamel * value;
    return coated * (1 - metallic) + (base + (1 - base) * grazing) * metal * value * metallic;
  };
}

/** Directional albedo. */
function albedo(look: Look, cosine: number): number {
  const reflected = brdfCosine(look, [Math.sqrt(1 - cosine * cosine), 0, cosine]);
  return integrate((light) => [reflected(light), 0])[0];
}

const surface = ({ base, metallic, roughness }: Look): Material => ({ ...whiteMaterial, baseColor: [base, base, base], metallic, roughness });

const floor: Build = (builder) => quad(builder, [-5, 0, 5], [10, 0, 0], [0, 0, -10], 0);

describe('furnace: a plane under a uniform sky shows its directional albedo', () => {
  const looks: readonly Look[] = [
    { base: 1, metallic: 0, roughness: 1 },
    { base: 0.5, metallic: 0, roughness: 0.4 },
    { base: 0.8, metallic: 1, roughness: 0.5 },
    { base: 0.3, metallic: 0.5, roughness: 0.7 },
  ];
  for (const look of looks) {
    for (const angle of [0.05, 1.2]) {
      test(`${JSON.stringify(look)} seen at ${angle} rad`, () => {
        const mesh = meshOf([surface(look)], floor, [Math.sin(angle) * 3, Math.cos(angle) * 3, 0.01], [0, 0, 0]);
        expectWithin(estimate(mesh, { bounces: 0 }, { sky: [1, 1, 1] }, 16_384), albedo(look, Math.cos(angle)), 2e-3);
      });
    }
  }
});

test('a closed cavity of emitting mirrors adds up a geometric series', () => {
  // From the centre of a sphere every ray returns through it: always normal incidence, where the reflectance is the base colour.
  const [emission, base] = [0.25, 0.6];
  const wall: Material = { ...surface({ base, metallic: 1, roughness: 0 }), emission: [emission, emission, emission], doubleSided: true };
  const mesh = meshOf([wall], (builder) => sphere(builder, [0, 0, 0], 2, 12, 0), [0, 0, 0], [0.3, 0.2, 1], 0.8);
  for (const bounces of [0, 1, 6]) {
    // Emission at the first surface, one reflection of direct light, and one of each further bounce.
    const truth = (emission * (1 - base ** (bounces + 2))) / (1 - base);
    const { mean } = estimate(mesh, { bounces, roulette: false }, {}, 4096);
    expect(Math.abs(mean - truth)).toBeLessThan(0.01 * truth);
  }
});

describe('a rectangular light above a floor', () => {
  const [height, half, radiance] = [1.5, 0.5, 6];
  const light: Material = { ...whiteMaterial, baseColor: [0, 0, 0], emission: [radiance, radiance, radiance] };
  // Counter-clockwise seen from below.
  const lamp: Build = (builder) => quad(builder, [-half, height, -half], [2 * half, 0, 0], [0, 0, 2 * half], 1);
  const eye: Vec3 = [2, 1, 0];

  /** Direct light of the point in the middle of the picture, integrated over the lamp. */
  function truth(look: Look): number {
    const distance = Math.hypot(...eye);
    const view: Vec3 = [eye[0] / distance, eye[2] / distance, eye[1] / distance];
    const reflected = brdfCosine(look, view);
    const cells = 200;
    let sum = 0;
    for (let i = 0; i < cells; i++) {
      for (let j = 0; j < cells; j++) {
        const [x, z] = [-half + ((i + 0.5) / cells) * 2 * half, -half + ((j + 0.5) / cells) * 2 * half];
        const r = Math.hypot(x, height, z);
        sum += (reflected([x / r, z / r, height / r]) * radiance * (height / r)) / (r * r);
      }
    }
    return (sum * (2 * half) ** 2) / cells ** 2;
  }

  for (const look of [
    { base: 0.7, metallic: 0, roughness: 1 },
    { base: 0.9, metallic: 1, roughness: 0.3 },
  ]) {
    test(`lights ${JSON.stringify(look)} as the integral says`, () => {
      const mesh = meshOf(
        [surface(look), light],
        (builder) => {
          floor(builder);
          lamp(builder);
        },
        eye,
        [0, 0, 0],
      );
      expectWithin(estimate(mesh, { bounces: 0 }, {}, 16_384), truth(look), 2e-3);
    });
  }

  const shielded = (extra: Build, materials: readonly Material[]): number =>
    estimate(
      meshOf(
        materials,
        (builder) => {
          floor(builder);
          extra(builder);
        },
        eye,
        [0, 0, 0],
      ),
      { bounces: 0 },
      {},
      2000,
    ).mean;

  test('does not shine through a screen', () => {
    const screen: Build = (builder) => {
      lamp(builder);
      quad(builder, [-2, 1, -2], [4, 0, 0], [0, 0, 4], 0);
    };
    // The screen lies above the line of sight.
    expect(shielded(screen, [surface({ base: 0.7, metallic: 0, roughness: 1 }), light])).toBe(0);
  });

  test('shines only from its front, unless it is double-sided', () => {
    const turned: Build = (builder) => quad(builder, [-half, height, half], [2 * half, 0, 0], [0, 0, -2 * half], 1);
    const matte = surface({ base: 0.7, metallic: 0, roughness: 1 });
    expect(shielded(turned, [matte, light])).toBe(0);
    const both = shielded(turned, [matte, { ...light, doubleSided: true }]);
    expect(Math.abs(both / shielded(lamp, [matte, light]) - 1)).toBeLessThan(0.03);
  });
});

test('of two triangles in one place the earlier one of the file is seen', () => {
  const glow = (r: number): Material => ({ ...whiteMaterial, baseColor: [0, 0, 0], emission: [r, r, r] });
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const build: Build = (builder) => {
      for (const material of order) quad(builder, [-5, 0, 5], [10, 0, 0], [0, 0, -10], material);
    };
    const { mean, error } = estimate(meshOf([glow(1), glow(2)], build, [0, 3, 0.01], [0, 0, 0]), { bounces: 0 }, {}, 512);
    expect(mean).toBe(order[0] === 0 ? 1 : 2);
    expect(error).toBe(0);
  }
});

test('ending paths by chance changes the noise and the cost, not the mean', () => {
  for (const name of ['cornell', 'cabinet']) {
    const { job, packed } = testScenes[name]!();
    const scene = loadScene(packed);
    const run = (roulette: boolean): Estimate & { steps: number } => {
      const changed = { ...job, params: { ...job.params, bounces: 12, roulette } };
      let [sum, squares, steps] = [0, 0, 0];
      const count = 6144;
      for (let path = 0; path < count; path++) {
        const traced = tracePath(scene, changed, 4 * (path % 16), 4 * ((path >> 4) % 16), path >> 8);
        const value = Math.min(traced.r + traced.g + traced.b, 1000);
        sum += value;
        squares += value * value;
        steps += traced.steps;
      }
      return { mean: sum / count, error: Math.sqrt((squares / count - (sum / count) ** 2) / count), steps };
    };
    const [chance, all] = [run(true), run(false)];
    expect(Math.abs(chance.mean - all.mean), `${name}: ${chance.mean} and ${all.mean}`).toBeLessThan(3 * Math.hypot(chance.error, all.error));
    expect(chance.steps).toBeLessThan(0.9 * all.steps);
  }
});
