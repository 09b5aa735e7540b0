import type { ContributorId } from '../../shared/model.ts';
import { giveUpAudit } from './audits.ts';
import { FORFEITED } from './ledger.ts';
import { endLease, wakeIdle } from './scheduler.ts';
import type { Command, Event, State } from './state.ts';

/** What is changed from outside while the network runs: by the operator, and by who signs in. */

/** Contributors of `from`, and its sites, belong to `to` now. */
export function changeOwner(state: State, { from, to }: Command & { type: 'changeOwner' }): Event[] {
  for (const contributor of state.contributors.values()) if (contributor.owner === from) contributor.owner = to;
  for (const book of state.sites.values()) if (book.owner === from) book.owner = to;
  return [];
}

/** Nothing that is decided from now on names him: what his contributors still earn, and what comes back to his jobs, is forfeited, and his sites get no share. */
export function forgetOwner(state: State, { owner, contributors, sites, jobs }: Command & { type: 'forgetOwner' }): Event[] {
  for (const id of contributors) {
    const contributor = state.contributors.get(id);
    if (contributor) contributor.owner = owner;
  }
  for (const site of sites) state.sites.delete(site);
  const ended = new Set(jobs);
  for (const { vesting } of state.contributors.values())
    for (const [index, result] of vesting.entries())
      if (ended.has(result.job)) vesting[index] = { ...result, vesting: { ...result.vesting, refundTo: FORFEITED } };
  return [];
}

/**
 * Pauses the network: every lease and audit is taken back at once and no other is granted. What is handed in for a lease that was
 * taken back still counts while nobody else has its parts, and what awaits a verdict gets one, from the coordinator's CPU if need be.
 */
export function halt(state: State, { reason }: Command & { type: 'halt' }, now: number): Event[] {
  state.halted = reason;
  if (reason === null) return wakeIdle(state);
  const tokens = new Map<ContributorId, string[]>();
  const note = ({ contributor, token }: { readonly contributor: ContributorId; readonly token: string }): void =>
    void tokens.set(contributor, [...(tokens.get(contributor) ?? []), token]);
  const events: Event[] = [];
  for (const active of [...state.leases.values()]) {
    note(active);
    endLease(state, active);
  }
  for (const audit of [...state.audits.values()]) {
    note(audit);
    events.push(...giveUpAudit(state, audit, now));
  }
  const told = [...tokens].map(([contributor, list]): Event => ({ type: 'leasesVoided', contributor, tokens: list, reason: HALTED }));
  return [...events, ...told];
}

const HALTED = 'The operator has paused the network.';

/** Ends the suspensions of a contributor that is known in memory. Its record stays as it is. */
export function pardon(state: State, { contributor: id }: Command & { type: 'pardon' }, now: number): Event[] {
  const contributor = state.contributors.get(id);
  if (!contributor) return [{ type: 'refused', code: 'not_found', message: 'There is no such contributor.' }];
  const events: Event[] = [];
  for (const [workload, standing] of contributor.standings) {
    if (standing.suspendedUntilMs <= now) continue;
    standing.suspendedUntilMs = 0;
    events.push({ type: 'write', write: { kind: 'standing', contributor: id, workload, standing: { ...standing } } });
  }
  return [...events, ...wakeIdle(state)];
}
