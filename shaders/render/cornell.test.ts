import { expect, test } from 'vitest';
import { cornellBox } from './cornell.ts';
import type { Camera } from './mesh.ts';

const { meshes, instances, materials, cameras, report } = cornellBox();
const triangles = meshes[0]!;
const normalOf = (triangle: number): number[] => [...triangles.normals.subarray(triangle * 9, triangle * 9 + 3)];
const centreOf = (triangle: number): number[] =>
  [0, 1, 2].map((axis) => [0, 3, 6].reduce((sum, corner) => sum + triangles.positions[triangle * 9 + corner + axis]!, 0) / 3);

test('has the five walls, the light and two blocks without floors', () => {
  expect(triangles.count).toBe(2 * (5 + 1 + 5 + 5));
  expect([meshes.length, instances.length]).toEqual([1, 1]);
  expect(report).toEqual([]);
});

test('the walls face the room, the blocks face out', () => {
  const middle = [0, 0.274, -0.28];
  for (let triangle = 0; triangle < 12; triangle++) {
    const inward = centreOf(triangle).reduce((sum, value, axis) => sum + (middle[axis]! - value) * normalOf(triangle)[axis]!, 0);
    expect(inward, `wall triangle ${triangle}`).toBeGreaterThan(0);
  }
  for (const [first, x, z] of [
    [12, 0.092, -0.169],
    [22, -0.09, -0.351],
  ] as const)
    for (let triangle = first; triangle < first + 10; triangle++) {
      const [cx, , cz] = centreOf(triangle) as [number, number, number];
      const [nx, ny, nz] = normalOf(triangle) as [number, number, number];
      expect(ny > 0.99 || (cx - x) * nx + (cz - z) * nz > 0, `block triangle ${triangle}`).toBe(true);
    }
});

test('red is on the left, green on the right, the light above', () => {
  const centresOf = (material: number): number[][] =>
    Array.from(triangles.materials.entries())
      .filter(([, m]) => m === material)
      .map(([t]) => centreOf(t));
  for (const [x] of centresOf(1)) expect(x).toBeLessThan(-0.25);
  for (const [x] of centresOf(2)) expect(x).toBeGreaterThan(0.25);
  expect(materials[3]!.emission).toEqual([17, 12, 4]);
  for (const [, y] of centresOf(3)) expect(y).toBeCloseTo(0.548, 3);
});

test('the camera looks in from the open side', () => {
  const [{ projection, poses }] = cameras as [Camera];
  expect(poses).toHaveLength(1);
  expect(poses[0]!.position[2]).toBeCloseTo(0.8, 6);
  expect(poses[0]!.forward[2]).toBeCloseTo(-1, 12);
  expect(poses[0]!.up[1]).toBeCloseTo(1, 12);
  expect(projection).toEqual({ kind: 'perspective', yfov: expect.closeTo((39.31 * Math.PI) / 180, 4) });
});
