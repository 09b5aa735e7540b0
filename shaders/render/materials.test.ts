import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lookAt } from './camera.ts';
import { packEnvironment } from './environment.ts';
import {
  identityMatrix,
  type Material,
  type MeshScene,
  type PunctualLight,
  type TextureSlot,
  TriangleBuilder,
  type Triangles,
  textureSlots,
  whiteMaterial,
} from './mesh.ts';
import type { Beyond } from './packLights.ts';
import { loadScene, tracePath } from './reference.ts';
import { gradientSky, quad, sceneJob, sphere } from './testing/scenes.ts';

/** Paths through scenes of any material are finite and never negative. */

const share = fc.oneof({ weight: 3, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) }, { weight: 1, arbitrary: fc.constantFrom(0, 1) });
const color = fc.tuple(share, share, share);
const coefficient = fc.oneof(fc.double({ min: -9, max: 9, noNaN: true }), fc.constantFrom(0, 1, 1e30));
const slot: fc.Arbitrary<TextureSlot> = fc.record({
  texture: fc.integer({ min: 0, max: 2 }),
  uvSet: fc.constantFrom(0 as const, 1 as const),
  transform: fc.tuple(coefficient, coefficient, coefficient, coefficient, coefficient, coefficient),
});

const material: fc.Arbitrary<Material> = fc.record({
  baseColor: color,
  alpha: share,
  alphaMode: fc.constantFrom('opaque' as const, 'mask' as const, 'blend' as const),
  alphaCutoff: share,
  metallic: share,
  roughness: share,
  emission: fc.oneof(
    { weight: 3, arbitrary: fc.constant([0, 0, 0] as const) },
    { weight: 1, arbitrary: fc.constantFrom([1e7, 1e7, 1e7] as const, [1e-30, 0, 0] as const) },
  ),
  unlit: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
  ior: fc.oneof(fc.double({ min: 1, max: 4, noNaN: true }), fc.constantFrom(1, 1.0001, 100)),
  specular: share,
  specularColor: fc.tuple(share, share, fc.constantFrom(0, 1, 8)),
  transmission: share,
  solid: fc.boolean(),
  attenuationColor: color,
  attenuationDistance: fc.constantFrom(Infinity, 1e-9, 0.5, 1e9),
  clearcoat: share,
  clearcoatRoughness: share,
  normalScale: fc.constantFrom(1, 0, -3, 1e6),
  clearcoatNormalScale: fc.constantFrom(1, 0, 30),
  doubleSided: fc.boolean(),
  textures: fc.dictionary(fc.constantFrom(...textureSlots), slot, { maxKeys: 4 }) as fc.Arbitrary<Material['textures']>,
});

/** Black, grey (of a normal map: no normal at all), and noise. */
const images = [0, 128, -1].map((byte, index) => ({
  width: 2 + index,
  height: 3,
  texels: Uint8Array.from({ length: (2 + index) * 3 * 4 }, (_, at) => (byte < 0 ? (at * 97) % 256 : byte)),
}));
const textures = images.map((_, image) => ({ image, wrapS: 'repeat', wrapT: 'mirror', nearest: image === 1, srgb: image === 2 }) as const);

/** Tangents along x, some of them along the normal. */
function withExtras(mesh: Triangles): Triangles {
  const tangents = new Float32Array(mesh.count * 12);
  const uvs1 = mesh.uvs.map((value) => value * 3);
  const colors = Float32Array.from({ length: mesh.count * 12 }, (_, at) => (at * 0.37) % 1);
  for (let corner = 0; corner < mesh.count * 3; corner++)
    tangents.set([...(corner % 5 ? [1, 0, 0] : mesh.normals.subarray(corner * 3, corner * 3 + 3)), corner % 2 ? 1 : -1], corner * 4);
  return { ...mesh, tangents, uvs1, colors };
}

const lights: readonly PunctualLight[] = [
  { kind: 'point', color: [1e9, 1, 0], innerCone: 0, outerCone: 0, poses: [{ position: [0, 0.5, 0], direction: [0, -1, 0] }] },
  { kind: 'spot', color: [1, 1, 1], innerCone: 0.5, outerCone: 0.5, poses: [{ position: [0, 3, 0], direction: [0, -1, 0] }] },
  { kind: 'directional', color: [1, 1, 1], innerCone: 0, outerCone: 0, poses: [{ position: [0, 0, 0], direction: [0, -1, 0] }] },
];

/** A ball on a floor, and a thin, flattened ball that stands in both. */
function roomOf(materials: readonly Material[]): MeshScene {
  const floor = new TriangleBuilder(4);
  quad(floor, [-3, 0, 3], [6, 0, 0], [0, 0, -6], 0, 2);
  quad(floor, [-1, 3, -1], [2, 0, 0], [0, 0, 2], 2);
  const ball = new TriangleBuilder(200);
  sphere(ball, [0, 0, 0], 1, 5, 1);
  const flat = Float64Array.of(1.3, 0, 0, 0, 0, -1e-3, 0, 0, 0, 0, 1.3, 0, 0, 0.4, 0, 1);
  return {
    meshes: [floor.finish(), withExtras(ball.finish())],
    instances: [
      { mesh: 0, transforms: [identityMatrix()] },
      { mesh: 1, transforms: [Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1)] },
      { mesh: 1, transforms: [flat] },
    ],
    materials: [...materials, { ...whiteMaterial, emission: [5, 5, 5] }],
    textures,
    images,
    lights,
    cameras: [lookAt([0.5, 1.6, 4], [0, 0.7, 0], 0.8)!],
    report: [],
  };
}

const sky: Beyond = {
  environment: packEnvironment(gradientSky(32), 0),
  strength: 1,
  sun: { direction: [0.6, -0.8, 0], radiance: [1e5, 1e5, 1e5], angularRadius: 0.0047 },
};

test('whatever the materials', () => {
  fc.assert(
    fc.property(material, material, fc.boolean(), (floor, ball, outside) => {
      const { job, packed } = sceneJob(roomOf([floor, ball]), { bounces: 12 }, { sky: [1, 1, 1] }, outside ? sky : undefined);
      const scene = loadScene(packed);
      for (let path = 0; path < 96; path++) {
        const { r, g, b, steps } = tracePath(scene, job, (path * 7) % 64, (path * 13) % 64, path);
        for (const value of [r, g, b]) {
          expect(Number.isFinite(value), `path ${path}: ${r}, ${g}, ${b}`).toBe(true);
          expect(value).toBeGreaterThanOrEqual(0);
        }
        expect(steps).toBeGreaterThan(0);
      }
    }),
    { numRuns: 150, seed: 11 },
  );
}, 120_000);
