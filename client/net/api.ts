import type { ApiKeyId, ContributorId, GroupId, JobId, ResultId, SiteId } from '../../shared/model.ts';
import type {
  AcceptedPage,
  AcceptedView,
  AccountView,
  ApiKeyPage,
  ApiKeyRequest,
  Challenge,
  ConsentGrant,
  ConsentRequest,
  ConsentView,
  ContributorView,
  DeliveryView,
  ErasureRequest,
  ErrorCode,
  ExampleView,
  ExtensionQuote,
  ExtensionRequest,
  GroupDetails,
  GroupView,
  HistoryPage,
  InviteLook,
  JobFile,
  JobPage,
  JobRequest,
  JobView,
  MadeApiKey,
  MadeInvite,
  MadeWebhook,
  NetworkView,
  OwnSiteView,
  Problem,
  Quote,
  QuoteRequest,
  ReportReceipt,
  ReportRequest,
  SignIn,
  SiteRequest,
  SiteView,
  StatementPage,
  Visibility,
  WebhookRequest,
  WebhookView,
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

const isProblem = (value: unknown): value is Problem =>
  typeof value === 'object' && value !== null && 'code' in value && typeof (value as Partial<Problem>).detail === 'string';

/** The error of an answer that is not 2xx. Bodies that are not ours (a proxy's page) still give a readable sentence. */
export function errorOf(status: number, body: unknown): ApiError {
  if (!isProblem(body)) return new ApiError('internal', `The coordinator answered with status ${status}.`);
  const { code, detail, field, limit } = body;
  return new ApiError(code, detail, field, limit);
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

export async function call<T>(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
  signal?: AbortSignal,
  more: Readonly<Record<string, string>> = {},
): Promise<T> {
  const response = await request(path, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json', ...more }, body: JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  });
  return (await response.json()) as T;
}

/** Of a file that is read here. */
export const textOf = async (path: string): Promise<string> => (await request(path, {})).text();

export interface ContributorKey {
  readonly id: ContributorId;
  readonly secret: string;
}

/** Every HTTP route that pages use, with the shared types. Each throws `ApiError`. */
export const api = {
  /** Makes the device session when there is none. */
  session: () => call<AccountView>('POST', '/api/session', {}),
  statement: (cursor: string | null) => call<StatementPage>('GET', `/api/account/statement?limit=20${cursor ? `&cursor=${cursor}` : ''}`),
  consents: async () => (await call<{ consents: ConsentView[] }>('GET', '/api/account/consents')).consents,
  challenge: (address: string) => call<Challenge>('POST', '/api/account/challenge', { address }),
  signIn: (body: SignIn) => call<AccountView>('POST', '/api/account/sign-in', body),
  signOut: () => call<AccountView>('POST', '/api/account/sign-out', {}),
  deleteAccount: (forfeit: boolean) => call<unknown>('DELETE', '/api/account', { forfeit } satisfies ErasureRequest),

  grantConsent: (body: ConsentRequest) => call<ConsentGrant>('POST', '/api/consents', body),
  /** What the coordinator knows of a contributor, asked with the contributor's own secret. */
  contributor: async ({ id, secret }: ContributorKey) =>
    (await (await request('/api/contributors/me', { headers: { authorization: `Contributor ${id}.${secret}` } })).json()) as ContributorView,
  /** Results of one contributor, or of all that belong to this account; `cursor` is `next` of the page before. */
  history: async (key: ContributorKey | null, cursor: string | null) => {
    const query = cursor === null ? '' : `?cursor=${cursor}`;
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
  jobs: async (scope: 'public' | 'mine') => (await call<JobPage>('GET', `/api/jobs?scope=${scope}`)).jobs,
  /** A page of jobs, newest first; `cursor` is `next` of the page before. */
  jobPage: async (scope: 'public' | 'mine', status: JobView['status'] | null, cursor: string | null) => {
    const query = new URLSearchParams({ scope, limit: '24', ...(status && { status }), ...(cursor !== null && { cursor }) });
    return call<JobPage>('GET', `/api/jobs?${query}`);
  },
  reportJob: (id: JobId, body: ReportRequest) => call<ReportReceipt>('POST', `/api/jobs/${id}/reports`, body),
  /** `sinceMs`: without the series of spans that had ended by then. */
  network: (sinceMs?: number) => call<NetworkView>('GET', `/api/network${sinceMs === undefined ? '' : `?since=${sinceMs}`}`),
  job: (id: JobId) => call<JobView>('GET', `/api/jobs/${id}`),
  cancelJob: (id: JobId) => call<JobView>('POST', `/api/jobs/${id}/cancel`, {}),
  pauseJob: (id: JobId, paused: boolean) => call<JobView>('POST', `/api/jobs/${id}/${paused ? 'pause' : 'resume'}`, {}),
  quoteExtension: (id: JobId, body: ExtensionRequest, signal: AbortSignal) => call<ExtensionQuote>('POST', `/api/jobs/${id}/extend/quote`, body, signal),
  extendJob: (id: JobId, body: ExtensionRequest) => call<JobView>('POST', `/api/jobs/${id}/extend`, body),
  showJob: (id: JobId, visibility: Visibility) => call<JobView>('POST', `/api/jobs/${id}/visibility`, { visibility }),
  deleteJob: (id: JobId) => call<JobView>('DELETE', `/api/jobs/${id}`),
  files: async (id: JobId) => (await call<{ files: JobFile[] }>('GET', `/api/jobs/${id}/files`)).files,
  /** All of them, however many pages they are. */
  results: async (id: JobId) => {
    const found: AcceptedView[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: AcceptedPage = await call('GET', `/api/jobs/${id}/results${cursor ? `?cursor=${cursor}` : ''}`);
      found.push(...page.results);
      cursor = page.next;
    }
    return found;
  },
  resultBytes: async (job: JobId, result: ResultId, signal: AbortSignal) =>
    new Uint8Array(await (await request(`/api/jobs/${job}/results/${result}`, { signal })).arrayBuffer()),

  /** Of the API itself: OpenAPI 3.1. The caller knows what of it he reads. */
  description: <T>() => call<T>('GET', '/api/openapi.json'),
  /** Not believed before it is verified, so it has no type. */
  receipt: (id: JobId) => call<unknown>('GET', receiptUrl(id)),
  /** Public keys that receipts may be signed with. */
  receiptKeys: async () => (await call<{ keys: { publicKey: string }[] }>('GET', '/api/receipts/key')).keys.map(({ publicKey }) => publicKey),

  apiKeys: (cursor: string | null) => call<ApiKeyPage>('GET', `/api/keys?limit=20${cursor ? `&cursor=${cursor}` : ''}`),
  makeApiKey: (body: ApiKeyRequest) => call<MadeApiKey>('POST', '/api/keys', body),
  revokeApiKey: (id: ApiKeyId) => call<unknown>('DELETE', `/api/keys/${id}`),

  groups: async () => (await call<{ groups: GroupView[] }>('GET', '/api/groups')).groups,
  group: (id: GroupId) => call<GroupDetails>('GET', `/api/groups/${id}`),
  groupJobs: async (id: GroupId) => (await call<JobPage>('GET', `/api/jobs?group=${id}`)).jobs,
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

  webhooks: async () => (await call<{ webhooks: WebhookView[] }>('GET', '/api/webhooks')).webhooks,
  makeWebhook: (body: WebhookRequest) => call<MadeWebhook>('POST', '/api/webhooks', body),
  testWebhook: (id: string) => call<DeliveryView>('POST', `/api/webhooks/${id}/test`, {}),
  removeWebhook: (id: string) => call<unknown>('DELETE', `/api/webhooks/${id}`),
};

/** Address of what comes out of an example. */
export const examplePictureUrl = ({ workload, id }: ExampleView): string => `/api/examples/${workload}/${id}/picture`;

export const receiptUrl = (job: JobId): string => `/api/jobs/${job}/receipt`;

/** Address of an assembled output, for links and images. An extended job has other files: browsers keep images by their address. */
export const outputUrl = (job: JobId, output: string, extensions = 0): string =>
  `/api/jobs/${job}/files/${output}${extensions > 0 ? `?extensions=${extensions}` : ''}`;
