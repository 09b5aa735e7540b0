import { describe, expect, test } from 'vitest';
import { triangleModel } from './glb.testing.ts';
import { readGltf } from './gltf.ts';
import { sceneLimits } from './limits.ts';

const rounded = (values: Iterable<number>): number[] => Array.from(values, (value) => Math.round(value * 1e5) / 1e5 + 0);

describe('cameras of a file', () => {
  const perspective = { name: 'Eye', type: 'perspective' as const, perspective: { yfov: 0.8 } };
  const orthographic = { type: 'orthographic' as const, orthographic: { ymag: 1.5 } };

  test('all of them in the order of the nodes, with their world transforms', async () => {
    const model = triangleModel();
    model.json.cameras = [orthographic, perspective];
    model.node({ camera: 0, name: 'Front', translation: [0, 0, 9] });
    // Turned by 90 degrees to the left about y: it looks along -x.
    model.json.nodes!.push({ camera: 1, rotation: [0, Math.SQRT1_2, 0, Math.SQRT1_2], scale: [3, 3, 3] });
    model.node({ children: [2], translation: [1, 2, 3] });
    model.node({ camera: 0 });
    const { cameras, report } = await readGltf(model.bytes());
    expect(cameras.map(({ name, projection }) => [name, projection])).toEqual([
      ['Front', { kind: 'orthographic', height: 3 }],
      ['Eye', { kind: 'perspective', yfov: 0.8 }],
      ['Camera 2', { kind: 'orthographic', height: 3 }],
    ]);
    expect(cameras[0]!.poses).toEqual([{ position: [0, 0, 9], forward: [0, 0, -1], up: [0, 1, 0] }]);
    const [pose] = cameras[1]!.poses;
    expect(pose!.position).toEqual([1, 2, 3]);
    expect(rounded(pose!.forward)).toEqual([-1, 0, 0]);
    expect(rounded(pose!.up)).toEqual([0, 1, 0]);
    expect(report).toEqual([]);
  });

  test('none that is usable', async () => {
    const model = triangleModel();
    model.json.cameras = [perspective];
    model.node({ camera: 0, scale: [0, 0, 0] });
    model.node({ camera: 0, translation: [0, 1e12, 0] });
    const { cameras, report } = await readGltf(model.bytes());
    expect(cameras).toEqual([]);
    expect(report).toEqual([
      'Cameras whose transform leaves them no direction were ignored (2).',
      'The scene has no camera: one that sees everything was added.',
    ]);
  });

  test('skew leaves forward and up at right angles', async () => {
    const model = triangleModel();
    model.json.cameras = [perspective];
    model.node({ camera: 0, matrix: [1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1] });
    const [pose] = (await readGltf(model.bytes())).cameras[0]!.poses;
    expect([pose!.forward, rounded(pose!.up)]).toEqual([
      [0, 0, -1],
      [0, 1, 0],
    ]);
  });

  test('too many', async () => {
    const model = triangleModel();
    model.json.cameras = [perspective];
    for (let i = 0; i <= sceneLimits.camerasMax; i++) model.node({ camera: 0 });
    await expect(readGltf(model.bytes())).rejects.toMatchObject({ message: 'The scene has more than 1000 cameras.', limit: 'at most 1000' });
  });
});
