import { describe, expect, test } from 'vitest';
import { radiancePart } from '../../shared/formats.ts';
import { cameraRays } from './camera.ts';
import type { ElementKind, Place } from './grid.ts';
import { type Camera, type Material, type MeshScene, stillScene, TriangleBuilder, whiteMaterial } from './mesh.ts';
import { addSamples, loadScene, tracePath } from './reference.ts';
import { quad, sceneJob, testScenes } from './testing/scenes.ts';

describe('sums of a part', () => {
  const { job, packed } = testScenes.studio!();
  const scene = loadScene(packed);
  const place = (x: number, y: number, first: number, end: number): Place => ({ kind: 'light', frame: 0, x, y, first, end });

  test('are the radiance of the same paths, rounded without bias', () => {
    const sums = new Uint32Array(4);
    const truth = [0, 0, 0];
    const count = 400;
    addSamples(scene, job, place(30, 40, 0, count), sums, 0);
    for (let sample = 0; sample < count; sample++) {
      const { r, g, b } = tracePath(scene, job, 30, 40, sample);
      [r, g, b].forEach((value, channel) => {
        truth[channel]! += value * 2 ** -radiancePart.stepLog2;
      });
    }
    // Rounding a path errs by at most half a step, in the root mean square.
    truth.forEach((value, channel) => {
      expect(Math.abs(sums[channel]! - value)).toBeLessThan(3 * 0.5 * Math.sqrt(count));
    });
  });

  test('split over any ranges add up to the same', () => {
    const [whole, pieces] = [new Uint32Array(4), new Uint32Array(4)];
    addSamples(scene, job, place(10, 50, 0, 20), whole, 0);
    for (const [first, end] of [
      [13, 20],
      [0, 1],
      [1, 13],
    ] as const)
      addSamples(scene, job, place(10, 50, first, end), pieces, 0);
    expect(pieces).toEqual(whole);
  });

  test('clamp what is too bright, and squares with it', () => {
    const bright = { ...job, prepared: { ...job.prepared, sky: [1e9, 0, 0] as const, quantumLog2: -12 } };
    const sums = new Uint32Array(4);
    // The upper left corner shows the sky.
    addSamples(scene, bright, place(0, 0, 0, 3), sums, 0);
    expect([...sums]).toEqual([3 * radiancePart.sampleStepsMax, 0, 0, 3 * radiancePart.squareLuminanceMax ** 2 * 64]);
  });

  test('squares are those of the luminance', () => {
    const sums = new Uint32Array(4);
    addSamples(scene, job, place(0, 0, 0, 16), sums, 0);
    const luminance = 0.2126 * job.prepared.sky[0] + 0.7152 * job.prepared.sky[1] + 0.0722 * job.prepared.sky[2];
    expect(Math.abs(sums[3]! - 16 * luminance ** 2 * 64)).toBeLessThan(3 * 0.5 * 4 + 1);
  });
});

test('other seeds, pixels and samples give other paths, equal ones the same', () => {
  const { job, packed } = testScenes.cornell!();
  const scene = loadScene(packed);
  const path = tracePath(scene, job, 20, 20, 3);
  tracePath(scene, job, 1, 1, 1);
  expect(tracePath(scene, job, 20, 20, 3)).toEqual(path);
  expect(tracePath(scene, { ...job, seed: job.seed + 1 }, 20, 20, 3)).not.toEqual(path);
  expect(tracePath(scene, job, 20, 20, 4)).not.toEqual(path);
  expect(tracePath(scene, job, 21, 20, 3)).not.toEqual(path);
});

describe('features', () => {
  const SIZE = 16;
  const UNIT = 4096;
  const depthLog2 = -9;
  /** Two metres high, looking from (0, 0, 3) along -z. */
  const camera: Camera = {
    name: '',
    projection: { kind: 'orthographic', height: 2 },
    poses: [{ position: [0, 0, 3], forward: [0, 0, -1], up: [0, 1, 0] }],
  };

  /** Sums of an element over 16 samples. */
  function sumsOf(mesh: MeshScene, kind: ElementKind, x: number, y: number): number[] {
    const cameras = [cameraRays(camera, camera.poses[0]!, 1, { radius: 0, focus: 1 })];
    const { job, packed } = sceneJob(mesh, { width: SIZE, height: SIZE }, { cameras, depthLog2 });
    const sums = new Uint32Array(4);
    addSamples(loadScene(packed), job, { kind, frame: 0, x, y, first: 0, end: 16 }, sums, 0);
    return [...sums];
  }
  /** Rounding of 16 samples errs by at most a step each. */
  const expectSums = (sums: readonly number[], truth: readonly number[]): void => {
    sums.forEach((sum, word) => {
      expect(Math.abs(sum - truth[word]!), `${sums} for ${truth}`).toBeLessThanOrEqual(8);
    });
  };
  const card = (material: Partial<Material>, x = -1, normals?: readonly number[]): MeshScene => {
    const builder = new TriangleBuilder(2);
    if (normals) builder.add([-3, -3, 0, 9, -3, 0, -3, 9, 0], normals, null, 0);
    else quad(builder, [x, -1, 0], [2, 0, 0], [0, 2, 0], 0);
    return stillScene(builder.finish(), [{ ...whiteMaterial, ...material }]);
  };
  const depth = 3 * 2 ** -depthLog2 * UNIT;

  test('are albedo and depth, normal and coverage of what is seen first', () => {
    const mesh = card({ baseColor: [0.8, 0.4, 0.1], metallic: 0.7 });
    expectSums(
      sumsOf(mesh, 'albedo', 5, 9),
      [0.8, 0.4, 0.1, depth / UNIT].map((value) => 16 * UNIT * value),
    );
    expectSums(
      sumsOf(mesh, 'normal', 5, 9),
      [0.5, 0.5, 1, 1].map((value) => 16 * UNIT * value),
    );
  });

  test('normals are those of the corners, in the world, on the side of the viewer', () => {
    const slope = [0.6, 0, 0.8];
    expectSums(
      sumsOf(card({}, -1, [...slope, ...slope, ...slope]), 'normal', 8, 8),
      [0.8, 0.5, 0.9, 1].map((value) => 16 * UNIT * value),
    );
    const back = sceneOfBack();
    expectSums(
      sumsOf(back, 'normal', 8, 8),
      [0.5, 0.5, 1, 1].map((value) => 16 * UNIT * value),
    );
  });

  /** Seen from behind. */
  function sceneOfBack(): MeshScene {
    const builder = new TriangleBuilder(2);
    quad(builder, [1, -1, 0], [-2, 0, 0], [0, 2, 0], 0);
    return stillScene(builder.finish(), [whiteMaterial]);
  }

  test('are nothing where nothing is seen, and half where a card ends', () => {
    // It covers the right half from the middle of column 8 on.
    const mesh = card({ baseColor: [1, 1, 1] }, 1 / 16);
    expect(sumsOf(mesh, 'albedo', 3, 4)).toEqual([0, 0, 0, 0]);
    expect(sumsOf(mesh, 'normal', 3, 4)).toEqual([0, 0, 0, 0]);
    // 16 samples are stratified: exactly half of them lie right of the middle.
    expect(sumsOf(mesh, 'normal', 8, 4)[3]).toBe(8 * UNIT);
    expectSums(sumsOf(mesh, 'albedo', 8, 4), [8 * UNIT, 8 * UNIT, 8 * UNIT, 8 * depth]);
    expect(sumsOf(mesh, 'normal', 12, 4)[3]).toBe(16 * UNIT);
  });

  test('see what is there in part with the probability that it is', () => {
    const mesh = card({ alphaMode: 'blend', alpha: 0.25 });
    let covered = 0;
    for (let pixel = 0; pixel < 256; pixel++) covered += sumsOf(mesh, 'normal', pixel % 16, pixel >> 4)[3]!;
    // 4096 paths, standard error 0.7 %.
    expect(Math.abs(covered / UNIT / 4096 - 0.25)).toBeLessThan(3 * 0.0068);
  });

  test('of another unit of depth count others', () => {
    const mesh = card({});
    const { job, packed } = sceneJob(mesh, { width: SIZE, height: SIZE }, { cameras: [cameraRays(camera, camera.poses[0]!, 1, { radius: 0, focus: 1 })] });
    const at: Place = { kind: 'albedo', frame: 0, x: 7, y: 7, first: 0, end: 16 };
    const depths = [-4, -5].map((log2) => {
      const sums = new Uint32Array(4);
      addSamples(loadScene(packed), { ...job, prepared: { ...job.prepared, depthLog2: log2 } }, at, sums, 0);
      return sums[3]! * 2 ** (log2 - 12);
    });
    for (const sum of depths) expect(sum / 16).toBeCloseTo(3, 3);
  });
});
