import type { MicroCredits } from '../shared/credits.ts';
import type { JobContext, OwnerId } from '../shared/model.ts';
import type { WorkloadSpec } from '../shared/workload.ts';
import { priceJob } from './core/pricing.ts';
import type { StoredJob } from './store/store.ts';

/** A new job without files, of a workload that need not be installed, which the operator pays for at so much a unit. */
export function issuedJob(spec: WorkloadSpec, context: JobContext, ratePerUnit: MicroCredits, own: Partial<StoredJob> = {}): StoredJob {
  const checks = { targetError: 1e-4 };
  const price = priceJob(spec, context, checks, ratePerUnit);
  return {
    ...context,
    title: context.id,
    workload: spec.id,
    version: spec.version,
    status: 'open',
    visibility: 'public',
    gallery: false,
    group: null,
    owner: 'device:requester0000000' as OwnerId,
    inputs: [],
    checks,
    unit: 'test',
    ratePerUnit,
    priceVersion: null,
    workHeld: price.work,
    checksHeld: price.checks,
    heldFrom: [{ account: 'operator/issuance', microCredits: price.work + price.checks }],
    closing: false,
    createdMs: Date.now(),
    endedMs: null,
    summary: null,
    paused: false,
    extensions: 0,
    deletedMs: null,
    promise: null,
    ...own,
  };
}
