import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-webgpu';
import { concatBytes, toBase64Url } from '../../../shared/formats.ts';
import { fullMask } from '../../../shared/model.ts';
import type { SlicePolicy } from '../../../shared/workload.ts';
import { requestDevice } from '../../common/device.ts';
import type { LayersModel } from '../layersModel.ts';
import { RGB } from '../network.ts';
import type { UpscaleJob } from '../params.ts';
import { open } from '../run.ts';
import { spec } from '../spec.ts';

/** The half of upscale.bench.ts that runs in the browser: our kernels, and TensorFlow.js' on the same model. */

/** No slices: both compute as fast as they can. */
const hurried: SlicePolicy = { budgetMs: () => 1e6, inFlight: () => 2, between: async () => {} };

export async function adapterInfo(): Promise<{ name: string; software: boolean }> {
  const { adapter, device } = await requestDevice(navigator.gpu);
  device.destroy();
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  return { name: [vendor, architecture, description].filter(Boolean).join(' '), software: isFallbackAdapter };
}

const blob = async (name: string): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await (await fetch(`/blob/${name}`)).arrayBuffer());

export interface Timings {
  /** Milliseconds of each round, after one that counts for nothing. */
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
  /** The words of all tiles, one behind the other, in base64url. */
  readonly words: string;
}

/** Enlarges /blob/image by turns. `model`: the package's model.json, whose one file is /blob/tensors. */
export async function race(job: UpscaleJob, model: LayersModel, rounds: number): Promise<Timings> {
  const { width, height } = job.prepared;
  const inputs = { image: await blob('image'), weights: await blob('weights') };
  const { device } = await requestDevice(navigator.gpu);
  const runner = await open(device, job, inputs);
  const { tiles } = spec.split(job.params, job.prepared);
  const ourWords = async (): Promise<Uint8Array> => {
    const parts: Uint8Array[] = [];
    for (let tile = 0; tile < tiles; tile++)
      for await (const { bytes } of runner.run({ pass: 0, tile }, fullMask(1), hurried, new AbortController().signal)) parts.push(bytes);
    return concatBytes(...parts);
  };
  await tf.setBackend('webgpu');
  const weightSpecs = model.weightsManifest.flatMap(({ weights }) => weights) as unknown as tf.io.WeightsManifestEntry[];
  const artifacts = { modelTopology: model.modelTopology, weightSpecs, weightData: (await blob('tensors')).buffer };
  const network = await tf.loadLayersModel(tf.io.fromMemory(artifacts));
  const input = tf.tensor4d(Float32Array.from(inputs.image), [1, height, width, RGB]);
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const began = performance.now();
    await work();
    return performance.now() - began;
  };
  const theirBytes = async (): Promise<void> => {
    const output = tf.tidy(() => tf.clipByValue(network.predict(input) as tf.Tensor, 0, 255).round());
    await output.data();
    output.dispose();
  };
  const [ours, theirs]: [number[], number[]] = [[], []];
  let words: Uint8Array = new Uint8Array();
  for (let round = 0; round <= rounds; round++) {
    const [us, them] = [
      await timed(async () => {
        words = await ourWords();
      }),
      await timed(theirBytes),
    ];
    if (round === 0) continue;
    ours.push(us);
    theirs.push(them);
  }
  runner.dispose();
  device.destroy();
  return { ours, theirs, words: toBase64Url(words) };
}
