import { beforeAll, expect, test } from 'vitest';
import { wordsOf } from '../../shared/formats.ts';
import { fullMask } from '../../shared/model.ts';
import type { SlicePolicy } from '../../shared/workload.ts';
import { requestDevice } from '../common/device.ts';
import { blockOf } from './grid.ts';
import { open } from './run.ts';
import { spec } from './spec.ts';
import { type TestProduct, testProducts } from './testing/jobs.ts';
import { truthOf } from './truth.ts';

let device: GPUDevice;
beforeAll(async () => {
  ({ device } = await requestDevice(navigator.gpu));
});

const patient: SlicePolicy = { budgetMs: () => 30, inFlight: () => 2, between: async () => undefined };
const never = new AbortController().signal;
/** Of an entry of numbers up to 1 in magnitude: see common/matmul. */
const allowed = (k: number): number => 6 * 2 ** -24 * k + 1e-6;

async function tileOf({ job, inputs }: TestProduct, tile: number, on = device, policy = patient, signal = never): Promise<Float32Array | Int32Array> {
  const runner = await open(on, job, inputs);
  try {
    const parts: Uint8Array[] = [];
    for await (const { part, bytes } of runner.run({ pass: 0, tile }, fullMask(1), policy, signal)) {
      expect(part).toBe(0);
      parts.push(bytes);
    }
    expect(parts).toHaveLength(1);
    const words = wordsOf(parts[0]!, parts[0]!.byteLength / 4);
    return job.prepared.exact ? new Int32Array(words.buffer) : new Float32Array(words.buffer);
  } finally {
    runner.dispose();
  }
}

test.each(await testProducts())('$name: a device computes what the coordinator expects', async (product) => {
  const { job, inputs } = product;
  const { tiles } = spec.split(job.params, job.prepared);
  // The first, and the last, which is the smallest and of the last batch.
  for (const tile of new Set([0, tiles - 1])) {
    const truth = truthOf(job, inputs, blockOf(job.prepared, tile));
    const got = await tileOf(product, tile);
    if (job.prepared.exact) expect(got).toEqual(truth);
    else for (const [at, value] of truth.entries()) expect(Math.abs(got[at]! - value)).toBeLessThan(allowed(job.prepared.k));
  }
});

test('it stops within a slice, and says which input it misses', async () => {
  const [product] = await testProducts();
  const aborter = new AbortController();
  const stopping: SlicePolicy = { ...patient, between: async () => aborter.abort(new Error('stopped by its owner')) };
  await expect(tileOf(product!, 0, device, stopping, aborter.signal)).rejects.toThrow('stopped by its owner');
  await expect(open(device, product!.job, {})).rejects.toThrow('The job has no input named a.');
});
