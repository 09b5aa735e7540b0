import { limits, SECOND_MS } from '../../shared/limits.ts';
import { countParts } from '../../shared/model.ts';
import type { ActiveLease, Contributor } from './state.ts';

/** How much a contributor is given at a time, and how long it has for it: by what it was seen to do, never by what it says. */

/** A lease is worth so much of its contributor's time, in the middle of a job; towards its end less, so that all end together. */
export const LEASE_MS = 2 * SECOND_MS;
const LEASE_MS_MIN = SECOND_MS;
/** The rest of a tile goes along as long as a lease is at most so many times what it should be: four seconds. */
const WHOLE_TILE = 2;
/** In what is left of a job there is room for so many leases, one after the other. */
const LEASES_LEFT = 8;
/** One running and one prefetched, however slow the device is. */
export const LEASES_MIN = 2;
/** Work granted ahead, in leases: enough that the GPU never waits for the network, little enough that a closed tab loses seconds. */
export const LEASES_AHEAD = 2;

/** Refused so often, a contributor gets leases of half the size. */
const REFUSED_HALF = 4;
/** By so much less counts what it refused with every lease it hands in. */
const REFUSED_FADE = 0.9;
/** So much of it costs nothing, one lease in eighteen: tabs are hidden and devices lost. */
const REFUSED_FREE = 1.2;
/** What is beyond it costs so many times what it would have taken. */
const REFUSED_PRICE = 2;
/** So many refusals, hardly anything done between them, are a choice. */
const REFUSED_MAX = 8;

/** A device that was throttled or has less to do with itself is believed within three leases. */
const SPEED_SMOOTHING = 0.3;
/** Of how long leases took against what was expected, the weight of the latest one. */
const LATENESS_SMOOTHING = 0.1;
/** So many leases make a history. */
const HISTORY_MIN = 8;
/** Until then a lease that takes ten times as long as expected goes to somebody else; afterwards never sooner than one that takes twice as long. */
const DEADLINE_FACTOR_MAX = 10;
const DEADLINE_FACTOR_MIN = 2;
/** Standard deviations above the mean: whatever the distribution, one lease in seventeen at most takes longer (Cantelli). */
const DEADLINE_DEVIATIONS = 4;

/** A lease that should be in already will take a part more of the time it took so far. */
const OVERDUE = 0.2;
/** And who was never seen to work as much again: speeds are over orders of magnitude, and the longer it takes the slower it is. */
const OVERDUE_UNKNOWN = 1;

/** What a contributor's leases took, as multiples of what they should have taken. */
export interface Lateness {
  count: number;
  mean: number;
  variance: number;
}

export const newLateness = (): Lateness => ({ count: 0, mean: 1, variance: 0 });

/** Micro-units of everything that a contributor holds. */
export function heldUnits({ leases }: Contributor): number {
  let units = 0;
  for (const held of leases.values()) units += held.unitsPerPart * countParts(held.parts);
  return units;
}

/** When a lease should be handed in, behind those that its contributor was given before; `usual` is the speed of one that is not known. */
export function comesInMs({ speed, leases, lastHandInMs }: Contributor, lease: ActiveLease, usual: number, now: number): number {
  const rate = speed > 0 ? speed : usual;
  let [at, isFirst] = [0, true];
  for (const each of leases.values()) {
    const ms = (each.unitsPerPart * countParts(each.parts)) / rate;
    const since = isFirst ? now - Math.max(each.grantedMs, lastHandInMs) : 0;
    at += Math.max(ms - since, isFirst ? (speed > 0 ? OVERDUE : OVERDUE_UNKNOWN) * Math.max(ms, since) : 0);
    isFirst = false;
    if (each.key === lease.key) break;
  }
  return at;
}

/** What a lease of a job should be worth that the others need so many milliseconds for, to a contributor that refuses so much. */
export const leaseMs = (leftMs: number, refused: number): number =>
  Math.max(LEASE_MS_MIN, Math.min(LEASE_MS, leftMs / LEASES_LEFT)) / (1 + refused / REFUSED_HALF);

/** Parts of a lease, of so many that are free of a tile: at least one. */
export function partsWorth(partMs: number, free: number, worthMs: number): number {
  if (free * partMs <= WHOLE_TILE * worthMs) return free;
  return Math.max(1, Math.floor(worthMs / partMs));
}

/** Whether there is room for another lease of so many milliseconds beside what a contributor holds. */
export const hasRoom = ({ leases, refused }: Contributor, heldMs: number, moreMs: number): boolean =>
  leases.size < LEASES_MIN || heldMs + moreMs <= LEASES_AHEAD * leaseMs(Number.POSITIVE_INFINITY, refused);

/**
 * It gave back what it was granted, a bundle or some of it. Bundles are taken unseen; who looks into them and keeps what is cheaper than it is paid for
 * loses the time that the rest of it would have taken, at its own speed: picking pays no more than working (`picking.test.ts`). Returns milliseconds for
 * which it gets nothing new, and whether it has done so too often.
 */
export function noteRefusal(contributor: Contributor, given: readonly ActiveLease[]): { readonly ms: number; readonly isTooOften: boolean } {
  contributor.refused++;
  const units = given.reduce((sum, { unitsPerPart, parts }) => sum + unitsPerPart * countParts(parts), 0);
  const ms =
    contributor.refused > REFUSED_FREE && contributor.speed > 0
      ? Math.min(LEASES_AHEAD * WHOLE_TILE * LEASE_MS, (REFUSED_PRICE * units) / contributor.speed)
      : 0;
  return { ms, isTooOften: contributor.refused > REFUSED_MAX };
}

/** Learns from a hand-in of so many micro-units how fast a device is, and how regularly. */
export function noteHandIn(contributor: Contributor, units: number, grantedMs: number, now: number): void {
  const elapsed = Math.max(1, now - Math.max(grantedMs, contributor.lastHandInMs));
  const { speed, lateness } = contributor;
  contributor.lastHandInMs = now;
  contributor.refused *= REFUSED_FADE;
  if (speed === 0) {
    contributor.speed = units / elapsed;
    return;
  }
  // Times are averaged, not speeds: of two hand-ins that arrive together the second took no time.
  contributor.speed = 1 / ((1 - SPEED_SMOOTHING) / speed + (SPEED_SMOOTHING * elapsed) / units);
  const apart = (elapsed * speed) / units - lateness.mean;
  const weight = Math.max(LATENESS_SMOOTHING, 1 / ++lateness.count);
  lateness.mean += weight * apart;
  lateness.variance = (1 - weight) * (lateness.variance + weight * apart * apart);
}

/** How long a contributor has from now for all that it holds, without downloads. */
export function timeToDeadline(contributor: Contributor): number {
  const { speed, lateness } = contributor;
  if (speed === 0) return limits.leaseDeadlineMsMax;
  const usual = lateness.mean + DEADLINE_DEVIATIONS * Math.sqrt(lateness.variance);
  const factor = lateness.count < HISTORY_MIN ? DEADLINE_FACTOR_MAX : Math.max(DEADLINE_FACTOR_MIN, Math.min(DEADLINE_FACTOR_MAX, usual));
  return Math.min(limits.leaseDeadlineMsMax, Math.max(limits.leaseDeadlineMsMin, (factor * heldUnits(contributor)) / speed));
}
