import { DAY_MS } from '../../shared/limits.ts';
import type { ResultState } from '../../shared/model.ts';
import type { Write } from '../store/store.ts';
import type { Contributor } from './state.ts';

const REFUTED_MIN = 2;
const REFUTED_SHARE_MAX = 0.05;
const SUSPENSION_MS = DAY_MS;
export const SUSPENDED = 'Results from this device did not match when they were computed again. It gets no work for 24 hours.';

/** Counts a verdict. Two refuted results and more than one in twenty suspend a contributor for a day: no leases, nothing new paid. */
export function recordVerdict(contributor: Contributor, state: ResultState, now: number): Write {
  if (state === 'accepted') contributor.accepted++;
  if (state === 'refuted') contributor.refuted++;
  const share = contributor.refuted / (contributor.accepted + contributor.refuted || 1);
  if (state === 'refuted' && contributor.refuted >= REFUTED_MIN && share > REFUTED_SHARE_MAX) contributor.suspendedUntilMs = now + SUSPENSION_MS;
  return {
    kind: 'reputation',
    contributor: contributor.id,
    accepted: contributor.accepted,
    refuted: contributor.refuted,
    suspendedUntilMs: contributor.suspendedUntilMs,
  };
}

export const isSuspended = (contributor: Contributor, now: number): boolean => contributor.suspendedUntilMs > now;
