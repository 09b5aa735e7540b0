import { checkedOf, checkedShareOf } from '../../shared/checked.ts';
import type { JobView } from '../../shared/schemas.ts';
import type { WorkloadSpec } from '../../shared/workload.ts';

const HOUR_S = 3600;

/** What a job came to. A work unit is a second of the reference GPU (`shared/workload.ts`). */
export interface Bill {
  /** Paid to contributors, audits among them. */
  readonly units: number;
  /** Values computed again, by anybody, and their share of the values accepted. */
  readonly checked: number;
  readonly checkedShare: number;
  /** The same share in work units: what was computed twice. */
  readonly checkingUnits: number;
  /** What as many seconds of the reference GPU cost where one rents it, in US dollars. */
  readonly rentedUsd: number;
}

export function billOf(job: JobView, spec: WorkloadSpec, gpuHourUsd: number): Bill {
  const checkedShare = checkedShareOf(job, spec);
  const units = Number(BigInt(job.paidMicroCredits)) / Math.max(1, Number(BigInt(job.rateMicroCredits)));
  return { units, checked: checkedOf(job), checkedShare, checkingUnits: units * checkedShare, rentedUsd: (units / HOUR_S) * gpuHourUsd };
}
