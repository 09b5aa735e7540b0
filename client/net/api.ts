import type { ContributorId, GroupId, JobId, ResultId, SiteId } from '../../shared/model.ts';
import type {
  AcceptedView,
  AccountView,
  Challenge,
  ConsentGrant,
  ConsentRequest,
  ConsentView,
  ContributorView,
  ErrorBody,
  ErrorCode,
  ExampleView,
  GroupDetails,
  GroupView,
  HistoryPage,
  InviteLook,
  JobRequest,
  JobView,
  MadeInvite,
  OwnSiteView,
  Quote,
  QuoteRequest,
  SignIn,
  SiteRequest,
  SiteView,
  StatementRow,
} from '../../shared/schemas.ts';

/** A refusal by the coordinator, or `offline` when no answer came at all. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ErrorCode | 'offline';
  /** Which input is wrong, as a path like `params.width`. */
  readonly field: string | undefined;
  readonly limit: string | undefined;

  constructor(code: ErrorCode | 'offline', message: string, field?: string, limit?: string) {
    super(message);
    this.code = code;
    this.field = field;
    this.limit = limit;
  }
}

const isErrorBody = (value: unknown): value is ErrorBody =>
  typeof value === 'object' && value !== null && 'error' in value && typeof (value as ErrorBody).error?.message === 'string';

/** The error of an answer that is not 2xx. Bodies that are not ours (a proxy's page) still give a readable sentence. */
export function errorOf(status: number, body: unknown): ApiError {
  if (!isErrorBody(body)) return new ApiError('internal', `The coordinator answered with status ${status}.`);
  const { code, message, field, limit } = body.error;
  return new ApiError(code, message, field, limit);
}

export const offline = (): ApiError => new ApiError('offline', 'No connection to the coordinator. Check the network, then try again.');

/** A chunk of ours did not come: offline, or the coordinator was updated since this page was opened and has other files now. */
export const notLoaded = new ApiError('stale', 'This page could not be loaded. Check the network, then load it again.');

/** Any thrown value -> `ApiError`, so that pages show one kind. */
export const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError ? error : new ApiError('internal', error instanceof Error ? error.message : String(error));

async function request(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: 'same-origin', ...init });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw offline();
  }
  if (!response.ok) throw errorOf(response.status, await response.json().catch(() => null));
  return response;
}

async function call<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const response = await request(path, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  });
  return (await response.json()) as T;
}

export interface ContributorKey {
  readonly id: ContributorId;
  readonly secret: string;
}

/** Every HTTP route that pages use, with the shared types. Each throws `ApiError`. */
export const api = {
  /** Makes the device session when there is none. */
  session: () => call<AccountView>('POST', '/api/session', {}),
  statement: (before: string | null) =>
    call<{ rows: StatementRow[]; next: string | null }>('GET', `/api/account/statement?limit=20${before ? `&before=${encodeURIComponent(before)}` : ''}`),
  consents: async () => (await call<{ consents: ConsentView[] }>('GET', '/api/account/consents')).consents,
  challenge: (address: string) => call<Challenge>('POST', '/api/account/challenge', { address }),
  signIn: (body: SignIn) => call<AccountView>('POST', '/api/account/sign-in', body),
  signOut: () => call<AccountView>('POST', '/api/account/sign-out', {}),

  grantConsent: (body: ConsentRequest) => call<ConsentGrant>('POST', '/api/consents', body),
  /** What the coordinator knows of a contributor, asked with the contributor's own secret. */
  contributor: async ({ id, secret }: ContributorKey) =>
    (await (await request('/api/contributors/me', { headers: { authorization: `Contributor ${id}.${secret}` } })).json()) as ContributorView,
  /** Results of one contributor, or of all that belong to this account; `before` is `next` of the page before. */
  history: async (key: ContributorKey | null, before: string | null) => {
    const query = before === null ? '' : `?before=${before}`;
    if (!key) return call<HistoryPage>('GET', `/api/account/results${query}`);
    const headers = { authorization: `Contributor ${key.id}.${key.secret}` };
    return (await (await request(`/api/contributors/me/results${query}`, { headers })).json()) as HistoryPage;
  },
  revokeConsent: (id: string) => call<unknown>('DELETE', `/api/consents/${id}`),
  /** The same, by the contributor itself: a frame on another site has no session. */
  withdrawConsent: ({ id, secret }: ContributorKey, consent: string) =>
    request(`/api/consents/${consent}`, { method: 'DELETE', keepalive: true, headers: { authorization: `Contributor ${id}.${secret}` } }),

  examples: async () => (await call<{ examples: ExampleView[] }>('GET', '/api/examples')).examples,
  exampleFile: async ({ workload, id }: ExampleView, name: string) => (await request(`/api/examples/${workload}/${id}/files/${name}`, {})).blob(),
  quote: (body: QuoteRequest, signal: AbortSignal) => call<Quote>('POST', '/api/quotes', body, signal),
  submitJob: (body: JobRequest) => call<JobView>('POST', '/api/jobs', body),
  jobs: async (scope: 'public' | 'mine') => (await call<{ jobs: JobView[] }>('GET', `/api/jobs?scope=${scope}`)).jobs,
  job: (id: JobId) => call<JobView>('GET', `/api/jobs/${id}`),
  cancelJob: (id: JobId) => call<JobView>('POST', `/api/jobs/${id}/cancel`, {}),
  results: async (id: JobId) => (await call<{ results: AcceptedView[] }>('GET', `/api/jobs/${id}/results`)).results,
  resultBytes: async (job: JobId, result: ResultId, signal: AbortSignal) =>
    new Uint8Array(await (await request(`/api/jobs/${job}/results/${result}`, { signal })).arrayBuffer()),

  /** Not believed before it is verified, so it has no type. */
  receipt: (id: JobId) => call<unknown>('GET', receiptUrl(id)),
  receiptKey: async () => (await call<{ publicKey: string }>('GET', '/api/receipts/key')).publicKey,

  groups: async () => (await call<{ groups: GroupView[] }>('GET', '/api/groups')).groups,
  group: (id: GroupId) => call<GroupDetails>('GET', `/api/groups/${id}`),
  groupJobs: async (id: GroupId) => (await call<{ jobs: JobView[] }>('GET', `/api/jobs?group=${id}`)).jobs,
  makeGroup: (name: string) => call<GroupView>('POST', '/api/groups', { name }),
  leaveGroup: (id: GroupId) => call<unknown>('POST', `/api/groups/${id}/leave`, {}),
  removeMember: (id: GroupId, member: string) => call<unknown>('DELETE', `/api/groups/${id}/members/${member}`),
  makeInvite: (id: GroupId) => call<MadeInvite>('POST', `/api/groups/${id}/invites`, {}),
  revokeInvite: (id: GroupId, invite: string) => call<unknown>('DELETE', `/api/groups/${id}/invites/${invite}`),
  lookAtInvite: (code: string) => call<InviteLook>('POST', '/api/invites/look', { code }),
  joinGroup: (code: string, name: string) => call<GroupView>('POST', '/api/invites/join', { code, name }),

  site: (id: SiteId) => call<SiteView>('GET', `/api/sites/${id}`),
  sites: async () => (await call<{ sites: OwnSiteView[] }>('GET', '/api/sites')).sites,
  makeSite: (body: SiteRequest) => call<OwnSiteView>('POST', '/api/sites', body),
  proveSite: (id: SiteId) => call<OwnSiteView>('POST', `/api/sites/${id}/prove`),
  switchSite: (id: SiteId, on: boolean) => call<OwnSiteView>('POST', `/api/sites/${id}/switch`, { on }),
};

/** Address of what comes out of an example. */
export const examplePictureUrl = ({ workload, id }: ExampleView): string => `/api/examples/${workload}/${id}/picture`;

export const receiptUrl = (job: JobId): string => `/api/jobs/${job}/receipt`;

/** Address of an assembled output, for links and images. */
export const outputUrl = (job: JobId, output: string): string => `/api/jobs/${job}/files/${output}`;
