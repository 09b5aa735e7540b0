import { describe, expect, test } from 'vitest';
import { TriangleBuilder } from './mesh.ts';

const triangle = [0, 0, 0, 1, 0, 0, 0, 1, 0];

describe('TriangleBuilder', () => {
  test('keeps good triangles as they are and makes normals unit vectors', () => {
    const builder = new TriangleBuilder(1);
    expect(builder.add(triangle, [0, 0, 2, 0, 3, 0, 4, 0, 0], [0, 0.25, 0.5, 0.75, 1, -1], 7)).toBe(true);
    const { count, positions, normals, uvs, materials } = builder.finish();
    expect(count).toBe(1);
    expect([...positions]).toEqual(triangle);
    expect([...normals]).toEqual([0, 0, 1, 0, 1, 0, 1, 0, 0]);
    expect([...uvs]).toEqual([0, 0.25, 0.5, 0.75, 1, -1]);
    expect([...materials]).toEqual([7]);
    expect([builder.dropped, builder.repairedNormals, builder.repairedUvs]).toEqual([0, 0, 0]);
  });

  test('flat normals where there are none', () => {
    const builder = new TriangleBuilder(1);
    builder.add(triangle, null, null, 0);
    expect([...builder.finish().normals]).toEqual([0, 0, 1, 0, 0, 1, 0, 0, 1]);
    expect(builder.repairedNormals).toBe(0);
  });

  test.each([
    ['a point', [1, 1, 1, 1, 1, 1, 1, 1, 1]],
    ['a line', [0, 0, 0, 1, 1, 1, 2, 2, 2]],
    ['a sliver thinner than f32 can tell', [0, 0, 0, 1000, 0, 0, 500, 1e-5, 0]],
    ['smaller than f32 can square', [0, 0, 0, 1e-10, 0, 0, 0, 1e-10, 0]],
  ])('drops %s', (_, positions) => {
    const builder = new TriangleBuilder(1);
    expect(builder.add(positions, null, null, 0)).toBe(true);
    expect([builder.finish().count, builder.dropped]).toEqual([0, 1]);
  });

  test.each([Number.NaN, Infinity, -Infinity, 1.1e9])('refuses the coordinate %f', (value) => {
    const builder = new TriangleBuilder(1);
    expect(builder.add([...triangle.slice(0, 8), value], null, null, 0)).toBe(false);
    expect(builder.finish().count).toBe(0);
  });

  test('repairs normals and texture coordinates, counting triangles', () => {
    const builder = new TriangleBuilder(1);
    builder.add(triangle, [Number.NaN, 0, 1, 0, 0, 0, 0, 1, 0], [0.5, Number.NaN, Infinity, 1, 1e300, 0], 0);
    const { normals, uvs } = builder.finish();
    expect([...normals]).toEqual([0, 0, 1, 0, 0, 1, 0, 1, 0]);
    expect([...uvs]).toEqual([0.5, 0, 0, 1, 0, 0]);
    expect([builder.repairedNormals, builder.repairedUvs]).toEqual([1, 1]);
  });

  test('texture coordinates too far out for f32 are repaired too', () => {
    const builder = new TriangleBuilder(1);
    builder.add(triangle, null, [1e6, -1e6, 1.1e6, -1e7, 0, 1], 0, { uvs1: [0, 1, 2, 3, 4, Number.NaN] });
    const { uvs, uvs1 } = builder.finish();
    expect([...uvs]).toEqual([1e6, -1e6, 0, 0, 0, 1]);
    expect([...uvs1!]).toEqual([0, 1, 2, 3, 4, 0]);
    expect(builder.repairedUvs).toBe(1);
  });

  test('what only some triangles have: 0 for the second set, white, any tangent', () => {
    const builder = new TriangleBuilder(3);
    builder.add(triangle, [1, 0, 0, 1, 0, 0, 1, 0, 0], null, 0);
    const colors = [2, -1, 0.5, Number.NaN, 0, 0, 0, 0, 0, 0, 0, 0];
    builder.add(triangle, null, null, 0, { uvs1: [1, 2, 3, 4, 5, 6], colors, tangents: [3, 0, 9, -2, 0, 2, 0, 1, 0, 0, 5, 1] });
    builder.add(triangle, null, null, 0);
    const { uvs1, colors: read, tangents } = builder.finish();
    expect([...uvs1!]).toEqual([0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0]);
    expect([...read!.subarray(8, 20)]).toEqual([1, 1, 1, 1, 1, 0, 0.5, 1, 0, 0, 0, 0]);
    // The part at right angles to +z; the third has none.
    expect([...tangents!.subarray(12, 24)]).toEqual([1, 0, 0, -1, 0, 1, 0, 1, 1, 0, 0, 1]);
    expect([...tangents!.subarray(0, 4), ...tangents!.subarray(24, 28)]).toEqual([0, 1, 0, 1, 1, 0, 0, 1]);
    expect([builder.repairedColors, builder.repairedTangents]).toEqual([1, 1]);
  });

  test('lists that nobody has are not there', () => {
    const builder = new TriangleBuilder(1);
    builder.add(triangle, null, null, 0, { colors: new Array(12).fill(1) });
    expect(builder.finish()).toMatchObject({ uvs1: null, colors: null, tangents: null });
  });
});
