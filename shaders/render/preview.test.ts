import { Vector3 } from 'three';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cornellBox } from './cornell.ts';
import { scenes } from './gallery/scenes.ts';
import { type TestModel, triangleModel } from './glb.testing.ts';
import type { CameraRays, RenderParams } from './params.ts';
import { prepare } from './prepare.ts';
import { builtInStage } from './preview/builtIn.ts';
import { cropOf } from './preview/frame.ts';
import { readModel } from './preview/readModel.ts';
import { lensOf, setCamera } from './preview/shot.ts';
import { openModel, type Stage } from './preview/stage.ts';
import { gltfScenes } from './testing/gltfScenes.ts';

beforeEach(() => void vi.stubGlobal('createImageBitmap', async () => ({ close: () => undefined })));
afterEach(() => void vi.unstubAllGlobals());

/** Of the page's canvas, a shape of its own. */
const [WIDTH, HEIGHT] = [731, 402];

/** The farthest that a point of the ordered picture lies from its pixel in the preview, in pixels of the picture. */
function distance(rays: CameraRays, stage: Stage, params: RenderParams): number {
  const crop = cropOf(params.width / params.height, WIDTH, HEIGHT);
  const lens = lensOf(stage, params);
  const camera = setCamera(lens, crop, WIDTH, HEIGHT);
  let farthest = 0;
  for (const [x, y, depth] of [
    [0, 0, 1],
    [1, 0, 2],
    [0.5, 0.5, 1],
    [0.2, 0.9, 0.3],
    [1, 1, 0.7],
    [0.77, 0.31, 1.5],
  ] as const) {
    const far = depth * lens.radius;
    const along = [0, 1, 2].map((axis) => {
      const from = rays.origin[axis]! + x * rays.originRight[axis]! + y * rays.originDown[axis]!;
      return from + far * (rays.corner[axis]! + x * rays.right[axis]! + y * rays.down[axis]!);
    });
    const seen = new Vector3(...along).project(camera);
    const at = [((seen.x + 1) / 2) * WIDTH, ((1 - seen.y) / 2) * HEIGHT] as const;
    const shown = [(at[0] - crop.x) / crop.width, (at[1] - crop.y) / crop.height] as const;
    farthest = Math.max(farthest, Math.abs(shown[0] - x) * params.width, Math.abs(shown[1] - y) * params.height);
  }
  return farthest;
}

/** A pixel is the demand; the rays are rounded to f32, and nothing else differs. */
const PIXELS_MAX = 0.05;

const sizes = [
  [640, 360],
  [300, 800],
  [512, 512],
] as const;

async function agree(model: Uint8Array, params: RenderParams): Promise<void> {
  const stage = await openModel(await readModel(model));
  const { prepared } = await prepare(params, { model });
  const { firstFrame = 0, framesPerSecond = 24 } = params;
  for (const [frame, rays] of prepared.cameras.entries()) {
    stage.seek((firstFrame + frame) / framesPerSecond);
    expect(distance(rays, stage, params), `${params.width} x ${params.height}, frame ${frame}`).toBeLessThan(PIXELS_MAX);
  }
}

const order = (width: number, height: number): RenderParams => ({ scene: 'file', width, height, samples: 1, bounces: 0, lighting: 'auto' });

/** Without what looks at it: a camera is fitted. */
function blind(model: TestModel): Uint8Array {
  model.json.cameras = [];
  return model.bytes();
}

describe('a preview looks from where the picture is taken', () => {
  test.each(Object.entries(gltfScenes))('scene %s, at every shape', async (_, { build, params }) => {
    const { model } = await build();
    for (const [width, height] of sizes) await agree(model, { ...order(width, height), ...params, width, height });
  });

  test('the gallery', async () => {
    for (const { files, params } of await scenes()) if (files.model) await agree(files.model, params);
  });

  test('the Cornell box', async () => {
    const params: RenderParams = { ...order(400, 300), scene: 'cornell' };
    const { prepared } = await prepare(params, {});
    expect(distance(prepared.cameras[0]!, builtInStage(cornellBox()), params)).toBeLessThan(PIXELS_MAX);
  });

  test('from a view of one’s own, whatever cameras there are', async () => {
    const view = { position: [3, 1.5, -2], target: [0.2, 0.4, 0.1], fieldOfViewDegrees: 33 } satisfies RenderParams['view'];
    for (const [width, height] of sizes) await agree(triangleModel().bytes(), { ...order(width, height), view });
  });

  test('a fitted camera, of meshes that are turned, placed twice and moving', async () => {
    const model = triangleModel();
    const turned = [0.1, 0.3, 0.2, Math.sqrt(1 - 0.14)] as [number, number, number, number];
    model.node({ mesh: 0, rotation: turned, translation: [2, -1, 0.5], scale: [1, 3, 2] });
    const moving = model.node({ mesh: 0, translation: [0, 0, 0] });
    const [times, places] = [model.accessor(Float32Array.of(0, 1), 'SCALAR'), model.accessor(Float32Array.of(0, 0, 0, 0, 5, -3), 'VEC3')];
    const spin = model.accessor(Float32Array.of(0, 0, 0, 1, ...turned), 'VEC4');
    model.json.animations = [
      { channels: [{ sampler: 0, target: { node: moving, path: 'translation' } }], samplers: [{ input: times, output: places }] },
      { channels: [{ sampler: 0, target: { node: moving, path: 'rotation' } }], samplers: [{ input: times, output: spin }] },
    ];
    const bytes = blind(model);
    for (const [width, height] of sizes) {
      await agree(bytes, order(width, height));
      await agree(bytes, { ...order(width, height), firstFrame: 3, framesPerSecond: 8 });
      await agree(bytes, { ...order(width, height), firstFrame: 2, frames: 5, framesPerSecond: 8 });
    }
  });

  test('a camera that flies, below a node that leans and is skewed', async () => {
    const model = triangleModel();
    model.json.cameras = [
      { type: 'perspective', perspective: { yfov: 0.7 } },
      { type: 'orthographic', orthographic: { ymag: 2 } },
    ];
    const flying = model.json.nodes!.push({ camera: 0, translation: [0, 0, 4] }) - 1;
    model.node({ children: [flying], matrix: [1, 0, 0, 0, 0.4, 1, 0.2, 0, 0, 0, 2, 0, 0.1, 0.2, 0.3, 1] });
    model.node({ camera: 1, translation: [0, 1, 3], rotation: [-0.1, 0, 0, Math.sqrt(0.99)] });
    const times = model.accessor(Float32Array.of(0, 0.5), 'SCALAR');
    model.json.animations = [
      {
        channels: [{ sampler: 0, target: { node: flying, path: 'translation' } }],
        samplers: [{ input: times, output: model.accessor(Float32Array.of(0, 0, 4, 1, 1, 6), 'VEC3') }],
      },
    ];
    await agree(model.bytes(), { ...order(640, 360), frames: 12 });
    await agree(model.bytes(), { ...order(640, 360), camera: 1 });
  });
});
