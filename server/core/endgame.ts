import { MINUTE_MS, SECOND_MS } from '../../shared/limits.ts';
import { countParts, type MicroUnits } from '../../shared/model.ts';
import { mayTake } from './offer.ts';
import { isSuspended } from './reputation.ts';
import { heldUnits } from './sizing.ts';
import type { Contributor, Job, State } from './state.ts';

/**
 * The end of a job. Contributors differ a thousandfold in speed: a slow one that takes the last tile would keep everybody waiting for
 * minutes while the others have nothing left to do. So nobody gets more of a job than it should hand in about when the others, who are at
 * work on it, would be done without it. Whoever is refused here gets other work; where nobody else is at work on the job, anybody may.
 */

/** How fast a job goes, as of some time. */
export interface Pace {
  readonly atMs: number;
  /** Micro-units a millisecond that go into the job, or lately went; and the speed of those by whom, or by faster ones, half of it is done. */
  readonly speed: number;
  readonly typical: number;
}

/** Against what the others would need. */
const SLACK = 1;
/** Nobody waits too long for so little. */
const SOON_MS = 4 * SECOND_MS;
/** So near the end nobody is given anything whose speed is not known. */
const UNKNOWN_MS = MINUTE_MS;
const PACE_MS = SECOND_MS;
const ACTIVE_MS = 10 * SECOND_MS;
/** Of more contributors some are looked at, for each job that nobody has begun or that is slowing down. */
const SAMPLE_MAX = 256;
/** Others have their turn, and come back: as fast as this is forgotten who was at work. */
const PACE_HALF_LIFE_MS = 30 * SECOND_MS;

/** How many milliseconds a contributor may take for what it holds and a piece of this job; Infinity where nobody else is at work on it. */
export function timeAllowedMs(state: State, job: Job, now: number): number {
  const { speed, typical } = paceOf(state, job, now);
  return speed === 0 ? Number.POSITIVE_INFINITY : allowanceMs(leftMs(state, job, now), job.unitsPerPart * partsPerTile(job), typical);
}

/** How many milliseconds those who are at work on a job need for what is left of it; Infinity where nobody is. */
export function leftMs(state: State, job: Job, now: number): number {
  const units = (job.partsTotal - job.partsAccepted - job.partsChecking) * job.unitsPerPart;
  return units / paceOf(state, job, now).speed;
}

function paceOf(state: State, job: Job, now: number): Pace {
  if (job.pace === null) job.pace = { atMs: now, ...expected(state, job, now) };
  if (now - job.pace.atMs >= PACE_MS) job.pace = renewed(job.pace, state, job, now);
  return job.pace;
}

/** The rule itself: what is left takes so long, and a whole lease of so many micro-units. */
export const allowanceMs = (leftMs: number, leaseUnits: number, typical: number): number => Math.max(SOON_MS, SLACK * (leftMs + leaseUnits / typical));

export const mayBeUnknown = (allowedMs: number): boolean => allowedMs > SLACK * UNKNOWN_MS;

/** Parts of a tile that a contributor may have, beside what it holds. */
export function partsInTime(contributor: Contributor, allowedMs: number, unitsPerPart: MicroUnits): number {
  if (!Number.isFinite(allowedMs)) return allowedMs;
  if (contributor.speed === 0) return mayBeUnknown(allowedMs) ? Number.POSITIVE_INFINITY : 0;
  return Math.floor((allowedMs * contributor.speed - heldUnits(contributor)) / unitsPerPart);
}

/** It works, or asks for work again and again. One that is paused does neither. */
const isActive = ({ connected, leases, askedMs }: Contributor, now: number): boolean => connected && (leases.size > 0 || now - askedMs <= ACTIVE_MS);

export const partsPerTile = (job: Job): number => job.partsPlanned / (job.grid.passes * job.grid.tiles);

/** Of contributors: how fast each is, and how much of it counts. */
type Speeds = readonly { readonly whole: number; readonly here: number }[];

function renewed(before: Pace, state: State, job: Job, now: number): Pace {
  const faded = before.speed * 2 ** ((before.atMs - now) / PACE_HALF_LIFE_MS);
  const present = summed([...atWork(state, job), ...waiting(state, job, now)]);
  if (present.speed >= faded) return { atMs: now, ...present };
  // Those who have their turn elsewhere come back; those who have left do not.
  const { speed, typical } = expected(state, job, now);
  return { atMs: now, speed: Math.min(faded, speed), typical: Math.min(before.typical, typical) };
}

/** Whoever is suspended, or rests, asks too and gets nothing. */
const mayWork = (contributor: Contributor, job: Job, now: number): boolean =>
  mayTake(contributor, job) && contributor.restUntilMs <= now && !isSuspended(contributor, job.record, now);

/** As if all came who could. */
function expected(state: State, job: Job, now: number): Omit<Pace, 'atMs'> {
  const { connected } = state;
  const step = Math.max(1, connected.length / SAMPLE_MAX);
  const active: { whole: number; here: number }[] = [];
  for (let place = 0; place < connected.length; place += step) {
    const each = connected[Math.floor(place)]!;
    if (each.speed > 0 && isActive(each, now) && mayWork(each, job, now)) active.push({ whole: each.speed, here: each.speed * step });
  }
  return summed(active);
}

/** Those who have nothing else to do, and would. */
function waiting(state: State, job: Job, now: number): Speeds {
  const step = Math.max(1, Math.floor(state.idle.size / SAMPLE_MAX));
  const found: { whole: number; here: number }[] = [];
  let place = 0;
  for (const id of state.idle) {
    const each = place++ % step === 0 ? state.contributors.get(id) : undefined;
    if (each && each.speed > 0 && each.leases.size === 0 && mayWork(each, job, now)) found.push({ whole: each.speed, here: each.speed * step });
  }
  return found;
}

/** Those who hold something of the job, as far as it is of this job. */
function atWork(state: State, job: Job): Speeds {
  const holders = new Map<Contributor, number>();
  for (const { contributor: holder, parts, unitsPerPart } of job.leases) {
    const contributor = state.contributors.get(holder);
    if (contributor?.connected && contributor.speed > 0) holders.set(contributor, (holders.get(contributor) ?? 0) + unitsPerPart * countParts(parts));
  }
  return [...holders].map(([contributor, units]) => ({ whole: contributor.speed, here: (contributor.speed * units) / heldUnits(contributor) }));
}

const summed = (speeds: Speeds): Omit<Pace, 'atMs'> => ({ speed: speeds.reduce((sum, { here }) => sum + here, 0), typical: typicalSpeed(speeds) });

/** The speed of those by whom, or by faster ones, half of it all is done. */
export function typicalSpeed(speeds: Speeds): number {
  let left = speeds.reduce((sum, { here }) => sum + here, 0) / 2;
  for (const { whole, here } of speeds.toSorted((a, b) => b.whole - a.whole)) {
    left -= here;
    if (left <= 0) return whole;
  }
  return 0;
}
