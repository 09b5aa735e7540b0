import type { JobView } from '../../shared/schemas.ts';
import { credits, duration, percent, plural } from '../ui/format.ts';

export const acceptedShare = ({ parts }: JobView): number => parts.accepted / Math.max(1, parts.total);

/** One line under the picture. */
export function progressLine(job: JobView): string {
  if (job.status === 'done')
    return `Done by ${plural(job.contributors, 'contributor')}, ${duration(((job.endedMs ?? job.createdMs) - job.createdMs) / 1000)} after it was submitted.`;
  if (job.status === 'cancelled') return `Cancelled at ${percent(acceptedShare(job))}. What was not used came back.`;
  const left = job.secondsLeft === null ? 'Nobody works on it at present; it goes on when somebody does.' : `About ${duration(job.secondsLeft)} left.`;
  return `${percent(acceptedShare(job))} done. ${left}`;
}

export const costLine = (job: JobView): string =>
  job.status === 'open'
    ? `${credits(job.paidMicroCredits)} of ${credits(job.heldMicroCredits)} test credits paid`
    : `${credits(job.paidMicroCredits)} test credits paid`;

/** What a screen reader hears, only in steps of ten percent, so that it does not talk all the time. */
export function announcement(job: JobView): string {
  if (job.status !== 'open') return progressLine(job);
  return `${Math.floor(acceptedShare(job) * 10) * 10} percent of ${job.title} done.`;
}
