import { type MicroCredits, priceOf } from '../../shared/credits.ts';
import { countParts, type JobContext, type PartMask, type TileRef } from '../../shared/model.ts';
import type { ChecksPolicy } from '../../shared/schemas.ts';
import type { TileGrid, WorkloadSpec } from '../../shared/workload.ts';
import type { StoredResult } from '../store/store.ts';
import type { Job } from './state.ts';
import { tileNumber } from './verifier.ts';

export interface Price {
  /** Micro-units of the whole job. */
  readonly units: number;
  readonly parts: number;
  /** Exactly what accepting every part once costs. */
  readonly work: MicroCredits;
  /** Set aside for auditors; what they do not use comes back. Nothing where there are none. */
  readonly checks: MicroCredits;
}

/** What one part of a tile earns. */
export const partPrice = (spec: WorkloadSpec, job: JobContext, at: TileRef, ratePerUnit: MicroCredits): MicroCredits =>
  priceOf(spec.work(job, at), ratePerUnit);

/**
 * What auditors may cost, as a share of the work: 5 % at one wrong element in 10,000, more for stricter orders, never more
 * than half. A first result of a newcomer takes most of it, the hundredth next to nothing.
 */
const auditShare = (targetError: number): number => Math.min(0.5, Math.max(0.02, 5e-6 / targetError));

/** Parts that are there already and cost nothing more, by the running number of their tile (`tileNumber`). */
export type Have = ReadonlyMap<number, PartMask>;

/** Price of a job, from the work known before it runs, or of what is missing of it. Pure and exact: the sum of what its parts will be paid. */
export function priceJob(spec: WorkloadSpec, job: JobContext, checks: ChecksPolicy, ratePerUnit: MicroCredits, have: Have = new Map()): Price {
  const grid = spec.split(job.params, job.prepared);
  let [units, parts, work] = [0, 0, 0n];
  for (let pass = 0; pass < grid.passes; pass++) {
    for (let tile = 0; tile < grid.tiles; tile++) {
      const at = { pass, tile };
      const count = spec.parts(job, at) - countParts(have.get(tileNumber(grid.tiles, at)) ?? (0 as PartMask));
      units += spec.work(job, at) * count;
      parts += count;
      work += partPrice(spec, job, at, ratePerUnit) * BigInt(count);
    }
  }
  const share = spec.checking === 'audit' ? auditShare(checks.targetError) : 0;
  return { units, parts, work, checks: (work * BigInt(Math.ceil(share * 10_000))) / 10_000n };
}

/** What accepted results of a job were paid. */
export const workPaid = ({ spec, context, stored }: Job, results: readonly StoredResult[]): MicroCredits =>
  results.reduce(
    (sum, { state, at, parts }) => (state === 'accepted' ? sum + partPrice(spec, context, at, stored.ratePerUnit) * BigInt(countParts(parts)) : sum),
    0n,
  );

/** Tiles of a pass that are looked at for a mean. */
const MEAN_TILES_MAX = 256;

/** Micro-units of a part in the mean over a job, from some of its tiles. */
export function meanUnits(spec: WorkloadSpec, job: JobContext, { passes, tiles }: TileGrid): number {
  let [units, parts] = [0, 0];
  const stride = Math.max(1, tiles / MEAN_TILES_MAX);
  for (let pass = 0; pass < passes; pass++) {
    for (let tile = 0; tile < tiles; tile += stride) {
      const at = { pass, tile: Math.floor(tile) };
      const count = spec.parts(job, at);
      units += spec.work(job, at) * count;
      parts += count;
    }
  }
  return units / Math.max(1, parts);
}
