import type { JobView } from './schemas.ts';
import type { WorkloadSpec } from './workload.ts';

/** Values of one part, on average over the tiles of the first pass: those at the edge of a picture have fewer. */
function elementsPerPart(spec: WorkloadSpec, { id, seed, params, prepared, grid }: JobView): number {
  let sum = 0;
  for (let tile = 0; tile < grid.tiles; tile++) sum += spec.elements({ id, seed, params, prepared }, { pass: 0, tile });
  return sum / Math.max(1, grid.tiles);
}

/** Values computed again, by anybody. */
export const checkedOf = ({ checksDone: { cpu, trusted, contributor } }: JobView): number => cpu + trusted + contributor;

/** The same as a share of the values accepted. */
export function checkedShareOf(job: JobView, spec: WorkloadSpec): number {
  const accepted = job.parts.accepted * elementsPerPart(spec, job);
  return accepted === 0 ? 0 : checkedOf(job) / accepted;
}
