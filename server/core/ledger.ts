import { type MicroCredits, splitShare } from '../../shared/credits.ts';
import type { JobId, OwnerId } from '../../shared/model.ts';
import type { AccountId, StoredJob, StoredResult, Transfer } from '../store/store.ts';

/** Builds the transfers of a job's life. Ids are derived, so that doing a thing twice is doing it once. */

export const grantAccount = (owner: OwnerId): AccountId => `${owner}/grant`;
export const earnedAccount = (owner: OwnerId): AccountId => `${owner}/earned`;
export const jobAccount = (job: JobId): AccountId => `job/${job}`;

/** Takes the hold from the given test credits first, then from what was earned. The store refuses what is not covered. */
export function splitHold(owner: OwnerId, amount: MicroCredits, granted: MicroCredits): StoredJob['heldFrom'] {
  const fromGrant = granted < amount ? granted : amount;
  return [
    { account: grantAccount(owner), microCredits: fromGrant },
    { account: earnedAccount(owner), microCredits: amount - fromGrant },
  ].filter(({ microCredits }) => microCredits > 0n);
}

export const holds = (job: StoredJob): Transfer[] =>
  job.heldFrom.map(({ account, microCredits }, index) => ({
    id: `hold/${job.id}/${index}`,
    unit: job.unit,
    debit: account,
    credit: jobAccount(job.id),
    microCredits,
    kind: 'hold',
    job: job.id,
    at: null,
    atMs: job.createdMs,
  }));

/** Pays an accepted result: the site's share first, the rest with the residue to the contributor's owner. */
export function payments(
  job: StoredJob,
  result: StoredResult,
  owner: OwnerId,
  amount: MicroCredits,
  sharePercent: number,
  atMs: number,
): { transfers: Transfer[]; earned: MicroCredits } {
  const { share, rest } = splitShare(amount, result.site === null ? 0 : sharePercent);
  const common = { unit: job.unit, debit: jobAccount(job.id), job: job.id, at: result.at, atMs };
  const transfers: Transfer[] = [];
  if (rest > 0n) transfers.push({ ...common, id: `pay/${result.id}`, credit: earnedAccount(owner), microCredits: rest, kind: 'pay' });
  if (share > 0n && result.site !== null)
    transfers.push({ ...common, id: `share/${result.id}`, credit: `site/${result.site}`, microCredits: share, kind: 'site share' });
  return { transfers, earned: rest };
}

/** Releases what was not paid out: back to where it came from, earned credits first. */
export function refunds(job: StoredJob, left: MicroCredits, atMs: number): Transfer[] {
  const transfers: Transfer[] = [];
  let rest = left;
  for (const [index, { account, microCredits }] of [...job.heldFrom.entries()].reverse()) {
    const amount = rest < microCredits ? rest : microCredits;
    rest -= amount;
    if (amount > 0n)
      transfers.push({
        id: `refund/${job.id}/${index}`,
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
