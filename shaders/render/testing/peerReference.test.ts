import { describe, expect, test } from 'vitest';
import { convergence, meanOf } from '../../common/testing/benchFigures.ts';
import { type PeerMaterial, PeerMesh } from './peerMesh.ts';
import { PeerReference, randomNumbers } from './peerReference.ts';
import type { PeerLight, PeerScene } from './peerScenes.ts';

/** The reference of render.bench.ts against what can be written down, so that nobody's error is measured with a crooked ruler. */

const white: PeerMaterial = { color: [1, 1, 1], metallic: 0, roughness: 0.5, emission: [0, 0, 0] };
/** Radiance 1 from everywhere. */
const furnace = { width: 8, height: 4, rgbe: Uint8Array.from({ length: 128 }, (_, i) => (i % 4 === 3 ? 129 : 128)) };
const camera: PeerScene['camera'] = { position: [0, 0, 3], target: [0, 0, 0], yfov: 0.1 };

function scene(mesh: PeerMesh, lights: readonly PeerLight[], environment: PeerScene['environment'] = null): PeerScene {
  return { name: 'test', meshes: [mesh], lights, environment, camera };
}

/** Facing the camera, larger than its view. */
const wall = (material: PeerMaterial): PeerMesh => new PeerMesh(material).quad([-1, -1, 0], [2, 0, 0], [0, 2, 0]);

function mean(described: PeerScene, samples: number): number {
  const { box, boxWeights } = new PeerReference(described).render(4, samples, 1);
  return meanOf(box.map((sum, i) => sum / boxWeights[Math.floor(i / 3)]!));
}

describe('the reference of the render benchmark', () => {
  test('a Lambert wall under a white sky reflects its colour', () => {
    expect(mean(scene(wall({ ...white, color: [0.5, 0.5, 0.5] }), [], furnace), 2000)).toBeCloseTo(0.5, 2);
  });

  test('white metals lose nothing, however rough', () => {
    for (const roughness of [0.3, 0.6, 0.9]) {
      const reflected = mean(scene(wall({ ...white, metallic: 1, roughness }), [], furnace), 2000);
      expect(Math.abs(reflected - 1), `roughness ${roughness}`).toBeLessThan(0.015);
    }
  });

  test('a point light gives I / d^2, a directional one its lux', () => {
    const lamp: PeerLight = { kind: 'point', position: [0, 0, 2], intensity: [4, 4, 4] };
    expect(mean(scene(wall(white), [lamp]), 50)).toBeCloseTo(1 / Math.PI, 2);
    const sun: PeerLight = { kind: 'directional', direction: [1, 0, -1], illuminance: [3, 3, 3] };
    expect(mean(scene(wall(white), [sun]), 50)).toBeCloseTo((3 * Math.SQRT1_2) / Math.PI, 2);
  });

  test('a metal reflects the same light whether it is looked for or found', () => {
    const metal = wall({ ...white, metallic: 1, roughness: 0.8 });
    // A lamp that faces the wall from afar, and a point as bright from there.
    const lamp: PeerLight = { kind: 'area', centre: [0, 4, 8], right: [-0.6, 0, 0], up: [0, 0.5367, -0.2683], radiance: [100, 100, 100] };
    const intensity = 100 * 4 * 0.6 * 0.6;
    const point: PeerLight = { kind: 'point', position: [0, 4, 8], intensity: [intensity, intensity, intensity] };
    const [found, lookedFor] = [mean(scene(metal, [lamp]), 6000), mean(scene(metal, [point]), 50)];
    expect(found / lookedFor).toBeGreaterThan(0.95);
    expect(found / lookedFor).toBeLessThan(1.05);
  });

  test('a lamp over a wall gives its form factor', () => {
    // Discs would have a short formula; for a small patch far away it is A cos cos / d^2.
    const lamp: PeerLight = { kind: 'area', centre: [0, 0, 5], right: [-0.1, 0, 0], up: [0, 0.1, 0], radiance: [100, 100, 100] };
    expect(mean(scene(wall(white), [lamp]), 50)).toBeCloseTo((100 * 0.04) / 25 / Math.PI, 3);
  });

  test('emitting triangles light as a lamp of their size does', () => {
    const glowing = new PeerMesh({ ...white, color: [0, 0, 0], emission: [100, 100, 100] }).quad([0.1, -0.1, 5], [-0.2, 0, 0], [0, 0.2, 0]);
    const both = { ...scene(wall(white), []), meshes: [wall(white), glowing] };
    expect(mean(both, 200)).toBeCloseTo((100 * 0.04) / 25 / Math.PI, 3);
  });
});

describe('errors of pictures', () => {
  test('noise and bias are told apart, the reference’s own noise left out', () => {
    const random = randomNumbers(3);
    const noisy = (value: number, spread: number): Float64Array =>
      Float64Array.from({ length: 30_000 }, () => value + spread * Math.sqrt(12) * (random() - 0.5));
    const reference = { picture: noisy(1, 0.1), variance: 0.01 };
    const clean = convergence(
      [1, 2, 3, 4].map(() => noisy(1, 0.4)),
      [8, 8, 8, 8],
      reference,
    );
    expect(Math.sqrt(clean.bias2)).toBeLessThan(0.05);
    for (const variance of clean.variances) expect(variance).toBeCloseTo(8 * 0.16, 1);
    const dark = convergence(
      [1, 2, 3, 4].map(() => noisy(0.8, 0.4)),
      [8, 8, 8, 8],
      reference,
    );
    expect(Math.sqrt(dark.bias2)).toBeCloseTo(0.2, 1);
    expect(dark.mean).toBeCloseTo(0.8, 2);
  });
});
