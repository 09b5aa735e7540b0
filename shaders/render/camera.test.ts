import { describe, expect, test } from 'vitest';
import { fitCamera, imagePlane, lookAt, poseOf } from './camera.ts';
import { TriangleBuilder, type Triangles, type Vec3 } from './mesh.ts';

/** Where a point appears: (x, y) in [0, 1] from the top left, by solving origin + t (corner + x right + y down) = point. */
function project({ origin, corner, right, down }: ReturnType<typeof imagePlane>, point: Vec3): { x: number; y: number; t: number } {
  const cross = (a: Vec3, b: Vec3): Vec3 => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const to: Vec3 = [point[0] - origin[0], point[1] - origin[1], point[2] - origin[2]];
  // t corner + tx right + ty down = to, by Cramer's rule.
  const determinant = dot(corner, cross(right, down));
  const t = dot(to, cross(right, down)) / determinant;
  return { t, x: dot(to, cross(down, corner)) / determinant / t, y: dot(to, cross(corner, right)) / determinant / t };
}

function boxCorners(low: Vec3, high: Vec3): Vec3[] {
  return Array.from({ length: 8 }, (_, i) => [i & 1 ? high[0] : low[0], i & 2 ? high[1] : low[1], i & 4 ? high[2] : low[2]]);
}

function trianglesAt(points: readonly Vec3[]): Triangles {
  const builder = new TriangleBuilder(points.length);
  for (let i = 0; i < points.length; i++) builder.add([points[i]!, points[(i + 1) % 8]!, points[(i + 3) % 8]!].flat(), null, null, 0);
  return builder.finish();
}

describe('imagePlane', () => {
  const pose = lookAt([0, 0, 5], [0, 0, 0], Math.PI / 2)!;

  test('x grows to the right and y downwards', () => {
    const plane = imagePlane(pose, 2);
    expect(project(plane, [0, 0, 0])).toEqual({ x: 0.5, y: 0.5, t: 5 });
    expect(project(plane, [1, 0, 0]).x).toBeGreaterThan(0.5);
    expect(project(plane, [0, 1, 0]).y).toBeLessThan(0.5);
  });

  test.each([0.5, 1, 16 / 9])('the vertical field of view is kept at aspect %f', (aspect) => {
    const plane = imagePlane(pose, aspect);
    expect(project(plane, [0, 5, 0]).y).toBeCloseTo(0, 6);
    expect(project(plane, [0, -5, 0]).y).toBeCloseTo(1, 6);
    expect(project(plane, [5 * aspect, 0, 0]).x).toBeCloseTo(1, 6);
  });

  test('all numbers are f32', () => {
    const { origin, corner, right, down } = imagePlane(lookAt([0.1, 0.2, 0.3], [1, 2, 3], 0.7)!, 1.7);
    for (const value of [...origin, ...corner, ...right, ...down]) expect(value).toBe(Math.fround(value));
  });
});

describe('poseOf', () => {
  test('straightens an up that leans', () => {
    const pose = poseOf([0, 0, 0], [0, 0, -2], [0, 3, -1], 1)!;
    expect(pose.forward).toEqual([0, 0, -1]);
    expect(pose.up[0]).toBeCloseTo(0, 12);
    expect(pose.up[1]).toBeCloseTo(1, 12);
    expect(pose.up[2]).toBeCloseTo(0, 12);
  });
  test('is null without a direction', () => {
    expect(poseOf([0, 0, 0], [0, 0, 0], [0, 1, 0], 1)).toBeNull();
    expect(poseOf([0, 0, 0], [0, 1, 0], [0, -2, 0], 1)).toBeNull();
    expect(poseOf([Number.NaN, 0, 0], [0, 0, -1], [0, 1, 0], 1)).toBeNull();
  });
});

describe('fitCamera', () => {
  const shapes: readonly (readonly [Vec3, Vec3])[] = [
    [
      [-1, -1, -1],
      [1, 1, 1],
    ],
    [
      [100, 0, 0],
      [103, 0.1, 40],
    ],
    [
      [-1e-3, 0, -1e-3],
      [1e-3, 5, 1e-3],
    ],
  ];
  test.each([0.4, 1, 2.5])('everything is in view, and not much more, at aspect %f', (aspect) => {
    for (const [low, high] of shapes) {
      const corners = boxCorners(low, high);
      const plane = imagePlane(fitCamera(trianglesAt(corners), aspect), aspect);
      const seen = corners.map((corner) => project(plane, corner));
      for (const { x, y, t } of seen) {
        expect(t).toBeGreaterThan(0);
        expect(Math.min(x, y)).toBeGreaterThan(0);
        expect(Math.max(x, y)).toBeLessThan(1);
      }
      const spread = (values: readonly number[]): number => Math.max(...values.map((value) => Math.abs(value - 0.5)));
      expect(Math.max(spread(seen.map(({ x }) => x)), spread(seen.map(({ y }) => y)))).toBeGreaterThan(0.4);
    }
  });

  test('looks down a little, with the scene upright', () => {
    const pose = fitCamera(trianglesAt(boxCorners([-1, -1, -1], [1, 1, 1])), 1);
    expect(pose.position[1]).toBeGreaterThan(0);
    expect(pose.forward[1]).toBeLessThan(0);
    expect(pose.up[1]).toBeGreaterThan(0.8);
  });
});
