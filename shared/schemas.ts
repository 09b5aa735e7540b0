import { type Static, type TSchema, Type } from 'typebox';
import { pageOf, pageQuery } from './api-schemas.ts';
import { groupId, groupMode, preferences } from './group-schemas.ts';
import { checksDone, jobLifecycle, visibility } from './lifecycle-schemas.ts';
import { limits } from './limits.ts';
import type { BlobHash, ConsentId, ContributorId, JobId, PartMask, ResultId } from './model.ts';
import { priceVersion } from './price-schemas.ts';
import { jobPromise, quoteId, quotePromise } from './quote-schemas.ts';
import { siteId } from './site-schemas.ts';

export * from './agreement-schemas.ts';
export * from './api-schemas.ts';
export * from './error-schemas.ts';
export * from './example-schemas.ts';
export * from './group-schemas.ts';
export * from './lifecycle-schemas.ts';
export * from './moderation-schemas.ts';
export * from './network-schemas.ts';
export * from './price-schemas.ts';
export * from './quote-schemas.ts';
export * from './room-schemas.ts';
export * from './site-schemas.ts';
export * from './webhook-schemas.ts';
export * from './workload-schemas.ts';

/** One schema for everything that crosses a wire; the types derive from it. Amounts of credits travel as decimal strings of micro-credits. */

const closed = { additionalProperties: false } as const;
export const text = (maxLength: number, minLength = 0) => Type.String({ minLength, maxLength });
const branded = <T>(schema: TSchema) => Type.Unsafe<T>(schema);

export const jobId = branded<JobId>(Type.String({ pattern: '^j_[A-Za-z0-9_-]{16}$' }));
export const contributorId = branded<ContributorId>(Type.String({ pattern: '^c_[A-Za-z0-9_-]{16}$' }));
export const resultId = branded<ResultId>(Type.String({ pattern: '^r_[A-Za-z0-9_-]{16}$' }));
export const consentId = branded<ConsentId>(Type.String({ pattern: '^k_[A-Za-z0-9_-]{16}$' }));
export const blobHash = branded<BlobHash>(Type.String({ pattern: '^[0-9a-f]{64}$' }));
const partMask = branded<PartMask>(Type.Integer({ minimum: 1, maximum: 2 ** limits.partsPerTileMax - 1 }));
const u32 = Type.Integer({ minimum: 0, maximum: 0xffffffff });
export const microCredits = Type.String({ pattern: '^-?[0-9]{1,30}$' });
const secret = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' });
export const address = Type.String({ pattern: '^[1-9A-HJ-NP-Za-km-z]{32,44}$' });

/* Jobs */

/** How certain a requester wants to be. What it takes is the verifier's business. */
export const checksPolicy = Type.Object(
  {
    /** Most wrong elements to expect among the accepted ones, as a share. */
    targetError: Type.Number({ minimum: limits.targetErrorMin, maximum: limits.targetErrorMax }),
  },
  closed,
);
export type ChecksPolicy = Static<typeof checksPolicy>;
export const defaultChecks: ChecksPolicy = { targetError: 1e-4 };

const creditUnit = Type.Union([Type.Literal('test'), Type.Literal('credit')]);

export const quoteRequest = Type.Object(
  {
    workload: text(40, 1),
    /** Checked against the workload's own schema. */
    params: Type.Unknown(),
    files: Type.Record(Type.String({ pattern: '^[a-z][a-zA-Z0-9]{0,39}$' }), blobHash, { maxProperties: 8 }),
    checks: Type.Optional(checksPolicy),
    /** A group of the requester's, and what it means for this job: both or neither. */
    group: Type.Optional(groupId),
    groupMode: Type.Optional(groupMode),
    /** What it is to be paid with: test credits where nothing is said. The price is the same number. */
    unit: Type.Optional(creditUnit),
  },
  closed,
);
export type QuoteRequest = Static<typeof quoteRequest>;

export const quote = Type.Object({
  ...quotePromise,
  tiles: Type.Integer(),
  passes: Type.Integer(),
  /** Work units of the job itself. */
  units: Type.Number(),
  /** Price of a work unit, and the entry of the price book that it is from. */
  rateMicroCredits: microCredits,
  priceVersion,
  /** Paid for the tiles. */
  workMicroCredits: microCredits,
  /** Set aside for auditors; what is not needed comes back. */
  checksMicroCredits: microCredits,
  /** Held when the job is submitted: the sum. */
  holdMicroCredits: microCredits,
  report: Type.Array(Type.String()),
  facts: Type.Record(Type.String(), Type.Number()),
});
export type Quote = Static<typeof quote>;

export const jobRequest = Type.Object(
  {
    ...quoteRequest.properties,
    title: text(limits.titleCharsMax, 1),
    visibility,
    /** For reproducible pictures; drawn by the coordinator when left out. */
    seed: Type.Optional(u32),
    /** Its price and its promise, once. Everything that was quoted must be the same. */
    quote: Type.Optional(quoteId),
  },
  closed,
);
export type JobRequest = Static<typeof jobRequest>;

export const jobView = Type.Object({
  id: jobId,
  title: Type.String(),
  workload: Type.String(),
  version: Type.Integer(),
  status: Type.Union([Type.Literal('open'), Type.Literal('done'), Type.Literal('cancelled')]),
  ...jobLifecycle,
  gallery: Type.Boolean(),
  /** Told to members only. `members`: how many of them have helped, where nobody else may. */
  group: Type.Optional(Type.Object({ id: groupId, name: Type.String(), mode: groupMode, members: Type.Optional(Type.Integer()) })),
  mine: Type.Boolean(),
  /** What it is paid with. */
  unit: creditUnit,
  /** Price of a work unit, and the entry of the price book that it is from; null: ordered before there was one, or for nothing. */
  rateMicroCredits: microCredits,
  priceVersion,
  seed: u32,
  params: Type.Unknown(),
  prepared: Type.Unknown(),
  checks: checksPolicy,
  grid: Type.Object({ passes: Type.Integer(), tiles: Type.Integer() }),
  /**
   * Counted in parts, the smallest thing that is accepted. `waived`: left out because their tiles are good enough, and not in `total`;
   * jobs that ended before anything could be left out do not say.
   */
  parts: Type.Object({
    total: Type.Integer(),
    accepted: Type.Integer(),
    checking: Type.Integer(),
    leased: Type.Integer(),
    waived: Type.Optional(Type.Integer()),
  }),
  contributors: Type.Integer(),
  checksDone,
  heldMicroCredits: microCredits,
  paidMicroCredits: microCredits,
  createdMs: Type.Number(),
  endedMs: Type.Union([Type.Number(), Type.Null()]),
  /** Seconds until done, as likely less as more; null when nobody could work on it. */
  secondsLeft: Type.Union([Type.Number(), Type.Null()]),
  /** 19 times in 20 not more. */
  secondsLeftP95: Type.Union([Type.Number(), Type.Null()]),
  /** What its quote said; null without one, or when nobody was online. */
  promise: Type.Union([jobPromise, Type.Null()]),
});
export type JobView = Static<typeof jobView>;
export const jobPage = pageOf('jobs', jobView);
export type JobPage = Static<typeof jobPage>;

/** One accepted result of a job: `GET /api/jobs/:job/results/:id` has its bytes. */
export const acceptedView = Type.Object({
  id: resultId,
  pass: u32,
  tile: u32,
  /** The parts that its bytes are the total of. */
  parts: partMask,
  hash: blobHash,
  /** A name derived from the contributor's id, not the id. */
  contributor: Type.String(),
  /** Elements of it that were recomputed. */
  drawn: Type.Integer(),
  errorBound: Type.Number(),
});
export type AcceptedView = Static<typeof acceptedView>;
export const acceptedPage = pageOf('results', acceptedView);
export type AcceptedPage = Static<typeof acceptedPage>;

/* Accounts */

export const balance = Type.Object({
  unit: creditUnit,
  grantMicroCredits: microCredits,
  /** Paid for, to be spent on jobs. */
  depositedMicroCredits: microCredits,
  earnedMicroCredits: microCredits,
  /** Earned by this owner's contributors, but voided should one of them be proven wrong soon. */
  vestingMicroCredits: microCredits,
});
export const accountView = Type.Object({
  owner: Type.String(),
  wallet: Type.Union([address, Type.Null()]),
  balances: Type.Array(balance),
  jobs: Type.Integer(),
});
export type AccountView = Static<typeof accountView>;

export const statementRow = Type.Object({
  id: Type.String(),
  atMs: Type.Number(),
  unit: creditUnit,
  account: Type.Union([Type.Literal('grant'), Type.Literal('deposited'), Type.Literal('earned'), Type.Literal('vesting'), Type.Literal('site')]),
  /** Signed: what came in is positive. */
  microCredits,
  kind: Type.String(),
  job: Type.Union([jobId, Type.Null()]),
  pass: Type.Union([u32, Type.Null()]),
  tile: Type.Union([u32, Type.Null()]),
});
export type StatementRow = Static<typeof statementRow>;
export const statementPage = pageOf('rows', statementRow);
export type StatementPage = Static<typeof statementPage>;

export const challengeRequest = Type.Object({ address }, closed);
/** Input of Sign-In With Solana (CAIP-122 fields as in `SolanaSignInInput`) and the exact text that must be signed. */
export const challenge = Type.Object({
  nonce: Type.String(),
  text: Type.String(),
  input: Type.Object({
    domain: Type.String(),
    address: Type.String(),
    statement: Type.String(),
    uri: Type.String(),
    version: Type.String(),
    chainId: Type.String(),
    nonce: Type.String(),
    issuedAt: Type.String(),
    expirationTime: Type.String(),
  }),
});
export type Challenge = Static<typeof challenge>;
export const signIn = Type.Object({ nonce: text(64, 1), signedMessage: text(4096, 1), signature: text(128, 1) }, closed);
export type SignIn = Static<typeof signIn>;
/** `everywhere`: all sessions of the account end, not this one alone. A request may also have no body. */
export const signOut = Type.Union([Type.Object({ everywhere: Type.Optional(Type.Boolean()) }, closed), Type.Null()]);

/** `forfeit`: real credits that are left, and that vest, go to the operator. */
export const erasureRequest = Type.Object(
  {
    forfeit: Type.Optional(
      Type.Boolean({ description: 'Give up credits that are left or vest still; without it they stand in the way. Test credits are given up in any case.' }),
    ),
  },
  closed,
);
export type ErasureRequest = Static<typeof erasureRequest>;

/* Contributing: consent comes first, an identity with it. */

export const consentRequest = Type.Object(
  {
    /** Which workloads may run. */
    kinds: Type.Array(text(40, 1), { minItems: 1, maxItems: 16 }),
    /** Site whose widget asked; null on our own pages. */
    site: Type.Union([siteId, Type.Null()]),
    /** Most of the GPU's time that may be used under it. Without one: all of it on our own pages, half for a site. */
    powerPercent: Type.Optional(Type.Integer({ minimum: limits.powerPercentMin, maximum: limits.powerPercentMax })),
    /** An identity from an earlier consent of this browser goes on. */
    contributor: Type.Optional(Type.Object({ id: contributorId, secret }, closed)),
  },
  closed,
);
export type ConsentRequest = Static<typeof consentRequest>;
export const consentView = Type.Object({
  id: consentId,
  kinds: Type.Array(Type.String()),
  site: Type.Union([siteId, Type.Null()]),
  siteName: Type.Union([Type.String(), Type.Null()]),
  powerPercent: Type.Integer(),
  grantedMs: Type.Number(),
  expiresMs: Type.Number(),
  revokedMs: Type.Union([Type.Number(), Type.Null()]),
});
export type ConsentView = Static<typeof consentView>;
export const consentGrant = Type.Object({ consent: consentView, contributor: Type.Object({ id: contributorId, secret }) });
export type ConsentGrant = Static<typeof consentGrant>;

/* Sockets: contributors */

export const device = Type.Object(
  {
    vendor: text(64),
    architecture: text(64),
    /** What runs the kernel, such as `chromium-156/vulkan` or `dawn-node`. */
    backend: text(64),
    description: text(200),
    /** A software adapter: slow, and used only by explicit choice. */
    software: Type.Boolean(),
  },
  closed,
);
export type Device = Static<typeof device>;

const downloadBytesMax = Type.Integer({ minimum: limits.downloadBytesMin, maximum: limits.downloadBytesMax });

export const hello = Type.Object(
  {
    protocol: Type.Integer(),
    contributor: contributorId,
    secret,
    consent: consentId,
    device,
    /** It takes no work and no audits of jobs whose inputs are larger. */
    downloadBytesMax,
    /** Of all engines that bring the same one the latest works, whichever contributors they are: they share a GPU. Never stored. */
    browser: Type.Optional(secret),
    preferences: Type.Optional(preferences),
    /** The operator's key: this contributor is his own, and its word is believed. */
    trusted: Type.Optional(text(200, 1)),
    /** With the operator's key: it lies on purpose, to test the checks. Nothing that it hands in is ever accepted. */
    drill: Type.Optional(Type.Boolean()),
  },
  closed,
);
export type Hello = Static<typeof hello>;

const token = Type.String({ pattern: '^[A-Za-z0-9_-]{40,400}$' });

export const workRequest = Type.Object(
  {
    leasesMax: Type.Integer({ minimum: 0, maximum: limits.leasesPerContributorMax }),
    /** What it takes from now on, when that has changed since `hello`. */
    downloadBytesMax: Type.Optional(downloadBytesMax),
  },
  closed,
);
export type WorkRequest = Static<typeof workRequest>;

export const handIn = Type.Object(
  {
    token,
    parts: partMask,
    /** `commitParts` over the parts: 64 hex digits. */
    root: blobHash,
    /** SHA-256 of the result; the bytes are inline or were PUT to /blobs/:hash before. */
    hash: blobHash,
    inline: Type.Union([Type.Unsafe<Uint8Array>(Type.Any()), Type.Null()]),
    /** GPU time spent, for the statement of the contributor only. */
    computeMs: Type.Number({ minimum: 0, maximum: 86_400_000 }),
    leasesMax: Type.Integer({ minimum: 0, maximum: limits.leasesPerContributorMax }),
  },
  closed,
);
export type HandIn = Static<typeof handIn>;

/** The columns that a hand-in was asked to open. */
export const open = Type.Object(
  {
    result: resultId,
    /** SHA-256 of the opening; its bytes are inline or were PUT to /blobs/:hash before. */
    hash: blobHash,
    inline: Type.Union([Type.Unsafe<Uint8Array>(Type.Any()), Type.Null()]),
  },
  closed,
);
export type Open = Static<typeof open>;

export const answer = Type.Object(
  {
    token: Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' }),
    /** `elementWords` u32 for every element of the audit. */
    values: Type.Unsafe<Uint8Array>(Type.Any()),
    computeMs: Type.Number({ minimum: 0, maximum: 86_400_000 }),
    leasesMax: Type.Integer({ minimum: 0, maximum: limits.leasesPerContributorMax }),
  },
  closed,
);
export type Answer = Static<typeof answer>;

/** Commands that finish what was begun, in one message; its answer has theirs in the same order. */
export const many = Type.Array(Type.Tuple([Type.Union([Type.Literal('handIn'), Type.Literal('open'), Type.Literal('answer')]), Type.Unknown()]), {
  minItems: 1,
  maxItems: limits.commandsPerMessageMax,
});
export type Many = Static<typeof many>;

export const giveBack = Type.Object(
  {
    /** Of leases and audits. */
    tokens: Type.Array(Type.String({ pattern: '^[A-Za-z0-9_-]{22,400}$' }), { maxItems: 2 * limits.leasesPerContributorMax }),
    /** Results whose opening was asked for and that are gone here. */
    unopened: Type.Optional(Type.Array(resultId, { maxItems: 1000 })),
  },
  closed,
);
export type GiveBack = Static<typeof giveBack>;

/** What a contributor's word is worth here, and why. Counted for each workload. */
export const contributorRecord = Type.Object({
  accepted: Type.Integer(),
  refuted: Type.Integer(),
  /** Results that could not be judged: never opened, or taken back with others. */
  discarded: Type.Integer(),
  /** Elements accepted after checks, decaying with a half-life of 30 days. */
  verified: Type.Number(),
  /** Elements of it that were recomputed, those that differed, and those nothing explained. */
  drawn: Type.Integer(),
  differing: Type.Integer(),
  unexplained: Type.Integer(),
  suspendedUntilMs: Type.Number(),
});
export type ContributorRecord = Static<typeof contributorRecord>;

/** One result of a contributor, and what became of it. */
export const recentResult = Type.Object({
  at: Type.Object({ pass: u32, tile: u32 }),
  jobTitle: Type.String(),
  state: Type.Union([Type.Literal('committed'), Type.Literal('accepted'), Type.Literal('refuted'), Type.Literal('discarded')]),
  /** Elements of it that were recomputed, those that differed, and those nothing explained. */
  drawn: Type.Integer(),
  differing: Type.Integer(),
  unexplained: Type.Integer(),
  /** Paid for it, 0 when that was voided. */
  microCredits,
  decidedMs: Type.Union([Type.Number(), Type.Null()]),
  /** Name of the group that it was a favour to: nothing is paid for it. */
  group: Type.Optional(Type.String()),
});
export type RecentResult = Static<typeof recentResult>;

/** A result in the history of one's contributors. */
export const historyRow = Type.Object({
  ...recentResult.properties,
  id: resultId,
  job: jobId,
  parts: partMask,
  committedMs: Type.Number(),
  /** GPU time, as the contributor said. */
  computeMs: Type.Number(),
});
export type HistoryRow = Static<typeof historyRow>;
/** Newest first. */
export const historyPage = pageOf('rows', historyRow);
export type HistoryPage = Static<typeof historyPage>;
export const historyQuery = Type.Object(pageQuery(limits.pageRowsMax, 20), closed);
export type HistoryQuery = Static<typeof historyQuery>;

/** What a contributor sees of itself: `GET /api/contributors/me`. */
export const contributorView = Type.Object({
  earnedMicroCredits: microCredits,
  vestingMicroCredits: microCredits,
  consents: Type.Array(consentView),
  /** By workload. */
  records: Type.Record(Type.String(), contributorRecord),
  /** Newest first. */
  recent: Type.Array(recentResult),
});
export type ContributorView = Static<typeof contributorView>;

export const watchRequest = Type.Object({ job: jobId }, closed);
export type WatchRequest = Static<typeof watchRequest>;
