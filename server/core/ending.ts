import { createHash } from 'node:crypto';
import type { MicroCredits } from '../../shared/credits.ts';
import { type ContributorId, countParts } from '../../shared/model.ts';
import type { Finish, JobView } from '../../shared/schemas.ts';
import type { JobEnd, JobSummary, ShareFigures, StoredJob } from '../store/store.ts';
import { refunds } from './ledger.ts';
import type { Event, Job, State } from './state.ts';
import { closeTurn } from './turns.ts';

/** Over: every part that is not waived is accepted, or it was cancelled and nothing waits for a verdict. Releases the rest of the hold. Before that, tells how far it is. */
export function endJobIfOver(state: State, job: Job, now: number): Event[] {
  // A job that others have parts of ends where all of them meet: in the store.
  if (job.share) return [];
  const finished = job.partsAccepted === job.partsTotal;
  if (job.undecided > 0 || !(finished || job.closing) || !state.jobs.has(job.stored.id)) return progressed(job, now);
  const id = job.stored.id;
  const left = job.stored.workHeld + job.stored.checksHeld - job.paid;
  closeTurn(state, job);
  const summary = summaryOf(job);
  return [
    ...refunds(job.stored, left, now).map((transfer): Event => ({ type: 'write', write: { kind: 'transfer', transfer } })),
    { type: 'write', write: { kind: 'jobEnded', id, status: finished ? 'done' : 'cancelled', atMs: now, summary } },
    { type: 'jobEnded', job: id, summary },
  ];
}

/** Percent of a job at which its requester may be told how far it is. */
const MILESTONES = [75, 50, 25];

/** The last milestone that a job has reached, or 0. */
export const milestoneOf = ({ partsAccepted, partsTotal }: Pick<Job, 'partsAccepted' | 'partsTotal'>): number =>
  MILESTONES.find((percent) => partsAccepted * 100 >= percent * partsTotal) ?? 0;

/** A milestone is written once: also when a result is taken back and computed again. */
function progressed(job: Job, now: number): Event[] {
  const percent = milestoneOf(job);
  if (job.closing || job.partsAccepted === job.partsTotal || percent <= job.milestone) return [];
  job.milestone = percent;
  return [{ type: 'write', write: { kind: 'jobProgress', id: job.stored.id, percent, atMs: now, parts: partsOf(job) } }];
}

const partsOf = (job: Job): JobSummary['parts'] => ({
  total: job.partsTotal,
  accepted: job.partsAccepted,
  checking: job.partsChecking,
  leased: job.partsLeased,
  waived: job.blocks.waived,
});

const summaryOf = (job: Job): JobSummary => ({
  parts: partsOf(job),
  contributors: job.contributors.size,
  checksDone: {
    ...job.elements,
    refuted: job.refuted,
    revoked: job.revoked,
    errorBound: job.partsAccepted === 0 ? 0 : Math.max(0, job.errorSum / job.partsAccepted),
  },
  paidMicroCredits: job.paid.toString(),
});

/**
 * A job as pages see it. Open jobs are described from memory, ended ones from their stored summary. `left`: when what is left of it
 * should be done. `shared`: what an open job has come to at all coordinators. `retentionMs`: how long an ended job's bytes are kept.
 */
export function describeJob(
  stored: StoredJob,
  job: Job | undefined,
  grid: JobView['grid'],
  {
    mine,
    left,
    retentionMs,
    shared,
  }: { readonly mine: boolean; readonly left: Finish | null; readonly retentionMs: number; readonly shared?: JobSummary | undefined },
): JobView {
  const summary = shared ?? (job ? summaryOf(job) : stored.summary);
  if (!summary) throw new Error(`job ${stored.id} is neither open in memory nor ended`);
  return {
    id: stored.id,
    title: stored.title,
    workload: stored.workload,
    version: stored.version,
    status: stored.status,
    visibility: stored.visibility,
    paused: job?.paused ?? false,
    extensions: stored.extensions,
    gallery: stored.gallery,
    mine,
    unit: stored.unit,
    rateMicroCredits: stored.ratePerUnit.toString(),
    priceVersion: stored.priceVersion,
    seed: stored.seed,
    params: stored.params,
    prepared: stored.prepared,
    checks: stored.checks,
    grid: { ...grid },
    ...summary,
    heldMicroCredits: (stored.workHeld + stored.checksHeld).toString(),
    createdMs: stored.createdMs,
    endedMs: stored.endedMs,
    keptUntilMs: stored.endedMs === null || stored.deletedMs !== null ? null : stored.endedMs + retentionMs,
    deletedMs: stored.deletedMs,
    secondsLeft: left?.p50Seconds ?? null,
    secondsLeftP95: left?.p95Seconds ?? null,
    promise: stored.promise,
  };
}

const RATE_WINDOW_MS = 20_000;

/** Accepted parts a second as an exponential average over 20 s. */
export const currentRate = (job: Job, now: number): number => job.rate * Math.exp((job.rateAtMs - now) / RATE_WINDOW_MS);

export function countRate(job: Job, parts: number, now: number): void {
  job.rate = currentRate(job, now) + (parts * 1000) / RATE_WINDOW_MS;
  job.rateAtMs = now;
}

/** How far this coordinator is with what it has claimed of a job. */
export const figuresOf = (job: Job): ShareFigures => ({
  parts: partsOf(job),
  checks: { ...job.elements, refuted: job.refuted, revoked: job.revoked },
  errorSum: job.errorSum,
});

/**
 * The same for each block of a share that is given back, so that its progress is told while the block is nobody's. Accepted parts are counted; of all
 * else, which is not kept by block, each has as large a part as it has of the accepted parts.
 */
export function figuresOfBlocks(job: Job): { readonly number: number; readonly figures: ShareFigures | null }[] {
  const { parts, checks, errorSum } = figuresOf(job);
  let before = 0;
  return (job.share ?? []).map(({ number, first, count }) => {
    const accepted = acceptedIn(job, first, count);
    if (accepted === 0) return { number, figures: null };
    const [from, to] = [before / parts.accepted, (before + accepted) / parts.accepted];
    before += accepted;
    // Whole numbers whose sum is the whole.
    const share = (whole: number): number => Math.round(whole * to) - Math.round(whole * from);
    const { cpu, trusted, contributor, refuted, revoked } = checks;
    return {
      number,
      figures: {
        parts: { total: 0, accepted, checking: 0, leased: 0, waived: share(parts.waived ?? 0) },
        checks: { cpu: share(cpu), trusted: share(trusted), contributor: share(contributor), refuted: share(refuted), revoked: share(revoked) },
        errorSum: errorSum * (to - from),
      },
    };
  });
}

function acceptedIn({ grid, blocks }: Job, first: number, count: number): number {
  let accepted = 0;
  for (let pass = 0; pass < grid.passes; pass++)
    for (let tile = first; tile < first + count; tile++) accepted += countParts(blocks.accepted(pass * grid.tiles + tile));
  return accepted;
}

/** A job whose shares came to this, of so many parts that it had at first. */
export function summaryOfShares({ parts, checks, errorSum }: ShareFigures, planned: number, contributors: number, paid: MicroCredits): JobSummary {
  return {
    parts: { ...parts, total: planned - (parts.waived ?? 0) },
    contributors,
    checksDone: { ...checks, errorBound: parts.accepted === 0 ? 0 : Math.max(0, errorSum / parts.accepted) },
    paidMicroCredits: paid.toString(),
  };
}

/** The end of a job that was shared: `left` of its hold goes back. Throws where something of it is missing and nobody has cancelled it. */
export function endOfShared(job: StoredJob, summary: JobSummary, left: MicroCredits, now: number): JobEnd {
  const { total, accepted } = summary.parts;
  const finished = accepted === total;
  if (!finished && !job.closing) throw new Error(`all blocks of job ${job.id} are closed, and ${total - accepted} of its parts are missing`);
  return { transfers: refunds(job, left, now), ended: { kind: 'jobEnded', id: job.id, status: finished ? 'done' : 'cancelled', atMs: now, summary } };
}

/** A name for a contributor that does not tell its id. */
export const aliasOf = (id: ContributorId): string => createHash('sha256').update(`tessera/alias/${id}`).digest('hex').slice(0, 6);
