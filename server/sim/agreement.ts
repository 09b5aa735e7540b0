import { partsOf } from '../../shared/model.ts';
import type { Submission } from './policy.ts';
import { ELEMENTS } from './spec.ts';
import { floatClasses, HONEST_MISS_RATE } from './values.ts';

/**
 * How the baselines compare two whole results: fuzzily, blind to device classes, as their validators do (BOINC leaves the tolerance to
 * the project). Elements are compared with the tolerance; of these, as many may differ as the workload declares for honest devices.
 */
const MAY_DIFFER = HONEST_MISS_RATE;
/** Elements that stand for all where two lies have to be compared: every 13th, which no square of pixels resonates with. */
const STRIDE = 13;

const HONEST_PAIR = floatClasses.map((a) => floatClasses.map((b) => (a === b ? 0 : a.differing + b.differing)));

/** Whether a validator takes two results of one tile, with the same parts, for the same. */
export function agree(a: Submission, b: Submission): boolean {
  const honest = HONEST_PAIR[a.identity.floatClass.index]![b.identity.floatClass.index]! * a.size;
  return honest + lying(a, b) <= MAY_DIFFER * a.size;
}

function lying(a: Submission, b: Submission): number {
  if (!a.result || !b.result) return a.result?.size ?? b.result?.size ?? 0;
  if (a.result.value !== b.result.value) return Math.max(a.result.size, b.result.size);
  let differing = 0;
  for (const part of partsOf(a.grant.parts))
    for (let element = 0; element < ELEMENTS; element += STRIDE) if (a.result.wrong(part, element) !== b.result.wrong(part, element)) differing++;
  return differing * STRIDE;
}
