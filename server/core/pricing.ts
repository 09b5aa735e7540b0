import { type MicroCredits, priceOf } from '../../shared/credits.ts';
import type { JobContext, TileRef } from '../../shared/model.ts';
import type { ChecksPolicy } from '../../shared/schemas.ts';
import type { WorkloadSpec } from '../../shared/workload.ts';

export interface Price {
  /** Micro-units of the whole job. */
  readonly units: number;
  readonly parts: number;
  /** Exactly what accepting every part once costs. */
  readonly work: MicroCredits;
  /** Set aside for replicas: 1.5 times the expected share, and at least the dearest tile, so that a draw above average still finds its money. */
  readonly checks: MicroCredits;
}

/** What one part of a tile earns. */
export const partPrice = (spec: WorkloadSpec, job: JobContext, at: TileRef, ratePerUnit: MicroCredits): MicroCredits =>
  priceOf(spec.work(job, at), ratePerUnit);

/** Price of a job, from the work known before it runs. Pure and exact: the sum of what its parts will be paid. */
export function priceJob(spec: WorkloadSpec, job: JobContext, checks: ChecksPolicy, ratePerUnit: MicroCredits): Price {
  const grid = spec.split(job.params, job.prepared);
  let [units, parts, work, dearest] = [0, 0, 0n, 0n];
  for (let pass = 0; pass < grid.passes; pass++) {
    for (let tile = 0; tile < grid.tiles; tile++) {
      const at = { pass, tile };
      const count = spec.parts(job, at);
      const cost = partPrice(spec, job, at, ratePerUnit) * BigInt(count);
      units += spec.work(job, at) * count;
      parts += count;
      work += cost;
      if (cost > dearest) dearest = cost;
    }
  }
  return { units, parts, work, checks: replicaBudget(work, dearest, checks.replicaShare) };
}

function replicaBudget(work: MicroCredits, dearest: MicroCredits, share: number): MicroCredits {
  if (share === 0) return 0n;
  const expected = (work * BigInt(Math.ceil(share * 15_000))) / 10_000n;
  const wanted = expected > dearest ? expected : dearest;
  return wanted < work ? wanted : work;
}
