import type { ContributorId } from '../../shared/model.ts';
import type { Identity, Submission, Surroundings } from './policy.ts';
import { Replication, type Unit, type Validation } from './replication.ts';

/** What others do, from their own descriptions. Whole tiles, and validators that know nothing of device classes. */

const never = { barred: () => false, isSpotCheck: () => false, spotChecked: () => {} } as const;

/** Two results of different owners that agree; a third and more when they do not (BOINC's default: min_quorum 2). */
export const quorum2 = (world: Surroundings): Replication =>
  new Replication(world, () => ({ ...never, quorum: () => 2, accept: (unit, groups) => enough(unit, groups), decided: () => {} }));

const enough = ({ quorum }: Unit, groups: readonly (readonly Submission[])[]): readonly Submission[] | null =>
  groups[0] && groups[0].length >= quorum ? groups[0] : null;

const TRUSTED_AFTER = 10;

/**
 * Adaptive replication (BOINC wiki, AdaptiveReplication; sched/validator.cpp): a host with CV >= 10 consecutive valid results is trusted
 * with probability 1 - 1/CV and its result then taken alone. CV grows with replicated results that were valid only, and falls to 0
 * with an invalid one.
 */
export function boinc(world: Surroundings): Replication {
  const consecutive = new Map<ContributorId, number>();
  return new Replication(world, () => ({
    ...never,
    quorum({ id }) {
      const valid = consecutive.get(id) ?? 0;
      return valid >= TRUSTED_AFTER && world.unit() >= 1 / valid ? 1 : 2;
    },
    accept: (unit, groups) => enough(unit, groups),
    decided({ quorum }, valid, invalid) {
      if (quorum > 1) for (const { identity } of valid) consecutive.set(identity.id, (consecutive.get(identity.id) ?? 0) + 1);
      for (const { identity } of invalid) consecutive.set(identity.id, 0);
    },
  }));
}

const FAULTY_ASSUMED = 0.2;
const SPOT_CHECKED = 0.1;
const CREDIBLE = 1 - 1e-4;

/**
 * Credibility-based fault tolerance (L. F. G. Sarmenta, "Sabotage-tolerance mechanisms for volunteer computing systems", FGCS 18, 2002):
 * one tile in ten is a spot-check whose result is known; who fails one is blacklisted and its results are withdrawn. A contributor that
 * passed k of them has credibility 1 - f / ((1 - f) k e), before that 1 - f; a group of agreeing results has the probability that it
 * is right given that at most one group is, and is accepted above the threshold. At most a share f of contributors is assumed faulty.
 */
export function credibility(world: Surroundings): Replication {
  return new Replication(world, (self) => new Credibility(world, self));
}

class Credibility implements Validation {
  readonly #world: Surroundings;
  readonly #replication: Replication;
  readonly #passed = new Map<ContributorId, number>();
  readonly #blacklist = new Set<ContributorId>();
  /** Tiles of open jobs that each contributor has results in. */
  readonly #units = new Map<ContributorId, Set<Unit>>();

  constructor(world: Surroundings, replication: Replication) {
    this.#world = world;
    this.#replication = replication;
  }

  barred(contributor: ContributorId): boolean {
    return this.#blacklist.has(contributor);
  }

  quorum(): number {
    return 1;
  }

  #doubt({ identity }: Submission): number {
    const passed = this.#passed.get(identity.id) ?? 0;
    return passed === 0 ? FAULTY_ASSUMED : Math.min(FAULTY_ASSUMED, FAULTY_ASSUMED / ((1 - FAULTY_ASSUMED) * passed * Math.E));
  }

  accept(unit: Unit, groups: readonly (readonly Submission[])[]): readonly Submission[] | null {
    for (const { identity } of unit.results) this.#units.set(identity.id, (this.#units.get(identity.id) ?? new Set()).add(unit));
    // P(every member right) and P(every member wrong), for each group.
    const right = groups.map((group) => group.reduce((product, member) => product * (1 - this.#doubt(member)), 1));
    const wrong = groups.map((group) => group.reduce((product, member) => product * this.#doubt(member), 1));
    const allWrong = wrong.reduce((product, each) => product * each, 1);
    const cases = groups.map((_, index) => right[index]! * (allWrong / wrong[index]!));
    const total = allWrong + cases.reduce((sum, each) => sum + each, 0);
    const best = cases.indexOf(Math.max(...cases));
    return best >= 0 && cases[best]! / total >= CREDIBLE ? groups[best]! : null;
  }

  decided(): void {}

  isSpotCheck(_: Identity): boolean {
    return this.#world.unit() < SPOT_CHECKED;
  }

  spotChecked({ identity }: Submission, right: boolean): void {
    if (right) {
      this.#passed.set(identity.id, (this.#passed.get(identity.id) ?? 0) + 1);
      return;
    }
    this.#blacklist.add(identity.id);
    this.#passed.delete(identity.id);
    const units = this.#units.get(identity.id) ?? [];
    this.#units.delete(identity.id);
    this.#replication.withdraw(identity.id, units);
    this.#world.suspended(identity.id);
  }
}
