import { describe, expect, test } from 'vitest';
import { triangleModel } from './glb.testing.ts';
import { readGltf } from './gltf.ts';

const rounded = (values: Iterable<number>): number[] => Array.from(values, (value) => Math.round(value * 1e5) / 1e5 + 0);

describe('cameras of a file', () => {
  const perspective = { type: 'perspective' as const, perspective: { yfov: 0.8 } };
  const orthographic = { type: 'orthographic' as const };

  test('the first perspective one with its world transform', async () => {
    const model = triangleModel();
    model.json.cameras = [orthographic, perspective, perspective];
    model.node({ camera: 0 });
    // Turned by 90 degrees to the left about y: it looks along -x.
    model.json.nodes!.push({ camera: 1, rotation: [0, Math.SQRT1_2, 0, Math.SQRT1_2], scale: [3, 3, 3] });
    model.node({ children: [2], translation: [1, 2, 3] });
    model.node({ camera: 2 });
    const { camera, report } = await readGltf(model.bytes());
    expect(camera!.position).toEqual([1, 2, 3]);
    expect(rounded(camera!.forward)).toEqual([-1, 0, 0]);
    expect(rounded(camera!.up)).toEqual([0, 1, 0]);
    expect(camera!.yfov).toBe(0.8);
    expect(report).toEqual(['Orthographic cameras are not supported and were ignored (1).', 'Only the first camera is used; others were ignored (1).']);
  });

  test('none that is usable', async () => {
    const model = triangleModel();
    model.json.cameras = [orthographic, perspective];
    model.node({ camera: 0 });
    model.node({ camera: 1, scale: [0, 0, 0] });
    const { camera, report } = await readGltf(model.bytes());
    expect(camera).toBeNull();
    expect(report).toEqual([
      'A camera whose transform leaves it no direction was ignored.',
      'Orthographic cameras are not supported and were ignored (1).',
      'The scene has no perspective camera: one that sees everything was added.',
    ]);
  });
});
