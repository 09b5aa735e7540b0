import { expect, test } from 'vitest';
import { hasFeature } from '../../shared/formats.ts';
import { invert, isMirrored } from './matrix.ts';
import { identityMatrix, type Matrix, type MeshScene, TriangleBuilder, type Vec3 } from './mesh.ts';
import { packScene } from './pack.ts';
import { loadScene, tracePath } from './reference.ts';
import { cabinet, sceneJob } from './testing/scenes.ts';

const apply = (m: Matrix, [x, y, z]: Float32Array, w: number): Vec3 =>
  [0, 1, 2].map((row) => m[row]! * x! + m[4 + row]! * y! + m[8 + row]! * z! + m[12 + row]! * w) as unknown as Vec3;

/** The same scene with every instance's triangles written down in the world. */
function baked({ meshes, instances, ...rest }: MeshScene): MeshScene {
  const builder = new TriangleBuilder(20_000);
  for (const { mesh, transforms } of instances) {
    const { count, positions, normals, uvs, tangents, colors, materials } = meshes[mesh]!;
    const matrix = transforms[0]!;
    const inverse = invert(matrix)!;
    // Turned inside out by a mirror, they are wound the other way round.
    const order = isMirrored(matrix) ? [0, 2, 1] : [0, 1, 2];
    const transposed = (n: ArrayLike<number>): Vec3 =>
      [0, 1, 2].map((row) => inverse[row * 4]! * n[0]! + inverse[row * 4 + 1]! * n[1]! + inverse[row * 4 + 2]! * n[2]!) as unknown as Vec3;
    for (let triangle = 0; triangle < count; triangle++) {
      const corners = <T>(of: (corner: number) => readonly T[]): T[] => order.flatMap((corner) => of(triangle * 3 + corner));
      const slice = (list: Float32Array, at: number, size: number): Float32Array => list.subarray(at * size, (at + 1) * size);
      builder.add(
        corners((at) => apply(matrix, slice(positions, at, 3), 1)),
        corners((at) => transposed(slice(normals, at, 3))),
        corners((at) => [...slice(uvs, at, 2)]),
        materials[triangle]!,
        {
          colors: colors && corners((at) => [...slice(colors, at, 4)]),
          tangents: tangents && corners((at) => [...apply(matrix, slice(tangents, at, 4), 0), tangents[at * 4 + 3]! * (isMirrored(matrix) ? -1 : 1)]),
        },
      );
    }
  }
  return { ...rest, meshes: [builder.finish()], instances: [{ mesh: 0, transforms: [identityMatrix()] }] };
}

test('placed copies and copies written down look the same', () => {
  const cells = 4;
  /** Mean and squared standard error of the light in every cell of the picture. */
  const picture = (mesh: MeshScene) => {
    const { job, packed } = sceneJob(mesh, { bounces: 4 }, { sky: [0.4, 0.5, 0.6] });
    const scene = loadScene(packed);
    const sums = Array.from({ length: cells * cells }, () => ({ count: 0, sum: 0, squares: 0 }));
    for (let path = 0; path < 12_288; path++) {
      const [x, y] = [(path % 32) * 2, ((path >> 5) % 32) * 2];
      const { r, g, b } = tracePath(scene, job, x, y, path >> 10);
      const value = Math.min(r + g + b, 50);
      const cell = sums[Math.floor((y * cells) / 64) * cells + Math.floor((x * cells) / 64)]!;
      cell.count++;
      cell.sum += value;
      cell.squares += value * value;
    }
    return sums.map(({ count, sum, squares }) => ({ mean: sum / count, error2: (squares / count - (sum / count) ** 2) / count }));
  };
  const mesh = cabinet();
  const [placed, written] = [picture(mesh), picture(baked(mesh))];
  expect(hasFeature(packScene(baked(mesh)).bytes, 'instances')).toBe(false);
  placed.forEach(({ mean, error2 }, cell) => {
    const other = written[cell]!;
    expect(Math.abs(mean - other.mean), `cell ${cell}: ${mean} and ${other.mean}`).toBeLessThan(3 * Math.sqrt(error2 + other.error2) + 1e-3);
  });
});
