import { MINUTE_MS, SECOND_MS } from '../../shared/limits.ts';
import { type ContributorId, fullMask, type JobId } from '../../shared/model.ts';
import { agree } from './agreement.ts';
import { type Grant, type Identity, NO_WORK, type Policy, type SimJob, type Submission, type Surroundings, type Work } from './policy.ts';
import { PARTS } from './spec.ts';

/** One tile on its way: who holds a copy, and what came back. */
export interface Unit {
  readonly job: SimJob;
  readonly tile: number;
  /** Owners that were ever given a copy: nobody gets two. */
  readonly owners: Set<string>;
  readonly out: Map<string, Identity>;
  results: Submission[];
  /** Results that have to agree. */
  quorum: number;
  accepted: readonly Submission[] | null;
}

/** What differs between the systems that replicate whole tiles. */
export interface Validation {
  /** Who is not given work any more. */
  barred(contributor: ContributorId): boolean;
  /** Results that have to agree when this contributor gets the first copy of a tile. */
  quorum(first: Identity): number;
  /** The results that are enough; null when more are needed. `groups`: of agreeing results, the largest first. */
  accept(unit: Unit, groups: readonly (readonly Submission[])[]): readonly Submission[] | null;
  /** After a decision. */
  decided(unit: Unit, valid: readonly Submission[], invalid: readonly Submission[]): void;
  /** Whether the next piece of work for this contributor is one whose result is known. */
  isSpotCheck(contributor: Identity): boolean;
  spotChecked(submission: Submission, right: boolean): void;
}

/** After so many results that do not agree a tile begins anew (BOINC: max_total_results). */
const RESULTS_MAX = 8;
/** A copy that is not back is given to somebody else. */
const DEADLINE_MS = 30 * MINUTE_MS;
const LEASES_MAX = 2;
const RETRY_MS = 2 * SECOND_MS;
const SCANNED_MAX = 64;
/** As ours: a result that a device leaves behind is offered again so soon. */
const GRACE_MS = 5 * SECOND_MS;

/** Systems that give the same tile to several contributors and compare what comes back. */
export class Replication implements Policy {
  readonly #world: Surroundings;
  readonly #validation: Validation;
  readonly #jobs = new Map<JobId, { readonly job: SimJob; next: number; open: number }>();
  /** Tiles that want another copy, oldest first. */
  #wanted: Unit[] = [];
  readonly #held = new Map<ContributorId, Map<string, { readonly unit: Unit | null; readonly untilMs: number }>>();
  readonly #gone: { readonly id: ContributorId; readonly atMs: number }[] = [];
  readonly #here = new Set<ContributorId>();
  #keys = 0;

  constructor(world: Surroundings, validation: (self: Replication) => Validation) {
    this.#world = world;
    this.#validation = validation(this);
  }

  openJob(job: SimJob): void {
    this.#jobs.set(job.id, { job, next: 0, open: job.tiles });
  }

  supply(): number {
    let tiles = 0;
    for (const { job, next } of this.#jobs.values()) tiles += job.tiles - next;
    return tiles;
  }

  join({ id }: Identity): void {
    this.#here.add(id);
    if (!this.#held.has(id)) this.#held.set(id, new Map());
  }

  leave({ id }: Identity): void {
    this.#here.delete(id);
    this.#gone.push({ id, atMs: this.#world.now() + GRACE_MS });
  }

  work(identity: Identity, leasesMax: number): Work {
    const held = this.#held.get(identity.id)!;
    if (identity.trusted || this.#validation.barred(identity.id)) return { ...NO_WORK, retryMs: RETRY_MS };
    const leases: Grant[] = [];
    while (held.size < LEASES_MAX && leases.length < leasesMax) {
      const spot = this.#validation.isSpotCheck(identity) ? this.#jobs.values().next().value : undefined;
      const unit = spot ? null : this.#pick(identity);
      if (!spot && !unit) break;
      const key = String(++this.#keys);
      const job = (spot ?? this.#jobs.get(unit!.job.id))!.job;
      // A spot-check looks like any other tile.
      leases.push({ key, job, at: { pass: 0, tile: unit ? unit.tile : this.#keys % job.tiles }, parts: fullMask(PARTS) });
      held.set(key, { unit, untilMs: this.#world.now() + DEADLINE_MS });
      unit?.out.set(key, identity);
    }
    return { leases, audits: [], retryMs: held.size === 0 ? RETRY_MS : null };
  }

  #pick(identity: Identity): Unit | null {
    for (let index = 0; index < Math.min(SCANNED_MAX, this.#wanted.length); index++) {
      const unit = this.#wanted[index]!;
      if (unit.owners.has(identity.owner)) continue;
      if (unit.results.length === 0 && unit.out.size === 0) unit.quorum = this.#validation.quorum(identity);
      unit.owners.add(identity.owner);
      if (unit.results.length + unit.out.size + 1 >= this.#copies(unit)) this.#wanted.splice(index, 1);
      return unit;
    }
    return this.#begin(identity);
  }

  /** Copies that a tile wants by now: the quorum, or one more than is back without agreement. */
  #copies(unit: Unit): number {
    return Math.max(unit.quorum, unit.results.length + 1);
  }

  #begin(identity: Identity): Unit | null {
    for (const each of this.#jobs.values()) {
      if (each.next >= each.job.tiles) continue;
      const unit: Unit = {
        job: each.job,
        tile: each.next++,
        owners: new Set([identity.owner]),
        out: new Map(),
        results: [],
        quorum: this.#validation.quorum(identity),
        accepted: null,
      };
      if (unit.quorum > 1) this.#wanted.push(unit);
      return unit;
    }
    return null;
  }

  handIn(submission: Submission): readonly number[] | null {
    const held = this.#held.get(submission.identity.id)!;
    const lease = held.get(submission.grant.key);
    if (!lease) return null;
    held.delete(submission.grant.key);
    const { unit } = lease;
    if (unit === null) {
      this.#spotCheck(submission);
      return [];
    }
    unit.out.delete(submission.grant.key);
    if (this.#validation.barred(submission.identity.id)) return null;
    unit.results.push(submission);
    this.#judge(unit);
    return [];
  }

  /** Work that nobody needs: its cost is a check, whatever came out. */
  #spotCheck(submission: Submission): void {
    this.#world.tally.checked.spotCheck += submission.size;
    // Compared with a result that is known to be right, of the referee's class.
    const right = agree(submission, { ...submission, result: null });
    this.#validation.spotChecked(submission, right);
  }

  #judge(unit: Unit): void {
    if (unit.accepted) return;
    const valid = this.#validation.accept(unit, groupsOf(unit.results));
    if (valid) this.#accept(unit, valid);
    else if (unit.results.length >= RESULTS_MAX) this.#beginAnew(unit);
    else this.#want(unit);
  }

  #want(unit: Unit): void {
    if (unit.results.length + unit.out.size < this.#copies(unit) && !this.#wanted.includes(unit)) this.#wanted.push(unit);
  }

  #accept(unit: Unit, valid: readonly Submission[]): void {
    unit.accepted = valid;
    this.#wanted = this.#wanted.filter((each) => each !== unit);
    const invalid = unit.results.filter((result) => !valid.includes(result));
    for (const [index, submission] of valid.entries()) {
      if (index === 0) this.#world.decided(submission, 'accepted');
      else {
        this.#world.tally.checked.replica += submission.size;
        this.#world.confirmed(submission);
      }
    }
    for (const submission of invalid) this.#world.decided(submission, 'refuted');
    const job = this.#jobs.get(unit.job.id);
    if (job && --job.open === 0) {
      this.#jobs.delete(unit.job.id);
      this.#world.jobEnded(unit.job.id);
    }
    this.#validation.decided(unit, valid, invalid);
  }

  #beginAnew(unit: Unit): void {
    for (const submission of unit.results) this.#world.decided(submission, 'discarded');
    unit.results = [];
    this.#want(unit);
  }

  /** A saboteur was found: nothing of it counts in tiles that are not finished, nor in finished ones of open jobs that rested on it. */
  withdraw(contributor: ContributorId, units: Iterable<Unit>): void {
    for (const unit of units) {
      const mine = unit.results.filter(({ identity }) => identity.id === contributor);
      if (mine.length === 0) continue;
      const was = unit.accepted;
      if (was && !this.#jobs.has(unit.job.id)) continue;
      unit.results = unit.results.filter(({ identity }) => identity.id !== contributor);
      if (was) this.#reopen(unit, was);
      else for (const submission of mine) this.#world.decided(submission, 'refuted');
      this.#judge(unit);
    }
  }

  #reopen(unit: Unit, was: readonly Submission[]): void {
    unit.accepted = null;
    this.#jobs.get(unit.job.id)!.open++;
    this.#world.decided(was[0]!, 'revoked');
    for (const replica of was.slice(1)) this.#world.tally.checked.replica -= replica.size;
    // The results of others stay in play: they are counted when the tile is decided again.
    if (unit.results.includes(was[0]!)) this.#world.tally.lost.revoked -= was[0]!.size;
    for (const replica of was.slice(1)) if (!unit.results.includes(replica)) this.#world.tally.lost.refuted += replica.size;
  }

  open(): void {
    throw new Error('nothing is opened here');
  }

  answer(): void {
    throw new Error('nobody audits here');
  }

  tick(): void {
    const now = this.#world.now();
    while (this.#gone.length > 0 && this.#gone[0]!.atMs <= now) {
      const { id } = this.#gone.shift()!;
      if (!this.#here.has(id)) this.#takeBack(id, () => true);
    }
    for (const [id, held] of this.#held) if (held.size > 0) this.#takeBack(id, (untilMs) => untilMs <= now);
  }

  #takeBack(id: ContributorId, isOver: (untilMs: number) => boolean): void {
    const held = this.#held.get(id)!;
    const over = [...held].filter(([, { untilMs }]) => isOver(untilMs));
    for (const [key, { unit }] of over) {
      held.delete(key);
      unit?.out.delete(key);
      if (unit && !unit.accepted) this.#want(unit);
    }
    if (over.length > 0)
      this.#world.leasesVoided(
        id,
        over.map(([key]) => key),
      );
  }
}

/** Agreeing results together, the largest group first: each result joins the first group whose founder it agrees with. */
export function groupsOf(results: readonly Submission[]): Submission[][] {
  const groups: Submission[][] = [];
  for (const result of results) {
    const group = groups.find(([founder]) => agree(founder!, result));
    if (group) group.push(result);
    else groups.push([result]);
  }
  return groups.sort((a, b) => b.length - a.length);
}
