import type { JobId } from '../../shared/model.ts';
import type { ConsentView, ContributorView, RecentResult } from '../../shared/schemas.ts';
import { recordOf } from '../core/reputation.ts';
import type { Store, StoredConsent, StoredContributor, StoredResult } from '../store/store.ts';

const RECENT_RESULTS_MAX = 50;

export async function consentView(store: Store, { id, kinds, site, powerPercent, grantedMs, expiresMs, revokedMs }: StoredConsent): Promise<ConsentView> {
  const siteName = site === null ? null : ((await store.people.site(site))?.name ?? null);
  return { id, kinds: [...kinds], site, siteName, powerPercent, grantedMs, expiresMs, revokedMs };
}

/** What a contributor is told about itself: what it has, what its word is worth, and why. */
export async function contributorView(store: Store, { id, owner }: StoredContributor): Promise<ContributorView> {
  const [earned, vesting, consents, standings, recent] = await Promise.all([
    store.ledger.balance(`${owner}/earned`, 'test'),
    store.ledger.balance(`vesting/${id}`, 'test'),
    store.people.consentsOfContributor(id),
    store.people.standings(id),
    store.jobs.resultsOf(id, RECENT_RESULTS_MAX),
  ]);
  return {
    earnedMicroCredits: earned.toString(),
    vestingMicroCredits: vesting.toString(),
    consents: await Promise.all(consents.map((consent) => consentView(store, consent))),
    records: Object.fromEntries([...standings].filter(([name]) => !name.includes('@')).map(([workload, standing]) => [workload, recordOf(standing)])),
    recent: await recentResults(store, recent),
  };
}

async function recentResults(store: Store, results: readonly StoredResult[]): Promise<RecentResult[]> {
  const titles = new Map<JobId, string>();
  for (const id of new Set(results.map(({ job }) => job))) titles.set(id, (await store.jobs.get(id))?.title ?? '');
  const paid = await store.ledger.paidFor(results.map(({ id }) => id));
  return results.map(({ id, job, at, state, evidence, decidedMs }) => ({
    at: { pass: at.pass, tile: at.tile },
    jobTitle: titles.get(job) ?? '',
    state,
    drawn: evidence.reduce((sum, { drawn }) => sum + drawn, 0),
    differing: evidence.reduce((sum, { differing }) => sum + differing, 0),
    unexplained: evidence.reduce((sum, { unexplained }) => sum + unexplained, 0),
    microCredits: (paid.get(id) ?? 0n).toString(),
    decidedMs,
  }));
}
