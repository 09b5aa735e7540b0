import type { BlobHash, ContributorId, JobId, SiteId } from '../../shared/model.ts';
import type {
  Action,
  BannedContent,
  LedgerView,
  LogRow,
  OperatorContributor,
  OperatorJob,
  OperatorPage,
  OperatorReport,
  OperatorSite,
  OperatorView,
  TakeDownView,
} from '../../shared/schemas.ts';
import { call } from './api.ts';

interface Page<Row> {
  readonly rows: readonly Row[];
  /** `before` of the next page, null on the last. */
  readonly next: string | null;
}

async function page<Row>(table: string, before: string | null, more: Record<string, string> = {}): Promise<Page<Row>> {
  const query = new URLSearchParams({ ...more, ...(before !== null && { before }) });
  const { rows, next } = await call<OperatorPage<Row>>('GET', `/api/operator/${table}${query.size > 0 ? `?${query}` : ''}`);
  return { rows, next: next === null ? null : String(next) };
}

const act = (path: string, body: object): Promise<unknown> => call('POST', `/api/operator/${path}`, body);

/** Routes of the operator's page; each but `enter` needs an operator's session, and throws `ApiError`. */
export const operatorApi = {
  /** With what stands behind the # of a link. */
  enter: (token: string) => act('session', { token }),
  leave: () => call('DELETE', '/api/operator/session'),
  view: () => call<OperatorView>('GET', '/api/operator'),

  reports: (before: string | null, closed: boolean) => page<OperatorReport>('reports', before, closed ? { closed: 'true' } : {}),
  dismiss: (id: string, reason: string) => act(`reports/${id}/dismiss`, { reason }),
  jobs: (before: string | null) => page<OperatorJob>('jobs', before),
  hide: (id: JobId, hidden: boolean, reason: string) => act(`jobs/${id}/hide`, { hidden, reason }),
  takeDown: (id: JobId, ban: boolean, reason: string) => call<TakeDownView>('POST', `/api/operator/jobs/${id}/take-down`, { ban, reason }),
  contents: (before: string | null) => page<BannedContent>('contents', before),
  ban: (hash: BlobHash, reason: string) => call<TakeDownView>('POST', '/api/operator/contents', { hash, reason }),
  liftBan: (hash: BlobHash, reason: string) => act(`contents/${hash}/lift`, { reason }),
  contributors: (before: string | null) => page<OperatorContributor>('contributors', before),
  pardon: (id: ContributorId, reason: string) => act(`contributors/${id}/pardon`, { reason }),
  sites: (before: string | null) => page<OperatorSite>('sites', before),
  suspendSite: (id: SiteId, suspended: boolean, reason: string) => act(`sites/${id}/suspend`, { suspended, reason }),
  ledger: () => call<LedgerView>('GET', '/api/operator/ledger'),
  pause: (reason: string) => act('pause', { reason }),
  resume: (reason: string) => act('resume', { reason }),
  log: (before: string | null, action: Action | null) => page<LogRow>('log', before, action === null ? {} : { action }),
};
