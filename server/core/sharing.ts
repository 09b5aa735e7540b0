import { voidLeases } from './lifecycle.ts';
import { wakeIdle } from './scheduler.ts';
import type { Command, Event, Job, State } from './state.ts';
import { closeTurn } from './turns.ts';
import { punish } from './verdicts.ts';

/** Where several coordinators work on one job, each on blocks of its own: what one of them has to know of the others. */

/** All that is claimed here has its verdicts, and nothing more of it is to be done. */
export const isShareDone = (job: Job): boolean => job.undecided === 0 && (job.closing || job.partsAccepted === job.partsTotal);

/** A shared job has ended everywhere: leases that are still out, copies say, end without blame. */
export function leaveJob(state: State, { job: id, anew }: Command & { type: 'leaveJob' }): Event[] {
  const job = state.jobs.get(id);
  const events = job ? voidLeases(state, id, 'The job has ended.') : [];
  for (const [token, audit] of state.audits) if (audit.job === id) state.audits.delete(token);
  for (const [result, pending] of state.pending) if (pending.stored.job === id) state.pending.delete(result);
  if (anew)
    for (const { vesting } of state.contributors.values())
      if (vesting.some(({ job }) => job === id)) vesting.splice(0, vesting.length, ...vesting.filter(({ job }) => job !== id));
  if (job) closeTurn(state, job);
  return [...events, ...wakeIdle(state)];
}

/**
 * Another coordinator had to do with a contributor that is known here too: its record is what is stored now. Was it proven to lie there, it has
 * the same consequences for all that it did here.
 */
export function heard(state: State, { contributor: id, standings, proven }: Command & { type: 'heard' }, now: number): Event[] {
  const contributor = state.contributors.get(id);
  if (!contributor) return [];
  // A lie that was proven here is on its way to the store: that one was read before.
  for (const [record, standing] of standings)
    if (standing.refuted >= (contributor.standings.get(record)?.refuted ?? 0)) contributor.standings.set(record, { ...standing });
  if (!proven) return [];
  return [...standings].flatMap(([record, { suspendedUntilMs }]) => (suspendedUntilMs > now ? punish(state, contributor, record, now).events : []));
}
