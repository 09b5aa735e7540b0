import { limits } from '../../shared/limits.ts';
import { Rng, seedOf } from '../../shared/rng.ts';
import { defaultChecks } from '../../shared/schemas.ts';
import type { Adversary } from './adversary.ts';
import { policies } from './policies.ts';
import { endMsOf, populate, presentOf } from './population.ts';
import type { Tally } from './tally.ts';
import { trustedSpeedOf, World } from './world.ts';

export interface SimOptions {
  readonly policy: string;
  readonly adversary: Adversary;
  readonly seed: number;
  /** Who comes in the course of the run. */
  readonly contributors: number;
  /** Share of these that belongs to the adversary. */
  readonly liars: number;
  readonly hours: number;
  /** Capacity of the trusted contributors as a share of everybody's. */
  readonly trusted: number;
  readonly targetError: number;
}

export const simDefaults = {
  policy: 'ours',
  seed: 1,
  contributors: 2000,
  liars: 0.2,
  hours: 0.5,
  trusted: 0.01,
  targetError: defaultChecks.targetError,
} as const;

/** Ratios are defined in README.md. */
export type SimReport = ReturnType<Tally['figures']> & {
  readonly contributors: number;
  /** From the first lie handed in to the suspension, median over the names that were suspended; and lies handed in by then. */
  readonly detectionSeconds: number | null;
  readonly detectionLies: number | null;
  /** Names that lied, and those of them that were not suspended. */
  readonly liars: { readonly lied: number; readonly unseen: number };
  readonly realMs: number;
};

const TILES_PER_JOB = 1024;

/** Runs one world. Throws `RangeError` for options that make none. */
export function simulate(options: SimOptions): SimReport {
  const within = (name: keyof SimOptions, least: number, most: number): void => {
    const value = options[name] as number;
    if (!(value >= least && value <= most)) throw new RangeError(`${name} is ${value}, it must be from ${least} to ${most}`);
  };
  within('contributors', 1, 1_000_000);
  within('liars', 0, 1);
  within('hours', 0.01, 1000);
  within('trusted', 0, 0.9);
  within('targetError', limits.targetErrorMin, limits.targetErrorMax);
  const create = policies[options.policy];
  if (!create) throw new RangeError(`there is no policy ${options.policy}; there are ${Object.keys(policies).join(', ')}`);
  const started = performance.now();
  const endMs = endMsOf(options.hours);
  const { contributors, liars } = options;
  const world = new World({
    seed: options.seed,
    devices: populate(new Rng(seedOf(options.seed, 5)), { count: contributors, liars, endMs }),
    adversary: options.adversary,
    policy: (surroundings) => create(surroundings, options.targetError),
    trustedSpeed: trustedSpeedOf(options.trusted, presentOf(contributors, endMs)),
    endMs,
    tilesPerJob: TILES_PER_JOB,
  }).run();
  return {
    ...world.tally.figures(),
    contributors,
    detectionSeconds: median(world.detections.map(({ ms }) => ms / 1000)),
    detectionLies: median(world.detections.map(({ lies }) => lies)),
    liars: world.liars,
    realMs: performance.now() - started,
  };
}

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}
