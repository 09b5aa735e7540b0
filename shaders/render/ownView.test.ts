import { Check, Errors } from 'typebox/value';
import { describe, expect, test } from 'vitest';
import { fullMask, type JobId } from '../../shared/model.ts';
import * as check from './check.ts';
import { params as schema } from './form.ts';
import { triangleModel } from './glb.testing.ts';
import { CAMERA_ADDED } from './gltfPoses.ts';
import type { RenderJob, RenderParams, View } from './params.ts';
import { prepare } from './prepare.ts';
import { spec } from './spec.ts';

const base: RenderParams = { scene: 'file', width: 32, height: 24, samples: 4, bounces: 1, lighting: 'auto' };
const view: View = { position: [0.3, 0.3, 2], target: [0.3, 0.3, 0], fieldOfViewDegrees: 40 };

/** The triangle, and a camera that looks at it from (0.3, 0.3, 2) with 40 degrees; it flies away in the second second. */
function model(): Uint8Array {
  const made = triangleModel();
  made.json.cameras = [{ type: 'perspective', perspective: { yfov: (40 * Math.PI) / 180 } }];
  const node = made.node({ camera: 0, translation: [0.3, 0.3, 2] });
  const times = made.accessor(Float32Array.of(1, 2), 'SCALAR');
  const places = made.accessor(Float32Array.of(0.3, 0.3, 2, 9, 9, 9), 'VEC3');
  made.json.animations = [{ channels: [{ sampler: 0, target: { node, path: 'translation' } }], samplers: [{ input: times, output: places }] }];
  return made.bytes();
}

/** Sums of every pixel, by the reference. */
async function picture(params: RenderParams): Promise<number[]> {
  const { prepared, inputs } = await prepare(params, { model: model() });
  const job: RenderJob = { id: 'view' as JobId, seed: 7, params, prepared };
  const loaded = check.load(job, inputs);
  const at = { pass: 0, tile: 0 };
  return check
    .render(loaded, job, at, fullMask(spec.parts(job, at)))
    .flatMap(({ bytes }) => [...new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)]);
}

describe('a view of one’s own', () => {
  test('where the file’s camera stands, it makes the same picture to the last bit', async () => {
    const file = await picture(base);
    expect(new Set(file).size).toBeGreaterThan(50);
    expect(await picture({ ...base, view })).toEqual(file);
  });

  test('elsewhere it makes another one, from there: close up the triangle fills the picture', async () => {
    const away = { ...view, target: [0.3, 0.3, 4] } satisfies View;
    const close = { ...view, position: [0.25, 0.25, 0.1] } satisfies View;
    const [file, behind, near] = [await picture(base), await picture({ ...base, view: away }), await picture({ ...base, view: close })];
    expect(near).not.toEqual(file);
    // Turned round it shows the white sky alone: every red sum of a part is the same.
    const reds = (sums: number[]): Set<number> => new Set(sums.filter((_, at) => at % 4 === 0));
    expect(reds(behind).size).toBe(1);
    expect(reds(near).size).toBeGreaterThan(1);
    expect(reds(near).has([...reds(behind)][0]!)).toBe(false);
  });

  test('is the camera of all frames, in place of one that flies', async () => {
    const flight = { ...base, frames: 3, framesPerSecond: 1 };
    const file = await prepare(flight, { model: model() });
    const own = await prepare({ ...flight, view }, { model: model() });
    expect(new Set(file.prepared.cameras.map(({ origin }) => origin[2]))).toEqual(new Set([2, 9]));
    expect(own.prepared.cameras.map(({ origin }) => origin)).toEqual([[0.3, 0.3, 2].map(Math.fround)]);
    expect(own.inputs).toEqual(file.inputs);
  });

  test('needs no camera in the file, and nothing is said of one that was added', async () => {
    const bare = triangleModel().bytes();
    expect((await prepare(base, { model: bare })).report).toContain(CAMERA_ADDED);
    expect((await prepare({ ...base, view, camera: 12 }, { model: bare })).report).toEqual([]);
  });

  test.each([
    ['the same points', { ...view, target: view.position }],
    ['straight above', { ...view, position: [0.3, 9, 0], target: [0.3, 0, 0] }],
  ] as const)('from %s is refused, with the field and what would do', async (_, wrong) => {
    const refusal = prepare({ ...base, view: wrong as View }, { model: model() });
    await expect(refusal).rejects.toMatchObject({ name: 'InputError', field: 'view', limit: 'a position and a target that differ in x or z' });
  });

  test.each([
    [{ ...view, position: [0, Number.NaN, 0] }, '/view/position/1', 'type'],
    [{ ...view, position: [0, null, 0] }, '/view/position/1', 'type'],
    [{ ...view, target: [0, 0, 2e9] }, '/view/target/2', 'maximum'],
    [{ ...view, fieldOfViewDegrees: 0.5 }, '/view/fieldOfViewDegrees', 'minimum'],
    [{ ...view, fieldOfViewDegrees: 171 }, '/view/fieldOfViewDegrees', 'maximum'],
    [{ ...view, target: [0, 0] }, '/view/target', 'minItems'],
    [{ ...view, up: [0, 1, 0] }, '/view', 'additionalProperties'],
  ])('%o is no view', (wrong, path, keyword) => {
    const params = { ...base, view: wrong };
    expect(Check(schema, params)).toBe(false);
    expect(Errors(schema, params).map(({ instancePath, keyword: broken }) => `${instancePath} ${broken}`)).toContain(`${path} ${keyword}`);
  });
});
