import { limits, SECOND_MS } from '../../shared/limits.ts';
import { countParts, type PartMask, type ResultId, type TileRef } from '../../shared/model.ts';
import { sealLease } from './lease.ts';
import { isSuspended } from './reputation.ts';
import type { ActiveLease, Contributor, Event, Job, ReplicaNeed, State } from './state.ts';
import { tileNumber } from './verifier.ts';

/** Work granted ahead: enough that the GPU never waits for the network, little enough that a closed tab loses seconds. */
const OUTSTANDING_MS = 3 * SECOND_MS;
/** One running and one prefetched, however slow the device is. */
const LEASES_MIN = 2;
/** A lease that takes ten times as long as expected is given to somebody else. */
const DEADLINE_FACTOR = 10;
const RETRY_MS = 2 * SECOND_MS;
/** Above this many unanswered checks no new work is leased: results must not pile up faster than they can be checked. */
const CHECKS_IN_FLIGHT_MAX = 512;
const SPEED_SMOOTHING = 0.3;

interface Grant {
  readonly job: Job;
  readonly at: TileRef;
  readonly parts: PartMask;
  readonly need: ReplicaNeed | null;
}

/** Grants up to `leasesMax` leases. Fewer than asked for sets `retryMs`. */
export function grantWork(state: State, contributor: Contributor, leasesMax: number, now: number): Event {
  const leases: ActiveLease[] = [];
  const want = Math.min(leasesMax, limits.leasesPerContributorMax - contributor.leases.size);
  const mayWork = contributor.connected && !isSuspended(contributor, now) && state.checksInFlight < CHECKS_IN_FLIGHT_MAX;
  let exhausted = !mayWork;
  while (mayWork && leases.length < want && wantsMore(contributor)) {
    const grant = pick(state, contributor);
    if (!grant) {
      exhausted = true;
      break;
    }
    leases.push(lease(state, contributor, grant, now));
  }
  renewLeases(contributor, now);
  contributor.idle = exhausted && contributor.leases.size < LEASES_MIN;
  return { type: 'leased', leases, retryMs: contributor.idle ? RETRY_MS : null };
}

/** Expected milliseconds of everything this contributor holds. */
function outstandingMs(contributor: Contributor): number {
  let units = 0;
  for (const held of contributor.leases.values()) units += held.unitsPerPart * countParts(held.parts);
  return units / contributor.speed;
}

const wantsMore = (contributor: Contributor): boolean =>
  contributor.leases.size < LEASES_MIN || (contributor.speed > 0 && outstandingMs(contributor) < OUTSTANDING_MS);

/** The fair next piece of work: paying jobs before the gallery, and among those the one that has been granted least. */
function pick(state: State, contributor: Contributor): Grant | undefined {
  const jobs = [...state.jobs.values()].filter((job) => !job.closing && contributor.kinds.has(job.spec.id));
  jobs.sort((a, b) => Number(a.stored.gallery) - Number(b.stored.gallery) || a.granted - b.granted || a.stored.createdMs - b.stored.createdMs);
  for (const job of jobs) {
    const grant = pickReplica(job, contributor) ?? pickTile(job);
    if (grant) return grant;
  }
  return undefined;
}

function pickReplica(job: Job, contributor: Contributor): Grant | undefined {
  for (const need of job.replicaNeeds.values()) {
    const parts = (need.missing & ~need.taken) as PartMask;
    if (parts !== 0 && need.owner !== contributor.owner) return { job, at: need.at, parts, need };
  }
  return undefined;
}

function pickTile(job: Job): Grant | undefined {
  const number = job.blocks.peek();
  if (number === undefined) return undefined;
  const at = { pass: Math.floor(number / job.grid.tiles), tile: number % job.grid.tiles };
  return { job, at, parts: job.blocks.free(number), need: null };
}

function lease(state: State, contributor: Contributor, { job, at, parts, need }: Grant, now: number): ActiveLease {
  const { id } = job.stored;
  const unitsPerPart = job.spec.work(job.context, at);
  const units = unitsPerPart * countParts(parts);
  const attempt = ++job.attempt;
  job.granted += units;
  if (need) need.taken = (need.taken | parts) as PartMask;
  else {
    job.blocks.lease(tileNumber(job.grid.tiles, at), parts);
    job.partsLeased += countParts(parts);
  }
  const token = sealLease(state.config.leaseKey, {
    job: id,
    contributor: contributor.id,
    at,
    parts,
    attempt,
    epoch: state.config.epoch,
    expiresMs: now + limits.leaseTokenMsMax,
  });
  const active: ActiveLease = {
    key: leaseKey(id, at, attempt),
    token,
    job: id,
    at,
    parts,
    replicaOf: need?.result ?? null,
    contributor: contributor.id,
    grantedMs: now,
    deadlineMs: 0,
    unitsPerPart,
  };
  contributor.leases.set(active.key, active);
  state.leases.set(active.key, active);
  return active;
}

/** Moves the deadlines of all its leases to ten times what they should take together, within the limits: whoever acts is alive. None outlives its token. */
export function renewLeases(contributor: Contributor, now: number): void {
  const expected = contributor.speed > 0 ? DEADLINE_FACTOR * outstandingMs(contributor) : limits.leaseDeadlineMsMax;
  const deadlineMs = now + Math.min(limits.leaseDeadlineMsMax, Math.max(limits.leaseDeadlineMsMin, expected));
  for (const active of contributor.leases.values()) active.deadlineMs = Math.min(deadlineMs, active.grantedMs + limits.leaseTokenMsMax);
}

/** Learns a device's speed from the times at which its work came in: never from what it says. */
export function measureSpeed(contributor: Contributor, units: number, grantedMs: number, now: number): void {
  const elapsed = Math.max(1, now - Math.max(grantedMs, contributor.lastHandInMs));
  const speed = units / elapsed;
  contributor.speed = contributor.speed === 0 ? speed : contributor.speed + SPEED_SMOOTHING * (speed - contributor.speed);
  contributor.lastHandInMs = now;
}

/** Forgets a lease; parts that were not handed in are offered again. */
export function endLease(state: State, active: ActiveLease): void {
  state.leases.delete(active.key);
  state.contributors.get(active.contributor)?.leases.delete(active.key);
  const job = state.jobs.get(active.job);
  if (!job || active.parts === 0) return;
  if (active.replicaOf !== null) {
    freeReplicaParts(state, job, active.replicaOf, active.parts);
    return;
  }
  job.blocks.unlease(tileNumber(job.grid.tiles, active.at), active.parts);
  job.partsLeased -= countParts(active.parts);
}

/** Parts that a handed-in replica is being compared for stay taken. */
function freeReplicaParts(state: State, job: Job, result: ResultId, parts: PartMask): void {
  const need = job.replicaNeeds.get(result);
  if (need) need.taken = ((need.taken & ~parts) | (state.pending.get(result)?.confirming ?? 0)) as PartMask;
}

export const leaseKey = (job: string, at: TileRef, attempt: number): string => `${job}/${at.pass}/${at.tile}/${attempt}`;

/** Whether somebody who is here could make the replica. Counts only connected contributors of another owner that take this kind of work. */
export function hasReplicator(state: State, job: Job, need: ReplicaNeed, now: number): boolean {
  for (const contributor of state.contributors.values())
    if (contributor.connected && contributor.owner !== need.owner && contributor.kinds.has(job.spec.id) && !isSuspended(contributor, now)) return true;
  return false;
}

/** Tells those who wait that there may be something to do. */
export function wakeIdle(state: State): Event[] {
  const contributors = [...state.contributors.values()].filter(({ idle, connected }) => idle && connected).map(({ id }) => id);
  for (const id of contributors) state.contributors.get(id)!.idle = false;
  return contributors.length > 0 ? [{ type: 'workAvailable', contributors }] : [];
}
