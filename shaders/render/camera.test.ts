import { describe, expect, test } from 'vitest';
import { type Box, cameraRays, fitCamera, lookAt, poseOf } from './camera.ts';
import type { Camera, Vec3 } from './mesh.ts';
import type { CameraRays } from './params.ts';

const add = (a: Vec3, b: Vec3, factor = 1): Vec3 => [a[0] + b[0] * factor, a[1] + b[1] * factor, a[2] + b[2] * factor];
const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a: Vec3, b: Vec3): Vec3 => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];

const pinhole = { radius: 0, focus: 1 };
const raysOf = (camera: Camera, aspect: number, lens = pinhole): CameraRays => cameraRays(camera, camera.poses[0]!, aspect, lens);

/** Where a point appears through a pinhole: (x, y) in [0, 1] from the top left, by solving origin + t (corner + x right + y down) = point. */
function project({ origin, corner, right, down }: CameraRays, point: Vec3): { x: number; y: number; t: number } {
  const to = add(point, origin, -1);
  // t corner + tx right + ty down = to, by Cramer's rule.
  const determinant = dot(corner, cross(right, down));
  const t = dot(to, cross(right, down)) / determinant;
  return { t, x: dot(to, cross(down, corner)) / determinant / t, y: dot(to, cross(corner, right)) / determinant / t };
}

/** The ray through an image point and a point of the lens, as params.ts defines it; its direction reaches as far as `corner` does. */
function rayOf(rays: CameraRays, x: number, y: number, a = 0, b = 0): { from: Vec3; to: Vec3 } {
  const lens = add(add([0, 0, 0], rays.lensRight, a), rays.lensDown, b);
  const from = add(add(add(rays.origin, rays.originRight, x), rays.originDown, y), lens);
  return { from, to: add(add(add(rays.corner, rays.right, x), rays.down, y), lens, -rays.inverseFocus) };
}

function boxCorners([x0, y0, z0, x1, y1, z1]: Box): Vec3[] {
  return Array.from({ length: 8 }, (_, i) => [i & 1 ? x1 : x0, i & 2 ? y1 : y0, i & 4 ? z1 : z0]);
}

const forwards = lookAt([0, 0, 5], [0, 0, 0], Math.PI / 2)!;

describe('rays of a perspective camera', () => {
  test('x grows to the right and y downwards', () => {
    const rays = raysOf(forwards, 2);
    expect(project(rays, [0, 0, 0])).toEqual({ x: 0.5, y: 0.5, t: 5 });
    expect(project(rays, [1, 0, 0]).x).toBeGreaterThan(0.5);
    expect(project(rays, [0, 1, 0]).y).toBeLessThan(0.5);
  });

  test.each([0.5, 1, 16 / 9])('the vertical field of view is kept at aspect %f', (aspect) => {
    const rays = raysOf(forwards, aspect);
    expect(project(rays, [0, 5, 0]).y).toBeCloseTo(0, 6);
    expect(project(rays, [0, -5, 0]).y).toBeCloseTo(1, 6);
    expect(project(rays, [5 * aspect, 0, 0]).x).toBeCloseTo(1, 6);
  });

  test('all start in one point', () => {
    const rays = raysOf(forwards, 2);
    for (const [x, y] of [
      [0, 0],
      [1, 0.3],
      [0.2, 1],
    ] as const)
      expect(rayOf(rays, x, y, 0.7, -0.3).from).toEqual([0, 0, 5]);
  });
});

describe('rays of an orthographic camera', () => {
  const camera: Camera = { ...forwards, projection: { kind: 'orthographic', height: 3 } };

  test.each([0.5, 1, 16 / 9])('are parallel and cover its height at aspect %f', (aspect) => {
    const rays = raysOf(camera, aspect);
    for (const [x, y] of [
      [0, 0],
      [1, 0],
      [0.5, 0.5],
      [1, 1],
    ] as const) {
      const { from, to } = rayOf(rays, x, y);
      expect(to).toEqual([0, 0, -1]);
      expect(from[0]).toBeCloseTo((x - 0.5) * 3 * aspect, 6);
      expect(from[1]).toBeCloseTo((0.5 - y) * 3, 6);
      expect(from[2]).toBeCloseTo(5, 6);
    }
  });
});

describe('a lens', () => {
  const focus = 2.5;
  const cameras: readonly (readonly [string, Camera])[] = [
    ['perspective', lookAt([1, 2, 3], [0.5, 0, -1], 0.8)!],
    ['orthographic', { ...lookAt([1, 2, 3], [0.5, 0, -1], 0.8)!, projection: { kind: 'orthographic', height: 2 } }],
  ];
  for (const [name, camera] of cameras) {
    test(`${name}: all rays of an image point meet at the focus distance along the axis, and nowhere else`, () => {
      const rays = raysOf(camera, 1.5, { radius: 0.2, focus });
      const { forward, position } = camera.poses[0]!;
      /** Where the ray crosses the plane at this distance along the axis. */
      const at = (distance: number, x: number, y: number, a: number, b: number): Vec3 => {
        const { from, to } = rayOf(rays, x, y, a, b);
        return add(from, to, (distance - dot(add(from, position, -1), forward)) / dot(to, forward));
      };
      for (const [x, y] of [
        [0.5, 0.5],
        [0.1, 0.9],
      ] as const) {
        const sharp = at(focus, x, y, 0, 0);
        for (const [a, b] of [
          [1, 0],
          [0, -1],
          [0.6, 0.8],
        ] as const) {
          expect(Math.hypot(...add(at(focus, x, y, a, b), sharp, -1))).toBeLessThan(1e-5);
          // Twice as far off, the disc is as large as the lens: 0.2.
          expect(Math.hypot(...add(at(2 * focus, x, y, a, b), at(2 * focus, x, y, 0, 0), -1))).toBeCloseTo(0.2, 5);
          expect(Math.hypot(...add(rayOf(rays, x, y, a, b).from, rayOf(rays, x, y).from, -1))).toBeCloseTo(0.2, 5);
        }
      }
    });
  }

  test('focused on what is infinitely far has parallel rays', () => {
    const rays = raysOf(forwards, 1, { radius: 0.1, focus: Infinity });
    expect(rays.inverseFocus).toBe(0);
    expect(rayOf(rays, 0.3, 0.4, 1, 0).to).toEqual(rayOf(rays, 0.3, 0.4, 0, 0).to);
  });
});

test('all numbers are f32', () => {
  for (const projection of [
    { kind: 'perspective', yfov: 0.7 },
    { kind: 'orthographic', height: 0.7 },
  ] as const) {
    const rays = raysOf({ ...lookAt([0.1, 0.2, 0.3], [1, 2, 3], 0.7)!, projection }, 1.7, { radius: 0.013, focus: 0.7 });
    const numbers = Object.values(rays).flat();
    expect(numbers).toHaveLength(8 * 3 + 1);
    for (const value of numbers) expect(value).toBe(Math.fround(value));
  }
});

describe('poseOf', () => {
  test('straightens an up that leans', () => {
    const pose = poseOf([0, 0, 0], [0, 0, -2], [0, 3, -1])!;
    expect(pose.forward).toEqual([0, 0, -1]);
    expect(pose.up[0]).toBeCloseTo(0, 12);
    expect(pose.up[1]).toBeCloseTo(1, 12);
    expect(pose.up[2]).toBeCloseTo(0, 12);
  });
  test('is null without a direction', () => {
    expect(poseOf([0, 0, 0], [0, 0, 0], [0, 1, 0])).toBeNull();
    expect(poseOf([0, 0, 0], [0, 1, 0], [0, -2, 0])).toBeNull();
    expect(poseOf([Number.NaN, 0, 0], [0, 0, -1], [0, 1, 0])).toBeNull();
    expect(lookAt([1, 1, 1], [1, 1, 1], 1)).toBeNull();
    expect(lookAt([1, 1, 1], [1, 5, 1], 1)).toBeNull();
  });
});

describe('fitCamera', () => {
  const boxes: readonly Box[] = [
    [-1, -1, -1, 1, 1, 1],
    [100, 0, 0, 103, 0.1, 40],
    [-1e-3, 0, -1e-3, 1e-3, 5, 1e-3],
  ];
  test.each([0.4, 1, 2.5])('everything is in view, and not much more, at aspect %f', (aspect) => {
    for (const box of boxes) {
      const rays = raysOf(fitCamera(box, aspect), aspect);
      const seen = boxCorners(box).map((corner) => project(rays, corner));
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
    const [pose] = fitCamera([-1, -1, -1, 1, 1, 1], 1).poses;
    expect(pose!.position[1]).toBeGreaterThan(0);
    expect(pose!.forward[1]).toBeLessThan(0);
    expect(pose!.up[1]).toBeGreaterThan(0.8);
  });
});
