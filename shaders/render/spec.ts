import { radiancePart } from '../../shared/formats.ts';
import type { MicroUnits, TileRef } from '../../shared/model.ts';
import type { WorkloadSpec } from '../../shared/workload.ts';
import { extension } from './extension.ts';
import { elementsOf, gridOf, isFeaturePass, lightPasses, partsIn, samplesOfParts, tileRect } from './grid.ts';
import { outputsOf } from './outputs.ts';
import { defaults, type RenderJob, type RenderParams, type RenderPrepared, settingsOf } from './params.ts';

/**
 * The reference GPU: NVIDIA H100 through Dawn on Vulkan. A draft kernel traced 200 M paths/s of the Cornell box there, at 84 steps
 * a path (measured with the reference: 256 x 256, 5 bounces), so one work unit (a second of it) is 1.68e10 steps, and a micro-unit 16,800.
 */
export const STEPS_PER_MICRO_UNIT = 16_800;

/** Sums of an element, whatever it is of. */
export const ELEMENT_WORDS = radiancePart.pixelBytes / 4;

/** Of a path's steps, what its camera ray and first surface take: all that features trace. Of jobs that were prepared before it was measured. */
const FEATURE_SHARE = 1 / 4;

/** Mean steps of one path inside a tile, from the cost map of the nearest frame. */
function stepsPerPath(job: RenderJob, { pass, tile }: TileRef): number {
  const { columns, rows, steps: maps, featureShare = FEATURE_SHARE } = job.prepared.cost;
  const { width, height } = job.params;
  const { frames } = settingsOf(job.params);
  const rect = tileRect(job.params, tile);
  const steps = maps[Math.min(maps.length - 1, Math.floor((rect.frame * maps.length) / frames))] ?? [];
  const cell = (at: number, size: number, count: number): number => Math.min(count - 1, Math.floor((at / size) * count));
  const [x0, x1] = [cell(rect.x, width, columns), cell(rect.x + rect.width - 1, width, columns)];
  const [y0, y1] = [cell(rect.y, height, rows), cell(rect.y + rect.height - 1, height, rows)];
  let sum = 0;
  for (let y = y0; y <= y1; y++) for (let x = x0; x <= x1; x++) sum += steps[y * columns + x] ?? 0;
  return (sum / ((x1 - x0 + 1) * (y1 - y0 + 1))) * (isFeaturePass(job.params, pass) ? featureShare : 1);
}

export const spec: WorkloadSpec<RenderParams, RenderPrepared> = {
  id: 'render',
  version: 3,
  title: 'Render a picture',
  summary: 'Traces light paths through a 3D scene and adds them up, tile by tile.',
  defaults,
  outputs: ({ params: p }) => outputsOf(p),
  // Measured, README.md: "What wrong means".
  tolerance: { unit: 'steps of a sum, or 1/1024 of it where that is more', allowed: 1, honestMissRate: 0.12, unexplainedRate: 1e-4 },
  split: gridOf,
  checking: 'audit',
  parts: (job, { pass }) => partsIn(job.params, pass),
  elementWords: () => ELEMENT_WORDS,
  elements: (job, at) => elementsOf(job.params, at),
  work(job, at) {
    const { width, height } = tileRect(job.params, at.tile);
    const paths = width * height * samplesOfParts(job.params, at.pass);
    return Math.max(1, Math.ceil((paths * stepsPerPath(job, at)) / STEPS_PER_MICRO_UNIT)) as MicroUnits;
  },
  auditMs: (job, at) => (samplesOfParts(job.params, at.pass) * stepsPerPath(job, at)) / job.prepared.cpuStepsPerMs,
  region: (job, { tile }) => tileRect(job.params, tile),
  picture: ({ params: p }) => ({ width: p.width, height: p.height, frames: settingsOf(p).frames }),
  adaptivePasses: ({ params: p }) => (settingsOf(p).noise > 0 ? lightPasses(p) : []),
  extension,
};
