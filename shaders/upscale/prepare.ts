import sharp from 'sharp';
import type { JobId } from '../../shared/model.ts';
import { InputError, type WorkloadPrepare } from '../../shared/workload.ts';
import { decodeImage, imageSize } from '../common/tensors/images.ts';
import { imageLimits } from './limits.ts';
import { readWeights } from './model.ts';
import type { Scale } from './network.ts';
import { scaleOf, type UpscaleParams, type UpscalePrepared } from './params.ts';
import { load, measureMacsPerMs } from './reference.ts';

/** Throws `InputError` before anything is decoded where more would come out than may. */
async function requireSize(bytes: Uint8Array, scale: Scale): Promise<void> {
  const edge = Math.floor(imageLimits.outputEdgePixelsMax / scale);
  const { width, height } = await imageSize('image', bytes, 'The picture');
  if (Math.max(width, height) > edge)
    throw new InputError(
      'image',
      `The picture has ${width} × ${height} pixels, too many to become ${scale} times as wide and high.`,
      `at most ${edge} × ${edge} pixels`,
    );
}

/** What of a picture is left out. */
async function leftOut(bytes: Uint8Array): Promise<string[]> {
  const { hasAlpha, pages = 1 } = await sharp(bytes).metadata();
  return [...(hasAlpha ? ['Transparent parts are laid on white.'] : []), ...(pages > 1 ? ['Of an animation only the first picture is enlarged.'] : [])];
}

/** A picture -> the input blobs `image` and `weights`. Equal arguments give equal bytes; only `cpuMacsPerMs` is measured. */
export const prepare: WorkloadPrepare<UpscaleParams, UpscalePrepared>['prepare'] = async (params, files) => {
  if (!files.image) throw new InputError('image', 'A picture is needed.', 'one PNG, JPEG or WebP file');
  const scale = scaleOf(params);
  await requireSize(files.image, scale);
  const { width, height, rgb } = await decodeImage('image', files.image, 'The picture');
  const inputs = { image: rgb, weights: await readWeights(scale) };
  const draft: UpscalePrepared = { width, height, cpuMacsPerMs: 1 };
  const job = { id: 'prepare' as JobId, seed: 0, params, prepared: draft };
  return {
    prepared: { ...draft, cpuMacsPerMs: measureMacsPerMs(load(job, inputs), job) },
    inputs,
    report: await leftOut(files.image),
    facts: { width, height, outputWidth: width * scale, outputHeight: height * scale },
  };
};
