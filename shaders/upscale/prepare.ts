import type { JobId } from '../../shared/model.ts';
import { InputError, type WorkloadPrepare } from '../../shared/workload.ts';
import { decodePicture } from './image.ts';
import { readWeights } from './model.ts';
import { scaleOf, type UpscaleParams, type UpscalePrepared } from './params.ts';
import { load, measureMacsPerMs } from './reference.ts';

/** A picture -> the input blobs `image` and `weights`. Equal arguments give equal bytes; only `cpuMacsPerMs` is measured. */
export const prepare: WorkloadPrepare<UpscaleParams, UpscalePrepared>['prepare'] = async (params, files) => {
  if (!files.image) throw new InputError('image', 'A picture is needed.', 'one PNG, JPEG or WebP file');
  const scale = scaleOf(params);
  const { width, height, pixels, report } = await decodePicture(files.image, scale);
  const inputs = { image: pixels, weights: await readWeights(scale) };
  const draft: UpscalePrepared = { width, height, cpuMacsPerMs: 1 };
  const job = { id: 'prepare' as JobId, seed: 0, params, prepared: draft };
  return {
    prepared: { ...draft, cpuMacsPerMs: measureMacsPerMs(load(job, inputs), job) },
    inputs,
    report,
    facts: { width, height, outputWidth: width * scale, outputHeight: height * scale },
  };
};
