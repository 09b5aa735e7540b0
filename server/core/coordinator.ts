import { limits, SECOND_MS } from '../../shared/limits.ts';
import { countParts, type PartMask, type TileRef } from '../../shared/model.ts';
import { TileBlocks } from './blocks.ts';
import { endJobIfOver } from './ending.ts';
import { partPrice } from './pricing.ts';
import { isSuspended, SUSPENDED } from './reputation.ts';
import { endLease, grantWork, hasReplicator, leaseKey, measureSpeed, renewLeases, wakeIdle } from './scheduler.ts';
import type { Command, Contributor, Event, Job, PendingResult, RandomBytes, ReplicaNeed, State } from './state.ts';
import { checked, requestChecks, startLargerAudit } from './verdicts.ts';
import { commitmentOf, tileNumber } from './verifier.ts';

/**
 * The coordinator as a pure function: `step(state, command, now, random) -> events`. It changes `state` in place, touches
 * no clock, socket or disk, and gives the same events for the same history. `write` events are committed as a group before
 * anything else of the same step is shown to the world; when that fails the state is thrown away and rebuilt from the store.
 *
 * A result goes: handed in -> committed -> audited -> (second contributor) -> accepted and paid, or refuted and leased again.
 */
export function step(state: State, command: Command, now: number, random: RandomBytes): Event[] {
  switch (command.type) {
    case 'openJob':
      return openJob(state, command, now);
    case 'cancelJob':
      return cancelJob(state, command.job, now);
    case 'join':
      return join(state, command, now);
    case 'leave':
      return leave(state, command.contributor, now);
    case 'requestWork': {
      const contributor = state.contributors.get(command.contributor);
      if (!contributor?.connected) return [{ type: 'refused', code: 'forbidden', message: 'Say hello first.' }];
      return granted(state, contributor, command.leasesMax, now);
    }
    case 'handIn':
      return handIn(state, command, now, random);
    case 'returnLeases':
      return returnLeases(state, command.contributor, new Set(command.tokens));
    case 'checked':
      return checked(state, command, now);
    case 'changeOwner': {
      for (const contributor of state.contributors.values()) if (contributor.owner === command.from) contributor.owner = command.to;
      for (const job of state.jobs.values()) for (const need of job.replicaNeeds.values()) if (need.owner === command.from) need.owner = command.to;
      return [];
    }
    case 'tick':
      return tick(state, now);
    default:
      throw new Error(`unknown command ${JSON.stringify(command satisfies never)}`);
  }
}

/** What `requestWork` and every hand-in answer: new leases, told to viewers too. */
function granted(state: State, contributor: Contributor, leasesMax: number, now: number): Event[] {
  const event = grantWork(state, contributor, leasesMax, now);
  if (event.type !== 'leased') return [event];
  return [event, ...event.leases.map(({ job, at, parts }): Event => ({ type: 'tileLeased', job, at, parts }))];
}

/** Opens a new job, or one read back from the store with its results; checks that had no answer are asked for again, with the same draw. */
function openJob(state: State, { job: stored, results }: Command & { type: 'openJob' }, now: number): Event[] {
  const spec = state.config.spec(stored.workload);
  if (!spec || spec.version !== stored.version)
    return [{ type: 'refused', code: 'stale', message: `Workload ${stored.workload} version ${stored.version} is not installed.` }];
  const context = { id: stored.id, seed: stored.seed, params: stored.params, prepared: stored.prepared };
  const grid = spec.split(stored.params, stored.prepared);
  const partsAt = (tile: number): number => spec.parts(context, { pass: Math.floor(tile / grid.tiles), tile: tile % grid.tiles });
  let partsTotal = 0;
  for (let pass = 0; pass < grid.passes; pass++) partsTotal += partsAt(pass * grid.tiles) * grid.tiles;
  const least = Math.min(...[...state.jobs.values()].map((other) => other.granted));
  const job: Job = {
    stored,
    spec,
    context,
    grid,
    blocks: new TileBlocks(grid.passes * grid.tiles, partsAt),
    inputBytes: stored.inputs.reduce((sum, { bytes }) => sum + bytes, 0),
    partsTotal,
    partsAccepted: 0,
    partsChecking: 0,
    partsLeased: 0,
    paid: 0n,
    paidForReplicas: 0n,
    audits: 0,
    replicas: 0,
    refuted: 0,
    elements: 0,
    contributors: new Set(),
    attempt: 0,
    // Starts level with the least served job, so that a newcomer neither waits behind the others' past nor starves them.
    granted: Number.isFinite(least) ? least : 0,
    handedIn: new Map(),
    replicaNeeds: new Map(),
    closing: stored.closing,
    rate: 0,
    rateAtMs: now,
  };
  state.jobs.set(stored.id, job);
  const waiting = results.flatMap((result) => reloadResult(state, job, result));
  const events = waiting.flatMap((pending) => requestChecks(state, job, pending, now));
  return [...events, ...endJobIfOver(state, job, now), ...wakeIdle(state)];
}

/** Puts one stored result back in its place. Returned when it still waits for a verdict. */
function reloadResult(state: State, job: Job, result: PendingResult['stored']): PendingResult[] {
  const number = tileNumber(job.grid.tiles, result.at);
  job.contributors.add(result.contributor);
  job.handedIn.set(handInKey(result.epoch, result.attempt, result.parts), { id: result.id, hash: result.hash });
  for (const { kind, drawn } of result.evidence) {
    if (kind === 'audit') job.audits++;
    if (kind === 'audit') job.elements += drawn;
  }
  const isReplica = result.replicaOf !== null && result.accepted === 0;
  const original = result.replicaOf === null ? undefined : state.pending.get(result.replicaOf);
  if (result.state === 'accepted') {
    const amount = partPrice(job.spec, job.context, result.at, job.stored.ratePerUnit) * BigInt(countParts(isReplica ? result.claimed : result.accepted));
    job.paid += amount;
    if (isReplica) {
      job.paidForReplicas += amount;
      job.replicas++;
      if (original) original.confirmed = (original.confirmed | result.claimed) as PartMask;
      return [];
    }
    job.blocks.hold(number, result.accepted);
    job.blocks.accept(number, result.accepted);
    job.partsAccepted += countParts(result.accepted);
    return [];
  }
  const pending = newPending(result);
  state.pending.set(result.id, pending);
  if (original) original.confirming = (original.confirming | result.claimed) as PartMask;
  if (result.replicaOf === null) {
    job.blocks.hold(number, result.claimed);
    job.partsChecking += countParts(result.claimed);
  }
  return [pending];
}

const newPending = (stored: PendingResult['stored']): PendingResult => ({
  stored,
  stage: 'audit',
  evidence: [...stored.evidence],
  confirmed: 0 as PartMask,
  confirming: 0 as PartMask,
  retries: 0,
});

function cancelJob(state: State, id: Job['stored']['id'], now: number): Event[] {
  const job = state.jobs.get(id);
  if (!job) return [{ type: 'refused', code: 'conflict', message: 'This job is not open.' }];
  job.closing = true;
  const events: Event[] = [{ type: 'write', write: { kind: 'jobClosing', id } }, ...voidLeases(state, job, 'The job was cancelled.')];
  for (const need of [...job.replicaNeeds.values()])
    if (state.pending.get(need.result)?.confirming === 0) events.push(...startLargerAudit(state, job, need.result));
  return [...events, ...endJobIfOver(state, job, now)];
}

/** Takes back every lease of a job, telling each contributor once. */
export function voidLeases(state: State, job: Job, reason: string): Event[] {
  const tokens = new Map<Contributor['id'], string[]>();
  for (const active of [...state.leases.values()]) {
    if (active.job !== job.stored.id) continue;
    tokens.set(active.contributor, [...(tokens.get(active.contributor) ?? []), active.token]);
    endLease(state, active);
  }
  return [...tokens].map(([contributor, list]) => ({ type: 'leasesVoided', contributor, tokens: list, reason }));
}

function join(state: State, { contributor: fresh }: Command & { type: 'join' }, now: number): Event[] {
  const known = state.contributors.get(fresh.id);
  state.contributors.set(fresh.id, {
    ...fresh,
    connected: true,
    leftMs: 0,
    idle: false,
    leases: known?.leases ?? new Map(),
    speed: known?.speed ?? 0,
    lastHandInMs: now,
  });
  return [];
}

function leave(state: State, id: Contributor['id'], now: number): Event[] {
  const contributor = state.contributors.get(id);
  if (contributor) Object.assign(contributor, { connected: false, idle: false, leftMs: now });
  return [];
}

/** Names a hand-in: the same lease and parts are the same row, however often they arrive. */
const handInKey = (epoch: number, attempt: number, parts: PartMask): string => `${epoch}/${attempt}/${parts}`;

function handIn(state: State, command: Command & { type: 'handIn' }, now: number, random: RandomBytes): Event[] {
  const { lease, parts, hash } = command;
  const refused = (code: 'conflict' | 'bad_input' | 'forbidden' | 'stale', message: string): Event[] => [{ type: 'refused', code, message, field: 'token' }];
  const contributor = state.contributors.get(lease.contributor);
  if (!contributor) return refused('forbidden', 'Say hello first.');
  if (isSuspended(contributor, now)) return refused('forbidden', SUSPENDED);
  const job = state.jobs.get(lease.job);
  if (!job) return refused('conflict', 'This job is not open any more.');
  if (parts === 0 || (parts & ~lease.parts) !== 0)
    return [{ type: 'refused', code: 'bad_input', message: 'The lease does not cover these parts.', field: 'parts' }];

  const key = handInKey(lease.epoch, lease.attempt, parts);
  const before = job.handedIn.get(key);
  if (before) return before.hash === hash ? [{ type: 'stored', result: before.id }] : refused('conflict', 'Another result was handed in under this lease.');
  if (lease.expiresMs < now) return refused('stale', 'This lease has expired.');
  if (job.closing) return refused('conflict', 'This job was cancelled.');

  const number = tileNumber(job.grid.tiles, lease.at);
  // Attempts are counted anew after a restart, so a token of an earlier epoch names no lease of this one.
  const active = lease.epoch === state.config.epoch ? state.leases.get(leaseKey(lease.job, lease.at, lease.attempt)) : undefined;
  const unclaimed = (parts & job.blocks.unclaimed(number)) as PartMask;
  const need = unclaimed === 0 ? needOf(state, job, contributor, lease.at, parts) : undefined;
  if (unclaimed === 0 && !need) {
    if (active?.contributor === contributor.id) endLease(state, active);
    return refused('conflict', 'Somebody else has finished this tile already.');
  }
  const claimed = need ? unconfirmed(state, need, parts) : unclaimed;
  const replicaOf = need?.result ?? null;
  const stored = {
    id: command.id,
    job: lease.job,
    at: lease.at,
    parts,
    claimed,
    epoch: lease.epoch,
    attempt: lease.attempt,
    contributor: contributor.id,
    owner: contributor.owner,
    site: contributor.site,
    hash,
    sizeBytes: command.sizeBytes,
    inline: command.inline,
    commitment: commitmentOf(lease, hash),
    nonce: random(16),
    replicaOf,
    computeMs: command.computeMs,
    committedMs: now,
    state: 'committed',
    accepted: 0 as PartMask,
    evidence: [],
  } as const;
  job.handedIn.set(key, { id: stored.id, hash });
  job.contributors.add(contributor.id);
  if (need) {
    need.taken = (need.taken | claimed) as PartMask;
    const original = state.pending.get(need.result)!;
    original.confirming = (original.confirming | claimed) as PartMask;
  } else {
    job.blocks.hold(number, claimed);
    job.partsChecking += countParts(claimed);
  }
  if (active && active.contributor === contributor.id) settleLease(state, job, contributor, active, parts, now);

  const pending = newPending(stored);
  state.pending.set(stored.id, pending);
  return [{ type: 'write', write: { kind: 'result', result: stored } }, { type: 'stored', result: stored.id }, ...requestChecks(state, job, pending, now)];
}

/** Parts of a replica that nobody has confirmed or is confirming: what it is paid for. */
const unconfirmed = (state: State, need: ReplicaNeed, parts: PartMask): PartMask =>
  (parts & need.missing & ~(state.pending.get(need.result)?.confirming ?? 0)) as PartMask;

/** The result that this one can confirm: of the same tile, by another owner, with parts left to confirm. */
const needOf = (state: State, job: Job, contributor: Contributor, at: TileRef, parts: PartMask): ReplicaNeed | undefined =>
  [...job.replicaNeeds.values()].find(
    (need) => need.owner !== contributor.owner && need.at.pass === at.pass && need.at.tile === at.tile && unconfirmed(state, need, parts) !== 0,
  );

/** Takes handed-in parts off the lease. */
function settleLease(
  state: State,
  job: Job,
  contributor: Contributor,
  active: NonNullable<ReturnType<State['leases']['get']>>,
  parts: PartMask,
  now: number,
): void {
  measureSpeed(contributor, active.unitsPerPart * countParts(parts), active.grantedMs, now);
  const covered = (parts & active.parts) as PartMask;
  active.parts = (active.parts & ~covered) as PartMask;
  if (active.replicaOf === null) {
    job.blocks.unlease(tileNumber(job.grid.tiles, active.at), covered);
    job.partsLeased -= countParts(covered);
  }
  if (active.parts === 0) endLease(state, active);
  renewLeases(contributor, now);
}

function returnLeases(state: State, id: Contributor['id'], tokens: ReadonlySet<string>): Event[] {
  const contributor = state.contributors.get(id);
  for (const active of [...(contributor?.leases.values() ?? [])]) if (tokens.has(active.token)) endLease(state, active);
  return wakeIdle(state);
}

/** Time passing: leases run out, absent contributors lose theirs, replicas that nobody can make become larger audits. */
function tick(state: State, now: number): Event[] {
  const events: Event[] = [];
  for (const active of [...state.leases.values()]) {
    const contributor = state.contributors.get(active.contributor);
    const gone = !contributor || (!contributor.connected && now - contributor.leftMs > limits.absenceGraceMsMax);
    if (!gone && active.deadlineMs > now) continue;
    endLease(state, active);
    if (!gone) events.push({ type: 'leasesVoided', contributor: active.contributor, tokens: [active.token], reason: 'The lease has expired.' });
    events.push(...wakeIdle(state));
  }
  for (const contributor of [...state.contributors.values()])
    if (!contributor.connected && contributor.leases.size === 0 && now - contributor.leftMs > FORGET_MS) state.contributors.delete(contributor.id);
  for (const job of [...state.jobs.values()])
    for (const need of [...job.replicaNeeds.values()])
      if (need.taken === 0 && (now - need.sinceMs > limits.replicaWaitMsMax || (now - need.sinceMs > ALONE_MS && !hasReplicator(state, job, need, now))))
        events.push(...startLargerAudit(state, job, need.result));
  return events;
}

/** A contributor that is alone does not wait for a second one to turn up. */
const ALONE_MS = 2 * SECOND_MS;
/** Longer than a lease token lives: until then its owner and speed are remembered for late hand-ins. */
const FORGET_MS = 2 * limits.leaseTokenMsMax;
