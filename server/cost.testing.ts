import { workload, workloadIds } from '../shaders/registry.ts';
import type { ElementRef, JobContext } from '../shared/model.ts';
import { Rng } from '../shared/rng.ts';
import type { WorkloadSpec } from '../shared/workload.ts';

/**
 * What jobs are priced at against what they take. Of every workload's `testing/costJobs.ts`, elements drawn all over the job, each as likely as
 * any other, are computed by the reference, which counts (`AuditCheck.cost`); their sum is compared with what `spec.work` said of them.
 */

interface CostJob {
  readonly name: string;
  readonly job: JobContext;
  readonly inputs: Readonly<Record<string, Uint8Array>>;
}

export interface CostError {
  readonly scene: string;
  /** |measured - quoted| / quoted. */
  readonly error: number;
}

/** A path tracer's paths differ by about their mean: of some thousands the mean is known to a few per cent. */
const ELEMENTS = 1200;

export async function costErrors(): Promise<CostError[]> {
  const errors: CostError[] = [];
  for (const id of workloadIds) {
    const entry = workload(id)!;
    const check = await entry.check();
    if (!('cost' in check) || !check.cost) continue;
    const { costJobs } = (await import(`../shaders/${id}/testing/costJobs.ts`)) as { costJobs(): Promise<readonly CostJob[]> };
    for (const { name, job, inputs } of await costJobs()) {
      const loaded = check.load(job, inputs);
      let [quoted, measured] = [0, 0];
      for (const element of drawn(entry.spec, job)) {
        quoted += entry.spec.work(job, element) / entry.spec.elements(job, element);
        measured += check.cost(loaded, job, element);
      }
      errors.push({ scene: name, error: Math.abs(measured - quoted) / quoted });
    }
  }
  return errors;
}

/** Passes and tiles are drawn by how many elements they have. */
function drawn(spec: WorkloadSpec, job: JobContext): ElementRef[] {
  const random = new Rng(7);
  const { passes, tiles } = spec.split(job.params, job.prepared);
  const places = Array.from({ length: passes * tiles }, (_, number) => ({ pass: Math.floor(number / tiles), tile: number % tiles }));
  const ends: number[] = [];
  for (const at of places) ends.push((ends.at(-1) ?? 0) + spec.parts(job, at) * spec.elements(job, at));
  return Array.from({ length: ELEMENTS }, () => {
    const number = random.below(ends.at(-1)!);
    const index = ends.findIndex((end) => number < end);
    const at = places[index]!;
    const within = number - (ends[index - 1] ?? 0);
    const elements = spec.elements(job, at);
    return { ...at, part: Math.floor(within / elements), element: within % elements };
  });
}
