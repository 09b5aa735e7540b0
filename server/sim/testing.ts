import type { Adversary } from './adversary.ts';
import { adversary as always } from './kinds/always.ts';
import { policies } from './policies.ts';
import { type Device, MEDIAN_SPEED, type Session } from './population.ts';
import { floatClasses } from './values.ts';
import { World, type WorldOptions } from './world.ts';

/** Small worlds for tests. */

const FOR_EVER: readonly Session[] = [{ fromMs: 0, toMs: 1e9 }];

/** Devices that are always there: one for each entry, ten times the median speed and of another class unless it says otherwise. */
export const devices = (...wanted: readonly Partial<Omit<Device, 'number'>>[]): Device[] =>
  wanted.map((each, number) => ({
    number,
    speed: 10 * MEDIAN_SPEED,
    floatClass: floatClasses[number % floatClasses.length]!,
    liar: false,
    sessions: FOR_EVER,
    ...each,
  }));

export type SmallWorld = Partial<Omit<WorldOptions, 'policy' | 'devices'>> & {
  readonly devices: readonly Device[];
  readonly policy?: string | WorldOptions['policy'];
};

/** One job of 40 tiles, with no trusted contributor, run until it has ended or an hour is over. */
export function smallWorld({ policy = 'ours', ...options }: SmallWorld): World {
  const create = typeof policy === 'string' ? policies[policy]! : policy;
  const adversary: Adversary = options.adversary ?? always;
  return new World({
    seed: 1,
    trustedSpeed: 0,
    endMs: 3_600_000,
    tilesPerJob: 40,
    jobs: 1,
    ...options,
    adversary,
    policy: (surroundings) => create(surroundings, 1e-4),
  }).run();
}
