import { limits, SECOND_MS } from '../../shared/limits.ts';
import { countParts } from '../../shared/model.ts';
import { typicalSpeed } from './endgame.ts';
import { fetchMs } from './fetching.ts';
import { mayTake } from './offer.ts';
import { isSuspended, standingOf } from './reputation.ts';
import { comesInMs, heldUnits } from './sizing.ts';
import type { ActiveLease, Contributor, Event, Job, State } from './state.ts';
import { leavingRateOf } from './traffic.ts';

/**
 * The last pieces of a job are out. Whoever should have one of them sooner than its holder gets a copy of the lease; what is handed in first
 * counts, and the other lease ends without blame. One of two computes in vain: so a copy is granted only where it is worth that, and where the
 * contributor has something else to do, only where it is worth far more. It is one attempt more and nothing else: it takes the same records, and is committed, drawn and audited as any other.
 */

/** What may be copied, what should take longest first; as of some time. */
export interface Stragglers {
  readonly atMs: number;
  readonly leases: readonly ActiveLease[];
  /** All before it have copies, or have ended. */
  next: number;
  /** Micro-units a millisecond of those that have nothing to do, of whom, or of faster ones, half of what all of them could do comes. */
  readonly idleSpeed: number;
}

const FRESH_MS = SECOND_MS;
/** For less nobody computes anything twice. */
const GAIN_MS_MIN = SECOND_MS;
/** By so many times what a copy takes a job has to end sooner: where its device has nothing else to do, and where it has. */
const GAIN_IDLE = 1;
const GAIN_BUSY = 8;
/** Of the slowest so many are looked at: what is not worth it for them is hardly for those behind them; and by who has something else to do. */
const LOOKED_AT_MAX = 32;
const LOOKED_AT_BUSY_MAX = 4;
/** Who is so much slower than others that have nothing to do, or than those who do most of the job, leaves the copy to them. */
const SLOWER_MAX = 2;
/** What was taken from who has gone is offered this long after that. */
const RETURN_MS = limits.absenceGraceMsMax + SECOND_MS / 2;

export const noStragglers: Stragglers = { atMs: Number.NEGATIVE_INFINITY, leases: [], next: 0, idleSpeed: 0 };

/** A lease that this contributor should copy. `isIdle`: there is nothing else for it. */
export function pickCopy(state: State, contributor: Contributor, isIdle: boolean, now: number): ActiveLease | undefined {
  if (contributor.speed === 0 || contributor.drill || (isIdle && contributor.leases.size > 0)) return undefined;
  if (now - state.stragglers.atMs >= FRESH_MS) state.stragglers = { atMs: now, leases: stragglers(state, now), next: 0, idleSpeed: idleSpeed(state) };
  const known = state.stragglers;
  const { leases } = known;
  if (contributor.speed * SLOWER_MAX < known.idleSpeed) return undefined;
  while (known.next < leases.length && !mayBeCopied(state, leases[known.next]!)) known.next++;
  const end = Math.min(leases.length, known.next + (isIdle ? LOOKED_AT_MAX : LOOKED_AT_BUSY_MAX));
  for (let place = known.next; place < end; place++) if (isWorthCopying(state, leases[place]!, contributor, isIdle, now)) return leases[place];
  return undefined;
}

/** Of those that were stragglers a moment ago some have ended since. */
const mayBeCopied = ({ leases }: State, active: ActiveLease): boolean => !active.twin && active.parts !== 0 && leases.get(active.key) === active;

function idleSpeed({ idle, contributors }: State): number {
  const speeds: { whole: number; here: number }[] = [];
  for (const id of idle) {
    const each = contributors.get(id);
    if (each && each.speed > 0 && each.leases.size === 0) speeds.push({ whole: each.speed, here: each.speed });
  }
  return typicalSpeed(speeds);
}

function stragglers(state: State, now: number): ActiveLease[] {
  const found: { readonly active: ActiveLease; readonly ms: number }[] = [];
  for (const job of state.jobs.values()) {
    if (job.leases.size === 0 || job.closing || job.paused || job.blocks.peek() !== undefined) continue;
    for (const active of job.leases) if (!active.twin) found.push({ active, ms: heldMs(state, job, active, now) });
  }
  return found.sort((a, b) => b.ms - a.ms).map(({ active }) => active);
}

/** Until its holder hands it in, if it stays. Who was never seen to work is taken to be as fast as the others. */
function heldMs({ contributors }: State, job: Job, active: ActiveLease, now: number): number {
  const holder = contributors.get(active.contributor);
  if (!holder?.connected) return RETURN_MS;
  return active.fetchMs + comesInMs(holder, active, job.pace?.typical || job.unitsPerPart / SECOND_MS, now);
}

function isWorthCopying(state: State, active: ActiveLease, contributor: Contributor, isIdle: boolean, now: number): boolean {
  const job = state.jobs.get(active.job);
  if (!job || contributor.speed * SLOWER_MAX < (job.pace?.typical ?? 0)) return false;
  if (!mayBeCopied(state, active) || job.paused || job.closing || !mayCopy(job, active, contributor, now)) return false;
  const units = heldUnits(contributor) + active.unitsPerPart * countParts(active.parts);
  const copyMs = fetchMs(contributor, job) + units / contributor.speed;
  const gainMs = expectedMs(state, job, active, copyMs, now) - copyMs;
  return isWorthIt(gainMs, copyMs, isIdle);
}

/** Whether a job should end so much sooner for what a copy takes. */
export const isWorthIt = (gainMs: number, copyMs: number, isIdle: boolean): boolean =>
  gainMs >= Math.max(GAIN_MS_MIN, (isIdle ? GAIN_IDLE : GAIN_BUSY) * copyMs);

/** Only for who has a record for all of it: others may risk no more than a part, and a lie would undo what is under way. */
function mayCopy(job: Job, { contributor: holder, elementsPerPart, parts }: ActiveLease, contributor: Contributor, now: number): boolean {
  if (holder === contributor.id || !mayTake(contributor, job) || isSuspended(contributor, job.record, now)) return false;
  return contributor.trusted || standingOf(contributor, job.record, now).verified - contributor.undecided >= elementsPerPart * countParts(parts);
}

/** Until it is handed in by its holder, or by somebody like the copier where the holder leaves before that. */
function expectedMs(state: State, job: Job, active: ActiveLease, copyMs: number, now: number): number {
  const ms = heldMs(state, job, active, now);
  const holder = state.contributors.get(active.contributor);
  if (!holder?.connected) return ms + copyMs;
  const leaves = 1 - Math.exp(-leavingRateOf(state.traffic, holder, now) * ms);
  return (1 - leaves) * ms + leaves * (ms / 2 + RETURN_MS + copyMs);
}

/** Parts of a lease were handed in: they end for its copy too, and a copy without any is over. */
export function settleTwin(state: State, active: ActiveLease, covered: number): Event[] {
  const { twin } = active;
  if (!twin) return [];
  twin.parts = (twin.parts & ~covered) as ActiveLease['parts'];
  if (twin.parts !== 0) return [];
  part(active);
  state.leases.delete(twin.key);
  state.jobs.get(twin.job)?.leases.delete(twin);
  state.contributors.get(twin.contributor)?.leases.delete(twin.key);
  return [{ type: 'leasesVoided', contributor: twin.contributor, tokens: [twin.token], reason: 'Somebody else has finished this tile.' }];
}

/** From now on a lease has no copy, and is none. Returns what its copy still covers. */
export function part(active: ActiveLease): ActiveLease['parts'] {
  const { twin } = active;
  if (!twin) return 0 as ActiveLease['parts'];
  active.twin = null;
  twin.twin = null;
  return twin.parts;
}
