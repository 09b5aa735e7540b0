import { type ContributorId, countParts, type Evidence, type OwnerId, type PartMask } from '../../shared/model.ts';
import type { AcceptedView } from '../../shared/schemas.ts';
import type { Vesting } from '../store/store.ts';
import { noteAccepted } from './adaptive.ts';
import { askAgain, askQuestions, auditPrice, giveUpAudit, request } from './audits.ts';
import { aliasOf, countRate, endJobIfOver } from './ending.ts';
import { auditPayment, payment, refundAccount } from './ledger.ts';
import { isFree } from './offer.ts';
import { partPrice } from './pricing.ts';
import { isSuspended, newStanding, recordVerdict, SUSPENDED, standingOf, vestingMs } from './reputation.ts';
import { endLease, wakeIdle } from './scheduler.ts';
import type { CheckOutcome, CheckRequest, Command, Contributor, Event, Job, PendingResult, State } from './state.ts';
import { noteVerdict } from './traffic.ts';
import { errorBound, isProvenWrong, sampleOf, secondDrawCount, sizeOf, tileNumber, totalOf, verifyKeys } from './verifier.ts';
import { voidVesting } from './vesting.ts';

/** A check that broke down (a dead thread, a lost blob) is asked for again this often; then the result is dropped unpaid and unpunished. */
const CHECK_RETRIES_MAX = 2;

/** An opening is there: is it what was committed? */
export function requestProof(state: State, pending: PendingResult): Event[] {
  pending.stage = 'proof';
  return request(state, { kind: 'opening', round: pending.round, result: pending.stored, sample: pending.sample });
}

/** A result that is looked at as a whole needs no opening: its bytes are here. */
export function requestVerification(state: State, pending: PendingResult): Event[] {
  pending.stage = 'audit';
  pending.open = 1;
  const { round, stored: result, sample } = pending;
  return request(state, { kind: 'verify', round, result, sample, keys: verifyKeys(state.config.drawKey, result) });
}

/** Takes the answer to a check request. Answers nobody waits for any more are dropped: about decided results, or asked before a restart. */
export function checked(state: State, { request: check, outcome }: Command & { type: 'checked' }, now: number): Event[] {
  state.checksInFlight = Math.max(0, state.checksInFlight - 1);
  const job = state.jobs.get(check.result.job);
  const pending = state.pending.get(check.result.id);
  if (!job || !pending || pending.round !== check.round || pending.stage !== (check.kind === 'opening' ? 'proof' : 'audit')) return [];
  return [...decide(state, job, pending, check, outcome, now), ...endJobIfOver(state, job, now)];
}

function decide(state: State, job: Job, pending: PendingResult, check: CheckRequest, outcome: CheckOutcome, now: number): Event[] {
  switch (outcome.kind) {
    case 'failed':
      if (pending.retries++ < CHECK_RETRIES_MAX) return request(state, check);
      return discard(state, job, pending, `It could not be checked: ${outcome.message}`, false, now);
    case 'mismatch':
      return refute(state, job, pending, `What was opened is not what was handed in: ${outcome.message}.`, now);
    case 'opened':
      pending.claims = outcome.claims;
      pending.stage = 'audit';
      return askQuestions(state, job, pending, now);
    case 'verified':
      return verified(state, job, pending, outcome, now);
    case 'recomputed':
      noteAgreement(job, pending, CPU_CLASS, outcome.evidence.differing, outcome.evidence);
      return answered(state, job, pending, { ...outcome.evidence, by: 'cpu' }, now);
    case 'compared':
      return compared(state, job, pending, check, outcome, now);
    default:
      throw new Error(`unknown outcome ${JSON.stringify(outcome satisfies never)}`);
  }
}

/** All of its elements were looked at: the first wrong one is a lie. */
function verified(state: State, job: Job, pending: PendingResult, { wrong, worst, where, cpuMs }: CheckOutcome & { kind: 'verified' }, now: number): Event[] {
  const evidence: Evidence = { by: 'cpu', drawn: sizeOf(job, pending.stored), differing: wrong, unexplained: wrong, worst, cpuMs };
  if (wrong === 0) return answered(state, job, pending, evidence, now);
  pending.evidence.push(evidence);
  return refute(state, job, pending, `It is not what the job asks for: ${where}.`, now);
}

/** An auditor's word: counted when the referee has nothing against it. One that lied is refuted itself, and its question goes to somebody else. */
function compared(state: State, job: Job, pending: PendingResult, check: CheckRequest, outcome: CheckOutcome & { kind: 'compared' }, now: number): Event[] {
  if (check.kind !== 'compare') throw new Error(`a ${check.kind} was answered by a comparison`);
  const auditor = state.contributors.get(check.auditor);
  const by = auditor?.trusted ? 'trusted' : 'contributor';
  // Proven to lie meanwhile: nothing that it says counts any more.
  if (auditor && isSuspended(auditor, job.record, now)) return askAgain(state, check.question, now);
  const { drawn, differing, unexplained } = outcome.auditor;
  if (auditor && unexplained > 0 && !auditor.trusted) {
    const standing = standingOf(auditor, job.record, now);
    Object.assign(standing, { drawn: standing.drawn + drawn, differing: standing.differing + differing, unexplained: standing.unexplained + unexplained });
    if (isProvenWrong(outcome.auditor, job.spec.tolerance) || isProvenWrong(standing, job.spec.tolerance))
      return [...convict(state, job, auditor, auditReason(outcome.auditor), check.result.at, now), ...askAgain(state, check.question, now)];
  }
  const pay = auditor && !auditor.trusted ? payAuditor(state, job, auditor, pending, check.question, now) : [];
  noteAgreement(job, pending, auditor?.deviceClass ?? null, outcome.apart, outcome.result);
  return [...pay, ...answered(state, job, pending, { ...outcome.result, by }, now)];
}

/** What the coordinator's own CPU is called among device classes; those of devices have slashes. */
const CPU_CLASS = 'cpu';

/** Keeps how well two device classes agreed on elements of a result, in case it is accepted. Only a measurement: no verdict looks at it. */
function noteAgreement(job: Job, pending: PendingResult, auditor: string | null, differing: number, found: Pick<Evidence, 'drawn' | 'unexplained'>): void {
  const { authorClass: author } = pending;
  if (author === null || auditor === null) return;
  pending.agreements.push({ workload: job.spec.id, author, auditor, drawn: found.drawn, differing, unexplained: found.unexplained });
}

const auditReason = ({ drawn, unexplained }: Pick<Evidence, 'drawn' | 'unexplained'>): string =>
  `${unexplained} of ${drawn} values that it recomputed for an audit were wrong.`;

function payAuditor(
  state: State,
  job: Job,
  auditor: Contributor,
  pending: PendingResult,
  question: (CheckRequest & { kind: 'compare' })['question'],
  now: number,
): Event[] {
  const amount = auditPrice(job, pending, question);
  if (amount === 0n || job.checksHeld - job.paidForAudits - job.promisedForAudits < amount) return [];
  job.paid += amount;
  job.paidForAudits += amount;
  return [
    {
      type: 'write',
      write: { kind: 'transfer', transfer: auditPayment(job.stored, pending.stored, pending.round, state.config.epoch, question, auditor.owner, amount, now) },
    },
  ];
}

/** One question less; the last one decides. */
function answered(state: State, job: Job, pending: PendingResult, evidence: Evidence, now: number): Event[] {
  pending.evidence.push(evidence);
  pending.open--;
  job.elements[evidence.by] += evidence.drawn;
  const { tolerance } = job.spec;
  const total = totalOf(pending.evidence);
  const contributor = state.contributors.get(pending.stored.contributor);
  const record = contributor && standingOf(contributor, job.record, now);
  const overall = record && { drawn: record.drawn + total.drawn, unexplained: record.unexplained + total.unexplained };
  if (isProvenWrong(total, tolerance) || (total.unexplained > 0 && overall && isProvenWrong(overall, tolerance)))
    return refute(state, job, pending, `${total.unexplained} of ${total.drawn} values drawn at random were wrong when they were computed again.`, now);
  if (pending.open > 0) return [];
  if (total.unexplained === 0 && pending.asked < pending.sample.elements.length) return askQuestions(state, job, pending, now);
  if (total.unexplained === 0) return accept(state, job, pending, now);
  if (pending.round === 'first' && total.drawn < sizeOf(job, pending.stored)) return drawAgain(state, job, pending, now);
  // A single value that nothing explains happens to honest devices; more of them are too few to blame anybody and too many to pay.
  if (total.unexplained === 1) return accept(state, job, pending, now);
  return discard(state, job, pending, `${total.unexplained} of ${total.drawn} values drawn at random differed; nobody is blamed for so few.`, false, now);
}

/** Something differed that nothing explains: four times as many elements are drawn before anybody is judged. */
function drawAgain(state: State, job: Job, pending: PendingResult, now: number): Event[] {
  const drawn = secondDrawCount(pending.stored.drawn, sizeOf(job, pending.stored));
  const stored = { ...pending.stored, round: 'second' as const, drawn, opening: null, evidence: [...pending.evidence] };
  const again: PendingResult = {
    ...pending,
    stored,
    round: 'second',
    stage: 'opening',
    claims: new Uint8Array(),
    open: 0,
    asked: 0,
    sinceMs: now,
    sample: sampleOf(state.config.drawKey, job, stored),
  };
  state.pending.set(stored.id, again);
  return [
    { type: 'write', write: { kind: 'secondDraw', id: stored.id, evidence: stored.evidence, drawn } },
    { type: 'openWanted', contributor: stored.contributor, result: stored.id, open: columnsOf(again) },
  ];
}

/** The elements whose columns are to be opened. */
export const columnsOf = ({ sample }: PendingResult): number[] => [...new Set(sample.elements)].sort((a, b) => a - b);

/** A guest may have become a wallet since it handed in. */
const ownerOf = (contributor: Contributor | undefined, { stored }: PendingResult): OwnerId => contributor?.owner ?? stored.owner;

/** Canonical, and paid into vesting. What a drill made is never accepted. */
export function accept(state: State, job: Job, pending: PendingResult, now: number): Event[] {
  const { stored } = pending;
  if (stored.drill) return discard(state, job, pending, 'The drill was not found out.', false, now);
  const contributor = state.contributors.get(stored.contributor);
  const owner = ownerOf(contributor, pending);
  const size = sizeOf(job, stored);
  const count = countParts(stored.parts);
  const amount = partPrice(job.spec, job.context, stored.at, job.stored.ratePerUnit) * BigInt(count);
  // Whoever is forgotten has no record that would insure anything.
  const standing = contributor ? standingOf(contributor, job.record, now) : newStanding(now);
  const bound = contributor?.trusted ? 0 : errorBound(standing, size, pending.evidence);
  // Also where nothing is paid: until it has vested, a proven lie takes the result back.
  const { vestingMsMax, holdbackMs } = state.config;
  const vesting: Vesting = {
    unit: job.stored.unit,
    microCredits: amount,
    vestsAtMs: now + Math.max(contributor?.trusted ? 0 : vestingMs(vestingMsMax, standing, size), job.stored.unit === 'credit' ? holdbackMs : 0),
    refundTo: refundAccount(job.stored),
  };
  const own = owner === job.stored.owner;
  const events = decided(state, job, pending, { state: 'accepted', errorBound: bound, vesting, elements: own ? 0 : size, itsDoing: false }, now);
  job.paid += amount;
  job.blocks.accept(tileNumber(job.grid.tiles, stored.at), stored.parts);
  job.partsChecking -= count;
  job.partsAccepted += count;
  job.errorSum += bound * count;
  countRate(job, count, now);
  if (!isFree(job)) state.achieved += size;
  // Its bytes are on disk, and nobody asks memory for them again.
  const accepted = {
    ...stored,
    inline: null,
    opening: null,
    state: 'accepted' as const,
    errorBound: bound,
    evidence: pending.evidence,
    decidedMs: now,
    vesting,
  };
  contributor?.vesting.push(accepted);
  if (amount > 0n) events.push({ type: 'write', write: { kind: 'transfer', transfer: payment(job.stored, stored, amount, now) } });
  // Its record allows it more now.
  if (contributor && state.idle.delete(contributor.id)) events.push({ type: 'workAvailable', contributors: [contributor.id] });
  if (contributor) contributor.expired = 0;
  events.push(...pending.agreements.map((agreement): Event => ({ type: 'write', write: { kind: 'agreement', agreement } })));
  const { context, spec } = job;
  const done = { tiles: count / spec.parts(context, stored.at), microUnits: count * spec.work(context, stored.at), elements: size };
  events.push(...noteAccepted(state, job, accepted), { type: 'tileAccepted', job: stored.job, result: acceptedView(accepted), amount: done, atMs: now });
  events.push(verdictEvent(pending, owner, 'accepted', amount, 0n, reasonToAccept(job, pending, contributor)));
  return events;
}

function reasonToAccept({ spec }: Job, { evidence }: PendingResult, contributor: Contributor | undefined): string {
  if (contributor?.trusted) return 'The operator trusts this contributor.';
  if (spec.checking === 'verify') return 'All of it was checked.';
  return `${totalOf(evidence).drawn} values drawn at random were computed again and matched.`;
}

function refute(state: State, job: Job, pending: PendingResult, reason: string, now: number): Event[] {
  const { stored } = pending;
  const contributor = state.contributors.get(stored.contributor);
  const events = decided(state, job, pending, { state: 'refuted', errorBound: 0, vesting: null, elements: 0, itsDoing: true }, now);
  job.refuted++;
  events.push(...letGo(state, job, pending, contributor, now), {
    type: 'tileRefuted',
    job: stored.job,
    at: stored.at,
    parts: stored.parts,
    drill: stored.drill,
  });
  const consequences = contributor ? punish(state, contributor, job.record, now) : { events: [], voided: 0n };
  events.push(...consequences.events, verdictEvent(pending, stored.owner, 'refuted', 0n, consequences.voided, reason));
  return events;
}

/** An auditor that was proven to lie: the same as for a lying result. */
function convict(state: State, job: Job, contributor: Contributor, reason: string, at: PendingResult['stored']['at'], now: number): Event[] {
  const write = recordVerdict(contributor, job.record, { state: 'refuted', elements: 0, evidence: [], itsDoing: true }, now);
  const { events, voided } = punish(state, contributor, job.record, now);
  const verdict: Event = {
    type: 'verdict',
    contributor: contributor.id,
    owner: contributor.owner,
    job: job.stored.id,
    at,
    parts: 0 as PartMask,
    state: 'refuted',
    microCredits: 0n,
    voided,
    reason,
  };
  return [{ type: 'write', write }, ...events, verdict];
}

/** What a proven lie costs: its leases, what has not vested, and every result that rested on its record alone. */
export function punish(state: State, contributor: Contributor, workload: string, now: number): { events: Event[]; voided: bigint } {
  const { events, voided } = voidVesting(state, contributor, now);
  const leases = [...contributor.leases.values()].filter(({ job }) => state.jobs.get(job)?.record === workload);
  for (const active of leases) endLease(state, active);
  if (leases.length > 0) events.push({ type: 'leasesVoided', contributor: contributor.id, tokens: leases.map(({ token }) => token), reason: SUSPENDED });
  for (const audit of [...state.audits.values()]) if (audit.contributor === contributor.id) events.push(...giveUpAudit(state, audit, now));
  events.push(...contributor.questions.splice(0).flatMap((question) => askAgain(state, question, now)));
  events.push(...dropOthers(state, contributor.id, workload, now));
  return { events, voided };
}

/** Its other results that wait for a verdict: not judged, not paid. */
function dropOthers(state: State, id: ContributorId, workload: string, now: number): Event[] {
  const contributor = state.contributors.get(id);
  if (!contributor || contributor.undecided === 0) return [];
  return [...state.pending.values()].flatMap((pending) => {
    const job = state.jobs.get(pending.stored.job);
    if (pending.stored.contributor !== id || job?.record !== workload) return [];
    return [...discard(state, job, pending, 'Another result of this device was proven wrong.', false, now), ...endJobIfOver(state, job, now)];
  });
}

/** Dropped without a judgement: nobody is paid, nobody is blamed. */
export function discard(state: State, job: Job, pending: PendingResult, reason: string, itsDoing: boolean, now: number): Event[] {
  const contributor = state.contributors.get(pending.stored.contributor);
  const events = decided(state, job, pending, { state: 'discarded', errorBound: 0, vesting: null, elements: 0, itsDoing }, now);
  events.push(...letGo(state, job, pending, contributor, now), verdictEvent(pending, ownerOf(contributor, pending), 'discarded', 0n, 0n, reason));
  return events;
}

/** Parts of a result that was not accepted are offered again. */
function letGo(state: State, job: Job, { stored }: PendingResult, contributor: Contributor | undefined, now: number): Event[] {
  job.partsChecking -= countParts(stored.parts);
  job.blocks.unhold(tileNumber(job.grid.tiles, stored.at), stored.parts);
  if (!stored.drill && !isFree(job) && (!contributor || standingOf(contributor, job.record, now).verified === 0)) state.wastedByUnproven += sizeOf(job, stored);
  return wakeIdle(state);
}

interface Decision {
  readonly state: 'accepted' | 'refuted' | 'discarded';
  readonly errorBound: number;
  readonly vesting: Vesting | null;
  /** What it adds to the record. */
  readonly elements: number;
  readonly itsDoing: boolean;
}

function decided(state: State, job: Job, pending: PendingResult, { elements, itsDoing, ...decision }: Decision, now: number): Event[] {
  const { stored, evidence } = pending;
  state.pending.delete(stored.id);
  job.undecided--;
  noteVerdict(state, decision.state === 'accepted', stored.committedMs, now);
  const events: Event[] = [{ type: 'write', write: { kind: 'verdict', id: stored.id, ...decision, evidence, atMs: now } }];
  const contributor = state.contributors.get(stored.contributor);
  if (!contributor) return events;
  contributor.undecided -= sizeOf(job, stored);
  // A drill goes on lying for as long as the operator wants.
  if (stored.drill) return events;
  events.push({ type: 'write', write: recordVerdict(contributor, job.record, { state: decision.state, elements, evidence, itsDoing }, now) });
  return events;
}

const verdictEvent = (
  { stored }: PendingResult,
  owner: OwnerId,
  state: 'accepted' | 'refuted' | 'discarded',
  microCredits: bigint,
  voided: bigint,
  reason: string,
): Event => ({
  type: 'verdict',
  contributor: stored.contributor,
  owner,
  job: stored.job,
  at: stored.at,
  parts: stored.parts,
  state,
  microCredits,
  voided,
  reason,
});

export const acceptedView = (result: PendingResult['stored']): AcceptedView => ({
  id: result.id,
  pass: result.at.pass,
  tile: result.at.tile,
  parts: result.parts,
  hash: result.hash,
  contributor: aliasOf(result.contributor),
  drawn: totalOf(result.evidence).drawn,
  errorBound: result.errorBound,
});
