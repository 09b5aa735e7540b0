import { createHmac } from 'node:crypto';
import { toBase64Url } from '../../shared/formats.ts';
import type { GroupId, OwnerId } from '../../shared/model.ts';
import type { StoredJob } from '../store/store.ts';
import { askAgain, giveUpAudit } from './audits.ts';
import { mayFetch } from './fetching.ts';
import { endLease, wakeIdle } from './scheduler.ts';
import type { Command, Contributor, Event, Job, MacKey, State } from './state.ts';

/** Whom a job is offered to, and before which others: groups of the job, wishes of the contributor. */

const TAG_BYTES = 9;

/** Names a requester to contributors who want nothing more of it, without telling its id. */
export const requesterTag = (key: MacKey, owner: OwnerId): string =>
  toBase64Url(createHmac('sha256', key).update(`requester/${owner}`).digest().subarray(0, TAG_BYTES));

/**
 * What a contributor's record with this job counts under: the workload, or, for a job that costs nothing, the workload within its
 * group. A group of one's own and jobs for nothing would otherwise be a free way to a record that others rely on.
 */
export const recordNameOf = ({ workload, group }: Pick<StoredJob, 'workload' | 'group'>): string =>
  group?.mode === 'only' ? `${workload}@${group.id}` : workload;

/** Costs nothing and pays nothing; what its members waste or achieve is no matter to anybody else. */
export const isFree = ({ stored: { group } }: Job): boolean => group?.mode === 'only';

/** Of a job, what decides who may have it: one that is only being quoted has no more. */
export type Offered = Pick<Job, 'spec' | 'record' | 'requester' | 'inputBytes' | 'fetchedBy'> & {
  readonly stored: Pick<StoredJob, 'id' | 'owner' | 'group' | 'gallery' | 'ratePerUnit' | 'createdMs'>;
};

/** Of a contributor, what decides which jobs it has, and which before others. */
export type Taker = Pick<Contributor, 'owner' | 'kinds' | 'groups' | 'preferences' | 'downloadBytesMax'>;

const isMember = ({ groups }: Taker, { stored: { group } }: Offered): boolean => group !== null && groups.has(group.id);
const isOwn = ({ owner }: Taker, { stored }: Offered): boolean => owner === stored.owner;

/** Whether this contributor may have work or audits of this job, and wants them. */
export function mayTake(contributor: Taker, job: Offered): boolean {
  const { kinds, preferences } = contributor;
  const workload = job.spec.id;
  if (!kinds.has(workload) || !mayFetch(contributor, job)) return false;
  if (job.stored.group?.mode === 'only' && !isMember(contributor, job)) return false;
  if (preferences.kinds && !preferences.kinds.includes(workload)) return false;
  if (preferences.groupsOnly && !isMember(contributor, job) && !isOwn(contributor, job)) return false;
  return !preferences.blocked?.includes(job.requester);
}

/**
 * Lower comes first: the job that was picked, one's own jobs where that is wanted, jobs of one's groups, other paying jobs, those that
 * belong to a group whose members are here and have them first, the gallery.
 */
export function rankOf(state: State, contributor: Taker, job: Offered): number {
  const { id, group, gallery } = job.stored;
  if (contributor.preferences.job === id) return -1;
  if (contributor.preferences.ownFirst && isOwn(contributor, job)) return 0;
  if (isMember(contributor, job)) return 1;
  if (gallery) return 4;
  return group && (state.membersHere.get(group.id) ?? 0) > 0 ? 3 : 2;
}

/** Keeps count of the connected members of every group. */
export function countMembers(state: State, groups: Iterable<GroupId>, by: 1 | -1): void {
  for (const group of groups) {
    const count = (state.membersHere.get(group) ?? 0) + by;
    if (count > 0) state.membersHere.set(group, count);
    else state.membersHere.delete(group);
  }
}

/** An owner has joined groups or left them: what its contributors hold of a job that is closed to them now goes to others. */
export function setGroups(state: State, { owner, groups }: Command & { type: 'setGroups' }, now: number): Event[] {
  const events: Event[] = [];
  for (const contributor of state.contributors.values()) {
    if (contributor.owner !== owner) continue;
    if (contributor.connected) countMembers(state, contributor.groups, -1);
    contributor.groups = new Set(groups);
    if (contributor.connected) countMembers(state, contributor.groups, 1);
    events.push(...withdraw(state, contributor, now));
  }
  return [...events, ...wakeIdle(state)];
}

/** From now on a contributor wants other work: what it holds and does not want any more goes to others, without blame. */
export function prefer(state: State, { contributor: id, preferences }: Command & { type: 'prefer' }, now: number): Event[] {
  const contributor = state.contributors.get(id);
  if (!contributor?.connected) return [{ type: 'refused', code: 'forbidden', message: 'Say hello first.' }];
  contributor.preferences = preferences;
  return [...withdraw(state, contributor, now), ...wakeIdle(state)];
}

function withdraw(state: State, contributor: Contributor, now: number): Event[] {
  const isOver = (id: Job['stored']['id']): boolean => {
    const job = state.jobs.get(id);
    return job !== undefined && !mayTake(contributor, job);
  };
  const leases = [...contributor.leases.values()].filter(({ job }) => isOver(job));
  for (const active of leases) endLease(state, active);
  const audits = [...state.audits.values()].filter((audit) => audit.contributor === contributor.id && isOver(audit.job));
  const events = audits.flatMap((audit) => giveUpAudit(state, audit, now));
  const questions = contributor.questions.filter(({ result }) => {
    const job = state.pending.get(result)?.stored.job;
    return job !== undefined && isOver(job);
  });
  contributor.questions = contributor.questions.filter((question) => !questions.includes(question));
  events.push(...questions.flatMap((question) => askAgain(state, question, now)));
  const tokens = [...leases, ...audits].map(({ token }) => token);
  if (tokens.length > 0) events.push({ type: 'leasesVoided', contributor: contributor.id, tokens, reason: 'Its job is not for this contributor any more.' });
  return events;
}
