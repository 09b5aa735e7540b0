import { Rng, seedOf } from '../../shared/rng.ts';
import type { Delays } from './host.testing.ts';
import type { LineFaults } from './line.testing.ts';

/** Something that is done to a coordinator, or to the database, at a time. */
export type Fault =
  | { readonly kind: 'kill'; readonly atMs: number; readonly machine: number; readonly downMs: number }
  | { readonly kind: 'pause'; readonly atMs: number; readonly machine: number; readonly pauseMs: number }
  | { readonly kind: 'restart'; readonly atMs: number; readonly awayMs: number };

export interface PlannedJob {
  readonly atMs: number;
  readonly passes: number;
  readonly tiles: number;
  /** After so long its requester cancels it; null: he does not. */
  readonly cancelMs: number | null;
}

/** All of a run that is decided before it begins. */
export interface Plan {
  /** They have been here before: they may check each other from the beginning. */
  readonly areKnown: boolean;
  readonly jobs: readonly PlannedJob[];
  readonly skewsMs: readonly number[];
  readonly contributors: readonly { readonly lies: number; readonly address: string; readonly computeMsMax: number }[];
  readonly faults: readonly Fault[];
  readonly lines: LineFaults;
  readonly toDatabase: Delays;
  readonly aliveMs: number;
  readonly vestingMsMax: number;
}

/** Until then there are faults; what comes after is to be orderly. */
export const FAULTS_MS_MAX = 4000;

export function planOf(seed: number): Plan {
  const rng = new Rng(seedOf(seed, 1));
  const between = (from: number, to: number): number => Math.round(from + rng.unit() * (to - from));
  const chance = (share: number): boolean => rng.unit() < share;
  const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index));
  const machines = chance(0.3) ? 3 : 2;
  const areKnown = chance(0.25);
  const contributors = areKnown ? between(4, 6) : between(2, 4);
  // One of them at least is honest.
  const liars = chance(0.35) ? between(1, Math.min(2, contributors - 1)) : 0;
  const apart = chance(0.5);
  const aliveMs = between(1500, 4000);
  return {
    areKnown,
    jobs: many(between(1, 2), () => ({
      atMs: between(0, 1500),
      passes: chance(0.15) ? 2 : 1,
      tiles: between(2, 6),
      cancelMs: chance(0.1) ? between(0, 3000) : null,
    })),
    skewsMs: many(machines, () => (chance(0.3) ? between(-1500, 1500) : 0)),
    contributors: many(contributors, (index) => ({
      lies: index < liars ? (chance(0.5) ? 1 : 0.2) : 0,
      // Of one network, nobody is drawn to check another, so the coordinator does.
      address: apart ? `10.0.${index}.1` : '10.0.0.1',
      computeMsMax: between(50, 700),
    })),
    faults: [
      ...many(between(0, 4), (): Fault => ({ kind: 'kill', atMs: between(200, FAULTS_MS_MAX), machine: rng.below(machines), downMs: between(50, 3000) })),
      ...many(
        between(0, 2),
        (): Fault => ({ kind: 'pause', atMs: between(200, FAULTS_MS_MAX), machine: rng.below(machines), pauseMs: between(300, 2 * aliveMs) }),
      ),
      ...many(between(0, 2), (): Fault => ({ kind: 'restart', atMs: between(200, FAULTS_MS_MAX), awayMs: between(20, 2000) })),
    ].sort((a, b) => a.atMs - b.atMs),
    lines: {
      dropped: chance(0.6) ? rng.unit() * 0.05 : 0,
      doubled: chance(0.6) ? rng.unit() * 0.1 : 0,
      cut: chance(0.6) ? rng.unit() * 0.04 : 0,
      late: rng.unit() * 0.4,
      lateMsMax: between(20, 1000),
    },
    toDatabase: { late: rng.unit() * 0.3, lateMsMax: between(2, 150) },
    aliveMs,
    vestingMsMax: between(300, 1500),
  };
}
