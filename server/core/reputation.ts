import { DAY_MS } from '../../shared/limits.ts';
import type { Evidence, ResultState } from '../../shared/model.ts';
import type { ContributorRecord } from '../../shared/schemas.ts';
import type { Write } from '../store/store.ts';
import type { Contributor } from './state.ts';

/** What a contributor's word is worth for one workload, from checks alone: never from what it says of itself. */
export interface Standing {
  accepted: number;
  refuted: number;
  /** Never opened, or taken back. Slow and vanished are not lies. */
  discarded: number;
  /** Elements accepted after checks, decaying. */
  verified: number;
  /** Elements of it that were recomputed, those that differed, and those nothing explained. */
  drawn: number;
  differing: number;
  unexplained: number;
  suspendedUntilMs: number;
  /** When `verified` was as it stands. */
  atMs: number;
}

const HALF_LIFE_MS = 30 * DAY_MS;
const SUSPENSION_MS = DAY_MS;
/** Leaving a result unopened costs this share of the record: otherwise a liar would close its tab whenever a draw hits. */
const ABANDONED_SHARE = 0.5;
/** A long record vests this many times as fast as none. */
const VESTING_FACTOR_MAX = 20;

export const SUSPENDED = 'Results from this device were wrong when they were computed again. It gets no work for 24 hours.';

export const newStanding = (now: number): Standing => ({
  accepted: 0,
  refuted: 0,
  discarded: 0,
  verified: 0,
  drawn: 0,
  differing: 0,
  unexplained: 0,
  suspendedUntilMs: 0,
  atMs: now,
});

/** A contributor's standing with a workload, decayed to now. */
export function standingOf(contributor: Contributor, workload: string, now: number): Standing {
  let standing = contributor.standings.get(workload);
  if (!standing) {
    standing = newStanding(now);
    contributor.standings.set(workload, standing);
  }
  if (now > standing.atMs) {
    standing.verified *= 2 ** ((standing.atMs - now) / HALF_LIFE_MS);
    standing.atMs = now;
  }
  return standing;
}

/**
 * Counts a verdict. Accepted elements add to the record unless the job is the contributor's own; a proven lie ends it and
 * suspends the contributor; a result that was not opened or not judged costs half of it when that was the contributor's doing.
 */
export function recordVerdict(
  contributor: Contributor,
  workload: string,
  verdict: { readonly state: Exclude<ResultState, 'committed'>; readonly elements: number; readonly evidence: readonly Evidence[]; readonly itsDoing: boolean },
  now: number,
): Write {
  const standing = standingOf(contributor, workload, now);
  for (const { drawn, differing, unexplained } of verdict.evidence) {
    standing.drawn += drawn;
    standing.differing += differing;
    standing.unexplained += unexplained;
  }
  if (verdict.state === 'accepted') {
    standing.accepted++;
    standing.verified += verdict.elements;
  } else if (verdict.state === 'refuted') {
    standing.refuted++;
    standing.verified = 0;
    standing.suspendedUntilMs = now + SUSPENSION_MS;
  } else {
    standing.discarded++;
    if (verdict.itsDoing) standing.verified *= ABANDONED_SHARE;
  }
  return { kind: 'standing', contributor: contributor.id, workload, standing: { ...standing } };
}

export const isSuspended = (contributor: Contributor, workload: string, now: number): boolean =>
  (contributor.standings.get(workload)?.suspendedUntilMs ?? 0) > now;

/** How long the pay for a result can still be voided: the whole time for a newcomer, a twentieth of it for a long record. */
export const vestingMs = (longestMs: number, standing: Standing, elements: number): number =>
  Math.ceil(longestMs * Math.max(1 / VESTING_FACTOR_MAX, elements / (standing.verified + elements)));

/** What its contributor is shown. */
export const recordOf = ({ atMs: _, ...record }: Standing): ContributorRecord => ({ ...record });
