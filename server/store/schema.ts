import type { Generated } from 'kysely';
import type {
  ApiKeyId,
  BlobHash,
  ConsentId,
  ContributorId,
  CreditUnit,
  GroupId,
  GroupMode,
  JobId,
  JobStatus,
  LedgerUnit,
  OwnerId,
  PartMask,
  QuoteId,
  ResultId,
  ResultState,
  SiteId,
} from '../../shared/model.ts';
import type {
  BannedContentsTable,
  JobDecisionsTable,
  JobUploadsTable,
  NetworkPausesTable,
  NetworkSamplesTable,
  OperatorLogTable,
  OperatorSessionsTable,
  ReportsTable,
} from './moderation-schema.ts';
import type { EpochsTable, EpochTransactionsTable, WithdrawalsTable } from './money-schema.ts';
import type { ResultPackAuthorsTable, ResultPackBlobsTable, ResultPacksTable } from './pack-schema.ts';
import type { PricesTable } from './prices.ts';
import type { BlocksTable, CoordinatorsTable, NoticesTable, SharesTable } from './sharing-schema.ts';
import type { AccountId, StoredJob, StoredResult, Transfer, TransferKind } from './store.ts';
import type { WebhookDeliveriesTable, WebhooksTable } from './webhook-schema.ts';

/** Tables as Kysely sees them. Times are milliseconds since 1970, `*_json` is JSON text, booleans are 0 or 1. */
export interface Tables {
  accounts: AccountsTable;
  transfers: TransfersTable;
  account_entries: AccountEntriesTable;
  jobs: JobsTable;
  results: ResultsTable;
  result_packs: ResultPacksTable;
  result_pack_authors: ResultPackAuthorsTable;
  result_pack_blobs: ResultPackBlobsTable;
  job_files: JobFilesTable;
  job_blobs: JobBlobsTable;
  sessions: SessionsTable;
  challenges: ChallengesTable;
  owner_aliases: OwnerAliasesTable;
  contributors: ContributorsTable;
  standings: StandingsTable;
  agreements: AgreementsTable;
  consents: ConsentsTable;
  sites: SitesTable;
  groups: GroupsTable;
  members: MembersTable;
  invites: InvitesTable;
  api_keys: ApiKeysTable;
  quotes: QuotesTable;
  prices: PricesTable;
  idempotent_requests: IdempotentRequestsTable;
  secrets: SecretsTable;
  key_versions: KeyVersionsTable;
  counters: CountersTable;
  reports: ReportsTable;
  job_decisions: JobDecisionsTable;
  job_uploads: JobUploadsTable;
  banned_contents: BannedContentsTable;
  operator_sessions: OperatorSessionsTable;
  network_pauses: NetworkPausesTable;
  operator_log: OperatorLogTable;
  network_samples: NetworkSamplesTable;
  webhooks: WebhooksTable;
  withdrawals: WithdrawalsTable;
  epochs: EpochsTable;
  epoch_transactions: EpochTransactionsTable;
  webhook_deliveries: WebhookDeliveriesTable;
  coordinators: CoordinatorsTable;
  blocks: BlocksTable;
  shares: SharesTable;
  notices: NoticesTable;
}

/** Columns, and names given to sums in queries, that hold credits. They alone come back as bigint; every other integer is a number. */
export const creditColumns: ReadonlySet<string> = new Set([
  'micro_credits',
  'balance',
  'amount',
  'debits_posted',
  'credits_posted',
  'debits_pending',
  'credits_pending',
  'rate_per_unit',
  'work_held',
  'checks_held',
  'vesting_micro_credits',
  'budget',
  'paid',
  'held',
]);

export interface AccountsTable {
  id: AccountId;
  unit: LedgerUnit;
  debits_posted: bigint;
  credits_posted: bigint;
  debits_pending: bigint;
  credits_pending: bigint;
}

/** Which transfers touch an account, up to the counter `INDEXED`. */
export interface AccountEntriesTable {
  account: AccountId;
  unit: LedgerUnit;
  seq: number;
}

export interface TransfersTable {
  /** Order of posting. */
  seq: Generated<number>;
  id: string;
  unit: LedgerUnit;
  debit: AccountId;
  credit: AccountId;
  /** Micro-credits; in unit `token` base units. */
  amount: bigint;
  phase: 'single' | NonNullable<Transfer['phase']>;
  pending: string | null;
  kind: TransferKind;
  job: JobId | null;
  pass: number | null;
  tile: number | null;
  at_ms: number;
}

export interface JobsTable {
  seq: Generated<number>;
  id: JobId;
  title: string;
  workload: string;
  version: number;
  status: JobStatus;
  visibility: StoredJob['visibility'];
  gallery: number;
  owner: OwnerId;
  seed: number;
  params_json: string;
  prepared_json: string;
  inputs_json: string;
  checks_json: string;
  unit: CreditUnit;
  rate_per_unit: bigint;
  work_held: bigint;
  checks_held: bigint;
  held_from_json: string;
  closing: number;
  created_ms: number;
  ended_ms: number | null;
  summary_json: string | null;
  group_id: GroupId | null;
  group_mode: GroupMode | null;
  paused: number;
  extensions: number;
  deleted_ms: number | null;
  /** The key it was ordered with, if it was by a program. */
  api_key: ApiKeyId | null;
  promise_json: string | null;
  price_version: number | null;
}

export interface ResultsTable {
  seq: Generated<number>;
  id: ResultId;
  job: JobId;
  pass: number;
  tile: number;
  parts: PartMask;
  epoch: number;
  attempt: number;
  contributor: ContributorId;
  owner: OwnerId;
  site: SiteId | null;
  hash: BlobHash;
  size_bytes: number;
  salt: Uint8Array;
  root: Uint8Array;
  commitment: Uint8Array;
  nonce: Uint8Array;
  drawn: number;
  round: StoredResult['round'];
  opening_hash: BlobHash | null;
  compute_ms: number;
  committed_ms: number;
  state: ResultState;
  evidence_json: string;
  error_bound: number;
  decided_ms: number | null;
  vesting_unit: CreditUnit | null;
  vesting_micro_credits: bigint | null;
  vests_at_ms: number | null;
  refund_to: AccountId | null;
  drill: number;
  /** SQLite's reals have an infinity. */
  passes_wanted: number | null;
  opening_inline: Uint8Array | null;
  inline: Uint8Array | null;
}

export interface JobFilesTable {
  job: JobId;
  output: string;
  hash: BlobHash;
  made_ms: number;
}

/** What a job was uploaded and what was prepared from it. */
export interface JobBlobsTable {
  hash: BlobHash;
  job: JobId;
}

export interface SessionsTable {
  hash: Uint8Array;
  owner: OwnerId;
  expires_ms: number;
}

export interface ChallengesTable {
  nonce: string;
  address: string;
  text: string;
  session_hash: Uint8Array;
  expires_ms: number;
}

/** A device that has signed in: what was written before names it still. */
export interface OwnerAliasesTable {
  alias: OwnerId;
  owner: OwnerId;
}

export interface ContributorsTable {
  seq: Generated<number>;
  id: ContributorId;
  secret_hash: Uint8Array;
  owner: OwnerId;
  created_ms: number;
}

/** `Standing`, of a contributor with a workload. */
export interface StandingsTable {
  contributor: ContributorId;
  workload: string;
  accepted: number;
  refuted: number;
  discarded: number;
  verified: number;
  drawn: number;
  differing: number;
  unexplained: number;
  suspended_until_ms: number;
  at_ms: number;
}

/** `Agreement`. */
export interface AgreementsTable {
  workload: string;
  author: string;
  auditor: string;
  drawn: number;
  differing: number;
  unexplained: number;
}

export interface ConsentsTable {
  seq: Generated<number>;
  id: ConsentId;
  contributor: ContributorId;
  kinds_json: string;
  site: SiteId | null;
  power_percent: number;
  granted_ms: number;
  expires_ms: number;
  revoked_ms: number | null;
}

export interface SitesTable {
  seq: Generated<number>;
  id: SiteId;
  owner: OwnerId;
  name: string;
  origin: string;
  share_percent: number;
  created_ms: number;
  token: string;
  proven_ms: number | null;
  switched_off_ms: number | null;
  network: string | null;
}

export interface GroupsTable {
  seq: Generated<number>;
  id: GroupId;
  name: string;
  owner: OwnerId;
  created_ms: number;
}

export interface MembersTable {
  seq: Generated<number>;
  id: string;
  group_id: GroupId;
  owner: OwnerId;
  name: string;
  joined_ms: number;
}

export interface InvitesTable {
  seq: Generated<number>;
  id: string;
  group_id: GroupId;
  secret_hash: Uint8Array;
  created_ms: number;
  expires_ms: number;
  revoked_ms: number | null;
}

export interface QuotesTable {
  id: QuoteId;
  owner: OwnerId;
  fingerprint: Uint8Array;
  rate_per_unit: bigint;
  p50_seconds: number | null;
  p95_seconds: number | null;
  created_ms: number;
  expires_ms: number;
  used_by: JobId | null;
  price_version: number | null;
}

export interface ApiKeysTable {
  seq: Generated<number>;
  id: ApiKeyId;
  owner: OwnerId;
  name: string;
  secret_hash: Uint8Array;
  scopes_json: string;
  budget: bigint | null;
  /** By its ended jobs. */
  paid: bigint;
  created_ms: number;
  expires_ms: number | null;
  used_ms: number | null;
  revoked_ms: number | null;
}

/** `Claim` and `KnownRequest`. */
export interface IdempotentRequestsTable {
  owner: OwnerId;
  route: string;
  key_hash: Uint8Array;
  fingerprint: Uint8Array;
  made: string | null;
  answer: Uint8Array | null;
  at_ms: number;
}

export interface SecretsTable {
  name: string;
  bytes: Uint8Array;
}

export interface KeyVersionsTable {
  name: string;
  version: number;
  bytes: Uint8Array;
  from_ms: number;
}

export interface CountersTable {
  name: string;
  value: number;
}
