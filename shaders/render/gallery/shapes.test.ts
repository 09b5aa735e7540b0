import { describe, expect, test } from 'vitest';
import { bevelledBox, lathe, merge, panel, quad, type Shape, sphere } from './shapes.ts';

type Triple = [number, number, number];

/** Corners of every triangle with their normals. */
function* trianglesOf({ positions, normals, indices }: Shape): Generator<{ corners: Triple[]; normals: Triple[] }> {
  const at = (list: readonly number[], vertex: number) => list.slice(vertex * 3, vertex * 3 + 3) as Triple;
  for (let i = 0; i < indices.length; i += 3) {
    const vertices = indices.slice(i, i + 3);
    yield { corners: vertices.map((vertex) => at(positions, vertex)), normals: vertices.map((vertex) => at(normals, vertex)) };
  }
}

const dot = (a: Triple, b: Triple): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
function faceNormal([a, b, c]: Triple[]): Triple {
  const [u, v] = [b!, c!].map((corner) => corner.map((value, axis) => value - a![axis]!)) as [Triple, Triple];
  return [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
}

/** Six times the volume that the faces enclose, by the divergence theorem: only right when the surface is closed and faces out. */
function volume(shape: Shape): number {
  let sum = 0;
  for (const { corners } of trianglesOf(shape)) sum += dot(corners[0]!, faceNormal(corners));
  return sum / 6;
}

describe.each<[string, Shape]>([
  ['quad', quad([1, 2, 3], [2, 0, 0], [0, 0, -1])],
  ['panel', panel([0, 3, 0], [1, 1, 2], 2, 1)],
  ['bevelled box', bevelledBox(1, 2, 3, 0.1)],
  ['sphere', sphere(2, 12)],
  ['lathe with sharp edges', lathe([0, 0, 1, 0, 1, 0, 1, 2, 1, 2, 0, 2], 16)],
])('%s', (_, shape) => {
  test('has area everywhere, and normals on the side of the winding', () => {
    for (const { corners, normals } of trianglesOf(shape)) {
      const normal = faceNormal(corners);
      expect(Math.hypot(...normal)).toBeGreaterThan(1e-6);
      for (const corner of normals) {
        expect(Math.hypot(...corner)).toBeCloseTo(1, 9);
        expect(dot(corner, normal)).toBeGreaterThan(0);
      }
    }
  });
  test('has as many of everything', () => {
    const vertices = shape.positions.length / 3;
    expect([shape.normals.length, shape.uvs.length]).toEqual([vertices * 3, vertices * 2]);
    expect(Math.max(...shape.indices)).toBeLessThan(vertices);
  });
});

test('solids are closed and face out', () => {
  expect(volume(sphere(1, 64))).toBeCloseTo((4 / 3) * Math.PI, 1);
  expect(volume(lathe([0, 0, 1, 0, 1, 0, 1, 2, 1, 2, 0, 2], 200))).toBeCloseTo(2 * Math.PI, 2);
  // A cube of 1 without its edges' prisms, its corners' tetrahedra added back.
  const bevel = 0.1;
  expect(volume(bevelledBox(1, 1, 1, bevel))).toBeCloseTo(1 - 12 * (1 - 2 * bevel) * (bevel ** 2 / 2) - 8 * (bevel ** 3 - bevel ** 3 / 6), 9);
});

test('a panel faces its target, upright', () => {
  const { normals, positions } = panel([0, 3, 0], [3, 3, 0], 2, 1);
  expect(normals.slice(0, 3).map((value) => value + 0)).toEqual([1, 0, 0]);
  expect([Math.min(...positions.filter((_, i) => i % 3 === 1)), Math.max(...positions.filter((_, i) => i % 3 === 1))]).toEqual([2.5, 3.5]);
});

test('merging keeps the triangles', () => {
  const [a, b] = [quad([0, 0, 0], [1, 0, 0], [0, 1, 0]), quad([5, 0, 0], [1, 0, 0], [0, 1, 0])];
  expect([...trianglesOf(merge([a, b]))]).toEqual([...trianglesOf(a), ...trianglesOf(b)]);
});
