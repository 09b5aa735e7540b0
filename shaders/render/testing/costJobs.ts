import type { JobId } from '../../../shared/model.ts';
import type { RenderJob, RenderParams } from '../params.ts';
import { prepare } from '../prepare.ts';
import { loadScene } from '../reference.ts';
import { samples } from '../samples.ts';
import { survey } from '../survey.ts';
import { gltfScenes } from './gltfScenes.ts';
import { testScenes } from './scenes.ts';

/** Jobs by which prices are compared with work (server/fleet.bench.ts): the gallery, with and without layers, and all scenes made for tests. */

interface CostJob {
  readonly name: string;
  readonly job: RenderJob;
  readonly inputs: Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
}

const SAMPLES = 64;

async function prepared(name: string, params: RenderParams, files: Readonly<Record<string, Uint8Array>>): Promise<CostJob> {
  const { prepared: facts, inputs } = await prepare(params, files);
  return { name, job: { id: 'j_cost_cost_cost_co' as JobId, seed: 1, params, prepared: facts }, inputs: inputs as CostJob['inputs'] };
}

export async function costJobs(): Promise<readonly CostJob[]> {
  const jobs: CostJob[] = [];
  for (const { id, params, files } of await samples()) {
    jobs.push(await prepared(id, params, files));
    // One sample a pixel, so that the features are half of the work.
    jobs.push(await prepared(`${id}_layers`, { ...params, samples: 1, layers: 'all' }, files));
  }
  for (const [name, { params, build }] of Object.entries(gltfScenes)) {
    const { model, environment } = await build();
    jobs.push(await prepared(`gltf_${name}`, { scene: 'file', samples: SAMPLES, ...params }, { model, ...(environment ? { environment } : {}) }));
  }
  for (const [name, make] of Object.entries(testScenes)) {
    const { job, packed } = make();
    jobs.push({ name: `test_${name}`, job: { ...job, prepared: { ...job.prepared, ...survey(loadScene(packed), job) } }, inputs: { scene: packed } });
  }
  return jobs;
}
