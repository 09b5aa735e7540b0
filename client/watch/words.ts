import type { AcceptedView, ChecksDone, JobView } from '../../shared/schemas.ts';
import type { WorkloadSpec } from '../../shared/workload.ts';
import { amountOf, count, credits, day, duration, oneIn, percent, plural, roughly } from '../ui/format.ts';

export const acceptedShare = ({ parts }: JobView): number => parts.accepted / Math.max(1, parts.total);

/** How many tiles and members helped, where a group computes for itself; empty for all other jobs. */
export function groupLine({ group, parts, grid, status }: JobView): string {
  if (group?.mode !== 'only') return '';
  // Parts are what is counted; a job in the middle of its tiles is told in whole ones.
  const tiles = Math.floor((parts.accepted / Math.max(1, parts.total)) * grid.tiles * grid.passes);
  const members = group.members ?? 0;
  const by = members === 0 ? 'Nobody has helped yet' : `${plural(members, 'member')} of ${group.name} computed ${plural(tiles, 'tile')}`;
  return `${by}${status === 'open' && members > 0 ? ' so far' : ''}. Only the group sees it, and nobody pays.`;
}

/** Micro-credits that are held and not paid. */
const unspent = (job: JobView): bigint => BigInt(job.heldMicroCredits) - BigInt(job.paidMicroCredits);

/** What cancelling now would give back, at least: what is under way is taken back, what is being checked may still be paid. */
export const refundWords = (job: JobView): string =>
  job.group?.mode === 'only'
    ? 'Nothing is held. What is accepted stays here.'
    : `Up to ${amountOf(unspent(job), job.unit)} come back: all but what is accepted, or accepted of what is being checked. What is accepted stays here.`;

/** Half of all such jobs are done by the first, 95 of 100 by the second. */
function timeLeft({ secondsLeft, ...job }: JobView & { readonly secondsLeftP95?: number | null }): string {
  if (secondsLeft === null) return 'Nobody works on it at present; it goes on when somebody does.';
  const late = job.secondsLeftP95 ?? null;
  return `About ${roughly(secondsLeft)} left${late === null ? '' : `, with 95 % certainty less than ${roughly(late)}`}.`;
}

/** One line under the stage. */
export function progressLine(job: JobView): string {
  if (job.status === 'done')
    return `Done by ${plural(job.contributors, 'contributor')}, ${duration(((job.endedMs ?? job.createdMs) - job.createdMs) / 1000)} after it was submitted.`;
  if (job.status === 'cancelled') {
    const back = unspent(job) > 0n ? `${amountOf(unspent(job), job.unit)} came back.` : 'Nothing was left to come back.';
    return `Cancelled at ${percent(acceptedShare(job))}. ${job.group?.mode === 'only' ? 'Nothing was held.' : back}`;
  }
  const underWay = job.parts.leased + job.parts.checking > 0 ? ' What is under way is finished and paid.' : '';
  return `${percent(acceptedShare(job))} done. ${job.paused ? `Paused: nothing new is given out.${underWay}` : timeLeft(job)}`;
}

/** How many rows of a table of results there are. Tiles have about as many rows each, so what is done of them is told by their share. */
export function rowsLine(job: JobView, total: number): string {
  if (job.status === 'done') return `${plural(total, 'row')}.`;
  const done = Math.floor(acceptedShare(job) * total);
  return `${done === 0 ? 'None' : `About ${count(done)}`} of ${plural(total, 'row')} ${job.status === 'open' ? 'so far' : 'done'}.`;
}

/** Of what is held. */
export const paidShare = (job: JobView): number => Number(BigInt(job.paidMicroCredits)) / Math.max(1, Number(BigInt(job.heldMicroCredits)));

export const visibilityName = ({ visibility, group }: JobView): string =>
  group?.mode === 'only' ? `only ${group.name}` : { public: 'public', unlisted: 'unlisted', private: 'private' }[visibility];

/** Who sees the page. */
export function visibilityWords({ visibility, group }: JobView): string {
  if (group?.mode === 'only') return `Only members of ${group.name} and its requester see this page, its results and its files.`;
  if (visibility === 'private') return 'Only you see this page, its results, files and receipt. For everybody else there is no such job.';
  return visibility === 'public' ? 'It is listed in the gallery: everybody sees it.' : 'It is not listed: whoever has the link sees it.';
}

/** Who sees the inputs, whatever the visibility is. */
export function contributorsSee({ group, status }: JobView): string {
  const of = group?.mode === 'only' ? ` of ${group.name}` : '';
  const [Who, who] = group?.mode === 'only' ? ['Members', 'members'] : ['Contributors', 'contributors'];
  const get = status === 'open' ? `While it is computed, ${who}${of} whose device takes a tile receive` : `${Who}${of} whose device took a tile have received`;
  return `${get} its inputs and the title, but not who you are. No setting keeps the inputs from those who compute with them.`;
}

/** How long bytes are kept; empty while the job is open. */
export function keptWords({ keptUntilMs, deletedMs, mine }: JobView): string {
  if (deletedMs !== null)
    return `Its results, files and inputs were deleted on ${day(deletedMs)}. Figures and the receipt stay${mine ? ', for you alone if you deleted it' : ''}.`;
  if (keptUntilMs === null) return '';
  return `Results, files and inputs are kept until ${day(keptUntilMs)}, then deleted. Figures and the receipt stay.`;
}

export const costLine = (job: JobView): string =>
  job.group?.mode === 'only'
    ? 'It costs nothing'
    : job.status === 'open'
      ? `${credits(job.paidMicroCredits)} of ${amountOf(job.heldMicroCredits, job.unit)} paid`
      : `${amountOf(job.paidMicroCredits, job.unit)} paid`;

/** How results of a job are checked; undefined where its workload is not known. */
type Checking = WorkloadSpec['checking'] | undefined;

export const checkedName = (checking: Checking): string => (checking === 'verify' ? 'Values checked' : 'Values computed again');

/** What the checks have shown so far, and what was ordered. */
export function certaintyLine({ status, parts, checks, checksDone }: JobView, checking: Checking): string {
  if (checking === 'verify') return 'Every result is checked as a whole before it counts.';
  const ordered = `Ordered: at most ${oneIn(checks.targetError)}.`;
  if (parts.accepted === 0) return `Nothing is accepted yet. ${ordered}`;
  if (checksDone.errorBound === 0) return `No wrong value is expected among those accepted. ${ordered}`;
  return `Of the values accepted${status === 'open' ? ' so far' : ''}, at most ${oneIn(checksDone.errorBound)} is expected to be wrong. ${ordered}`;
}

/** Who computed values again. */
export function checkedBy({ cpu, trusted, contributor }: ChecksDone): string {
  const who = [
    [cpu, 'by the coordinator'],
    [trusted, 'by its operator’s own devices'],
    [contributor, 'by other contributors'],
  ] as const;
  return who.flatMap(([values, by]) => (values > 0 ? [`${count(values)} ${by}`] : [])).join(', ');
}

/** What was proven wrong in a job, and what follows from it; empty when nothing was. */
export function wrongLine({ status, checksDone: { refuted, revoked } }: JobView): string {
  if (refuted === 0 && revoked === 0) return '';
  const back = revoked > 0 ? ` ${plural(revoked, 'earlier result')} of the same contributors ${revoked === 1 ? 'was' : 'were'} taken back.` : '';
  return `${plural(refuted, 'result')} ${refuted === 1 ? 'was' : 'were'} proven wrong and not paid.${back} ${status === 'open' ? 'Their tiles are computed again.' : 'Their tiles were computed again.'}`;
}

/** One accepted result, for who looks at its tile. */
export const resultLine = ({ pass, contributor, drawn, errorBound }: Omit<AcceptedView, 'hash'>, passes: number, checking: Checking): string => {
  const by = `${passes > 1 ? `Pass ${pass}, by` : 'By'} ${contributor}`;
  if (checking === 'verify') return `${by}: checked as a whole.`;
  const bound = errorBound === 0 ? 'none expected to be wrong' : `at most ${oneIn(errorBound)} expected to be wrong`;
  return `${by}: ${plural(drawn, 'value')} computed again, ${bound}.`;
};

/** What a screen reader hears, only in steps of ten percent, so that it does not talk all the time. */
export function announcement(job: JobView): string {
  if (job.status !== 'open') return progressLine(job);
  return `${Math.floor(acceptedShare(job) * 10) * 10} percent of ${job.title} done.`;
}
