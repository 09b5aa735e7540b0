import { toBase64Url } from '../../shared/formats.ts';
import { limits, SECOND_MS } from '../../shared/limits.ts';
import type { Auditor, ElementRef, TileRef } from '../../shared/model.ts';
import { KeyedStream } from './draw.ts';
import { canBeginSoon, fetchMs } from './fetching.ts';
import { mayTake } from './offer.ts';
import { partPrice } from './pricing.ts';
import { isSuspended } from './reputation.ts';
import type { ActiveAudit, CheckRequest, Contributor, Event, Job, PendingResult, Question, RandomBytes, State } from './state.ts';
import { allowedMisses, cpuElementsMax, drawDigest } from './verifier.ts';

/**
 * Who recomputes the drawn elements. The operator's trusted contributors as long as they keep up; else contributors drawn at
 * random, each for a few elements of many results, who are not told what was claimed; else the coordinator's CPU. Whoever else
 * answers, one question in sixteen goes to somebody who is believed.
 */

/** Elements of one result that one auditor sees, if its answer has room for them. */
const QUESTION_ELEMENTS_MAX = 64;
const BELIEVED_SHARE = 1 / 16;
/** Elements that wait for each trusted contributor; beyond it others are asked. */
const TRUSTED_QUEUE_ELEMENTS_MAX = 32 * 1024;
/** Contributors looked at to find one that may audit. */
const DRAWS_MAX = 16;
/** This many in reach and auditing is theirs; fewer, and the coordinator's CPU does it. */
const AUDITORS_MIN = 3;
/** Results accepted before a contributor may judge others. */
const AUDITOR_ACCEPTED_MIN = 2;
const ANSWER_MS_MAX = 20 * SECOND_MS;
/** Audits come between two parts of a tile: whoever takes longer for a part is asked only when nobody faster is found. */
const PART_MS_MAX = ANSWER_MS_MAX / 4;
/** A trusted contributor takes questions as it gets on: a few audits at a time, so that several of them share what waits. */
const TRUSTED_AUDITS_MAX = 4;
const TRIES_MAX = 3;
const TOKEN_BYTES = 16;

/** Whose word will mostly count for results of this job: decides how many elements are drawn. */
export function prevailingAuditor(state: State, job: Job, now: number): Auditor {
  for (const trusted of state.trusted) if (mayTake(trusted, job)) return 'trusted';
  let found = 0;
  for (let index = 0; index < Math.min(4 * DRAWS_MAX, state.connected.length) && found < AUDITORS_MIN; index++)
    if (mayAudit(state.connected[index]!, job, now)) found++;
  return found < AUDITORS_MIN ? 'cpu' : 'contributor';
}

const mayAudit = (contributor: Contributor, job: Job, now: number): boolean =>
  mayTake(contributor, job) &&
  !contributor.drill &&
  (contributor.standings.get(job.record)?.accepted ?? 0) >= AUDITOR_ACCEPTED_MIN &&
  !isSuspended(contributor, job.record, now);

/** Nobody is asked about a result of its own owner, site or address, or of a job that its owner ordered. */
const isApart = (auditor: Contributor, pending: PendingResult, author: Contributor | undefined, job: Job): boolean =>
  auditor.id !== pending.stored.contributor &&
  auditor.owner !== pending.stored.owner &&
  auditor.owner !== job.stored.owner &&
  (auditor.site === null || auditor.site !== pending.stored.site) &&
  (auditor.network === null || auditor.network !== author?.network);

/** Of an auditor's answer. */
const elementBytes = (job: Job, at: TileRef): number => 4 * job.spec.elementWords(job.context, at);

const questionElements = (job: Job, at: TileRef): number =>
  Math.max(1, Math.min(QUESTION_ELEMENTS_MAX, Math.floor(limits.answerBytesMax / elementBytes(job, at))));

/** Puts drawn elements of a result whose opening is proven to somebody: the first few alone, because most lies show in them, then all others. */
export function askQuestions(state: State, job: Job, pending: PendingResult, now: number): Event[] {
  const drawn = pending.sample.elements.length;
  const stream = new KeyedStream(drawDigest(state.config.drawKey, pending.stored, `auditors/${pending.round}/${pending.asked}`));
  const author = state.contributors.get(pending.stored.contributor);
  const woken = new Set<Contributor>();
  const cpu: Question[] = [];
  let room = trustedRoom(state, job);
  const hasTrusted = room > 0 || job.trustedQuestions.length > 0;
  const viaCpu = !hasTrusted && prevailingAuditor(state, job, now) === 'cpu';
  const first = pending.asked;
  const step = questionElements(job, pending.stored.at);
  // A second draw is asked whole: something was wrong already.
  const end = first === 0 && pending.round === 'first' ? Math.min(drawn, step) : drawn;
  pending.asked = end;
  for (let from = first; from < end; from += step) {
    const to = Math.min(end, from + step);
    const question = { result: pending.stored.id, from, to, tries: 0, askedMs: now };
    const mustBelieve = stream.u32() < BELIEVED_SHARE * 2 ** 32;
    if (room >= to - from || (hasTrusted && mustBelieve)) {
      job.trustedQuestions.push(question);
      room -= to - from;
      continue;
    }
    const auditor = viaCpu || mustBelieve ? undefined : drawAuditor(state, job, pending, author, stream, now);
    if (auditor) {
      auditor.questions.push(question);
      woken.add(auditor);
    } else cpu.push(question);
  }
  const asked = end - first - cpu.reduce((sum, { from, to }) => sum + to - from, 0);
  pending.open = Math.ceil((end - first) / step) - cpu.length;
  const events = askCpu(state, job, pending, cpu, asked);
  return [...events, ...wakeAuditors(state, [...woken], job)];
}

/** Elements that trusted contributors who are here could still take on. */
function trustedRoom(state: State, job: Job): number {
  let room = 0;
  for (const trusted of state.trusted) if (mayTake(trusted, job)) room += TRUSTED_QUEUE_ELEMENTS_MAX;
  if (room > 0) for (const { from, to } of job.trustedQuestions) room -= to - from;
  return Math.max(0, room);
}

function drawAuditor(
  state: State,
  job: Job,
  pending: PendingResult,
  author: Contributor | undefined,
  stream: KeyedStream,
  now: number,
): Contributor | undefined {
  let slow: Contributor | undefined;
  for (let draw = 0; draw < DRAWS_MAX && state.connected.length > 0; draw++) {
    const candidate = state.connected[stream.below(state.connected.length)]!;
    if (candidate.trusted || !mayAudit(candidate, job, now) || !isApart(candidate, pending, author, job)) continue;
    if (partMs(candidate, job) <= PART_MS_MAX && canBeginSoon(candidate, job)) return candidate;
    slow ??= candidate;
  }
  return slow;
}

/** Expected milliseconds of one part of what it computes now, or would: who has nothing to do, because it is too slow for it, is no better auditor. */
function partMs({ speed, leases }: Contributor, job: Job): number {
  const units = leases.values().next().value?.unitsPerPart ?? (speed > 0 ? job.unitsPerPart : 0);
  return units / Math.max(speed, Number.MIN_VALUE);
}

/** The coordinator's own share, at most its CPU budget for a result: what is beyond it is not recomputed, and not counted. */
function askCpu(state: State, job: Job, pending: PendingResult, questions: readonly Question[], asked: number): Event[] {
  let budget = cpuElementsMax(job, pending.stored.at);
  const events: Event[] = [];
  for (const question of questions) {
    const to = Math.min(question.to, question.from + budget);
    if (to <= question.from && (asked > 0 || events.length > 0)) break;
    budget -= to - question.from;
    events.push(...recompute(state, pending, { ...question, to: Math.max(to, question.from + 1) }));
  }
  return events;
}

/** Asks the coordinator's CPU. */
function recompute(state: State, pending: PendingResult, question: Question): Event[] {
  pending.open++;
  return request(state, { kind: 'recompute', ...partOf(state, pending, question) });
}

export function request(state: State, check: CheckRequest): Event[] {
  state.checksInFlight++;
  return [{ type: 'checkRequested', request: check }];
}

/** What a check of a question needs to know. */
function partOf(state: State, pending: PendingResult, question: Question) {
  const { sample, claims, round, stored } = pending;
  const bytes = claims.byteLength / sample.elements.length;
  return {
    round,
    result: stored,
    question,
    sample: { parts: sample.parts.slice(question.from, question.to), elements: sample.elements.slice(question.from, question.to) },
    claims: claims.subarray(question.from * bytes, question.to * bytes),
    enough: allowedMisses(question.to - question.from, state.jobs.get(stored.job)?.spec.tolerance.unexplainedRate ?? 0) + 1,
  };
}

/** Tells those who were drawn, busy or not: a result of somebody else waits for them. */
function wakeAuditors(state: State, drawn: readonly Contributor[], job: Job): Event[] {
  const woken = job.trustedQuestions.length > 0 ? [...drawn, ...state.trusted] : drawn;
  for (const { id } of woken) state.idle.delete(id);
  return woken.length > 0 ? [{ type: 'workAvailable', contributors: woken.map(({ id }) => id) }] : [];
}

/** What a contributor is to recompute now: the questions it was drawn for, or, trusted, those that wait for one like it. One job at a time. */
export function grantAudits(state: State, contributor: Contributor, now: number, random: RandomBytes): ActiveAudit[] {
  const grants: ActiveAudit[] = [];
  if (contributor.questions.length > 0) {
    const mine = contributor.questions;
    contributor.questions = [];
    const byJob = Map.groupBy(mine, ({ result }) => state.pending.get(result)?.stored.job);
    for (const [id, questions] of byJob) {
      const job = id && state.jobs.get(id);
      if (job) grants.push(...auditsOf(state, job, contributor, questions, now, random));
    }
  }
  if (contributor.trusted) {
    let room = TRUSTED_AUDITS_MAX - [...state.audits.values()].filter((audit) => audit.contributor === contributor.id).length;
    for (const job of state.jobs.values()) {
      if (room <= 0) break;
      if (job.trustedQuestions.length === 0 || !mayTake(contributor, job)) continue;
      room--;
      grants.push(...auditsOf(state, job, contributor, takeElements(state, job, job.trustedQuestions), now, random));
    }
  }
  return grants;
}

/** Removes questions from the front that one answer has room for. */
function takeElements(state: State, job: Job, questions: Question[]): Question[] {
  let [count, elements, bytes] = [0, 0, 0];
  for (const { result, from, to } of questions) {
    const pending = state.pending.get(result);
    elements += to - from;
    bytes += pending ? (to - from) * elementBytes(job, pending.stored.at) : 0;
    if (count > 0 && (elements > limits.packetElementsMax || bytes > limits.answerBytesMax)) break;
    count++;
  }
  return questions.splice(0, count);
}

function auditsOf(state: State, job: Job, contributor: Contributor, questions: readonly Question[], now: number, random: RandomBytes): ActiveAudit[] {
  const waiting = questions.filter(({ result }) => state.pending.has(result));
  const grants: ActiveAudit[] = [];
  while (waiting.length > 0) {
    const taken = takeElements(state, job, waiting);
    const elements = taken.flatMap((question) => elementsOf(state.pending.get(question.result)!, question));
    const price = taken.reduce((sum, question) => sum + auditPrice(job, state.pending.get(question.result)!, question), 0n);
    const affordable = job.checksHeld - job.paidForAudits - job.promisedForAudits >= price;
    const audit: ActiveAudit = {
      token: toBase64Url(random(TOKEN_BYTES)),
      job: job.stored.id,
      contributor: contributor.id,
      questions: taken,
      elements,
      microCredits: affordable && !contributor.trusted ? price : 0n,
      // A trusted contributor is worth waiting for while it downloads; instead of anybody else another one is asked.
      deadlineMs: now + ANSWER_MS_MAX + (contributor.trusted ? fetchMs(contributor, job) : 0),
    };
    job.promisedForAudits += audit.microCredits;
    state.audits.set(audit.token, audit);
    grants.push(audit);
  }
  return grants;
}

const elementsOf = ({ stored, sample }: PendingResult, { from, to }: Question): ElementRef[] =>
  Array.from({ length: to - from }, (_, index) => ({ ...stored.at, part: sample.parts[from + index]!, element: sample.elements[from + index]! }));

/** The share of a part's price that recomputing these elements is, rounded down. */
export const auditPrice = (job: Job, { stored }: PendingResult, { from, to }: Question): bigint =>
  (partPrice(job.spec, job.context, stored.at, job.stored.ratePerUnit) * BigInt(to - from)) / BigInt(job.spec.elements(job.context, stored.at));

/** Takes the values that an auditor found and has them compared with what was claimed. */
export function answer(state: State, contributor: Contributor, token: string, values: Uint8Array): Event[] {
  const audit = state.audits.get(token);
  if (!audit || audit.contributor !== contributor.id)
    return [{ type: 'refused', code: 'stale', message: 'Nobody waits for this audit any more.', field: 'token' }];
  const job = state.jobs.get(audit.job);
  const wanted = job ? audit.elements.reduce((sum, element) => sum + elementBytes(job, element), 0) : 0;
  if (values.byteLength !== wanted)
    return [{ type: 'refused', code: 'bad_input', message: `values has ${values.byteLength} bytes.`, field: 'values', limit: `${wanted} bytes` }];
  endAudit(state, audit);
  job?.fetchedBy.add(contributor.id);
  const events: Event[] = [];
  let [at, element] = [0, 0];
  for (const question of audit.questions) {
    const pending = state.pending.get(question.result);
    const first = audit.elements[element]!;
    const bytes = (question.to - question.from) * (job ? elementBytes(job, first) : 0);
    const found = values.subarray(at, at + bytes);
    element += question.to - question.from;
    at += bytes;
    if (pending?.stage === 'audit')
      events.push(...request(state, { kind: 'compare', ...partOf(state, pending, question), values: found, auditor: contributor.id }));
  }
  return events;
}

function endAudit(state: State, audit: ActiveAudit): void {
  state.audits.delete(audit.token);
  const job = state.jobs.get(audit.job);
  if (job) job.promisedForAudits -= audit.microCredits;
}

/** Gives an audit's questions to others: it was given back, or its auditor is gone or too slow. */
export function giveUpAudit(state: State, audit: ActiveAudit, now: number): Event[] {
  endAudit(state, audit);
  return audit.questions.flatMap((question) => askAgain(state, question, now));
}

/** Puts a question to somebody else, and after three tries to the coordinator's CPU. */
export function askAgain(state: State, question: Question, now: number): Event[] {
  const pending = state.pending.get(question.result);
  const job = pending && state.jobs.get(pending.stored.job);
  if (!job || pending.stage !== 'audit') return [];
  const stream = new KeyedStream(drawDigest(state.config.drawKey, pending.stored, `auditors/${pending.round}/${question.from}/${question.tries}`));
  const author = state.contributors.get(pending.stored.contributor);
  const next = { ...question, tries: question.tries + 1, askedMs: now };
  const auditor = next.tries >= TRIES_MAX ? undefined : drawAuditor(state, job, pending, author, stream, now);
  if (!auditor) {
    pending.open--;
    return recompute(state, pending, next);
  }
  auditor.questions.push(next);
  return wakeAuditors(state, [auditor], job);
}

/** Time passing: audits without an answer, and questions that nobody fetched, go to others. */
export function expireAudits(state: State, now: number): Event[] {
  const events: Event[] = [];
  for (const audit of [...state.audits.values()])
    if (audit.deadlineMs <= now || !state.contributors.get(audit.contributor)?.connected) events.push(...giveUpAudit(state, audit, now));
  for (const contributor of [...state.contributors.values()]) {
    if (contributor.questions.length === 0) continue;
    const late = contributor.questions.filter(({ askedMs }) => !contributor.connected || now - askedMs > ANSWER_MS_MAX);
    if (late.length === 0) continue;
    contributor.questions = contributor.questions.filter((question) => !late.includes(question));
    events.push(...late.flatMap((question) => askAgain(state, question, now)));
  }
  for (const job of state.jobs.values()) {
    const late = job.trustedQuestions.filter(({ askedMs }) => now - askedMs > ANSWER_MS_MAX);
    if (late.length === 0) continue;
    job.trustedQuestions.splice(0, job.trustedQuestions.length, ...job.trustedQuestions.filter((question) => !late.includes(question)));
    events.push(...late.flatMap((question) => askAgain(state, question, now)));
  }
  return events;
}
