import { limits } from '../../shared/limits.ts';
import { countMembers } from './offer.ts';
import { newLateness } from './sizing.ts';
import type { Command, Contributor, Event, Joining, State } from './state.ts';
import { noteArrival, noteDeparture, observe, takeBackDeparture } from './traffic.ts';

/** Contributors come and go. What they hold when they go is theirs for a moment longer: `tick` takes it back. */

export function join(state: State, { contributor: { standings, ...fresh } }: Command & { type: 'join' }, now: number): Event[] {
  const known = state.contributors.get(fresh.id);
  if (known?.connected) leave(state, fresh.id, now);
  observe(state, now);
  // Whoever lost its connection for a moment has not been away.
  const isBack = known !== undefined && known.stays > 0 && now - known.leftMs <= limits.absenceGraceMsMax;
  if (isBack) takeBackDeparture(state);
  else noteArrival(state, now);
  const contributor: Contributor = {
    ...fresh,
    groups: fresh.groups ?? new Set(),
    preferences: fresh.preferences ?? {},
    connected: true,
    place: state.connected.length,
    leftMs: 0,
    sinceMs: now,
    stays: (known?.stays ?? 0) - (isBack ? 1 : 0),
    stayedMs: known?.stayedMs ?? 0,
    leases: known?.leases ?? new Map(),
    questions: known?.questions ?? [],
    undecided: known?.undecided ?? 0,
    speed: known?.speed ?? 0,
    lateness: known?.lateness ?? newLateness(),
    refused: known?.refused ?? 0,
    lastHandInMs: now,
    askedMs: 0,
    expired: known?.expired ?? 0,
    restUntilMs: known?.restUntilMs ?? 0,
    standings: withLies(known?.standings ?? new Map(), standings),
    vesting: known?.vesting ?? [],
  };
  state.contributors.set(fresh.id, contributor);
  state.connected.push(contributor);
  if (contributor.trusted) state.trusted.add(contributor);
  countMembers(state, contributor.groups, 1);
  return [];
}

/** Memory is ahead of what was read from the store, but for lies that were proven at another coordinator. */
function withLies(known: Contributor['standings'], stored: Joining['standings']): Contributor['standings'] {
  for (const [record, standing] of stored) if (standing.refuted > (known.get(record)?.refuted ?? -1)) known.set(record, { ...standing });
  return known;
}

function disconnect(state: State, contributor: Contributor): void {
  const last = state.connected.pop()!;
  if (last !== contributor) {
    state.connected[contributor.place] = last;
    last.place = contributor.place;
  }
  contributor.connected = false;
  countMembers(state, contributor.groups, -1);
  state.trusted.delete(contributor);
  state.idle.delete(contributor.id);
}

export function leave(state: State, id: Contributor['id'], now: number): Event[] {
  const contributor = state.contributors.get(id);
  if (!contributor?.connected) return [];
  observe(state, now);
  disconnect(state, contributor);
  contributor.leftMs = now;
  contributor.stays++;
  contributor.stayedMs += now - contributor.sinceMs;
  noteDeparture(state);
  return [];
}
