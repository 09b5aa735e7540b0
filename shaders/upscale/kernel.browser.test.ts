import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commands } from 'vitest/browser';
import { wordsOf } from '../../shared/formats.ts';
import { fullMask } from '../../shared/model.ts';
import type { AuditedRunner, SlicePolicy } from '../../shared/workload.ts';
import { requestDevice } from '../common/device.ts';
import { distance, load, render } from './check.ts';
import { type LayersModel, packModel } from './layersModel.ts';
import { type Scale, scales } from './network.ts';
import type { UpscaleJob } from './params.ts';
import { open, openWith } from './run.ts';
import { spec } from './spec.ts';
import { testJob, testPixels } from './testing/jobs.ts';

/** The kernels on a real WebGPU device against the CPU reference. */

let device: GPUDevice;

beforeAll(async () => {
  ({ device } = await requestDevice(navigator.gpu));
});

afterAll(() => device.destroy());

const patient: SlicePolicy = { budgetMs: () => 50, inFlight: () => 2, between: async () => {} };
const never = new AbortController().signal;

/** From the package, as the coordinator reads them. */
async function weightsOf(scale: Scale): Promise<Uint8Array<ArrayBuffer>> {
  const folder = `node_modules/@upscalerjs/esrgan-slim/models/x${scale}`;
  const model = JSON.parse(await commands.readFile(`${folder}/model.json`)) as LayersModel;
  const paths = model.weightsManifest.flatMap((group) => group.paths);
  const files = await Promise.all(
    paths.map(async (path) => [path, Uint8Array.from(atob(await commands.readFile(`${folder}/${path}`, 'base64')), (char) => char.charCodeAt(0))] as const),
  );
  return packModel(scale, model, new Map(files));
}

interface Opened {
  readonly job: UpscaleJob;
  readonly inputs: { readonly image: Uint8Array<ArrayBuffer>; readonly weights: Uint8Array<ArrayBuffer> };
  readonly runner: AuditedRunner;
}

async function opened(scale: Scale, width: number, height: number, openIt: typeof open = open): Promise<Opened> {
  const job = testJob(scale, width, height);
  const inputs = { image: testPixels(width, height), weights: await weightsOf(scale) };
  return { job, inputs, runner: await openIt(device, job, inputs) };
}

const tile = { pass: 0, tile: 0 };

async function tileWords({ job, runner }: Opened, policy = patient): Promise<Uint32Array> {
  for await (const { bytes } of runner.run(tile, fullMask(1), policy, never)) return wordsOf(bytes, spec.elements(job, tile) * spec.elementWords(job, tile));
  throw new Error('no part came');
}

/** Patches that two lists of words have, have alike to the last bit, and have further apart than audits allow. */
function compared(job: UpscaleJob, a: Uint32Array, b: Uint32Array): { patches: number; equal: number; differing: number } {
  expect(a.length).toBe(b.length);
  const size = spec.elementWords(job, tile);
  const counts = { patches: a.length / size, equal: 0, differing: 0 };
  for (let at = 0; at < a.length; at += size) {
    const apart = distance(job, tile, a.subarray(at, at + size), b.subarray(at, at + size));
    if (apart === 0) counts.equal++;
    if (apart > spec.tolerance.allowed) counts.differing++;
  }
  return counts;
}

for (const scale of scales)
  test(`the reference agrees, scale ${scale}`, async () => {
    const it = await opened(scale, 7, 5);
    const claimed = await tileWords(it);
    const [truth] = render(load(it.job, it.inputs), it.job, tile, fullMask(1));
    const { patches, equal, differing } = compared(it.job, claimed, wordsOf(truth!.bytes, claimed.length));
    expect(differing).toBe(0);
    // Now and then rounding tips a channel by a step.
    expect(equal).toBeGreaterThanOrEqual(patches - 2);
    it.runner.dispose();
  });

test('kernels for GPUs agree with those for software', async () => {
  const viaSharedMemory = await opened(2, 7, 5, (...given) => openWith('shared', ...given));
  const direct = await opened(2, 7, 5, (...given) => openWith('direct', ...given));
  const { patches, equal } = compared(direct.job, await tileWords(viaSharedMemory), await tileWords(direct));
  // They add in the same order.
  expect(equal).toBe(patches);
});

describe('however the work is cut', () => {
  test('patches alone are bit for bit those of the tile, at edges and inside', async () => {
    const it = await opened(2, 18, 3);
    const whole = await tileWords(it);
    const size = spec.elementWords(it.job, tile);
    const elements = [1, 0];
    const again = await it.runner.recompute(
      elements.map((element) => ({ ...tile, part: 0, element })),
      patient,
      never,
    );
    const words = wordsOf(again, elements.length * size);
    for (const [place, element] of elements.entries())
      expect(words.subarray(place * size, (place + 1) * size), String(element)).toEqual(whole.subarray(element * size, (element + 1) * size));
    it.runner.dispose();
  });

  test('slices change nothing, one after the other or two at a time', async () => {
    const it = await opened(2, 4, 4);
    let slices = 0;
    const hurried: SlicePolicy = {
      budgetMs: () => 1,
      inFlight: () => 1,
      between: async () => {
        slices++;
      },
    };
    expect(await tileWords(it, hurried)).toEqual(await tileWords(it, { ...patient, budgetMs: () => 1e6 }));
    expect(slices).toBeGreaterThan(3);
    it.runner.dispose();
  });

  test('an abort ends within a slice', async () => {
    const it = await opened(2, 4, 4);
    const controller = new AbortController();
    const reason = new Error('enough');
    const policy: SlicePolicy = { budgetMs: () => 1, inFlight: () => 1, between: async () => controller.abort(reason) };
    const parts = it.runner.run(tile, fullMask(1), policy, controller.signal)[Symbol.asyncIterator]();
    await expect(parts.next()).rejects.toBe(reason);
    it.runner.dispose();
  });
});

test('a device with too little is refused with the numbers', async () => {
  const { job, inputs } = await opened(2, 4, 4);
  const limits = { ...device.limits, maxStorageBuffersPerShaderStage: 4 };
  const small = { limits } as unknown as GPUDevice;
  await expect(open(small, job, inputs)).rejects.toThrow(/6 storage buffers; the GPU allows 4/);
});
