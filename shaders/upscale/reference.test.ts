import { readFile } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { modelFolder, readWeights } from './model.ts';
import { RGB, type Scale, scales } from './network.ts';
import { enlarged, load } from './reference.ts';
import { testJob, testPixels } from './testing/jobs.ts';

beforeAll(() => {
  // Otherwise it advertises its native back end.
  tf.enableProdMode();
  return tf.setBackend('cpu');
});

/** The library: TensorFlow.js runs the package's own model file. */
async function library(scale: Scale, pixels: Uint8Array, width: number, height: number): Promise<Float32Array> {
  const json = JSON.parse(await readFile(new URL('model.json', modelFolder(scale)), 'utf8')) as {
    modelTopology: object;
    weightsManifest: { paths: string[]; weights: tf.io.WeightsManifestEntry[] }[];
  };
  const [{ paths, weights: weightSpecs }] = json.weightsManifest as [(typeof json.weightsManifest)[number]];
  const weightData = new Uint8Array(await readFile(new URL(paths[0]!, modelFolder(scale)))).buffer;
  const model = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology: json.modelTopology, weightSpecs, weightData }));
  const output = tf.tidy(() => model.predict(tf.tensor4d(Float32Array.from(pixels), [1, height, width, RGB])) as tf.Tensor);
  return (await output.data()) as Float32Array;
}

describe('the reference', () => {
  for (const scale of scales)
    test(`is TensorFlow.js running the package's model, scale ${scale}`, async () => {
      const [width, height] = scale === 2 ? [24, 20] : [11, 8];
      const image = testPixels(width, height);
      const job = testJob(scale, width, height);
      const ours = enlarged(load(job, { image, weights: await readWeights(scale) }), job, { x: 0, y: 0, width, height });
      const theirs = await library(scale, image, width, height);
      expect(ours.length).toBe(theirs.length);
      const furthest = ours.reduce((most, value, at) => Math.max(most, Math.abs(value - theirs[at]!)), 0);
      // Steps of 1/255: both keep f32 between layers, but neither sums in the other's order.
      expect(furthest).toBeLessThan(2e-3);
      expect(furthest).toBeGreaterThan(0);
    });

  test('gives of a window to the last bit what the whole image gives, at edges and inside', async () => {
    const [scale, width, height] = [3, 30, 26] as const;
    const job = testJob(scale, width, height);
    const loaded = load(job, { image: testPixels(width, height), weights: await readWeights(scale) });
    const whole = enlarged(loaded, job, { x: 0, y: 0, width, height });
    for (const rect of [
      { x: 0, y: 0, width: 5, height: 4 },
      { x: 25, y: 3, width: 5, height: 6 },
      { x: 13, y: 12, width: 3, height: 3 },
      { x: 0, y: 24, width: 30, height: 2 },
    ]) {
      const part = enlarged(loaded, job, rect);
      for (let y = 0; y < rect.height * scale; y++) {
        const from = ((rect.y * scale + y) * width + rect.x) * scale * RGB;
        const length = rect.width * scale * RGB;
        expect(part.subarray(y * length, (y + 1) * length)).toEqual(whole.subarray(from, from + length));
      }
    }
  });

  test('refuses inputs that are missing or damaged', () => {
    const job = testJob(2, 4, 4);
    expect(() => load(job, {})).toThrow(/no input named image/);
    expect(() => load(job, { image: new Uint8Array(48) })).toThrow(/no input named weights/);
    expect(() => load(job, { image: new Uint8Array(47), weights: new Uint8Array(4) })).toThrow(/47 bytes, expected 48/);
    expect(() => load(job, { image: new Uint8Array(48), weights: new Uint8Array(4) })).toThrow(/weights have 4 bytes/);
  });

  test('takes only the weights of its own scale', async () => {
    const weights = await readWeights(2);
    new Uint32Array(weights.buffer)[1] = 4;
    expect(() => load(testJob(2, 4, 4), { image: new Uint8Array(48), weights })).toThrow(/scale 2/);
  });
});
