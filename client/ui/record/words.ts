import type { ContributorRecord, RecentResult } from '../../../shared/schemas.ts';
import { count, moment, plural } from '../format.ts';

/** What a record means for its contributor, in one or two sentences. */
export function recordLine({ suspendedUntilMs, verified }: ContributorRecord, nowMs: number): string {
  if (suspendedUntilMs > nowMs) return `Suspended until ${moment(suspendedUntilMs)}: something that it computed was proven wrong.`;
  if (verified < 1) return 'New here: small leases one at a time, each checked closely, until the first are verified.';
  return `${count(Math.floor(verified))} values verified. The longer a record, the less is computed again and the sooner pay vests.`;
}

/** What recomputing found, in the figures that decided. */
function figures({ drawn, differing, unexplained }: Pick<RecentResult, 'drawn' | 'differing' | 'unexplained'>): string {
  if (drawn === 0) return '';
  if (differing === 0) return `${plural(drawn, 'value')} computed again, all matched.`;
  const explained = differing - unexplained;
  const parts = [
    explained > 0 ? `${count(explained)} are near-ties that GPUs may round apart` : '',
    unexplained > 0 ? `${count(unexplained)} nothing explains` : '',
  ];
  return `${plural(drawn, 'value')} computed again, ${count(differing)} differed: ${parts.filter(Boolean).join(', ')}.`;
}

/** What became of one result, and why. */
export function reasonOf(result: RecentResult): { verdict: string; reason: string } {
  const found = figures(result);
  switch (result.state) {
    case 'committed':
      return { verdict: 'Being checked', reason: '' };
    case 'accepted':
      if (result.group !== undefined) return { verdict: 'Accepted', reason: `${found} A favour to ${result.group}: thanks.`.trim() };
      if (result.microCredits === '0') return { verdict: 'Accepted', reason: `${found} Its pay was taken back before it had vested.`.trim() };
      return { verdict: 'Accepted', reason: found };
    case 'refuted':
      return { verdict: 'Refuted', reason: found || 'What was opened was not what had been handed in.' };
    case 'discarded':
      return { verdict: 'Not counted', reason: `${found} It was not opened in time, could not be judged, or was taken back with others.`.trim() };
    default:
      throw new Error(`unknown state ${result.state satisfies never}`);
  }
}
