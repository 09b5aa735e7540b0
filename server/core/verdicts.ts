import { countParts, type OwnerId, type PartMask, type ResultId } from '../../shared/model.ts';
import type { AcceptedView } from '../../shared/schemas.ts';
import { aliasOf, countRate, endJobIfOver } from './ending.ts';
import { payments } from './ledger.ts';
import { partPrice } from './pricing.ts';
import { isSuspended, recordVerdict, SUSPENDED } from './reputation.ts';
import { endLease, wakeIdle } from './scheduler.ts';
import type { CheckRequest, Command, Event, Job, PendingResult, State } from './state.ts';
import { auditCount, auditPasses, drawDigest, refereeRefutes, replicaAgrees, tileNumber, wantsReplica } from './verifier.ts';

/** A check that broke down (a dead thread, a lost blob) is asked for again this often; then the result is dropped unpaid and unpunished. */
const CHECK_RETRIES_MAX = 2;

/** The first question about a committed result: an audit, or for a replica the comparison with what it replicates. */
export function requestChecks(state: State, job: Job, pending: PendingResult, now: number): Event[] {
  const { stored } = pending;
  if (stored.replicaOf !== null) {
    const original = state.pending.get(stored.replicaOf);
    if (!original) return discard(state, job, pending, 'The result it was to confirm was decided without it.', now);
    pending.stage = 'compare';
    return ask(state, { kind: 'compare', result: original.stored, replica: stored });
  }
  if (job.stored.checks.auditElements === 0) return awaitReplica(state, job, pending, now);
  pending.stage = 'audit';
  return askAudit(state, job, pending);
}

function ask(state: State, request: CheckRequest): Event[] {
  state.checksInFlight++;
  return [{ type: 'checkRequested', request }];
}

function askAudit(state: State, job: Job, pending: PendingResult): Event[] {
  const round = pending.stage === 'larger audit' ? 'larger audit' : 'audit';
  return ask(state, {
    kind: 'audit',
    round,
    result: pending.stored,
    digest: drawDigest(state.config.drawKey, pending.stored, round),
    count: auditCount(job, pending.stored, round === 'larger audit'),
  });
}

/** A guest may have become a wallet since it handed in. */
const ownerOf = (state: State, { stored }: PendingResult): OwnerId => state.contributors.get(stored.contributor)?.owner ?? stored.owner;

/** Offers a result to a second contributor of another owner, or audits more when the money set aside for replicas is used up. */
function awaitReplica(state: State, job: Job, pending: PendingResult, now: number): Event[] {
  const { id, at, claimed } = pending.stored;
  const owner = ownerOf(state, pending);
  const missing = (claimed & ~pending.confirmed) as PartMask;
  if (missing === 0) return accept(state, job, pending, now);
  const uncovered = (missing & ~pending.confirming) as PartMask;
  if (costOf(job, pending, uncovered) > replicaMoney(state, job)) return startLargerAudit(state, job, id);
  pending.stage = 'replica';
  job.replicaNeeds.set(id, { result: id, at, owner, sinceMs: now, missing, taken: pending.confirming });
  return [];
}

const costOf = (job: Job, { stored }: PendingResult, parts: PartMask): bigint =>
  partPrice(job.spec, job.context, stored.at, job.stored.ratePerUnit) * BigInt(countParts(parts));

/** What is set aside for replicas and neither paid nor promised: to parts that wait for one, or to replicas that wait for a verdict. */
function replicaMoney(state: State, job: Job): bigint {
  let promised = 0n;
  for (const pending of state.pending.values()) {
    if (pending.stored.job !== job.stored.id) continue;
    const need = job.replicaNeeds.get(pending.stored.id);
    if (need) promised += costOf(job, pending, need.missing);
    const { replicaOf } = pending.stored;
    if (replicaOf !== null && !job.replicaNeeds.has(replicaOf)) promised += costOf(job, pending, pending.stored.claimed);
  }
  return job.stored.checksHeld - job.paidForReplicas - promised;
}

/** Nobody can make the replica: four times as many elements are recomputed instead. */
export function startLargerAudit(state: State, job: Job, id: ResultId): Event[] {
  const pending = state.pending.get(id);
  job.replicaNeeds.delete(id);
  if (!pending) return [];
  for (const active of [...state.leases.values()]) if (active.replicaOf === id) endLease(state, active);
  pending.stage = 'larger audit';
  return askAudit(state, job, pending);
}

/** Takes the answer to a check request. Answers nobody waits for any more are dropped: about decided results, or asked before a restart. */
export function checked(state: State, { request, outcome }: Command & { type: 'checked' }, now: number): Event[] {
  state.checksInFlight = Math.max(0, state.checksInFlight - 1);
  const job = state.jobs.get(request.result.job);
  const pending = state.pending.get(request.kind === 'audit' ? request.result.id : request.replica.id);
  const stage = request.kind === 'audit' ? request.round : request.kind;
  if (!job || pending?.stage !== stage) return [];
  const events = decide(state, job, pending, request, outcome, now);
  return [...events, ...endJobIfOver(state, job, now), ...wakeIdle(state)];
}

function decide(
  state: State,
  job: Job,
  pending: PendingResult,
  request: CheckRequest,
  outcome: (Command & { type: 'checked' })['outcome'],
  now: number,
): Event[] {
  if (outcome.kind === 'failed') {
    if (pending.retries++ < CHECK_RETRIES_MAX) return ask(state, request);
    return discard(state, job, pending, `It could not be checked: ${outcome.message}`, now);
  }
  if (request.kind === 'audit' && outcome.kind === 'audit') return afterAudit(state, job, pending, outcome.evidence, now);
  const original = state.pending.get(request.result.id);
  if (!original) return discard(state, job, pending, 'The result it was to confirm was decided without it.', now);
  if (outcome.kind === 'compare' && request.kind === 'compare') {
    job.replicas++;
    original.evidence.push(outcome.evidence);
    pending.evidence.push(outcome.evidence);
    if (replicaAgrees(outcome.evidence, job.spec.tolerance)) return agreed(state, job, original, pending, now);
    // Neither is a liar until the referee, who recomputes what they disagree on, has spoken.
    pending.stage = 'referee';
    return ask(state, { kind: 'referee', result: original.stored, replica: pending.stored, sample: outcome.sample });
  }
  if (outcome.kind === 'referee') return refereed(state, job, original, pending, outcome, now);
  throw new Error(`a ${request.kind} was answered by a ${outcome.kind}`);
}

function afterAudit(state: State, job: Job, pending: PendingResult, evidence: PendingResult['evidence'][number], now: number): Event[] {
  job.audits++;
  job.elements += evidence.drawn;
  pending.evidence.push(evidence);
  if (!auditPasses(evidence, job.spec.tolerance)) return refute(state, job, pending, reasonOf(evidence), now);
  const second = pending.stage === 'audit' && !job.closing && wantsReplica(state.config.drawKey, pending.stored, job.stored.checks.replicaShare);
  return second ? awaitReplica(state, job, pending, now) : accept(state, job, pending, now);
}

const reasonOf = ({ drawn, differing }: PendingResult['evidence'][number]): string =>
  `${differing} of ${drawn} values drawn at random differed when they were computed again.`;

/** A replica confirmed these parts: it is paid, and the original once all of its parts are confirmed. */
function agreed(state: State, job: Job, original: PendingResult, replica: PendingResult, now: number): Event[] {
  const events = accept(state, job, replica, now);
  const parts = replica.stored.claimed;
  original.confirmed = (original.confirmed | parts) as PartMask;
  original.confirming = (original.confirming & ~parts) as PartMask;
  const need = job.replicaNeeds.get(original.stored.id);
  if (!need) return events;
  need.missing = (need.missing & ~parts) as PartMask;
  if (need.missing !== 0) return job.closing && original.confirming === 0 ? [...events, ...startLargerAudit(state, job, original.stored.id)] : events;
  job.replicaNeeds.delete(original.stored.id);
  return [...events, ...accept(state, job, original, now)];
}

function refereed(
  state: State,
  job: Job,
  original: PendingResult,
  replica: PendingResult,
  outcome: { readonly result: PendingResult['evidence'][number]; readonly replica: PendingResult['evidence'][number] },
  now: number,
): Event[] {
  job.audits++;
  job.elements += outcome.result.drawn + outcome.replica.drawn;
  original.evidence.push(outcome.result);
  replica.evidence.push(outcome.replica);
  const replicaLies = refereeRefutes(outcome.replica);
  const originalLies = refereeRefutes(outcome.result);
  if (!originalLies) {
    // The original has passed its audit and the referee; a lying replica must not delay it.
    const verdict = replicaLies ? refute(state, job, replica, reasonOf(outcome.replica), now) : accept(state, job, replica, now);
    job.replicaNeeds.delete(original.stored.id);
    return [...verdict, ...accept(state, job, original, now)];
  }
  job.replicaNeeds.delete(original.stored.id);
  const events = refute(state, job, original, reasonOf(outcome.result), now);
  if (replicaLies) return [...events, ...refute(state, job, replica, reasonOf(outcome.replica), now)];
  return [...events, ...promote(state, job, replica, now)];
}

/** An honest replica takes the place of the result that it exposed, for the parts that are now unclaimed. */
function promote(state: State, job: Job, replica: PendingResult, now: number): Event[] {
  const number = tileNumber(job.grid.tiles, replica.stored.at);
  const claimed = (replica.stored.parts & job.blocks.unclaimed(number)) as PartMask;
  job.blocks.hold(number, claimed);
  job.partsChecking += countParts(claimed);
  const stored = { ...replica.stored, replicaOf: null, claimed };
  return accept(state, job, { ...replica, stored }, now);
}

/** Canonical, or a confirmed replica: paid either way. */
function accept(state: State, job: Job, pending: PendingResult, now: number): Event[] {
  const { stored } = pending;
  const isReplica = stored.replicaOf !== null;
  const amount = partPrice(job.spec, job.context, stored.at, job.stored.ratePerUnit) * BigInt(countParts(stored.claimed));
  const events = decided(state, pending, 'accepted', isReplica ? (0 as PartMask) : stored.claimed, now);
  job.paid += amount;
  const contributor = state.contributors.get(stored.contributor);
  const owner = ownerOf(state, pending);
  const { transfers, earned } = payments(job.stored, stored, owner, amount, contributor?.sharePercent ?? 0, now);
  for (const transfer of transfers) events.push({ type: 'write', write: { kind: 'transfer', transfer } });
  if (isReplica) job.paidForReplicas += amount;
  else {
    job.blocks.accept(tileNumber(job.grid.tiles, stored.at), stored.claimed);
    job.partsChecking -= countParts(stored.claimed);
    job.partsAccepted += countParts(stored.claimed);
    countRate(job, countParts(stored.claimed), now);
    events.push({ type: 'tileAccepted', job: stored.job, result: acceptedView({ ...stored, accepted: stored.claimed }) });
  }
  events.push(
    verdictEvent(pending, owner, 'accepted', earned, isReplica ? 'It confirmed somebody else’s result.' : 'It was computed again in part and matched.'),
  );
  return events;
}

function refute(state: State, job: Job, pending: PendingResult, reason: string, now: number): Event[] {
  const { stored } = pending;
  const events = decided(state, pending, 'refuted', 0 as PartMask, now);
  job.refuted++;
  letGo(state, job, pending);
  events.push({ type: 'tileRefuted', job: stored.job, at: stored.at, parts: stored.parts }, verdictEvent(pending, stored.owner, 'refuted', 0n, reason));
  const contributor = state.contributors.get(stored.contributor);
  if (!contributor || !isSuspended(contributor, now)) return events;
  const leases = [...contributor.leases.values()];
  for (const active of leases) endLease(state, active);
  if (leases.length > 0) events.push({ type: 'leasesVoided', contributor: contributor.id, tokens: leases.map(({ token }) => token), reason: SUSPENDED });
  return events;
}

/** Dropped without a judgement: nobody is paid, nobody is blamed. */
function discard(state: State, job: Job, pending: PendingResult, reason: string, now: number): Event[] {
  const events = decided(state, pending, 'discarded', 0 as PartMask, now);
  letGo(state, job, pending);
  events.push(verdictEvent(pending, pending.stored.owner, 'discarded', 0n, reason));
  return events;
}

/** Parts of a result that was not accepted are offered again. */
function letGo(state: State, job: Job, { stored }: PendingResult): void {
  if (stored.replicaOf === null) {
    job.partsChecking -= countParts(stored.claimed);
    job.blocks.unhold(tileNumber(job.grid.tiles, stored.at), stored.claimed);
    return;
  }
  const original = state.pending.get(stored.replicaOf);
  if (original) original.confirming = (original.confirming & ~stored.claimed) as PartMask;
  const need = job.replicaNeeds.get(stored.replicaOf);
  if (need) need.taken = (need.taken & ~stored.claimed) as PartMask;
}

function decided(state: State, pending: PendingResult, verdict: 'accepted' | 'refuted' | 'discarded', accepted: PartMask, now: number): Event[] {
  state.pending.delete(pending.stored.id);
  const events: Event[] = [
    { type: 'write', write: { kind: 'verdict', id: pending.stored.id, state: verdict, accepted, evidence: pending.evidence, atMs: now } },
  ];
  const contributor = state.contributors.get(pending.stored.contributor);
  if (contributor && verdict !== 'discarded') events.push({ type: 'write', write: recordVerdict(contributor, verdict, now) });
  return events;
}

const verdictEvent = (
  pending: PendingResult,
  owner: PendingResult['stored']['owner'],
  state: 'accepted' | 'refuted' | 'discarded',
  microCredits: bigint,
  reason: string,
): Event => ({
  type: 'verdict',
  contributor: pending.stored.contributor,
  owner,
  job: pending.stored.job,
  at: pending.stored.at,
  parts: pending.stored.parts,
  state,
  microCredits,
  reason,
});

export const acceptedView = (result: PendingResult['stored']): AcceptedView => ({
  id: result.id,
  pass: result.at.pass,
  tile: result.at.tile,
  parts: result.accepted,
  held: result.parts,
  hash: result.hash,
  contributor: aliasOf(result.contributor),
});
