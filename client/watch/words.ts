import type { AcceptedView, ChecksDone, JobView } from '../../shared/schemas.ts';
import { count, credits, duration, oneIn, percent, plural } from '../ui/format.ts';

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

/** One line under the picture. */
export function progressLine(job: JobView): string {
  if (job.status === 'done')
    return `Done by ${plural(job.contributors, 'contributor')}, ${duration(((job.endedMs ?? job.createdMs) - job.createdMs) / 1000)} after it was submitted.`;
  if (job.status === 'cancelled') return `Cancelled at ${percent(acceptedShare(job))}. What was not used came back.`;
  const left = job.secondsLeft === null ? 'Nobody works on it at present; it goes on when somebody does.' : `About ${duration(job.secondsLeft)} left.`;
  return `${percent(acceptedShare(job))} done. ${left}`;
}

export const costLine = (job: JobView): string =>
  job.group?.mode === 'only'
    ? 'It costs nothing'
    : job.status === 'open'
      ? `${credits(job.paidMicroCredits)} of ${credits(job.heldMicroCredits)} test credits paid`
      : `${credits(job.paidMicroCredits)} test credits paid`;

/** What the checks have shown so far, and what was ordered. */
export function certaintyLine({ status, parts, checks, checksDone }: JobView): string {
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
export const resultLine = ({ pass, contributor, drawn, errorBound }: AcceptedView, passes: number): string => {
  const bound = errorBound === 0 ? 'none expected to be wrong' : `at most ${oneIn(errorBound)} expected to be wrong`;
  return `${passes > 1 ? `Pass ${pass}, by` : 'By'} ${contributor}: ${plural(drawn, 'value')} computed again, ${bound}.`;
};

/** What a screen reader hears, only in steps of ten percent, so that it does not talk all the time. */
export function announcement(job: JobView): string {
  if (job.status !== 'open') return progressLine(job);
  return `${Math.floor(acceptedShare(job) * 10) * 10} percent of ${job.title} done.`;
}
