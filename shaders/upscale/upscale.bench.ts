import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { fromBase64Url, wordsOf } from '../../shared/formats.ts';
import type { JobId } from '../../shared/model.ts';
import { callPage, openPage, progress } from '../common/testing/benchBrowser.ts';
import { median, spread } from '../common/testing/benchFigures.ts';
import { pictures } from './gallery/pictures.ts';
import type { LayersModel } from './layersModel.ts';
import { modelFolder } from './model.ts';
import { layersOf, OUTPUT_LAYER, type Scale, scales } from './network.ts';
import type { UpscaleJob } from './params.ts';
import { prepare } from './prepare.ts';
import { load, tileWords } from './reference.ts';
import { spec } from './spec.ts';
import type { Timings } from './testing/benchPage.ts';

/**
 * The kernels against TensorFlow.js 4.22 with its WebGPU back end, which is what UpscalerJS runs the same model on, in headless Chromium; and against the
 * reference, channel by channel. `CHROMIUM_FLAGS` selects a GPU. By turns on one picture, from the image on the GPU (ours: bytes, theirs: floats) to the
 * pixels in memory. In our favour: a pixel comes back as four bytes, theirs as twelve. In theirs: the picture is computed whole, without tiles
 * and their margins, and nothing lets a page breathe in between.
 */

const ROUNDS = 3;
/** Of the pictures that are enlarged. */
const SOFTWARE_PIXELS = [96, 64] as const;
const GPU_PIXELS = [1024, 768] as const;

/** Of the whole picture without margins. */
const macsOfPicture = (scale: Scale, width: number, height: number): number =>
  layersOf(scale).reduce((sum, { name, edge, from, to }) => sum + edge ** 2 * from * to * width * height * (name === OUTPUT_LAYER ? scale ** 2 : 1), 0);

/** A picture of the gallery at this size. */
async function jobOf(scale: Scale, width: number, height: number): Promise<{ job: UpscaleJob; inputs: Readonly<Record<string, Uint8Array>> }> {
  const [{ files }] = (await pictures()) as [Awaited<ReturnType<typeof pictures>>[number]];
  const image = await sharp(files.image).resize(width, height, { fit: 'cover' }).png().toBuffer();
  const params = { scale: String(scale) as UpscaleJob['params']['scale'] };
  const { prepared, inputs } = await prepare(params, { image: new Uint8Array(image) });
  return { job: { id: 'j_bench' as JobId, seed: 1, params, prepared }, inputs };
}

/** Steps by which each channel differs from the reference: how many by none, by one, by more. */
function differences(job: UpscaleJob, inputs: Readonly<Record<string, Uint8Array>>, claimed: Uint32Array): [none: number, one: number, more: number] {
  const loaded = load(job, inputs);
  const counts: [number, number, number] = [0, 0, 0];
  let at = 0;
  for (let tile = 0; tile < spec.split(job.params, job.prepared).tiles; tile++)
    for (const word of tileWords(loaded, job, tile)) {
      const other = claimed[at++]!;
      if (word === 0 && other === 0) continue;
      for (const shift of [0, 8, 16]) counts[Math.min(2, Math.abs(((word >>> shift) & 255) - ((other >>> shift) & 255)))]!++;
    }
  return counts;
}

export async function bench(): Promise<{ suite: string; figures: Record<string, number>; notes: string[] }> {
  const { page, blobs, browser, close } = await openPage([{ name: 'upscale', entry: new URL('./testing/benchPage.ts', import.meta.url) }]);
  const figures: Record<string, number> = {};
  try {
    const { name, software } = await callPage<{ name: string; software: boolean }>(page, 'upscale', 'adapterInfo');
    const [width, height] = software ? SOFTWARE_PIXELS : GPU_PIXELS;
    for (const scale of scales) {
      const { job, inputs } = await jobOf(scale, width, height);
      const model = JSON.parse(await readFile(new URL('model.json', modelFolder(scale)), 'utf8')) as LayersModel;
      const [path = ''] = model.weightsManifest.flatMap(({ paths }) => paths);
      for (const [blob, bytes] of Object.entries({ ...inputs, tensors: new Uint8Array(await readFile(new URL(path, modelFolder(scale)))) }))
        blobs.set(blob, bytes);
      const { ours, theirs, words } = await callPage<Timings>(page, 'upscale', 'race', job, model, ROUNDS);
      const bytes = fromBase64Url(words);
      const [none, one, more] = differences(job, inputs, wordsOf(bytes, bytes.byteLength / 4));
      Object.assign(
        figures,
        spread(
          `ratio_time_x${scale}`,
          ours.map((ms, round) => theirs[round]! / ms),
        ),
      );
      figures[`gmacs_per_second_ours_x${scale}`] = macsOfPicture(scale, width, height) / median(ours) / 1e6;
      figures[`gmacs_per_second_tfjs_x${scale}`] = macsOfPicture(scale, width, height) / median(theirs) / 1e6;
      figures[`channels_one_step_apart_x${scale}`] = one / (none + one + more);
      figures[`channels_further_apart_x${scale}`] = more / (none + one + more);
      progress(`scale ${scale}: ours ${ours} ms, theirs ${theirs} ms`);
    }
    const notes = [`${name}${software ? ' (software)' : ''} in Chromium ${browser}, a picture of ${width} x ${height} pixels, ${ROUNDS} rounds`];
    return { suite: 'upscale', figures, notes };
  } finally {
    await close();
  }
}
