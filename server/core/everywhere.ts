import type { Contributor, Job } from './state.ts';

/** Contributors who do some kind of work, and how fast they are together, in micro-units a millisecond: those whose speed is known. */
export interface Able {
  readonly contributors: number;
  readonly speed: number;
}

/** What an estimate has to know of the coordinators that have the same jobs, as of a moment ago. */
export interface Everywhere {
  /** Of a workload, who is connected to the others. */
  others(kind: string): Able;
  /** Parts of an open job that nobody is at work on, wherever they are. */
  partsFree(job: Job): number;
  /** Of its parts, which share is accepted. */
  progress(job: Job): number;
}

export const nobody: Able = { contributors: 0, speed: 0 };

export const sumOf = (all: Iterable<Able>): Able => {
  let [contributors, speed] = [0, 0];
  for (const each of all) {
    contributors += each.contributors;
    speed += each.speed;
  }
  return { contributors, speed };
};

/** Of a job that others have too, all that is not here counts as free: that is so where there are no others, or nothing is known of them yet. */
export const onlyHere: Everywhere = {
  others: () => nobody,
  partsFree: (job) => Math.max(0, job.partsPlanned - job.blocks.waived - job.partsAccepted - job.partsChecking - job.partsLeased),
  progress: (job) => job.partsAccepted / Math.max(1, job.partsPlanned - job.blocks.waived),
};

/** The operator's own ones may be here to audit alone; drills get nothing accepted. */
export const works = ({ trusted, drill, speed, leases }: Pick<Contributor, 'trusted' | 'drill' | 'speed' | 'leases'>): boolean =>
  !drill && (!trusted || speed > 0 || leases.size > 0);

/** By workload, who of these does it. */
export function ableOf(contributors: Iterable<Contributor>): Map<string, Able> {
  const able = new Map<string, Able>();
  for (const contributor of contributors) {
    if (!works(contributor)) continue;
    const { kinds, preferences, speed } = contributor;
    for (const kind of kinds) {
      if (preferences.kinds && !preferences.kinds.includes(kind)) continue;
      const before = able.get(kind) ?? nobody;
      able.set(kind, { contributors: before.contributors + 1, speed: before.speed + speed });
    }
  }
  return able;
}
