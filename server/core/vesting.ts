import type { MicroCredits } from '../../shared/credits.ts';
import { countParts } from '../../shared/model.ts';
import { noteRevoked } from './adaptive.ts';
import { vests, voids } from './ledger.ts';
import { takeShare } from './sites.ts';
import type { Command, Contributor, Event, State, VestingResult } from './state.ts';
import { tileNumber } from './verifier.ts';

/** Pay for accepted results waits a while in the contributor's vesting account: until it is there to keep, a proven lie voids it. */

/** Gives contributors back what they had vesting before a restart. */
export function restoreVesting({ contributors }: State, { results }: Command & { type: 'restoreVesting' }): Event[] {
  for (const result of results) if (result.vesting) contributors.get(result.contributor)?.vesting.push({ ...result, vesting: result.vesting });
  return [];
}

/** Moves what has vested, at most `most` results, to the contributor's owner and to the site. */
export function vestDue({ sites }: State, contributor: Contributor, now: number, most: number): Event[] {
  const due = contributor.vesting.filter(({ vesting }) => vesting.vestsAtMs <= now).slice(0, most);
  if (due.length === 0) return [];
  const leaving = new Set(due);
  contributor.vesting.splice(0, contributor.vesting.length, ...contributor.vesting.filter((result) => !leaving.has(result)));
  const shareOf = ({ site, vesting }: VestingResult): MicroCredits => {
    const book = site === null ? undefined : sites.get(site);
    return book ? takeShare(book, contributor.owner, vesting.microCredits, vesting.unit, now) : 0n;
  };
  return due.flatMap((result): Event[] => [
    ...vests(result, contributor.owner, shareOf(result), now).map((transfer): Event => ({ type: 'write', write: { kind: 'transfer', transfer } })),
    { type: 'write', write: { kind: 'settled', id: result.id } },
  ]);
}

/**
 * After a proven lie: nothing that has not vested is paid, and of jobs that are still open none of these results counts any
 * more: their parts are offered again. Returns what was voided.
 */
export function voidVesting(state: State, contributor: Contributor, now: number): { events: Event[]; voided: MicroCredits } {
  const results = contributor.vesting.splice(0);
  return {
    events: results.flatMap((result) => revoke(state, result, now)),
    voided: results.reduce((sum, { vesting }) => sum + vesting.microCredits, 0n),
  };
}

function revoke(state: State, result: VestingResult, now: number): Event[] {
  const job = state.jobs.get(result.job);
  const transfers: Event[] =
    result.vesting.microCredits > 0n ? [{ type: 'write', write: { kind: 'transfer', transfer: voids(result, job === undefined, now) } }] : [];
  if (!job) return [...transfers, { type: 'write', write: { kind: 'settled', id: result.id } }];
  const count = countParts(result.parts);
  // What is done here may be closed already: it is not any more.
  if (job.share) transfers.push({ type: 'write', write: { kind: 'shareReopened', id: result.job } });
  job.paid -= result.vesting.microCredits;
  job.partsAccepted -= count;
  job.errorSum -= result.errorBound * count;
  job.revoked++;
  job.blocks.revoke(tileNumber(job.grid.tiles, result.at), result.parts);
  noteRevoked(job, result);
  return [
    ...transfers,
    { type: 'write', write: { kind: 'verdict', id: result.id, state: 'discarded', errorBound: 0, vesting: null, evidence: result.evidence, atMs: now } },
    { type: 'tileRevoked', job: result.job, result: result.id, at: result.at, parts: result.parts, atMs: now },
  ];
}
