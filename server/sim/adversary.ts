import type { JobId, PartMask } from '../../shared/model.ts';
import type { Rng } from '../../shared/rng.ts';

/**
 * The interface between the simulated world and whoever attacks it: a module exports `adversary`, see README.md for an example.
 * An adversary knows everything its devices are told, plus what is public, and its devices share a brain. It never learns a
 * draw before the commitment, nor who recomputes what for whom.
 */
export interface Adversary {
  /** One line: what it does. */
  readonly title: string;
  /** Called once for each run. */
  begin(outside: Outside): Brain;
}

/** What it can see without taking part. */
export interface Outside {
  /** Its own, seeded. */
  readonly random: Rng;
  /** Devices that it controls in the whole run. */
  readonly devices: number;
  /** Virtual time. */
  readonly nowMs: () => number;
}

/** The mind behind all its devices. Only `plan` is needed; the rest is done honestly when it is missing. */
export interface Brain {
  /** Share of all jobs that it orders itself. Wrong elements in those harm nobody and are not counted. */
  readonly ordersShare?: number;
  /** What to hand in for a lease. Null: the honest result. */
  plan(liar: Liar, lease: LeaseView): Plan | null;
  /** It was asked to open these columns of what it handed in with `plan`. Missing: opens. */
  opens?(liar: Liar, plan: Plan, columns: readonly number[]): Opening;
  /** It is asked to recompute an element of somebody else's result; the honest value is `honest`. Missing: answers that. */
  answers?(liar: Liar, element: AuditView, honest: number): number;
  /** Something became of it. */
  told?(liar: Liar, news: News): Move;
}

/** One device under its present name. */
export interface Liar {
  /** The same whatever it calls itself. */
  readonly device: number;
  /** 0 for its first name. */
  readonly incarnation: number;
  /** Elements a second. */
  readonly speed: number;
  /** Of this name: results handed in, results accepted, and elements drawn of the last one (0 before the first). */
  readonly handedIn: number;
  readonly accepted: number;
  readonly lastDrawn: number;
}

export interface LeaseView {
  readonly job: JobId;
  readonly pass: number;
  readonly tile: number;
  readonly parts: PartMask;
  /** Elements of one part, row by row of a square tile. */
  readonly elements: number;
  /** Ordered by this adversary. */
  readonly own: boolean;
}

export interface AuditView {
  readonly job: JobId;
  readonly pass: number;
  readonly tile: number;
  readonly part: number;
  readonly element: number;
}

/** Wrong elements of one result. */
export interface Lie {
  readonly wrong: (part: number, element: number) => boolean;
  /** What wrong elements hold, 1 to 2^30 - 1: equal values agree with each other. `random` of `Outside` makes others disagree. */
  readonly value: number;
  /** About how many (part, element) of the lease are wrong. */
  readonly size: number;
}

export interface Plan {
  /** What the total is the sum of. Null: the honest values. */
  readonly result: Lie | null;
  /** What the commitment is made over, when it is something else. Null: the honest values. */
  readonly committed?: Lie | null;
  /** Share of the honest computing time that it takes, 0 to 1; 1 when it is missing, which hides best. */
  readonly effort?: number;
  /** False: names a hash without bytes. */
  readonly bytes?: boolean;
}

/** `forged`: bytes that do not lead to the commitment. */
export type Opening = 'opened' | 'withheld' | 'forged';

export type News =
  | { readonly kind: 'accepted' | 'refuted' | 'discarded' | 'revoked'; readonly plan: Plan | null }
  /** It gets no work any more. */
  | { readonly kind: 'suspended' };

/** `renames`: leaves, and comes back under a new name and address as if never seen. */
export type Move = 'stays' | 'leaves' | 'renames';
