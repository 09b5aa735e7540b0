import { describe, expect, test } from 'vitest';
import { Model, turn } from './gallery/model.ts';
import { quad, sphere } from './gallery/shapes.ts';
import { readGltf } from './gltf.ts';
import { instancedTrianglesMin } from './gltfPlan.ts';
import { sceneLimits } from './limits.ts';
import type { Matrix, MeshScene } from './mesh.ts';

/** More than `instancedTrianglesMin` triangles, and fewer. */
const ball = sphere(1, 8);
const card = quad([0, 0, 0], [1, 0, 0], [0, 1, 0]);

const rounded = (values: Iterable<number>): number[] => Array.from(values, (value) => Math.round(value * 1e4) / 1e4 + 0);
const originOf = (matrix: Matrix): number[] => rounded(matrix.subarray(12, 15));
const alongX = (matrix: Matrix): number[] => rounded(matrix.subarray(0, 3));
const read = async (model: Model, timeline?: Parameters<typeof readGltf>[1]): Promise<MeshScene> => readGltf(await model.write(), timeline);
const ten = { frames: 10, firstFrame: 0, framesPerSecond: 1 };

describe('instances', () => {
  test('what is placed once is copied into the world, what is placed twice is there once', async () => {
    const model = new Model();
    const mesh = model.mesh(ball, model.material({}));
    model.place(mesh, { at: [5, 0, 0] });
    model.place(mesh, { at: [-5, 0, 0], scale: [-2, 1, 1] });
    model.add(ball, model.material({}), { at: [0, 7, 0] });
    const { meshes, instances } = await read(model);
    const count = ball.indices.length / 3;
    expect(count).toBeGreaterThanOrEqual(instancedTrianglesMin);
    expect(meshes.map((triangles) => triangles.count)).toEqual([count, count]);
    expect(instances.map(({ mesh: index }) => index)).toEqual([0, 1, 1]);
    expect(instances.map(({ transforms }) => originOf(transforms[0]!))).toEqual([
      [0, 0, 0],
      [5, 0, 0],
      [-5, 0, 0],
    ]);
    expect(Math.max(...meshes[0]!.positions)).toBeCloseTo(8);
    // In its own space, and not turned inside out for the mirrored place.
    expect(Math.max(...meshes[1]!.positions)).toBeCloseTo(1);
    expect(alongX(instances[2]!.transforms[0]!)).toEqual([-2, 0, 0]);
    const { positions, normals } = meshes[1]!;
    const facing = [0, 1, 2].map((i) => normals[i]! * positions[i]!).reduce((a, b) => a + b);
    expect(facing).toBeGreaterThan(0.9);
  });

  test('what is small is copied, unless the copies are too many', async () => {
    const model = new Model();
    const mesh = model.mesh(card, model.material({}));
    for (let x = 0; x < 5; x++) model.place(mesh, { at: [x, 0, 0] });
    const few = await read(model);
    expect([few.meshes.length, few.meshes[0]!.count, few.instances.length]).toEqual([1, 10, 1]);

    const crowd = new Model();
    const tile = crowd.mesh(sphere(1, 4), crowd.material({}));
    const { length } = sphere(1, 4).indices;
    expect(length / 3).toBeLessThan(instancedTrianglesMin);
    const places = Math.ceil((sceneLimits.trianglesMax + 1) / (length / 3));
    crowd.scatter(
      tile,
      Array.from({ length: places }, (_, x) => ({ at: [x, 0, 0] as const })),
    );
    const many = await read(crowd);
    expect([many.meshes.length, many.meshes[0]!.count, many.instances.length]).toEqual([1, length / 3, places]);
  });

  test('EXT_mesh_gpu_instancing: translations, rotations and scales inside the node', async () => {
    const model = new Model();
    const mesh = model.mesh(ball, model.material({}));
    model.scatter(mesh, [{ at: [1, 0, 0] }, { rotation: turn([0, 0, 1], 90), scale: [3, 1, 1] }], { at: [0, 0, 9], scale: [2, 2, 2] });
    const { instances } = await read(model);
    expect(instances.map(({ transforms }) => [originOf(transforms[0]!), alongX(transforms[0]!)])).toEqual([
      [
        [2, 0, 9],
        [2, 0, 0],
      ],
      [
        [0, 0, 9],
        [0, 6, 0],
      ],
    ]);
  });

  test('a place that cannot be inverted is copied into the world, or gone with its area', async () => {
    const model = new Model();
    const mesh = model.mesh(ball, model.material({}));
    model.place(mesh);
    model.place(mesh, { at: [0, 0, 4], scale: [1, 1, 0] });
    model.place(mesh, { scale: [0, 0, 0] });
    const { meshes, instances, report } = await read(model);
    expect(instances.map(({ mesh: index }) => index)).toEqual([0, 1]);
    expect(new Set(meshes[0]!.positions.filter((_, i) => i % 3 === 2))).toEqual(new Set([4]));
    expect(report[0]).toMatch(/^Triangles without area were dropped \(\d+\)\.$/);
  });
});

describe('motion', () => {
  test('a pose for every frame, held before the start and behind the end', async () => {
    const model = new Model();
    const node = model.add(card, model.material({}));
    model.animate(node, {
      times: [1, 3],
      translation: [
        [0, 0, 0],
        [4, 0, 0],
      ],
    });
    model.add(card, model.material({}));
    const { meshes, instances, report } = await read(model, { frames: 6, firstFrame: 0, framesPerSecond: 1 });
    expect(meshes.map(({ count }) => count)).toEqual([2, 2]);
    expect(instances.map(({ transforms }) => transforms.map((transform) => originOf(transform)[0]))).toEqual([[0], [0, 0, 2, 4, 4, 4]]);
    expect(report[0]).toBe('The animations end after 3 s: frames behind that show their end (1).');
  });

  test('firstFrame and framesPerSecond; one frame leaves nothing moving', async () => {
    const model = new Model();
    const times = [0, 10];
    const translation = [
      [0, 0, 0],
      [10, 0, 0],
    ] as const;
    model.animate(model.add(card, model.material({})), { times, translation });
    const { meshes, instances } = await read(model, { frames: 1, firstFrame: 12, framesPerSecond: 4 });
    expect(instances).toEqual([{ mesh: 0, transforms: [Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1)] }]);
    expect(Math.min(...meshes[0]!.positions.filter((_, i) => i % 3 === 0))).toBe(3);
    const rest = await read(model);
    expect(Math.min(...rest.meshes[0]!.positions)).toBe(0);
    expect(rest.report[0]).toBe('Animations were ignored: the file’s rest pose is rendered (1).');
  });

  test('what hangs on a moving node moves with it: meshes, cameras, lights', async () => {
    const model = new Model();
    const arm = model.node();
    model.add(card, model.material({}), { parent: arm, at: [1, 0, 0] });
    arm.addChild(model.camera([0, 0, 5], [0, 0, 0], 40));
    arm.addChild(model.light({ kind: 'spot', at: [0, 5, 0], intensity: 3 }));
    model.animate(arm, { times: [0, 9], rotation: [turn([0, 0, 1], 0), turn([0, 0, 1], 90)] });
    const { instances, cameras, lights } = await read(model, ten);
    expect(originOf(instances[0]!.transforms[9]!)).toEqual([0, 1, 0]);
    // Slerp: a third of the way is 30 degrees.
    expect(originOf(instances[0]!.transforms[3]!)).toEqual(rounded([Math.cos(Math.PI / 6), 0.5, 0]));
    expect(cameras[0]!.poses).toHaveLength(10);
    expect(rounded(cameras[0]!.poses[9]!.up)).toEqual([-1, 0, 0]);
    expect(rounded(lights[0]!.poses[9]!.position)).toEqual([-5, 0, 0]);
    expect(rounded(lights[0]!.poses[9]!.direction)).toEqual([1, 0, 0]);
  });

  test('steps, splines, scales, and the short way round', async () => {
    const model = new Model();
    const x = (scene: MeshScene, node: number): number[] => scene.instances[node]!.transforms.map((transform) => originOf(transform)[0]!);
    model.animate(model.add(card, model.material({})), {
      times: [0, 2],
      translation: [
        [0, 0, 0],
        [8, 0, 0],
      ],
      interpolation: 'STEP',
    });
    // From 0 with slope 0 to 8 with slope 0: half way at half time, 8 (3 / 16 - 2 / 64) at a quarter.
    const flat = [0, 0, 0] as const;
    model.animate(model.add(card, model.material({})), { times: [0, 4], translation: [flat, flat, flat, flat, [8, 0, 0], flat], interpolation: 'CUBICSPLINE' });
    // With a slope of 3 a second at the start: 4 seconds times 3 times 9 / 64 more at a quarter.
    model.animate(model.add(card, model.material({})), {
      times: [0, 4],
      translation: [flat, flat, [3, 0, 0], flat, [8, 0, 0], flat],
      interpolation: 'CUBICSPLINE',
    });
    const [, , , w] = turn([0, 0, 1], 60);
    const far = turn([0, 0, 1], 60).map((value) => -value) as [number, number, number, number];
    expect(w).toBeGreaterThan(0);
    model.animate(model.add(card, model.material({})), {
      times: [0, 2],
      rotation: [[0, 0, 0, 1], far],
      scale: [
        [1, 1, 1],
        [3, 1, 1],
      ],
    });
    const scene = await read(model, { ...ten, frames: 5 });
    expect(x(scene, 0)).toEqual([0, 0, 8, 8, 8]);
    expect(x(scene, 1)).toEqual([0, 1.25, 4, 6.75, 8]);
    expect(x(scene, 2)).toEqual([0, 1.25 + 1.6875, 4 + 1.5, 6.75 + 0.5625, 8]);
    expect(alongX(scene.instances[3]!.transforms[1]!)).toEqual(rounded([2 * Math.cos(Math.PI / 6), 1, 0]));
  });

  test('what is hidden by a scale of 0 in some frames stays invertible, and is told', async () => {
    const model = new Model();
    model.animate(model.add(ball, model.material({})), {
      times: [0, 1, 2],
      scale: [
        [0, 0, 0],
        [1, 1, 1],
        [1, 1, 0],
      ],
      interpolation: 'STEP',
    });
    model.animate(model.add(card, model.material({})), { times: [0], scale: [[0, 0, 0]] });
    model.add(card, model.material({}));
    const { instances, report } = await read(model, { ...ten, frames: 3 });
    expect(instances).toHaveLength(2);
    expect(instances[1]!.transforms.map((m) => [m[0], m[5], m[10]])).toEqual([
      [1e-4, 1e-4, 1e-4],
      [1, 1, 1],
      [1 + 1e-4, 1 + 1e-4, 1e-4],
    ]);
    expect(report).toEqual(
      expect.arrayContaining([
        'Moving meshes that are flat or gone in some frames keep a ten-thousandth of their size there (1).',
        'Moving meshes whose transform cannot be inverted were left out (1).',
      ]),
    );
  });

  test('frames of a file in which nothing moves', async () => {
    const model = new Model();
    model.add(card, model.material({}));
    const { instances, report } = await read(model, ten);
    expect(instances[0]!.transforms).toHaveLength(1);
    expect(report[0]).toBe('Nothing in the file moves: all 10 frames show the same.');
  });
});
