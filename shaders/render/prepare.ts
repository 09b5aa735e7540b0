import type { JobId } from '../../shared/model.ts';
import { Rng } from '../../shared/rng.ts';
import { InputError, type WorkloadPrepare } from '../../shared/workload.ts';
import { fitCamera, imagePlane } from './camera.ts';
import { cornellBox } from './cornell.ts';
import { readGltf } from './gltf.ts';
import type { MeshScene, Vec3 } from './mesh.ts';
import { luminance, packScene } from './pack.ts';
import { loadScene, type Scene, tracePath } from './reference.ts';
import type { RenderJob, RenderParams, RenderPrepared } from './spec.ts';

/** Columns of the cost map; as many rows as make its cells square, within bounds. */
const COST_COLUMNS = 24;
const COST_ROWS_MIN = 8;
const COST_ROWS_MAX = 24;
const COST_PATHS_PER_CELL = 4;
/** Paths traced before the clock starts, so that the measured speed is that of compiled code. */
const WARM_UP_PATHS = 400;
/** The cost map must not depend on a job's own seed: it is made before there is a job. */
const COST_SEED = 0x7e55e7a;
/** Bounds of the exposure as a power of two. */
const QUANTUM_LOG2_MAX = 12;

const BLACK: Vec3 = [0, 0, 0];
const WHITE: Vec3 = [1, 1, 1];

function skyOf(lighting: RenderParams['lighting'], lights: number): Vec3 {
  if (lighting === 'auto') return lights > 0 ? BLACK : WHITE;
  return lighting === 'sky' ? WHITE : BLACK;
}

async function readScene(params: RenderParams, files: Readonly<Record<string, Uint8Array>>): Promise<MeshScene> {
  if (params.scene === 'cornell') return cornellBox();
  if (!files.model) throw new InputError('model', 'A .glb file is needed for this scene.', 'one file, or the Cornell box as the scene');
  return readGltf(files.model);
}

/** A .glb or built-in scene -> the input blob `scene` and the small facts about it. Equal arguments give equal bytes; only `cpuStepsPerMs` is measured. */
export const prepare: WorkloadPrepare<RenderParams, RenderPrepared>['prepare'] = async (params, files) => {
  const scene = await readScene(params, files);
  const { bytes, lights } = packScene(scene);
  const sky = skyOf(params.lighting, lights);
  const aspect = params.width / params.height;
  const draft: RenderPrepared = {
    triangles: scene.triangles.count,
    lights,
    sky,
    camera: imagePlane(scene.camera ?? fitCamera(scene.triangles, aspect), aspect),
    quantumLog2: 0,
    cost: { columns: 1, rows: 1, steps: [1] },
    cpuStepsPerMs: 1,
  };
  const dark = lights === 0 && sky === BLACK ? ['Nothing in the scene emits light and there is no sky: the picture will be black.'] : [];
  return {
    prepared: { ...draft, ...survey(loadScene(bytes), { id: 'prepare' as JobId, seed: COST_SEED, params, prepared: draft }) },
    inputs: { scene: bytes },
    report: [...scene.report, ...dark],
    facts: { triangles: scene.triangles.count, lights, textures: scene.textures.length, materials: scene.materials.length },
  };
};

/** Traces a few paths all over the picture: what they cost where, how bright they are, and how fast this machine is. */
function survey(scene: Scene, job: RenderJob): Pick<RenderPrepared, 'cost' | 'quantumLog2' | 'cpuStepsPerMs'> {
  const { width, height } = job.params;
  const rows = Math.min(COST_ROWS_MAX, Math.max(COST_ROWS_MIN, Math.round((COST_COLUMNS * height) / width)));
  tracePaths(scene, job, rows, WARM_UP_PATHS);
  const startMs = performance.now();
  const { steps, luminanceSum } = tracePaths(scene, job, rows, COST_COLUMNS * rows * COST_PATHS_PER_CELL);
  const elapsedMs = performance.now() - startMs;
  const stepSum = steps.reduce((sum, cell) => sum + cell, 0);
  return {
    cost: { columns: COST_COLUMNS, rows, steps: steps.map((cell) => Math.max(1, Math.round(cell / COST_PATHS_PER_CELL))) },
    quantumLog2: exposureOf(luminanceSum / (steps.length * COST_PATHS_PER_CELL)),
    cpuStepsPerMs: Math.max(1, stepSum / Math.max(elapsedMs, 1e-3)),
  };
}

/** Steps per cell and luminance of `count` paths, which visit the cells in turn, each at a random pixel of its cell. */
function tracePaths(scene: Scene, job: RenderJob, rows: number, count: number): { steps: number[]; luminanceSum: number } {
  const { width, height } = job.params;
  const rng = new Rng(COST_SEED);
  const steps = new Array<number>(COST_COLUMNS * rows).fill(0);
  let luminanceSum = 0;
  for (let path = 0; path < count; path++) {
    const cell = path % steps.length;
    const x = Math.floor((((cell % COST_COLUMNS) + rng.unit()) * width) / COST_COLUMNS);
    const y = Math.floor(((Math.floor(cell / COST_COLUMNS) + rng.unit()) * height) / rows);
    const traced = tracePath(scene, job, x, y, path);
    steps[cell]! += traced.steps;
    luminanceSum += luminance([traced.r, traced.g, traced.b]);
  }
  return { steps, luminanceSum };
}

/** The largest power of two that is not above the mean luminance, as its exponent; 0 for a black picture. */
export function exposureOf(meanLuminance: number): number {
  if (!(meanLuminance > 0)) return 0;
  return Math.min(QUANTUM_LOG2_MAX, Math.max(-QUANTUM_LOG2_MAX, Math.floor(Math.log2(meanLuminance))));
}
