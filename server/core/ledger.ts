import type { MicroCredits } from '../../shared/credits.ts';
import type { ContributorId, CreditUnit, JobId, OwnerId } from '../../shared/model.ts';
import type { AccountId, StoredJob, StoredResult, Transfer } from '../store/store.ts';
import type { DrawRound, Question, VestingResult } from './state.ts';

/** Builds the transfers of a job's life. Ids are derived, so that doing a thing twice is doing it once. */

/** What is there to be spent on jobs only, and is spent first: test credits that were given, or credits that were paid for. */
export const prepaidAccount = (owner: OwnerId, unit: CreditUnit): AccountId => `${owner}/${unit === 'test' ? 'grant' : 'deposited'}`;

/** Whoever has had his data deleted, or an account of his. What still comes to him is forfeited. */
export const isGone = (name: OwnerId | AccountId): boolean => name.startsWith('gone:');
export const FORFEITED: AccountId = 'operator/forfeited';

export const earnedAccount = (owner: OwnerId): AccountId => (isGone(owner) ? FORFEITED : `${owner}/earned`);
export const jobAccount = (job: JobId): AccountId => `job/${job}`;

/** Takes the hold from what is prepaid first, then from what was earned. The store refuses what is not covered. */
export function splitHold(owner: OwnerId, unit: CreditUnit, amount: MicroCredits, prepaid: MicroCredits): StoredJob['heldFrom'] {
  const fromPrepaid = prepaid < amount ? prepaid : amount;
  return [
    { account: prepaidAccount(owner, unit), microCredits: fromPrepaid },
    { account: earnedAccount(owner), microCredits: amount - fromPrepaid },
  ].filter(({ microCredits }) => microCredits > 0n);
}

/** The hold of a new job. Of one that is extended, `from` is what is held now, the rest of its `heldFrom` having been spent before. */
export const holds = (job: StoredJob, from: StoredJob['heldFrom'] = job.heldFrom, atMs: number = job.createdMs): Transfer[] =>
  from.map(({ account, microCredits }, index) => ({
    id: `hold/${roundOf(job)}/${index}`,
    unit: job.unit,
    debit: account,
    credit: jobAccount(job.id),
    microCredits,
    kind: 'hold',
    job: job.id,
    at: null,
    atMs,
  }));

/** Names what happens once in every round of a job: it has one more with each extension. */
const roundOf = ({ id, extensions }: StoredJob): string => (extensions === 0 ? id : `${id}/x${extensions}`);

/** Of what was held, what `spent` was taken from: what came from earnings went back first. */
export function spentFrom(heldFrom: StoredJob['heldFrom'], spent: MicroCredits): StoredJob['heldFrom'] {
  let rest = spent;
  const parts = heldFrom.map(({ account, microCredits }) => {
    const amount = rest < microCredits ? rest : microCredits;
    rest -= amount;
    return { account, microCredits: amount };
  });
  if (rest !== 0n) throw new Error(`${rest} micro-credits were spent beyond the hold`);
  return parts.filter(({ microCredits }) => microCredits > 0n);
}

export const vestingAccount = (contributor: ContributorId): AccountId => `vesting/${contributor}`;

/** Where money of a job goes back to after its end: to what was earned, if any of the hold came from there. */
export const refundAccount = (job: StoredJob): AccountId => job.heldFrom.at(-1)?.account ?? prepaidAccount(job.owner, job.unit);

/** Pays an accepted result into its contributor's vesting account. */
export const payment = (job: StoredJob, result: StoredResult, microCredits: MicroCredits, atMs: number): Transfer => ({
  id: `pay/${result.id}`,
  unit: job.unit,
  debit: jobAccount(job.id),
  credit: vestingAccount(result.contributor),
  microCredits,
  kind: 'pay',
  job: job.id,
  at: result.at,
  atMs,
});

/** What has vested: the site's share, the rest to the contributor's owner. */
export function vests(result: VestingResult, owner: OwnerId, share: MicroCredits, atMs: number): Transfer[] {
  const rest = result.vesting.microCredits - share;
  const common = { unit: result.vesting.unit, debit: vestingAccount(result.contributor), job: result.job, at: result.at, atMs };
  const transfers: Transfer[] = [];
  if (rest > 0n) transfers.push({ ...common, id: `vest/${result.id}`, credit: earnedAccount(owner), microCredits: rest, kind: 'vest' });
  if (share > 0n && result.site !== null)
    transfers.push({ ...common, id: `share/${result.id}`, credit: `site/${result.site}`, microCredits: share, kind: 'site share' });
  return transfers;
}

/** Takes the pay for a result back: to its job, which offers the parts again, or to whoever paid when the job has ended. */
export const voids = (result: VestingResult, jobHasEnded: boolean, atMs: number): Transfer => ({
  id: `void/${result.id}`,
  unit: result.vesting.unit,
  debit: vestingAccount(result.contributor),
  credit: jobHasEnded ? result.vesting.refundTo : jobAccount(result.job),
  microCredits: result.vesting.microCredits,
  kind: 'void',
  job: result.job,
  at: result.at,
  atMs,
});

/** Pays an auditor for one question about a result. */
export const auditPayment = (
  job: StoredJob,
  result: StoredResult,
  round: DrawRound,
  epoch: number,
  question: Question,
  owner: OwnerId,
  microCredits: MicroCredits,
  atMs: number,
): Transfer => ({
  // Asked again after a restart, the same question is another auditor's work.
  id: `audit/${result.id}/${round}/${epoch}/${question.from}`,
  unit: job.unit,
  debit: jobAccount(job.id),
  credit: earnedAccount(owner),
  microCredits,
  kind: 'audit',
  job: job.id,
  at: result.at,
  atMs,
});

/** Releases what was not paid out: back to where it came from, earned credits first. */
export function refunds(job: StoredJob, left: MicroCredits, atMs: number): Transfer[] {
  const transfers: Transfer[] = [];
  let rest = left;
  for (const [index, { account, microCredits }] of [...job.heldFrom.entries()].reverse()) {
    const amount = rest < microCredits ? rest : microCredits;
    rest -= amount;
    if (amount > 0n)
      transfers.push({
        id: `refund/${roundOf(job)}/${index}`,
        unit: job.unit,
        debit: jobAccount(job.id),
        credit: account,
        microCredits: amount,
        kind: 'refund',
        job: job.id,
        at: null,
        atMs,
      });
  }
  if (rest !== 0n) throw new Error(`job ${job.id} has ${rest} micro-credits left beyond its hold`);
  return transfers;
}
