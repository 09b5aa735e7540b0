import type { MicroUnits } from '../../shared/model.ts';
import type { WorkloadSpec } from '../../shared/workload.ts';
import { elementsOf, elementWords, gridOf, PATCH, scaled, tileRect } from './grid.ts';
import { macsOf } from './network.ts';
import { defaults, scaleOf, type UpscaleParams, type UpscalePrepared } from './params.ts';

/**
 * The reference GPU, an NVIDIA H100 through Dawn on Vulkan, reached 40 TFLOP/s in f32 with a draft of the matrix kernel, 2e13 multiplications and
 * additions a second. Half of it is reckoned with here: a layer has few outputs, 64 at most, so its values move more often for the arithmetic done.
 * That half is an estimate; no GPU has run this kernel yet.
 */
export const MACS_PER_MICRO_UNIT = 1e7;

export const spec: WorkloadSpec<UpscaleParams, UpscalePrepared> = {
  id: 'upscale',
  version: 1,
  title: 'Enlarge a picture',
  summary: 'Runs a neural network over a picture, tile by tile, and adds the detail that it expects there.',
  checking: 'audit',
  defaults,
  outputs: () => [{ id: 'png', title: 'PNG, 8 bit', mediaType: 'image/png', extension: 'png' }],
  // Measured, README.md: "What wrong means".
  tolerance: { unit: 'steps of 1/255', allowed: 1, honestMissRate: 1e-6, unexplainedRate: 1e-6 },
  split: gridOf,
  parts: () => 1,
  elementWords,
  elements: elementsOf,
  work(job, { tile }) {
    const { width, height } = tileRect(job, tile);
    return Math.max(1, Math.ceil(macsOf(scaleOf(job.params), width, height) / MACS_PER_MICRO_UNIT)) as MicroUnits;
  },
  auditMs: ({ params, prepared }) => macsOf(scaleOf(params), PATCH, PATCH) / prepared.cpuMacsPerMs,
  region: (job, { tile }) => ({ ...scaled(tileRect(job, tile), scaleOf(job.params)), frame: 0 }),
  picture: ({ params, prepared }) => ({ width: prepared.width * scaleOf(params), height: prepared.height * scaleOf(params), frames: 1 }),
  adaptivePasses: () => [],
};
