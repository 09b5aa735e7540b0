import type { GroupId, OwnerId } from '../../shared/model.ts';
import type { StoredJob } from '../store/store.ts';
import { type FairQueue, type Turn, weightOf } from './fair.ts';
import { isFree, rankOf } from './offer.ts';
import type { Contributor, Job, State } from './state.ts';

/** Which job comes next for a contributor: `rankOf` says what comes before what, and the queues (fair.ts) whose turn it is among equals. */

/** Of what jobs pay, how far the latest one moves what is usual. */
const RATE_SMOOTHING = 0.1;
/** Below it is what a contributor does for reasons of its own. */
const GROUP_RANK = 1;
const COMMON_RANK = 2;
const GALLERY_RANK = 4;

export const isOpen = (state: State, job: Job): boolean =>
  state.jobs.get(job.stored.id) === job && !job.closing && !job.paused && job.blocks.peek() !== undefined;

const queueOf = (state: State, { stored }: Job): FairQueue<Job> => (stored.gallery ? state.galleryQueue : state.queue);

/** Jobs under one record, and of one group or none, are done by the same contributors. */
export const placeOf = (state: State, job: Job): Turn<Job> => queueOf(state, job).place(job.stored.owner, `${job.record} ${job.stored.group?.id ?? ''}`, job);

const namesOf = ({ stored: { owner, group } }: Job): (OwnerId | GroupId)[] => (group ? [owner, group.id] : [owner]);

export function openTurn(state: State, job: Job): void {
  state.jobs.set(job.stored.id, job);
  for (const name of namesOf(job)) state.jobsOf.set(name, (state.jobsOf.get(name) ?? new Set()).add(job));
  const rate = Number(job.stored.ratePerUnit);
  if (!job.stored.gallery && !isFree(job) && rate > 0)
    state.usualRate = state.usualRate === 0 ? rate : state.usualRate * (rate / state.usualRate) ** RATE_SMOOTHING;
  takeTurn(state, job);
}

/** A job has ended. It leaves its queue when it is met there. */
export function closeTurn(state: State, job: Job): void {
  state.jobs.delete(job.stored.id);
  for (const name of namesOf(job)) {
    const jobs = state.jobsOf.get(name);
    jobs?.delete(job);
    if (jobs?.size === 0) state.jobsOf.delete(name);
  }
}

/** It may have something to give. */
export function takeTurn(state: State, job: Job): void {
  if (state.jobs.get(job.stored.id) === job) queueOf(state, job).enter(job.turn);
}

/** A job's share against others of its rank. */
export const shareOf = (state: State, { ratePerUnit, createdMs }: Pick<StoredJob, 'ratePerUnit' | 'createdMs'>, now: number): number =>
  weightOf(Number(ratePerUnit), state.usualRate, now - createdMs);

/** Charges a job for what a contributor was granted of it. */
export function charge(state: State, contributor: Contributor, job: Job, units: number, now: number): void {
  const queue = queueOf(state, job);
  queue.enter(job.turn);
  queue.serve(job.turn, units, shareOf(state, job.stored, now), rankOf(state, contributor, job) >= GROUP_RANK);
}

/** Jobs with something to give, as they come for this contributor, whether it may take them or not. Nothing may be charged meanwhile. */
export function* inTurn(state: State, contributor: Contributor): Generator<Job, void> {
  yield* preferred(state, contributor);
  const last: Job[] = [];
  for (const { job } of state.queue.walk()) {
    const rank = rankOf(state, contributor, job);
    if (rank === COMMON_RANK) yield job;
    else if (rank > COMMON_RANK) last.push(job);
  }
  yield* last;
  for (const { job } of state.galleryQueue.walk()) if (rankOf(state, contributor, job) === GALLERY_RANK) yield job;
}

/** Few contributors prefer any, and few jobs are theirs. */
function preferred(state: State, contributor: Contributor): Job[] {
  const { preferences, groups, owner } = contributor;
  const jobs = new Set<Job>();
  const picked = preferences.job === undefined ? undefined : state.jobs.get(preferences.job);
  if (picked) jobs.add(picked);
  const names = preferences.ownFirst ? [owner, ...groups] : groups;
  for (const name of names) for (const job of state.jobsOf.get(name) ?? []) jobs.add(job);
  if (jobs.size === 0) return [];
  const ranked = [...jobs].filter((job) => isOpen(state, job)).map((job) => ({ job, rank: rankOf(state, contributor, job) }));
  const mine = ranked.filter(({ rank }) => rank < COMMON_RANK);
  return mine.sort((a, b) => a.rank - b.rank || before(a.job.turn, b.job.turn)).map(({ job }) => job);
}

/** By how much a job was charged more than another one that comes before it, in micro-units. */
export const lagOf = ({ turn }: Job, first: Job): number => turn.flow.tag - first.turn.flow.tag + turn.tag - turn.flow.line[0]!.tag;

const before = (a: Turn<Job>, b: Turn<Job>): number => a.flow.tag - b.flow.tag || a.flow.number - b.flow.number || a.tag - b.tag || a.number - b.number;
