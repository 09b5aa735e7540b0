import { type Static, Type } from 'typebox';
import { limits } from './limits.ts';
import type { BlobHash, ContributorId, JobId } from './model.ts';
import { siteView } from './site-schemas.ts';

/** What crosses a wire about reports and about what the operator does. Part of schemas.ts, which exports it. */

const closed = { additionalProperties: false } as const;
const text = (maxLength: number, minLength = 0) => Type.String({ minLength, maxLength });
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);
const jobId = Type.Unsafe<JobId>(Type.String({ pattern: '^j_[A-Za-z0-9_-]{16}$' }));
const contributorId = Type.Unsafe<ContributorId>(Type.String({ pattern: '^c_[A-Za-z0-9_-]{16}$' }));
const blobHash = Type.Unsafe<BlobHash>(Type.String({ pattern: '^[0-9a-f]{64}$' }));
const microCredits = Type.String({ pattern: '^-?[0-9]{1,30}$' });

/* Reports */

export const reportId = Type.String({ pattern: '^rp_[A-Za-z0-9_-]{16}$' });
export const reportReason = Type.Union([
  Type.Literal('illegal'),
  Type.Literal('sexual'),
  Type.Literal('violent'),
  Type.Literal('personal'),
  Type.Literal('rights'),
  Type.Literal('other'),
]);
export type ReportReason = Static<typeof reportReason>;
export const reportRequest = Type.Object({ reason: reportReason, text: text(limits.reportTextCharsMax) }, closed);
export type ReportRequest = Static<typeof reportRequest>;
/** What its reporter is told. */
export const reportReceipt = Type.Object({ id: reportId, createdMs: Type.Number() });
export type ReportReceipt = Static<typeof reportReceipt>;

/* The operator */

/** Half of a one-time link, which stands behind its #. */
export const operatorToken = Type.Object({ token: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }) }, closed);
/** Every action has its reason: the log keeps it, and of some whoever is concerned reads it. */
export const actionReason = text(limits.operatorReasonCharsMax, 1);
export const operatorAction = Type.Object({ reason: actionReason }, closed);

export const networkPause = Type.Object({ sinceMs: Type.Number(), reason: Type.String() });
export type NetworkPause = Static<typeof networkPause>;
export const operatorView = Type.Object({
  /** Names this session in the log. */
  session: Type.String(),
  expiresMs: Type.Number(),
  openReports: Type.Integer(),
  paused: orNull(networkPause),
  /** Contributors that lie on the operator's order at present, to test the checks. */
  drills: Type.Array(contributorId),
});
export type OperatorView = Static<typeof operatorView>;

export const operatorReport = Type.Object({
  id: reportId,
  job: jobId,
  title: Type.String(),
  reason: reportReason,
  text: Type.String(),
  createdMs: Type.Number(),
  closedMs: orNull(Type.Number()),
  /** `upheld`: the job was taken down. */
  outcome: orNull(Type.Union([Type.Literal('dismissed'), Type.Literal('upheld')])),
});
export type OperatorReport = Static<typeof operatorReport>;

export const operatorJob = Type.Object({
  id: jobId,
  title: Type.String(),
  workload: Type.String(),
  status: Type.Union([Type.Literal('open'), Type.Literal('done'), Type.Literal('cancelled')]),
  visibility: Type.String(),
  createdMs: Type.Number(),
  /** Kept out of public lists. */
  hidden: Type.Boolean(),
  /** What its requester is told; null while it stands. */
  takenDown: orNull(Type.Object({ atMs: Type.Number(), reason: Type.String() })),
  reports: Type.Integer(),
  /** Files that were uploaded for it. */
  files: Type.Integer(),
});
export type OperatorJob = Static<typeof operatorJob>;
export const hideRequest = Type.Object({ hidden: Type.Boolean(), reason: actionReason }, closed);
/** `ban`: its files are refused from now on, and other open jobs that use one of them are taken down as well. */
export const takeDownRequest = Type.Object({ reason: actionReason, ban: Type.Boolean() }, closed);
/** All jobs that went down, and the contents that are banned now. */
export const takeDownView = Type.Object({ jobs: Type.Array(jobId), banned: Type.Array(blobHash) });
export type TakeDownView = Static<typeof takeDownView>;

export const bannedContent = Type.Object({
  hash: blobHash,
  /** `upload`: a file as it was sent. `input`: what was made of it for contributors. */
  kind: Type.Union([Type.Literal('upload'), Type.Literal('input')]),
  job: orNull(jobId),
  reason: Type.String(),
  atMs: Type.Number(),
});
export type BannedContent = Static<typeof bannedContent>;
export const banRequest = Type.Object({ hash: blobHash, reason: actionReason }, closed);

export const operatorContributor = Type.Object({
  id: contributorId,
  /** What others see in place of its id. */
  alias: Type.String(),
  online: Type.Boolean(),
  /** As its device says; empty while it is away. */
  device: Type.String(),
  trusted: Type.Boolean(),
  drill: Type.Boolean(),
  /** Results, over all workloads. */
  accepted: Type.Integer(),
  refuted: Type.Integer(),
  discarded: Type.Integer(),
  /** 0: it is not. */
  suspendedUntilMs: Type.Number(),
});
export type OperatorContributor = Static<typeof operatorContributor>;

export const suspendRequest = Type.Object({ suspended: Type.Boolean(), reason: actionReason }, closed);
export const operatorSite = Type.Object({ ...siteView.properties, createdMs: Type.Number() });
export type OperatorSite = Static<typeof operatorSite>;

export const ledgerView = Type.Object({
  /** By unit: the sum of all balances, and accounts whose balance is not the sum of their transfers. Both have to be 0. */
  units: Type.Array(Type.Object({ unit: Type.String(), sumMicroCredits: microCredits, wrongAccounts: Type.Integer(), transfers: Type.Integer() })),
  /** Accounts of the operator, the only ones that may be negative. */
  accounts: Type.Array(Type.Object({ id: Type.String(), unit: Type.String(), microCredits })),
});
export type LedgerView = Static<typeof ledgerView>;

/** What the log names what was done. */
export const actions = [
  'signed in',
  'signed out',
  'report dismissed',
  'job hidden',
  'job shown',
  'job taken down',
  'content banned',
  'ban lifted',
  'suspension ended',
  'site suspended',
  'site restored',
  'account deleted',
  'network paused',
  'network resumed',
] as const;
export const action = Type.Union(actions.map((each) => Type.Literal(each)));
export type Action = (typeof actions)[number];
export const logRow = Type.Object({
  seq: Type.Integer(),
  atMs: Type.Number(),
  session: Type.String(),
  action: Type.String(),
  /** Id of what it was done to; empty for the network. */
  target: Type.String(),
  reason: Type.String(),
});
export type LogRow = Static<typeof logRow>;

/** Pages of the operator's tables: newest first; `before` is `next` of the page before, null on the last. */
const cursor = Type.Optional(Type.Integer({ minimum: 1 }));
export const reportsQuery = Type.Object({ before: cursor, closed: Type.Optional(Type.Boolean()) }, closed);
export const rowsQuery = Type.Object({ before: cursor }, closed);
export const logQuery = Type.Object({ before: cursor, action: Type.Optional(action) }, closed);
export interface OperatorPage<Row> {
  readonly rows: readonly Row[];
  readonly next: number | null;
}
