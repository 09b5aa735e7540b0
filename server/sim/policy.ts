import type { ContributorId, ElementRef, JobId, OwnerId, PartMask, TileRef } from '../../shared/model.ts';
import type { Finish } from '../core/estimate.ts';
import type { Lie, Opening, Plan } from './adversary.ts';
import type { Tally } from './tally.ts';
import type { FloatClass } from './values.ts';

/** Between the world, which has the devices, and a policy, which decides what is believed: ours or a baseline. */
export interface Policy {
  openJob(job: SimJob): void;
  /** When a job would be done that is not there yet; null when nobody could say. */
  quote?(job: SimJob): Finish | null;
  /** Tiles of open jobs that nobody has yet. */
  supply(): number;
  join(identity: Identity): void;
  leave(identity: Identity): void;
  work(identity: Identity, leasesMax: number): Work;
  /** The columns to open; null when it was refused. */
  handIn(submission: Submission): readonly number[] | null;
  open(submission: Submission, opening: Exclude<Opening, 'withheld'>): void;
  /** One value an element. */
  answer(identity: Identity, audit: Audit, values: Uint32Array): void;
  /** Once a second. */
  tick(): void;
}

/** What a policy tells the world, and what it counts. */
export interface Surroundings {
  now(): number;
  in(delayMs: number, act: () => void): void;
  /** Its own random numbers, so that a policy does not change the world around it. */
  unit(): number;
  bytes(length: number): Uint8Array;
  readonly tally: Tally;
  workAvailable(contributors: readonly ContributorId[]): void;
  openWanted(submission: Submission, columns: readonly number[]): void;
  leasesVoided(contributor: ContributorId, keys: readonly string[]): void;
  /** A verdict; `revoked` comes after `accepted`. */
  decided(submission: Submission, state: 'accepted' | 'refuted' | 'discarded' | 'revoked'): void;
  /** A further result of an accepted tile agreed with the one that counts. */
  confirmed(submission: Submission): void;
  suspended(contributor: ContributorId): void;
  jobEnded(job: JobId): void;
}

export interface SimJob {
  readonly id: JobId;
  readonly seed: number;
  readonly tiles: number;
  readonly owner: OwnerId;
  /** Ordered by the adversary. */
  readonly own: boolean;
  /** Done when there is nothing else. */
  readonly gallery?: boolean;
  /** Micro-credits; a million when it is missing. */
  readonly ratePerUnit?: bigint | undefined;
}

/** A name under which a device is known. */
export interface Identity {
  readonly id: ContributorId;
  readonly owner: OwnerId;
  readonly network: string;
  readonly trusted: boolean;
  readonly floatClass: FloatClass;
  /** Of the device's earlier days. */
  readonly record?: number | undefined;
}

export interface Grant {
  /** Names the lease in `leasesVoided`. */
  readonly key: string;
  readonly job: SimJob;
  readonly at: TileRef;
  readonly parts: PartMask;
}

export interface Audit {
  readonly token: string;
  readonly job: SimJob;
  readonly elements: readonly ElementRef[];
}

export interface Work {
  readonly leases: readonly Grant[];
  readonly audits: readonly Audit[];
  readonly retryMs: number | null;
}

export const NO_WORK = { leases: [], audits: [] } as const;

/** What a device hands in for a lease. Its values are the honest ones of its class, but for a lie. */
export interface Submission {
  readonly identity: Identity;
  readonly grant: Grant;
  /** (part, element)s. */
  readonly size: number;
  readonly tileKey: number;
  readonly plan: Plan | null;
  /** What the total holds, and what the commitment was made over. */
  readonly result: Lie | null;
  readonly committed: Lie | null;
}
