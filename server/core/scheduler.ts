import { limits, MINUTE_MS, SECOND_MS } from '../../shared/limits.ts';
import { countParts, type PartMask, type TileRef } from '../../shared/model.ts';
import { grantAudits } from './audits.ts';
import { part, pickCopy } from './copies.ts';
import { leftMs, partsInTime, timeAllowedMs } from './endgame.ts';
import { fetchMs } from './fetching.ts';
import { sealLease } from './lease.ts';
import { isFree, mayTake, rankOf } from './offer.ts';
import { isSuspended, standingOf } from './reputation.ts';
import { hasRoom, heldUnits, LEASES_AHEAD, LEASES_MIN, leaseMs, partsWorth, timeToDeadline } from './sizing.ts';
import type { ActiveLease, Contributor, Event, Job, RandomBytes, State } from './state.ts';
import { charge, inTurn, lagOf } from './turns.ts';
import { tileNumber } from './verifier.ts';

/** Who waits is called when there is something new, and asks again for what comes with time alone: copies, say. Some are enough for that. */
const RETRY_MS = 2 * SECOND_MS;
const RETRY_MS_MAX = 20 * SECOND_MS;
const RETRYING = 64;
/** Above this many unanswered checks no new work is leased: results must not pile up faster than they can be checked. */
const CHECKS_IN_FLIGHT_MAX = 512;
/** What contributors without a record may waste: this share of what is achieved, and at the beginning this many elements. */
const WASTE_SHARE_MAX = 0.1;
const WASTE_ELEMENTS_FREE = 64 * 1024;
const WASTE_HALF_LIFE_MS = 10 * MINUTE_MS;
/** Beyond it one newcomer a second is tried, so that honest ones always come in. */
const TRIAL_MS = SECOND_MS;
/** After a lease that ran out or a result that was not opened, doubled with every one in a row. */
const REST_MS = 15 * SECOND_MS;
const REST_MS_MAX = 10 * MINUTE_MS;
/** Jobs that are looked at beyond one whose inputs a contributor would have to download first. */
const LOOKED_BEYOND_MAX = 8;
/** Of a part, that a record may have decayed by and still count as whole: two hours lose 0.2 %, and a second would cost a newcomer half of its parts. */
const DECAY_SLACK = 0.01;

interface Grant {
  readonly job: Job;
  readonly at: TileRef;
  readonly parts: PartMask;
}

/** Grants audits first, because results of others wait for them, then up to `leasesMax` leases. Fewer than asked for sets `retryMs`. */
export function grantWork(state: State, contributor: Contributor, leasesMax: number, now: number, random: RandomBytes): Event {
  const mayHave = contributor.connected && state.halted === null;
  const audits = mayHave ? grantAudits(state, contributor, now, random) : [];
  const leases: ActiveLease[] = [];
  contributor.askedMs = now;
  const want = Math.min(leasesMax, limits.leasesPerContributorMax - contributor.leases.size);
  const mayWork = mayHave && state.checksInFlight < CHECKS_IN_FLIGHT_MAX;
  let exhausted = !mayWork || now < contributor.restUntilMs;
  const canTake = mayWork && want > 0 && now >= contributor.restUntilMs;
  const urgent = canTake && mayHold(contributor) ? pickCopy(state, contributor, false, now) : undefined;
  if (urgent) leases.push(copy(state, contributor, urgent, now));
  while (canTake && leases.length < want && mayHold(contributor)) {
    const grant = pick(state, contributor, now);
    if (!grant) {
      exhausted = true;
      break;
    }
    leases.push(lease(state, contributor, grant, now));
  }
  const copied = exhausted && canTake ? pickCopy(state, contributor, true, now) : undefined;
  if (copied) leases.push(copy(state, contributor, copied, now));
  setDeadlines(contributor, leases, now);
  const idle = exhausted && contributor.leases.size < LEASES_MIN;
  if (idle && contributor.connected) state.idle.add(contributor.id);
  // A hand-in that asks for nothing says nothing of whether its contributor waits.
  else if (leasesMax > 0 || !contributor.connected) state.idle.delete(contributor.id);
  return { type: 'leased', leases, audits, retryMs: idle ? retryMs(state) : null };
}

const retryMs = ({ jobs, idle }: State): number => Math.min(RETRY_MS_MAX, jobs.size === 0 ? RETRY_MS_MAX : RETRY_MS * Math.max(1, idle.size / RETRYING));

/** Expected milliseconds of everything this contributor holds; 0 while nothing is known. */
const heldMs = (contributor: Contributor): number => (contributor.speed > 0 ? heldUnits(contributor) / contributor.speed : 0);

/** Whether it may hold more of whatever comes. Who was never seen to work gets no more than it needs to begin. */
const mayHold = (contributor: Contributor): boolean =>
  contributor.leases.size < LEASES_MIN || (contributor.speed > 0 && hasRoom(contributor, heldMs(contributor), 0));

/**
 * The next piece of work in turn. If that needs a download first, one of the next few jobs goes before it that needs none, as long as it is
 * ahead by no more than the contributor would lose with the download: so a job waits for who has its inputs, but never for long.
 */
function pick(state: State, contributor: Contributor, now: number): Grant | undefined {
  let first: Grant | undefined;
  let beyond = 0;
  for (const job of inTurn(state, contributor)) {
    if (!mayTake(contributor, job) || isSuspended(contributor, job.record, now)) continue;
    if (first && (++beyond > LOOKED_BEYOND_MAX || !mayGoBefore(state, contributor, job, first.job))) return first;
    const download = fetchMs(contributor, job);
    if (first && download > 0) continue;
    const grant = pickTile(state, job, contributor, now);
    if (grant === 'enough') return first;
    if (grant && download === 0) return grant;
    first ??= grant;
  }
  return first;
}

const mayGoBefore = (state: State, contributor: Contributor, job: Job, first: Job): boolean =>
  rankOf(state, contributor, job) === rankOf(state, contributor, first) && lagOf(job, first) <= fetchMs(contributor, first) * contributor.speed;

/** `enough`: it may have more of the job soon, and until then nothing that would come before that. */
function pickTile(state: State, job: Job, contributor: Contributor, now: number): Grant | 'enough' | undefined {
  const number = job.blocks.peek();
  if (number === undefined) return undefined;
  const at = { pass: Math.floor(number / job.grid.tiles), tile: number % job.grid.tiles };
  const units = job.spec.work(job.context, at);
  const worth = leaseMs(leftMs(state, job, now), contributor.refused);
  const partMs = contributor.speed > 0 ? units / contributor.speed : 0;
  const free = job.blocks.free(number);
  // Nobody knows what it is worth to who was never seen to work: a part tells. The operator's own are no phones.
  const isKnown = contributor.speed > 0 || contributor.trusted;
  const wanted = isKnown ? partsWorth(partMs, countParts(free), worth) : 1;
  if (!hasRoom(contributor, heldMs(contributor), wanted * partMs)) return undefined;
  if (isEnough(contributor, job, wanted * units, worth)) return 'enough';
  const inTime = partsInTime(contributor, timeAllowedMs(state, job, now), units);
  const most = inTime > 0 ? partsAllowed(state, job, contributor, at, now) : 0;
  const parts = someOf(free, Math.min(most, inTime, wanted));
  return parts === 0 ? undefined : { job, at, parts };
}

/** Near the end of a job nobody holds more of it than others would wait for. */
function isEnough({ leases, speed }: Contributor, job: Job, moreUnits: number, worthMs: number): boolean {
  let [held, units] = [0, moreUnits];
  for (const { job: id, parts, unitsPerPart } of leases.values()) {
    if (id !== job.stored.id) continue;
    held++;
    units += unitsPerPart * countParts(parts);
  }
  return held >= LEASES_MIN && units > LEASES_AHEAD * worthMs * speed;
}

/**
 * Slow start: what a contributor holds and what of it awaits a verdict may not exceed its record by more than one part. So a
 * newcomer risks one part at a time, and whoever delivers doubles with every round.
 */
function partsAllowed(state: State, job: Job, contributor: Contributor, at: TileRef, now: number): number {
  if (contributor.trusted) return limits.partsPerTileMax;
  const part = job.spec.elements(job.context, at);
  const { verified } = standingOf(contributor, job.record, now);
  let held = contributor.undecided;
  for (const active of contributor.leases.values()) held += active.elementsPerPart * countParts(active.parts);
  if (verified === 0 && held === 0 && !isFree(job) && !mayTryNewcomer(state, now)) return 0;
  return Math.floor((verified + part - held) / part + DECAY_SLACK);
}

/** Whoever comes back under a new name after every lie finds this closed: newcomers together waste at most a share of what is achieved. */
function mayTryNewcomer(state: State, now: number): boolean {
  const fade = 2 ** ((state.balanceAtMs - now) / WASTE_HALF_LIFE_MS);
  state.achieved *= fade;
  state.wastedByUnproven *= fade;
  state.balanceAtMs = now;
  if (state.wastedByUnproven <= WASTE_SHARE_MAX * state.achieved + WASTE_ELEMENTS_FREE) return true;
  if (now < state.nextTrialAtMs) return false;
  state.nextTrialAtMs = now + TRIAL_MS;
  return true;
}

/** The lowest `count` parts of a mask. */
function someOf(parts: PartMask, count: number): PartMask {
  let [some, rest] = [0, parts as number];
  for (let taken = 0; taken < count && rest !== 0; taken++) {
    const lowest = rest & -rest;
    some |= lowest;
    rest ^= lowest;
  }
  return some as PartMask;
}

function lease(state: State, contributor: Contributor, { job, at, parts }: Grant, now: number): ActiveLease {
  charge(state, contributor, job, job.spec.work(job.context, at) * countParts(parts), now);
  job.blocks.lease(tileNumber(job.grid.tiles, at), parts);
  job.partsLeased += countParts(parts);
  return sealed(state, contributor, { job, at, parts }, null, now);
}

/** Another lease of what somebody else is at work on. Nothing is charged for it: nobody else wants the time. */
function copy(state: State, contributor: Contributor, twin: ActiveLease, now: number): ActiveLease {
  const job = state.jobs.get(twin.job)!;
  const active = sealed(state, contributor, { job, at: twin.at, parts: twin.parts }, twin, now);
  twin.twin = active;
  return active;
}

function sealed(state: State, contributor: Contributor, { job, at, parts }: Grant, twin: ActiveLease | null, now: number): ActiveLease {
  const { id } = job.stored;
  const attempt = ++state.attempts;
  const token = sealLease(state.config.leaseKeys[0]!, {
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
    contributor: contributor.id,
    grantedMs: now,
    deadlineMs: 0,
    unitsPerPart: job.spec.work(job.context, at),
    elementsPerPart: job.spec.elements(job.context, at),
    fetchMs: fetchMs(contributor, job),
    twin,
    isCopy: twin !== null,
  };
  contributor.leases.set(active.key, active);
  job.leases.add(active);
  state.leases.set(active.key, active);
  return active;
}

/** As long as all of its leases together should take, by its own history, and the download before it; none outlives its token. */
function setDeadlines(contributor: Contributor, leases: Iterable<ActiveLease>, now: number): void {
  const deadlineMs = now + timeToDeadline(contributor);
  for (const active of leases) active.deadlineMs = Math.min(deadlineMs + active.fetchMs, active.grantedMs + limits.leaseTokenMsMax);
}

/** Whoever hands something in is alive: the deadlines of its other leases move on. Asking for work alone proves nothing. */
export const renewLeases = (contributor: Contributor, now: number): void => setDeadlines(contributor, contributor.leases.values(), now);

/** A lease ran out under a contributor that is here. Its part is offered again, and it rests the longer the more often that happens. */
export function expireLease(state: State, contributor: Contributor, active: ActiveLease, now: number): void {
  const job = state.jobs.get(active.job);
  if (job && !isFree(job) && standingOf(contributor, job.record, now).verified === 0)
    state.wastedByUnproven += active.elementsPerPart * countParts(active.parts);
  endLease(state, active);
  rest(contributor, now);
}

/** It kept others from working on something: the longer a break, the more often that happened. Two devices on the last tile of a job would else share it for ever. */
export function rest(contributor: Contributor, now: number): void {
  // What ended together counts once.
  if (now < contributor.restUntilMs) return;
  contributor.restUntilMs = now + Math.min(REST_MS_MAX, REST_MS * 2 ** contributor.expired);
  contributor.expired++;
}

/** Forgets a lease; parts that were not handed in, and that no copy covers, are offered again. */
export function endLease(state: State, active: ActiveLease): void {
  state.leases.delete(active.key);
  state.contributors.get(active.contributor)?.leases.delete(active.key);
  const job = state.jobs.get(active.job);
  job?.leases.delete(active);
  const free = (active.parts & ~part(active)) as PartMask;
  if (!job || free === 0) return;
  job.blocks.unlease(tileNumber(job.grid.tiles, active.at), free);
  job.partsLeased -= countParts(free);
}

export const leaseKey = (job: string, at: TileRef, attempt: number): string => `${job}/${at.pass}/${at.tile}/${attempt}`;

/** Tells those who wait that there may be something to do. */
export function wakeIdle(state: State): Event[] {
  const contributors = [...state.idle];
  state.idle.clear();
  return contributors.length > 0 ? [{ type: 'workAvailable', contributors }] : [];
}
