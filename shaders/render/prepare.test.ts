import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { decodeScene } from '../../shared/formats.ts';
import { InputError } from '../../shared/workload.ts';
import { TestModel, triangleModel } from './glb.testing.ts';
import type { CameraRays, RenderJob, RenderParams } from './params.ts';
import { prepare } from './prepare.ts';
import { loadScene, tracePath } from './reference.ts';
import { spec } from './spec.ts';
import { exposureOf } from './survey.ts';
import { hdr } from './testing/gltfPaint.ts';

const params: RenderParams = { scene: 'file', width: 96, height: 64, samples: 16, bounces: 3, lighting: 'auto' };
const cornell: RenderParams = { ...params, scene: 'cornell' };

/** A square two metres wide around the origin, facing the camera, and one facing it from behind the camera that may glow. */
function room(emission: readonly [number, number, number]): Uint8Array {
  const model = triangleModel(Float32Array.of(-1, -1, 0, 1, -1, 0, 1, 1, 0, -1, -1, 0, 1, 1, 0, -1, 1, 0));
  const attributes = { POSITION: model.accessor(Float32Array.of(-1, -1, 4, 1, 1, 4, 1, -1, 4, -1, -1, 4, -1, 1, 4, 1, 1, 4), 'VEC3') };
  model.node({ mesh: model.mesh({ attributes, material: 0 }) });
  model.json.materials = [{ emissiveFactor: [...emission] }];
  model.json.cameras = [{ type: 'perspective', perspective: { yfov: Math.PI / 2 } }];
  model.node({ camera: 0, translation: [0, 0, 1] });
  return model.bytes();
}

describe('prepare', () => {
  test('a file is needed for a scene of one’s own', async () => {
    const error = await prepare(params, {}).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).field).toBe('model');
  });

  test('equal arguments give equal bytes and facts; only the speed is measured', async () => {
    const files = { model: room([1, 1, 1]) };
    const [a, b] = [await prepare(params, files), await prepare(params, { model: files.model.slice() })];
    expect(a.inputs).toEqual(b.inputs);
    expect({ ...a.prepared, cpuStepsPerMs: 0 }).toEqual({ ...b.prepared, cpuStepsPerMs: 0 });
    expect(a.prepared.cpuStepsPerMs).toBeGreaterThan(1);
    expect(a.report).toEqual(b.report);
  });

  test('the blob does not depend on size, samples or lighting', async () => {
    const files = { model: room([1, 1, 1]) };
    const a = await prepare(params, files);
    const b = await prepare({ ...params, width: 200, samples: 999, bounces: 0, lighting: 'sky' }, files);
    expect(a.inputs).toEqual(b.inputs);
  });

  test('facts, and sections that fit together', async () => {
    const { facts, inputs, prepared } = await prepare(cornell, {});
    expect(facts).toEqual({ triangles: 32, instances: 1, lights: 2, textures: 0, materials: 4 });
    expect(prepared.triangles).toBe(32);
    const sections = decodeScene(inputs.scene as Uint8Array<ArrayBuffer>);
    expect([sections.triangles.byteLength, sections.attributes.byteLength, sections.lights.byteLength]).toEqual([32 * 48, 32 * 96, 2 * 64]);
    expect([sections.instances.byteLength, sections.frames.byteLength]).toEqual([112, 32]);
  });

  test.each([
    ['auto', [1, 1, 1], [0, 0, 0]],
    ['auto', [0, 0, 0], [1, 1, 1]],
    ['scene', [1, 1, 1], [0, 0, 0]],
    ['scene', [0, 0, 0], [0, 0, 0]],
    ['sky', [1, 1, 1], [1, 1, 1]],
  ] as const)('light %s with emission %o has the sky %o', async (lighting, emission, sky) => {
    const { prepared, report } = await prepare({ ...params, lighting }, { model: room(emission) });
    expect(prepared.sky).toEqual(sky);
    const dark = emission[0] === 0 && sky[0] === 0;
    expect(report.some((sentence) => sentence.includes('will be black'))).toBe(dark);
    if (dark) expect(prepared.quantumLog2).toBe(0);
  });

  test('a camera of the file sees what it should, without one everything is seen', async () => {
    const { inputs, prepared } = await prepare(params, { model: room([1, 1, 1]) });
    expect(prepared.cameras.map(({ origin }) => origin)).toEqual([[0, 0, 1]]);
    const scene = loadScene(inputs.scene as Uint8Array<ArrayBuffer>);
    const job = { id: 'test', seed: 1, params, prepared } as unknown as RenderJob;
    // The square fills the height of the picture exactly and two thirds of its width.
    expect(tracePath(scene, job, 48, 32, 0).steps).toBeGreaterThan(8);
    expect(tracePath(scene, job, 2, 32, 0)).toMatchObject({ r: 0, g: 0, b: 0 });
    const fitted = await prepare(params, { model: triangleModel().bytes() });
    expect(fitted.prepared.cameras[0]!.origin[2]).toBeGreaterThan(0);
    expect(fitted.prepared.quantumLog2).toBeLessThanOrEqual(0);
  });

  test('a picture in the scene is upright and not mirrored', async () => {
    const model = new TestModel();
    // Red and green above blue and white, once over a square that fills the height of the picture.
    const colors = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255);
    const png = await sharp(colors, { raw: { width: 2, height: 2, channels: 3 } })
      .png()
      .toBuffer();
    const attributes = {
      POSITION: model.accessor(Float32Array.of(-1, 1, 0, -1, -1, 0, 1, 1, 0, 1, -1, 0), 'VEC3'),
      TEXCOORD_0: model.accessor(Float32Array.of(0, 0, 0, 1, 1, 0, 1, 1), 'VEC2'),
    };
    model.node({ mesh: model.mesh({ attributes, mode: 5, material: 0 }) });
    model.json.images = [{ bufferView: model.view(png) }];
    model.json.samplers = [{ magFilter: 9728 }];
    model.json.textures = [{ source: 0, sampler: 0 }];
    model.json.materials = [{ emissiveFactor: [1, 1, 1], emissiveTexture: { index: 0 }, pbrMetallicRoughness: { baseColorFactor: [0, 0, 0, 1] } }];
    model.json.cameras = [{ type: 'perspective', perspective: { yfov: Math.PI / 2 } }];
    model.node({ camera: 0, translation: [0, 0, 1] });
    const { inputs, prepared } = await prepare({ ...params, bounces: 0 }, { model: model.bytes() });
    const job = { id: 'test', seed: 1, params: { ...params, bounces: 0 }, prepared } as unknown as RenderJob;
    const at = (x: number, y: number) => {
      const { r, g, b } = tracePath(loadScene(inputs.scene as Uint8Array<ArrayBuffer>), job, x, y, 0);
      return [r, g, b];
    };
    expect([at(30, 10), at(66, 10), at(30, 54), at(66, 54)]).toEqual([
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [1, 1, 1],
    ]);
  });

  test.each([
    [96, 64, 16],
    [64, 64, 24],
    [16, 256, 24],
    [1000, 100, 8],
  ])('%i x %i pixels have %i rows of costs', async (width, height, rows) => {
    const { prepared } = await prepare({ ...cornell, width, height }, {});
    expect([prepared.cost.columns, prepared.cost.rows, prepared.cost.steps.length]).toEqual([24, rows, 1]);
    expect(prepared.cost.steps[0]).toHaveLength(24 * rows);
    for (const steps of prepared.cost.steps.flat()) expect(Number.isInteger(steps) && steps >= 1).toBe(true);
  });

  test('costs are higher where there is something', async () => {
    const { prepared } = await prepare({ ...params, width: 96, height: 32 }, { model: room([1, 1, 1]) });
    const at = (column: number, row: number): number => prepared.cost.steps[0]![row * prepared.cost.columns + column]!;
    // One node visit and the triangles of the leaf for rays into nothing, a surface and more rays in the middle.
    expect(at(12, 4)).toBeGreaterThan(2 * at(0, 4));
    const job = { id: 'test', seed: 1, params, prepared } as unknown as RenderJob;
    expect(spec.work(job, { pass: 0, tile: 0 })).toBeGreaterThanOrEqual(1);
    expect(spec.auditMs(job, { pass: 0, tile: 0 })).toBeGreaterThan(0);
  });

  test('the exposure follows the light', async () => {
    const quantum = async (light: number) => {
      const { prepared } = await prepare({ ...params, bounces: 1 }, { model: room([light, light, light]) });
      return prepared.quantumLog2;
    };
    expect((await quantum(1)) - (await quantum(0.25))).toBe(2);
  });

  test('depths reach the farthest corner, in at most half of what a sample holds', async () => {
    const { prepared } = await prepare(params, { model: room([1, 1, 1]) });
    // From (0, 0, 1) to (1, 1, 4).
    const units = Math.hypot(1, 1, 3) * 2 ** -prepared.depthLog2;
    expect(units).toBeLessThanOrEqual(2 ** 13);
    expect(units).toBeGreaterThan(2 ** 12);
  });

  test('a camera that the file lacks is refused', async () => {
    const error = await prepare({ ...params, camera: 1 }, { model: room([1, 1, 1]) }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InputError);
    expect(error).toMatchObject({ field: 'camera', message: 'The file has no camera 1.', limit: '0' });
  });

  test('a lens is sharp where it was ordered, else at what the middle of the picture shows', async () => {
    const raysOf = async (changes: Partial<RenderParams>): Promise<CameraRays> =>
      (await prepare({ ...params, ...changes }, { model: room([1, 1, 1]) })).prepared.cameras[0]!;
    const open = await raysOf({ aperture: 50 });
    expect([open.lensRight[0], open.lensDown[1]]).toEqual([Math.fround(0.025), Math.fround(-0.025)]);
    expect(open.inverseFocus).toBeCloseTo(1, 4);
    expect((await raysOf({ aperture: 50, focusDistance: 4 })).inverseFocus).toBe(0.25);
    const pinhole = await raysOf({});
    for (const value of [...pinhole.lensRight, ...pinhole.lensDown]) expect(Math.abs(value)).toBe(0);
  });

  test('an environment map is part of the scene and lights it, unless the file’s own light was ordered alone', async () => {
    const files = { model: room([1, 1, 1]), environment: hdr(32, 16, () => [0.5, 0.5, 0.5]) };
    const lit = await prepare(params, files);
    expect(decodeScene(lit.inputs.scene as Uint8Array<ArrayBuffer>).environment.byteLength).toBe(16 * 16 * 4);
    expect(lit.prepared.sky).toEqual([1, 1, 1]);
    expect(lit.facts.lights).toBe(3);
    const own = await prepare({ ...params, lighting: 'scene' }, files);
    expect(own.report).toContainEqual(expect.stringContaining('environment map is not used'));
    expect(own.inputs).toEqual((await prepare({ ...params, lighting: 'scene' }, { model: files.model })).inputs);
    const broken = await prepare(params, { ...files, environment: Uint8Array.of(1, 2, 3) }).catch((reason: unknown) => reason);
    expect(broken).toBeInstanceOf(InputError);
    expect((broken as InputError).field).toBe('environment');
  });

  test('what was ordered as moving and does not move is said', async () => {
    const { report, prepared, inputs } = await prepare({ ...params, frames: 3 }, { model: room([1, 1, 1]) });
    expect(report).toContainEqual(expect.stringContaining('Nothing in the file moves'));
    expect(prepared.cameras).toHaveLength(1);
    expect(prepared.cost.steps).toHaveLength(3);
    expect(inputs).toEqual((await prepare(params, { model: room([1, 1, 1]) })).inputs);
  });
});

test.each([
  [0, 0],
  [Number.NaN, 0],
  [1, 0],
  [1.99, 0],
  [2, 1],
  [0.49, -2],
  [1e-9, -12],
  [1e9, 12],
])('mean luminance %f is exposure 2^%i', (mean, log2) => expect(exposureOf(mean)).toBe(log2));
