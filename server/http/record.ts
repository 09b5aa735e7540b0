import type { ContributorId, JobId, ResultId } from '../../shared/model.ts';
import type { ConsentView, ContributorView, HistoryPage, HistoryQuery, HistoryRow } from '../../shared/schemas.ts';
import { recordOf } from '../core/reputation.ts';
import type { Store, StoredConsent, StoredContributor, StoredResult } from '../store/store.ts';
import type { Cursors } from './cursors.ts';
import { HttpError } from './errors.ts';

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
    recent: await historyRows(store, recent),
  };
}

const HISTORY_ROWS = 20;

/** What these contributors handed in and what became of it, a page at a time. */
export async function historyOf(
  store: Store,
  cursors: Cursors,
  whose: string,
  contributors: readonly ContributorId[],
  { cursor, limit = HISTORY_ROWS }: HistoryQuery,
): Promise<HistoryPage> {
  const list = `history ${whose}`;
  const before = cursors.decode(list, cursor) as ResultId | undefined;
  // One more than is shown tells whether there is a next page.
  const found = await store.jobs.resultsPage(contributors, { limit: limit + 1, ...(before === undefined ? {} : { before }) });
  if (!found) throw new HttpError('bad_input', 'The page before ends with no result of yours.', 'cursor', '`next` of the page before');
  const shown = found.slice(0, limit);
  return { rows: await historyRows(store, shown), next: cursors.encode(list, found.length > limit ? (shown.at(-1)?.id ?? null) : null) };
}

async function historyRows(store: Store, results: readonly StoredResult[]): Promise<HistoryRow[]> {
  const jobs = new Map<JobId, { title: string; group: string | undefined }>();
  for (const id of new Set(results.map(({ job }) => job))) {
    const job = await store.jobs.get(id);
    const group = job?.group?.mode === 'only' ? (await store.groups.get(job.group.id))?.name : undefined;
    jobs.set(id, { title: job?.title ?? '', group });
  }
  const paid = await store.ledger.paidFor(results.map(({ id }) => id));
  return results.map(({ id, job, at, parts, state, evidence, committedMs, decidedMs, computeMs }) => {
    const { title = '', group } = jobs.get(job) ?? {};
    return {
      id,
      job,
      at: { pass: at.pass, tile: at.tile },
      parts,
      jobTitle: title,
      state,
      drawn: evidence.reduce((sum, { drawn }) => sum + drawn, 0),
      differing: evidence.reduce((sum, { differing }) => sum + differing, 0),
      unexplained: evidence.reduce((sum, { unexplained }) => sum + unexplained, 0),
      microCredits: (paid.get(id) ?? 0n).toString(),
      committedMs,
      decidedMs,
      computeMs,
      ...(group === undefined ? {} : { group }),
    };
  });
}
