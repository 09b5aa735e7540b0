import { boinc, credibility, quorum2 } from './baselines.ts';
import { Ours } from './ours.ts';
import type { Policy, Surroundings } from './policy.ts';

/** Who decides what is believed, by the name on the command line. Only ours knows a target error. */
export const policies: Readonly<Record<string, (world: Surroundings, targetError: number) => Policy>> = {
  ours: (world, targetError) => new Ours(world, targetError),
  boinc,
  quorum2,
  credibility,
};
