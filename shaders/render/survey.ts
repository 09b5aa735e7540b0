import { Rng } from '../../shared/rng.ts';
import type { Vec3 } from './mesh.ts';
import { luminance } from './packMath.ts';
import { type RenderJob, type RenderPrepared, settingsOf } from './params.ts';
import { type Scene, tracePath } from './reference.ts';

/** What a prepared scene costs where, how bright it is, and how fast this machine is: a few paths all over the picture tell. */

/** Columns of the cost map; as many rows as make its cells square, within bounds. */
const COST_COLUMNS = 24;
const COST_ROWS_MIN = 8;
const COST_ROWS_MAX = 24;
const COST_PATHS_PER_CELL = 4;
/** Frames of an animation that are looked at. */
const COST_FRAMES_MAX = 4;
/** Paths traced before the clock starts, so that the measured speed is that of compiled code. */
const WARM_UP_PATHS = 400;
/** The cost map must not depend on a job's own seed: it is made before there is a job. */
export const COST_SEED = 0x7e55e7a;
/** Bounds of the exposure as a power of two. */
const QUANTUM_LOG2_MAX = 12;

export function survey(scene: Scene, job: RenderJob): Pick<RenderPrepared, 'cost' | 'quantumLog2' | 'cpuStepsPerMs'> {
  const { width, height } = job.params;
  const { frames } = settingsOf(job.params);
  const rows = Math.min(COST_ROWS_MAX, Math.max(COST_ROWS_MIN, Math.round((COST_COLUMNS * height) / width)));
  tracePaths(scene, job, 0, rows, WARM_UP_PATHS);
  const maps = Math.min(frames, COST_FRAMES_MAX);
  const count = COST_COLUMNS * rows * COST_PATHS_PER_CELL;
  const startMs = performance.now();
  const found = Array.from({ length: maps }, (_, map) => tracePaths(scene, job, Math.floor(((map + 0.5) * frames) / maps), rows, count));
  const elapsedMs = performance.now() - startMs;
  const stepSum = found.reduce((sum, { steps }) => sum + steps.reduce((all, cell) => all + cell, 0), 0);
  const firstSum = found.reduce((sum, { firstSteps }) => sum + firstSteps, 0);
  const lightSum = found.reduce((sum, { luminanceSum }) => sum + luminanceSum, 0);
  return {
    cost: {
      columns: COST_COLUMNS,
      rows,
      steps: found.map(({ steps }) => steps.map((cell) => Math.max(1, Math.round(cell / COST_PATHS_PER_CELL)))),
      featureShare: firstSum / stepSum,
    },
    quantumLog2: exposureOf(lightSum / (maps * count)),
    cpuStepsPerMs: Math.max(1, stepSum / Math.max(elapsedMs, 1e-3)),
  };
}

/** Steps per cell, of camera rays alone, and luminance of `count` paths, which visit the cells in turn, each at a random pixel of its cell. */
function tracePaths(scene: Scene, job: RenderJob, frame: number, rows: number, count: number): { steps: number[]; firstSteps: number; luminanceSum: number } {
  const { width, height } = job.params;
  const rng = new Rng(COST_SEED);
  const steps = new Array<number>(COST_COLUMNS * rows).fill(0);
  let [firstSteps, luminanceSum] = [0, 0];
  for (let path = 0; path < count; path++) {
    const cell = path % steps.length;
    const x = Math.floor((((cell % COST_COLUMNS) + rng.unit()) * width) / COST_COLUMNS);
    const y = Math.floor(((Math.floor(cell / COST_COLUMNS) + rng.unit()) * height) / rows);
    const traced = tracePath(scene, job, x, y, path, frame);
    steps[cell]! += traced.steps;
    firstSteps += traced.firstSteps;
    const color: Vec3 = [traced.r, traced.g, traced.b];
    if (color.every(Number.isFinite)) luminanceSum += luminance(color);
  }
  return { steps, firstSteps, luminanceSum };
}

/** The largest power of two that is not above the mean luminance, as its exponent; 0 for a black picture. */
export function exposureOf(meanLuminance: number): number {
  if (!(meanLuminance > 0)) return 0;
  return Math.min(QUANTUM_LOG2_MAX, Math.max(-QUANTUM_LOG2_MAX, Math.floor(Math.log2(meanLuminance))));
}
