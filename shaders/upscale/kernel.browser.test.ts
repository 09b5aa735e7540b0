import { commands } from 'vitest/browser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { wordsOf } from '../../shared/formats.ts';
import { fullMask } from '../../shared/model.ts';
import type { AuditedRunner, SlicePolicy } from '../../shared/workload.ts';
import { requestDevice } from '../common/device.ts';
import { distance, load, recompute, render } from './check.ts';
import { type LayersModel, packModel } from './layersModel.ts';
import { type Scale, scales } from './network.ts';
import type { UpscaleJob } from './params.ts';
import { open } from './run.ts';
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

async function opened(scale: Scale, width: number, height: number): Promise<Opened> {
  const job = testJob(scale, width, height);
  const inputs = { image: testPixels(width, height), weights: await weightsOf(scale) };
  return { job, inputs, runner: await open(device, job, inputs) };
}

const tile = { pass: 0, tile: 0 };

async function words({ job, runner }: Opened): Promise<Uint32Array> {
  for await (const { bytes } of runner.run(tile, fullMask(1), patient, never)) return wordsOf(bytes, spec.elements(job, tile) * spec.elementWords(job, tile));
  throw new Error('no part came');
}

describe('agreement with the reference', () => {
  for (const scale of scales) {
    test(`scale ${scale}`, async () => {
      const it = await opened(scale, 21, 14);
      const claimed = await words(it);
      const loaded = load(it.job, it.inputs);
      const truth = wordsOf(render(loaded, it.job, tile, fullMask(1))[0]!.bytes, claimed.length);
      const size = spec.elementWords(it.job, tile);
      let equal = 0;
      for (let at = 0; at < truth.length; at += size) {
        const apart = distance(it.job, tile, claimed.subarray(at, at + size), truth.subarray(at, at + size));
        expect(apart).toBeLessThanOrEqual(spec.tolerance.allowed);
        if (apart === 0) equal++;
      }
      console.log(scale, equal, truth.length / size);
      it.runner.dispose();
    });
  }
});
