import { limits } from '../../shared/limits.ts';
import { countParts, type PartMask, type ResultId } from '../../shared/model.ts';
import { measured, noteAccepted } from './adaptive.ts';
import { answer, expireAudits, giveUpAudit, prevailingAuditor } from './audits.ts';
import { noStragglers, settleTwin } from './copies.ts';
import { endJobIfOver, milestoneOf } from './ending.ts';
import { FairQueue } from './fair.ts';
import { cancelJob, forgetEnded, setPaused } from './lifecycle.ts';
import { prefer, setGroups } from './offer.ts';
import { newJob, notInstalled, specOf } from './opening.ts';
import { changeOwner, forgetOwner, halt, pardon } from './operating.ts';
import { join, leave } from './presence.ts';
import { workPaid } from './pricing.ts';
import { isSuspended, SUSPENDED, standingOf } from './reputation.ts';
import { endLease, expireLease, grantWork, leaseKey, renewLeases, rest, wakeIdle } from './scheduler.ts';
import { heard, leaveJob } from './sharing.ts';
import { isOwnVisitor } from './sites.ts';
import { noteHandIn, noteRefusal } from './sizing.ts';
import type { Command, Contributor, Event, Job, PendingResult, RandomBytes, State } from './state.ts';
import { newTraffic, observe } from './traffic.ts';
import { isOpen } from './turns.ts';
import { accept, checked, columnsOf, discard, requestProof, requestVerification } from './verdicts.ts';
import { commitmentOf, cpuElementsMax, drawCount, sampleOf, sizeOf, tileNumber } from './verifier.ts';
import { restoreVesting, vestDue } from './vesting.ts';

/**
 * The coordinator as a pure function: `step(state, command, now, random) -> events`. It changes `state` in place, touches
 * no clock, socket or disk, and gives the same events for the same history. `write` events are committed as a group before
 * anything else of the same step is shown to the world; when that fails the state is thrown away and rebuilt from the store.
 *
 * A result goes: handed in and committed -> drawn -> opened -> audited -> accepted and paid, or refuted and leased again.
 */
export function step(state: State, command: Command, now: number, random: RandomBytes): Event[] {
  switch (command.type) {
    case 'openJob':
      return openJob(state, command, now);
    case 'joinJob':
      return joinJob(state, command, now);
    case 'claimBlocks':
      return claimBlocks(state, command, now);
    case 'leaveJob':
      return leaveJob(state, command);
    case 'heard':
      return heard(state, command, now);
    case 'restoreVesting':
      return restoreVesting(state, command);
    case 'cancelJob':
      return cancelJob(state, command.job, now);
    case 'pauseJob':
      return setPaused(state, command.job, command.paused);
    case 'join':
      return join(state, command, now);
    case 'leave':
      return leave(state, command.contributor, now);
    case 'requestWork': {
      const contributor = state.contributors.get(command.contributor);
      if (!contributor?.connected) return [{ type: 'refused', code: 'forbidden', message: 'Say hello first.' }];
      contributor.downloadBytesMax = command.downloadBytesMax ?? contributor.downloadBytesMax;
      return granted(state, contributor, command.leasesMax, now, random);
    }
    case 'handIn':
      return handIn(state, command, now, random);
    case 'open':
      return open(state, command);
    case 'answer': {
      const contributor = state.contributors.get(command.contributor);
      return contributor ? answer(state, contributor, command.token, command.values) : [{ type: 'refused', code: 'forbidden', message: 'Say hello first.' }];
    }
    case 'giveBack':
      return giveBack(state, command, now);
    case 'checked':
      return checked(state, command, now);
    case 'measured':
      return measured(state, command, now);
    case 'setGroups':
      return setGroups(state, command, now);
    case 'prefer':
      return prefer(state, command, now);
    case 'openSite':
      if (!state.sites.has(command.site)) state.sites.set(command.site, command.book);
      return [];
    case 'changeOwner':
      return changeOwner(state, command);
    case 'forgetOwner':
      return forgetOwner(state, command);
    case 'halt':
      return halt(state, command, now);
    case 'pardon':
      return pardon(state, command, now);
    case 'tick':
      return tick(state, command, now);
    default:
      throw new Error(`unknown command ${JSON.stringify(command satisfies never)}`);
  }
}

/** Nothing known yet. */
export function emptyState(config: State['config'], now: number): State {
  const waits = (job: Job): boolean => isOpen(state, job);
  const state: State = {
    config,
    jobs: new Map(),
    queue: new FairQueue(waits),
    galleryQueue: new FairQueue(waits),
    jobsOf: new Map(),
    usualRate: 0,
    contributors: new Map(),
    sites: new Map(),
    connected: [],
    trusted: new Set(),
    membersHere: new Map(),
    idle: new Set(),
    leases: new Map(),
    stragglers: noStragglers,
    audits: new Map(),
    pending: new Map(),
    checksInFlight: 0,
    attempts: 0,
    achieved: 0,
    wastedByUnproven: 0,
    balanceAtMs: now,
    nextTrialAtMs: 0,
    halted: null,
    traffic: newTraffic(now),
  };
  return state;
}

/** Whose share of the pay is due; null for a site's own owner and network. */
function siteFor({ sites }: State, contributor: Contributor): Contributor['site'] {
  const book = contributor.site === null ? undefined : sites.get(contributor.site);
  return book && !isOwnVisitor(book, contributor) ? contributor.site : null;
}

/** What `requestWork` and every hand-in answer: new leases, told to viewers too. */
function granted(state: State, contributor: Contributor, leasesMax: number, now: number, random: RandomBytes): Event[] {
  const event = grantWork(state, contributor, leasesMax, now, random);
  if (event.type !== 'leased') return [event];
  return [event, ...event.leases.map(({ job, at, parts }): Event => ({ type: 'tileLeased', job, at, parts }))];
}

/** Opens a new job, or one read back from the store with its results and what it has paid. */
function openJob(state: State, { job: stored, results, paid: alreadyPaid, refuted = 0 }: Command & { type: 'openJob' }, now: number): Event[] {
  const spec = specOf(state, stored);
  if (!spec) return notInstalled(stored);
  const forgotten = forgetEnded(state, stored.id);
  const job = newJob(state, stored, spec, null, now);
  job.paid = alreadyPaid;
  job.refuted = refuted;
  const events = results.flatMap((result) => reloadResult(state, job, result, now));
  job.milestone = milestoneOf(job);
  job.paidForAudits = job.paid - workPaid(job, results);
  return [...forgotten, ...events, ...endJobIfOver(state, job, now), ...wakeIdle(state)];
}

/** Opens a job that other coordinators work on too, with nothing to do of it yet. */
function joinJob(state: State, { job: stored }: Command & { type: 'joinJob' }, now: number): Event[] {
  const spec = specOf(state, stored);
  if (!spec) return notInstalled(stored);
  const forgotten = forgetEnded(state, stored.id);
  newJob(state, stored, spec, [], now);
  return forgotten;
}

/** Takes up blocks of a shared job, with the results that are there already. */
function claimBlocks(state: State, { job: id, blocks, results }: Command & { type: 'claimBlocks' }, now: number): Event[] {
  const job = state.jobs.get(id);
  if (!job?.share) return [{ type: 'refused', code: 'conflict', message: 'This job is not open here.' }];
  for (const block of blocks) {
    if (job.blocks.isHere(block.first)) throw new Error(`block ${block.number} of ${id} is here already`);
    job.share.push(block);
    job.blocks.claim(block.first, block.count);
    job.paid += block.checksPaid;
    job.paidForAudits += block.checksPaid;
  }
  job.paid += workPaid(job, results);
  return [...results.flatMap((result) => reloadResult(state, job, result, now)), ...wakeIdle(state)];
}

/** Puts one stored result back in its place. One without a verdict is checked again, with the same draw. */
function reloadResult(state: State, job: Job, result: PendingResult['stored'], now: number): Event[] {
  const number = tileNumber(job.grid.tiles, result.at);
  job.contributors.add(result.contributor);
  job.fetchedBy.add(result.contributor);
  job.handedIn.set(handInKey(result.epoch, result.attempt, result.parts), { id: result.id, hash: result.hash });
  for (const { by, drawn } of result.evidence) job.elements[by] += drawn;
  job.blocks.hold(number, result.parts);
  if (result.state === 'accepted') {
    job.blocks.accept(number, result.parts);
    job.partsAccepted += countParts(result.parts);
    job.errorSum += result.errorBound * countParts(result.parts);
    return noteAccepted(state, job, result);
  }
  return begin(state, job, result, now);
}

/** A committed result begins its way: accepted at once when nothing of it was drawn, else opened and checked. */
function begin(state: State, job: Job, stored: PendingResult['stored'], now: number): Event[] {
  job.partsChecking += countParts(stored.parts);
  job.undecided++;
  const contributor = state.contributors.get(stored.contributor);
  if (contributor) contributor.undecided += sizeOf(job, stored);
  const pending: PendingResult = {
    stored,
    stage: 'opening',
    round: stored.round,
    sample: stored.drawn === 0 || job.spec.checking === 'verify' ? { parts: [], elements: [] } : sampleOf(state.config.drawKey, job, stored),
    claims: new Uint8Array(),
    evidence: [...stored.evidence],
    authorClass: contributor?.deviceClass ?? null,
    agreements: [],
    open: 0,
    sinceMs: now,
    retries: 0,
    asked: 0,
  };
  state.pending.set(stored.id, pending);
  if (stored.drawn === 0) return accept(state, job, pending, now);
  if (job.spec.checking === 'verify') return requestVerification(state, pending);
  return stored.opening ? requestProof(state, pending) : [];
}

/** Names a hand-in: the same lease and parts are the same row, however often they arrive. */
const handInKey = (epoch: number, attempt: number, parts: PartMask): string => `${epoch}/${attempt}/${parts}`;

function handIn(state: State, command: Command & { type: 'handIn' }, now: number, random: RandomBytes): Event[] {
  const { lease, parts, hash, root } = command;
  const refused = (code: 'conflict' | 'bad_input' | 'forbidden' | 'stale' | 'suspended', message: string): Event[] => [
    { type: 'refused', code, message, field: 'token' },
  ];
  const contributor = state.contributors.get(lease.contributor);
  if (!contributor) return refused('forbidden', 'Say hello first.');
  const job = state.jobs.get(lease.job);
  if (!job) return refused('conflict', 'This job is not open any more.');
  if (isSuspended(contributor, job.record, now)) return refused('suspended', SUSPENDED);
  if (parts === 0 || (parts & ~lease.parts) !== 0)
    return [{ type: 'refused', code: 'bad_input', message: 'The lease does not cover these parts.', field: 'parts' }];

  const key = handInKey(lease.epoch, lease.attempt, parts);
  const before = job.handedIn.get(key);
  if (before) {
    if (before.hash !== hash) return refused('conflict', 'Another result was handed in under this lease.');
    const pending = state.pending.get(before.id);
    return [{ type: 'stored', result: before.id, open: pending?.stage === 'opening' ? columnsOf(pending) : [] }];
  }
  if (!job.blocks.isHere(lease.at.tile)) return [{ type: 'refused', code: 'busy', message: 'This tile is with another coordinator; try again.' }];
  if (lease.expiresMs < now) return refused('stale', 'This lease has expired.');
  if (job.closing) return refused('conflict', 'This job was cancelled.');

  const number = tileNumber(job.grid.tiles, lease.at);
  // Attempts are counted anew after a restart, so a token of an earlier epoch names no lease of this one.
  const active = lease.epoch === state.config.epoch ? state.leases.get(leaseKey(lease.job, lease.at, lease.attempt)) : undefined;
  const unclaimed = (parts & job.blocks.unclaimed(number)) as PartMask;
  if (unclaimed !== parts) {
    if (active?.contributor === contributor.id && unclaimed === 0) endLease(state, active);
    return [{ type: 'refused', code: 'conflict', message: 'Somebody else has finished parts of this tile.', field: 'parts', limit: String(unclaimed) }];
  }
  const stored = {
    id: command.id,
    job: lease.job,
    at: lease.at,
    parts,
    epoch: lease.epoch,
    attempt: lease.attempt,
    contributor: contributor.id,
    owner: contributor.owner,
    site: siteFor(state, contributor),
    hash,
    sizeBytes: command.sizeBytes,
    inline: command.inline,
    salt: command.salt,
    root,
    commitment: commitmentOf(lease, hash, root),
    nonce: random(16),
    drawn: contributor.trusted ? 0 : elementsToDraw(state, job, contributor, lease.at, parts, now),
    round: 'first',
    opening: null,
    computeMs: command.computeMs,
    committedMs: now,
    state: 'committed',
    evidence: [],
    errorBound: 0,
    decidedMs: null,
    vesting: null,
    drill: contributor.drill,
    passesWanted: null,
  } as const;
  job.handedIn.set(key, { id: stored.id, hash });
  job.contributors.add(contributor.id);
  job.fetchedBy.add(contributor.id);
  job.blocks.hold(number, parts);
  const voided = active?.contributor === contributor.id ? settleLease(state, job, contributor, active, parts, now) : [];
  const events = begin(state, job, stored, now);
  const pending = state.pending.get(stored.id);
  return [
    { type: 'write', write: { kind: 'result', result: stored } },
    { type: 'stored', result: stored.id, open: pending ? columnsOf(pending) : [] },
    { type: 'tileChecking', job: stored.job, at: stored.at, parts },
    ...voided,
    ...events,
    ...endJobIfOver(state, job, now),
  ];
}

function elementsToDraw(state: State, job: Job, contributor: Contributor, at: PendingResult['stored']['at'], parts: PartMask, now: number): number {
  const auditors = prevailingAuditor(state, job, now);
  const size = sizeOf(job, { at, parts });
  if (job.spec.checking === 'verify') return size;
  const wanted = drawCount(job.stored.checks.targetError, standingOf(contributor, job.record, now), size, auditors);
  return auditors === 'cpu' ? Math.min(wanted, cpuElementsMax(job, at)) : wanted;
}

/** Takes an opening. Repeated, or of a result that has its verdict, it changes nothing. */
function open(state: State, { contributor, result, hash, inline }: Command & { type: 'open' }): Event[] {
  const pending = state.pending.get(result);
  if (pending?.stage !== 'opening') return [];
  if (pending.stored.contributor !== contributor)
    return [{ type: 'refused', code: 'forbidden', message: 'This result is another contributor’s.', field: 'result' }];
  const opened = { ...pending, stored: { ...pending.stored, opening: { hash, inline } } };
  state.pending.set(result, opened);
  return [{ type: 'write', write: { kind: 'opening', id: result, opening: { hash, inline } } }, ...requestProof(state, opened)];
}

/** Takes handed-in parts off the lease, and off its copy. */
function settleLease(
  state: State,
  job: Job,
  contributor: Contributor,
  active: NonNullable<ReturnType<State['leases']['get']>>,
  parts: PartMask,
  now: number,
): Event[] {
  noteHandIn(contributor, active.unitsPerPart * countParts(parts), active.grantedMs, now);
  const covered = (parts & active.parts) as PartMask;
  active.parts = (active.parts & ~covered) as PartMask;
  job.blocks.unlease(tileNumber(job.grid.tiles, active.at), covered);
  job.partsLeased -= countParts(covered);
  const voided = settleTwin(state, active, covered);
  if (active.parts === 0) endLease(state, active);
  renewLeases(contributor, now);
  return voided;
}

/** Leases and audits that its contributor will not do, and results that it cannot open any more. */
function giveBack(state: State, { contributor: id, tokens, unopened }: Command & { type: 'giveBack' }, now: number): Event[] {
  const contributor = state.contributors.get(id);
  const given = new Set(tokens);
  const events: Event[] = [];
  const refused = [...(contributor?.leases.values() ?? [])].filter(({ token }) => given.has(token));
  if (contributor && refused.length > 0) {
    const { ms, isTooOften } = noteRefusal(contributor, refused);
    if (isTooOften) rest(contributor, now);
    if (ms > 0) contributor.restUntilMs = Math.max(now, contributor.restUntilMs) + ms;
  }
  for (const active of refused) endLease(state, active);
  for (const token of tokens) {
    const audit = state.audits.get(token);
    if (audit?.contributor === id) events.push(...giveUpAudit(state, audit, now));
  }
  for (const result of unopened) if (state.pending.get(result)?.stored.contributor === id) events.push(...abandon(state, result, now));
  return [...events, ...wakeIdle(state)];
}

/** A result that its contributor did not open: dropped, and remembered against it. */
function abandon(state: State, id: ResultId, now: number): Event[] {
  const pending = state.pending.get(id);
  const job = pending && state.jobs.get(pending.stored.job);
  if (!job || pending.stage !== 'opening') return [];
  const contributor = state.contributors.get(pending.stored.contributor);
  if (contributor) rest(contributor, now);
  return [...discard(state, job, pending, 'It was not opened in time, so it could not be checked.', true, now), ...endJobIfOver(state, job, now)];
}

export const LEASE_EXPIRED = 'The lease has expired.';

/** Time passing: leases run out, absent contributors lose theirs, what was not opened is dropped, audits go to others, pay vests. */
function tick(state: State, { vestsMax = Number.POSITIVE_INFINITY }: Command & { type: 'tick' }, now: number): Event[] {
  observe(state, now);
  const events: Event[] = [];
  for (const active of [...state.leases.values()]) {
    const contributor = state.contributors.get(active.contributor);
    const gone = !contributor || (!contributor.connected && now - contributor.leftMs > limits.absenceGraceMsMax);
    if (!gone && active.deadlineMs > now) continue;
    if (contributor && !gone) expireLease(state, contributor, active, now);
    else endLease(state, active);
    if (!gone) events.push({ type: 'leasesVoided', contributor: active.contributor, tokens: [active.token], reason: LEASE_EXPIRED });
    events.push(...wakeIdle(state));
  }
  for (const { stored, stage, sinceMs } of [...state.pending.values()])
    if (stage === 'opening' && now > openedBy(state.contributors.get(stored.contributor), sinceMs)) events.push(...abandon(state, stored.id, now));
  events.push(...expireAudits(state, now));
  let vestsLeft = vestsMax;
  for (const contributor of state.contributors.values()) {
    const vesting = contributor.vesting.length;
    if (vesting > 0) events.push(...vestDue(state, contributor, now, vestsLeft));
    vestsLeft -= vesting - contributor.vesting.length;
    const busy = contributor.connected || contributor.leases.size > 0 || contributor.vesting.length > 0 || contributor.undecided > 0;
    if (!busy && now - contributor.leftMs > FORGET_MS) state.contributors.delete(contributor.id);
  }
  // The last lease of a pass that is waived meanwhile may just have ended.
  for (const job of [...state.jobs.values()]) if (job.blocks.waived > 0) events.push(...endJobIfOver(state, job, now));
  return events;
}

/** Whoever has gone may come back and open its result, but others wait for it. */
function openedBy(contributor: Contributor | undefined, sinceMs: number): number {
  const absent = contributor && !contributor.connected ? Math.max(sinceMs, contributor.leftMs) + limits.openingAbsentMsMax : Number.POSITIVE_INFINITY;
  return Math.min(sinceMs + limits.openingMsMax, absent);
}

/** Longer than a lease token lives: until then its owner and speed are remembered for late hand-ins. */
const FORGET_MS = 2 * limits.leaseTokenMsMax;
