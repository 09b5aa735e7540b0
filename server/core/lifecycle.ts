import type { JobId } from '../../shared/model.ts';
import { endJobIfOver } from './ending.ts';
import { endLease, wakeIdle } from './scheduler.ts';
import type { Contributor, Event, State } from './state.ts';
import { takeTurn } from './turns.ts';

/** What a requester does with a job that is open: pause it, go on, give it up. Work that was handed in before goes its way. */

const notOpen = (): Event[] => [{ type: 'refused', code: 'conflict', message: 'This job is not open.' }];

/**
 * Nothing of a paused job is leased; what is leased may be finished and is paid, what was handed in is checked, and audits of it are granted.
 * Resumed, it neither waits for what others got meanwhile nor catches up at their cost (fair.ts).
 */
export function setPaused(state: State, id: JobId, paused: boolean): Event[] {
  const job = state.jobs.get(id);
  if (!job || job.closing) return notOpen();
  if (job.paused === paused) return [];
  job.paused = paused;
  const write: Event = { type: 'write', write: { kind: 'jobPaused', id, paused } };
  if (paused) return [write];
  takeTurn(state, job);
  return [write, ...wakeIdle(state)];
}

export function cancelJob(state: State, id: JobId, now: number): Event[] {
  const job = state.jobs.get(id);
  if (!job) return notOpen();
  job.closing = true;
  const events: Event[] = [{ type: 'write', write: { kind: 'jobClosing', id } }, ...voidLeases(state, id, 'The job was cancelled.')];
  return [...events, ...endJobIfOver(state, job, now)];
}

/** Takes back every lease of a job, telling each contributor once. */
export function voidLeases(state: State, id: JobId, reason: string): Event[] {
  const tokens = new Map<Contributor['id'], string[]>();
  for (const active of [...state.leases.values()]) {
    if (active.job !== id) continue;
    tokens.set(active.contributor, [...(tokens.get(active.contributor) ?? []), active.token]);
    endLease(state, active);
  }
  return [...tokens].map(([contributor, list]) => ({ type: 'leasesVoided', contributor, tokens: list, reason }));
}

/**
 * Before a job that had ended is opened again, extended: leases and audits that were under way at its end are of a job that is no more. They must
 * not be counted in the new one.
 */
export function forgetEnded(state: State, id: JobId): Event[] {
  if (state.jobs.has(id)) throw new Error(`job ${id} is open already`);
  for (const [token, audit] of state.audits) if (audit.job === id) state.audits.delete(token);
  return voidLeases(state, id, 'The job had ended.');
}
