import { describe, expect, test } from 'vitest';
import { decodeScene, hasFeature } from '../../shared/formats.ts';
import { Rng } from '../../shared/rng.ts';
import { invert, isMirrored } from './matrix.ts';
import { type Instance, identityMatrix, type Matrix, type MeshScene, stillScene, TriangleBuilder, type Triangles, type Vec3, whiteMaterial } from './mesh.ts';
import { packScene } from './pack.ts';
import { DISTANCE_MAX, Hit, traverse } from './reference/trace.ts';
import { loadScene, type Scene } from './reference.ts';
import { quad, sphere } from './testing/scenes.ts';

/** Meshes that are placed: trees of instances, their lights and frames. */

function built(build: (builder: TriangleBuilder) => void): Triangles {
  const builder = new TriangleBuilder(2000);
  build(builder);
  return builder.finish();
}

const ball = built((builder) => sphere(builder, [0, 0, 0], 1, 4, 0));
const card = built((builder) => quad(builder, [-1, -1, 0], [2, 0, 0], [0, 2, 0], 0));
const soup = (seed: number): Triangles => {
  const rng = new Rng(seed);
  return built((builder) => {
    for (let i = 0; i < 30; i++)
      builder.add(
        Array.from({ length: 9 }, () => rng.unit() * 2 - 1),
        null,
        null,
        0,
      );
  });
};

/** Turned at random, with three sizes of their own, every other one mirrored. */
function placedAnywhere(rng: Rng): Matrix {
  const axes = [0, 1].map((): Vec3 => [rng.unit() - 0.5, rng.unit() - 0.5, rng.unit() - 0.5]) as [Vec3, Vec3];
  const unit = (v: Vec3): Vec3 => v.map((value) => value / Math.hypot(...v)) as unknown as Vec3;
  const cross = (a: Vec3, b: Vec3): Vec3 => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const x = unit(axes[0]);
  const z = unit(cross(x, axes[1]));
  const sizes = [0, 1, 2].map(() => 0.1 * 20 ** rng.unit() * (rng.unit() < 0.5 ? -1 : 1));
  const columns = [x, cross(z, x), z].flatMap((column, index) => [...column.map((value) => value * sizes[index]!), 0]);
  return Float64Array.from([...columns, ...[0, 1, 2].map(() => (rng.unit() - 0.5) * 16), 1]);
}

const apply = (m: Matrix, [x, y, z]: Float32Array, w: number): Vec3 =>
  [0, 1, 2].map((row) => m[row]! * x! + m[4 + row]! * y! + m[8 + row]! * z! + m[12 + row]! * w) as unknown as Vec3;

interface World {
  readonly a: Vec3;
  readonly u: Vec3;
  readonly v: Vec3;
}

/** All triangles in the world: a corner and two edges, in f64. */
const worldOf = ({ meshes, instances }: MeshScene, frame = 0): World[] =>
  instances.flatMap(({ mesh, transforms }) => {
    const { count, positions } = meshes[mesh]!;
    const matrix = transforms[Math.min(frame, transforms.length - 1)]!;
    return Array.from({ length: count }, (_, triangle) => {
      const [a, b, c] = [0, 3, 6].map((corner) => apply(matrix, positions.subarray(triangle * 9 + corner, triangle * 9 + corner + 3), 1)) as [Vec3, Vec3, Vec3];
      const edge = (to: Vec3): Vec3 => [to[0] - a[0], to[1] - a[1], to[2] - a[2]];
      return { a, u: edge(b), v: edge(c) };
    });
  });

/** Distance of the nearest triangle, by Cramer's rule; `margin` widens all of them by that share. */
function nearest(triangles: readonly World[], origin: Vec3, direction: Vec3, margin: number): number {
  let best = Infinity;
  for (const { a, u, v } of triangles) {
    const px = direction[1] * v[2] - direction[2] * v[1];
    const py = direction[2] * v[0] - direction[0] * v[2];
    const pz = direction[0] * v[1] - direction[1] * v[0];
    const determinant = u[0] * px + u[1] * py + u[2] * pz;
    const [sx, sy, sz] = [origin[0] - a[0], origin[1] - a[1], origin[2] - a[2]];
    const s = (sx * px + sy * py + sz * pz) / determinant;
    if (!(s >= -margin && s <= 1 + margin)) continue;
    const [qx, qy, qz] = [sy * u[2] - sz * u[1], sz * u[0] - sx * u[2], sx * u[1] - sy * u[0]];
    const t = (direction[0] * qx + direction[1] * qy + direction[2] * qz) / determinant;
    if (!(t >= -margin && s + t <= 1 + margin)) continue;
    const distance = (v[0] * qx + v[1] * qy + v[2] * qz) / determinant;
    if (distance > 0 && distance < best) best = distance;
  }
  return best;
}

const anything = { skipTriangle: -1, skipInstance: -1, camera: true, shadow: false, key: 0 };

/** Rays through the middle of a scene against all its triangles, one by one. */
function compare(scene: Scene, world: readonly World[], rays: number): { compared: number; hits: number; hit: Hit } {
  const rng = new Rng(rays);
  const hit = new Hit();
  let [compared, hits] = [0, 0];
  for (let ray = 0; ray < rays; ray++) {
    const origin = [0, 1, 2].map(() => Math.fround((rng.unit() - 0.5) * 30)) as unknown as Vec3;
    const to = [0, 1, 2].map((axis) => (rng.unit() - 0.5) * 16 - origin[axis]!);
    const direction = to.map((value) => Math.fround(value / Math.hypot(...to))) as unknown as Vec3;
    const truth = nearest(world, origin, direction, 0);
    // Near an edge, rounding may decide.
    if (Math.abs(nearest(world, origin, direction, -1e-4) - truth) > 1e-6 || Math.abs(nearest(world, origin, direction, 1e-4) - truth) > 1e-6) continue;
    traverse(scene, Float32Array.from(origin), Float32Array.from(direction), DISTANCE_MAX, anything, hit);
    compared++;
    if (truth === Infinity) expect(hit.triangle).toBe(-1);
    else {
      hits++;
      expect(Math.abs(hit.tuv[0]! / truth - 1), `ray ${ray}: ${hit.tuv[0]} instead of ${truth}`).toBeLessThan(1e-5);
    }
    const shadow = new Hit();
    traverse(scene, Float32Array.from(origin), Float32Array.from(direction), DISTANCE_MAX, { ...anything, shadow: true }, shadow);
    expect(shadow.triangle >= 0).toBe(truth < Infinity);
  }
  return { compared, hits, hit };
}

const sceneOf = (meshes: readonly Triangles[], instances: readonly Instance[], more: Partial<MeshScene> = {}): MeshScene => ({
  ...stillScene(meshes[0]!, [whiteMaterial]),
  meshes,
  instances,
  ...more,
});

describe('the nearest hit among instances', () => {
  test('of 200, stretched and mirrored, is that of all their triangles', () => {
    const rng = new Rng(4);
    const instances = Array.from({ length: 200 }, (_, index) => ({ mesh: index % 4, transforms: [placedAnywhere(rng)] }));
    const mesh = sceneOf([ball, card, soup(1), soup(2)], instances);
    expect(instances.filter(({ transforms }) => isMirrored(transforms[0]!)).length).toBeGreaterThan(50);
    const { compared, hits } = compare(loadScene(packScene(mesh).bytes), worldOf(mesh), 400);
    expect(compared).toBeGreaterThan(350);
    expect(hits).toBeGreaterThan(100);
  });

  test.each([1, 2, 3])('of %i', (count) => {
    const rng = new Rng(count);
    const mesh = sceneOf(
      [ball],
      Array.from({ length: count }, () => ({ mesh: 0, transforms: [Float64Array.of(3, 0, 0, 0, 0, 2, 0, 0, 0, 0, -4, 0, rng.unit() * 4, 0, 0, 1)] })),
    );
    const { hits } = compare(loadScene(packScene(mesh).bytes), worldOf(mesh), 300);
    expect(hits).toBeGreaterThan(40);
  });

  test('all in one place is that of the first in the file', () => {
    const same = Float64Array.of(2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1);
    const mesh = sceneOf(
      [card, card],
      [1, 0, 0, 1].map((each) => ({ mesh: each, transforms: [same] })),
    );
    const hit = new Hit();
    traverse(loadScene(packScene(mesh).bytes), Float32Array.of(0.3, 0.2, 5), Float32Array.of(0, 0, -1), DISTANCE_MAX, anything, hit);
    expect(hit.tuv[0]).toBeCloseTo(5, 5);
    // Two triangles of the first mesh come before those of the second.
    expect(hit.triangle).toBeLessThan(2);
  });
});

describe('packing', () => {
  const words = (bytes: Uint8Array<ArrayBuffer>) => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const floats = (bytes: Uint8Array<ArrayBuffer>) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);

  test('one mesh where it is needs no tree of instances', () => {
    const plain = packScene(sceneOf([ball], [{ mesh: 0, transforms: [identityMatrix()] }]));
    expect(hasFeature(plain.bytes, 'instances')).toBe(false);
    expect([...words(decodeScene(plain.bytes).frames)]).toEqual([0, 0, 1, 0, 0, 0xffffffff, 0xffffffff, 0]);
    const moved = packScene(sceneOf([ball], [{ mesh: 0, transforms: [Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1e-9, 1)] }]));
    expect(hasFeature(moved.bytes, 'instances')).toBe(true);
    expect(decodeScene(moved.bytes).nodes.byteLength).toBe(decodeScene(plain.bytes).nodes.byteLength + 64);
  });

  test('an instance has its matrix, the inverse, its root and whether it is mirrored', () => {
    const matrix = placedAnywhere(new Rng(3));
    const mirrored = matrix.map((value, index) => (index < 4 ? -value : value));
    const { instances, nodes } = decodeScene(
      packScene(
        sceneOf(
          [ball, card],
          [matrix, mirrored].map((each) => ({ mesh: 1, transforms: [each] })),
        ),
      ).bytes,
    );
    const ballNodes = decodeScene(packScene(sceneOf([ball], [{ mesh: 0, transforms: [identityMatrix()] }])).bytes).nodes.byteLength / 64;
    const inverse = invert(matrix)!;
    for (let row = 0; row < 3; row++) {
      for (let column = 0; column < 4; column++) {
        expect(floats(instances)[row * 4 + column]).toBe(Math.fround(matrix[column * 4 + row]!));
        expect(floats(instances)[12 + row * 4 + column]).toBe(Math.fround(inverse[column * 4 + row]!));
      }
    }
    expect([words(instances)[24], words(instances)[28 + 24]]).toEqual([ballNodes, ballNodes]);
    expect([words(instances)[26], words(instances)[28 + 26]].sort()).toEqual([0, 1]);
    expect(nodes.byteLength / 64).toBe(ballNodes + 1 + 1);
  });

  test('lights of instances: areas in the world, in the order of the instances, each with its own first one', () => {
    const glow = { ...whiteMaterial, emission: [1, 1, 1] } as const;
    const dark = built((builder) => sphere(builder, [0, 0, 0], 1, 3, 1));
    const stretched = (x: number, y: number): Matrix => Float64Array.of(x, 0, 0, 0, 0, y, 0, 0, 0, 0, 9, 0, x, y, 0, 1);
    const instances: Instance[] = [
      { mesh: 0, transforms: [stretched(1, 2)] },
      { mesh: 1, transforms: [identityMatrix()] },
      { mesh: 0, transforms: [stretched(-3, 5)] },
    ];
    const { bytes, lights } = packScene(sceneOf([card, dark], instances, { materials: [glow, whiteMaterial] }));
    const sections = decodeScene(bytes);
    expect(lights).toBe(4);
    // The card is 2 x 2, in two triangles.
    expect([0, 1, 2, 3].map((light) => floats(sections.lights)[light * 16 + 11])).toEqual([4, 4, 30, 30]);
    expect([0, 1, 2, 3].map((light) => floats(sections.lights)[light * 16 + 7])).toEqual([4, 4, 30, 30].map((area) => Math.fround(area / 68)));
    expect([0, 1, 2, 3].map((light) => words(sections.lights)[light * 16 + 2])).toEqual([0, 0, 2, 2]);
    expect([0, 1, 2].map((instance) => words(sections.instances)[instance * 28 + 25])).toEqual([0, 0xffffffff, 2]);
  });

  test('what moves has a record, instances, lights and a tree for every frame; what does not has one for all', () => {
    const glow = { ...whiteMaterial, emission: [1, 1, 1] } as const;
    const at = (x: number, size: number): Matrix => Float64Array.of(size, 0, 0, 0, 0, size, 0, 0, 0, 0, size, 0, x, 0, 0, 1);
    const instances: Instance[] = [
      { mesh: 0, transforms: [at(-3, 1)] },
      { mesh: 0, transforms: [at(0, 1), at(1, 2), at(2, 3)] },
    ];
    const mesh = sceneOf([card], instances, { materials: [glow] });
    const packed = packScene(mesh);
    const { frames, lights } = decodeScene(packed.bytes);
    const records = [0, 1, 2].map((frame) => [...words(frames).subarray(frame * 8, frame * 8 + 8)]);
    expect(words(frames)).toHaveLength(3 * 8);
    // The card's tree is one node; so is that of two instances.
    expect(records).toEqual([0, 1, 2].map((frame) => [1 + frame, 2 * frame, 2, 4 * frame, 4, 0xffffffff, 0xffffffff, 0]));
    expect([0, 1, 2].map((frame) => floats(lights)[(frame * 4 + 2) * 16 + 11])).toEqual([2, 8, 18]);
    expect(packed.lights).toBe(4);
    expect(packed.box[0]).toBeCloseTo(-4, 4);
    expect(packed.box[3]).toBeCloseTo(5, 4);

    const scene = loadScene(packed.bytes);
    for (let frame = 0; frame < 3; frame++) {
      scene.enter(frame);
      const { hits } = compare(scene, worldOf(mesh, frame), 150);
      expect(hits).toBeGreaterThan(1);
    }
    // The last pose holds for frames behind it.
    scene.enter(7);
    expect(scene.root).toBe(3);
  });

  test('what a matrix flattens is refused', () => {
    const flat = Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
    expect(() => packScene(sceneOf([ball], [{ mesh: 0, transforms: [flat] }]))).toThrow(/cannot be inverted/);
  });
});
