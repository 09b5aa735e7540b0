import { type Static, type TSchema, Type } from 'typebox';
import { limits } from './limits.ts';
import type { BlobHash, ConsentId, ContributorId, JobId, PartMask, ResultId, SiteId } from './model.ts';

/** One schema for everything that crosses a wire; the types derive from it. Amounts of credits travel as decimal strings of micro-credits. */

const closed = { additionalProperties: false } as const;
const text = (maxLength: number, minLength = 0) => Type.String({ minLength, maxLength });
const branded = <T>(schema: TSchema) => Type.Unsafe<T>(schema);

export const jobId = branded<JobId>(Type.String({ pattern: '^j_[A-Za-z0-9_-]{16}$' }));
export const contributorId = branded<ContributorId>(Type.String({ pattern: '^c_[A-Za-z0-9_-]{16}$' }));
export const resultId = branded<ResultId>(Type.String({ pattern: '^r_[A-Za-z0-9_-]{16}$' }));
export const consentId = branded<ConsentId>(Type.String({ pattern: '^k_[A-Za-z0-9_-]{16}$' }));
export const siteId = branded<SiteId>(Type.String({ pattern: '^s_[A-Za-z0-9_-]{16}$' }));
export const blobHash = branded<BlobHash>(Type.String({ pattern: '^[0-9a-f]{64}$' }));
const partMask = branded<PartMask>(Type.Integer({ minimum: 1, maximum: 2 ** limits.partsPerTileMax - 1 }));
const u32 = Type.Integer({ minimum: 0, maximum: 0xffffffff });
const microCredits = Type.String({ pattern: '^-?[0-9]{1,30}$' });
const secret = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' });
const address = Type.String({ pattern: '^[1-9A-HJ-NP-Za-km-z]{32,44}$' });

/* Errors: the same shape in an HTTP body and in a socket acknowledgement. */

const errorCodes = [
  Type.Literal('bad_input'),
  Type.Literal('not_found'),
  Type.Literal('forbidden'),
  Type.Literal('signed_out'),
  Type.Literal('insufficient_credits'),
  Type.Literal('too_many'),
  Type.Literal('too_large'),
  Type.Literal('stale'),
  Type.Literal('busy'),
  Type.Literal('conflict'),
  Type.Literal('internal'),
] as const;

export const errorBody = Type.Object({
  error: Type.Object({
    code: Type.Union([...errorCodes]),
    message: Type.String(),
    /** Which input is wrong, as a path like `params.width`. */
    field: Type.Optional(Type.String()),
    /** What would have been accepted. */
    limit: Type.Optional(Type.String()),
  }),
});
export type ErrorBody = Static<typeof errorBody>;
export type ErrorCode = ErrorBody['error']['code'];

/* Jobs */

export const checksPolicy = Type.Object(
  {
    /** Elements recomputed by the coordinator per tile. 0 switches audits off. */
    auditElements: Type.Integer({ minimum: 0, maximum: limits.auditElementsMax }),
    /** Share of tiles that a second contributor computes too, 0 to 1. */
    replicaShare: Type.Number({ minimum: 0, maximum: 1 }),
  },
  closed,
);
export type ChecksPolicy = Static<typeof checksPolicy>;
export const defaultChecks: ChecksPolicy = { auditElements: 64, replicaShare: 0.1 };

export const quoteRequest = Type.Object(
  {
    workload: text(40, 1),
    /** Checked against the workload's own schema. */
    params: Type.Unknown(),
    files: Type.Record(Type.String({ pattern: '^[a-z][a-zA-Z0-9]{0,39}$' }), blobHash, { maxProperties: 8 }),
    checks: Type.Optional(checksPolicy),
  },
  closed,
);
export type QuoteRequest = Static<typeof quoteRequest>;

export const quote = Type.Object({
  tiles: Type.Integer(),
  passes: Type.Integer(),
  /** Work units of the job itself. */
  units: Type.Number(),
  /** Paid for the tiles. */
  workMicroCredits: microCredits,
  /** Set aside for replicas; what is not needed comes back. */
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
    visibility: Type.Union([Type.Literal('public'), Type.Literal('unlisted')]),
    /** For reproducible pictures; drawn by the coordinator when left out. */
    seed: Type.Optional(u32),
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
  visibility: Type.Union([Type.Literal('public'), Type.Literal('unlisted')]),
  gallery: Type.Boolean(),
  mine: Type.Boolean(),
  seed: u32,
  params: Type.Unknown(),
  prepared: Type.Unknown(),
  checks: checksPolicy,
  grid: Type.Object({ passes: Type.Integer(), tiles: Type.Integer() }),
  /** Counted in parts, the smallest thing that is accepted. */
  parts: Type.Object({ total: Type.Integer(), accepted: Type.Integer(), checking: Type.Integer(), leased: Type.Integer() }),
  contributors: Type.Integer(),
  checksDone: Type.Object({ audits: Type.Integer(), replicas: Type.Integer(), refuted: Type.Integer(), elements: Type.Integer() }),
  heldMicroCredits: microCredits,
  paidMicroCredits: microCredits,
  createdMs: Type.Number(),
  endedMs: Type.Union([Type.Number(), Type.Null()]),
  /** Seconds until done at the present speed; null when nobody works on it. */
  secondsLeft: Type.Union([Type.Number(), Type.Null()]),
});
export type JobView = Static<typeof jobView>;

/** One accepted result of a job: `GET /api/jobs/:job/results/:id` has its bytes. */
export const acceptedView = Type.Object({
  id: resultId,
  pass: u32,
  tile: u32,
  /** Parts that count; the bytes may hold more. */
  parts: partMask,
  /** Parts in the bytes. */
  held: partMask,
  hash: blobHash,
  /** A name derived from the contributor's id, not the id. */
  contributor: Type.String(),
});
export type AcceptedView = Static<typeof acceptedView>;

/* Accounts */

export const balance = Type.Object({
  unit: Type.Union([Type.Literal('test'), Type.Literal('credit')]),
  grantMicroCredits: microCredits,
  earnedMicroCredits: microCredits,
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
  unit: Type.Union([Type.Literal('test'), Type.Literal('credit')]),
  account: Type.Union([Type.Literal('grant'), Type.Literal('earned'), Type.Literal('site')]),
  /** Signed: what came in is positive. */
  microCredits,
  kind: Type.String(),
  job: Type.Union([jobId, Type.Null()]),
  pass: Type.Union([u32, Type.Null()]),
  tile: Type.Union([u32, Type.Null()]),
});
export type StatementRow = Static<typeof statementRow>;

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

/* Contributing: consent comes first, an identity with it. */

export const consentRequest = Type.Object(
  {
    /** Which workloads may run. */
    kinds: Type.Array(text(40, 1), { minItems: 1, maxItems: 16 }),
    /** Site whose widget asked; null on our own pages. */
    site: Type.Union([siteId, Type.Null()]),
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
  grantedMs: Type.Number(),
  expiresMs: Type.Number(),
  revokedMs: Type.Union([Type.Number(), Type.Null()]),
});
export type ConsentView = Static<typeof consentView>;
export const consentGrant = Type.Object({ consent: consentView, contributor: Type.Object({ id: contributorId, secret }) });
export type ConsentGrant = Static<typeof consentGrant>;

export const siteRequest = Type.Object(
  {
    name: text(80, 1),
    /** Origin of the embedding pages, such as `https://museum.example`. */
    origin: Type.String({ pattern: '^https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?$' }),
    /** Percent of its visitors' earnings that the site gets, shown to visitors before they agree. */
    sharePercent: Type.Integer({ minimum: 0, maximum: 90 }),
  },
  closed,
);
export type SiteRequest = Static<typeof siteRequest>;
export const siteView = Type.Object({
  id: siteId,
  name: Type.String(),
  origin: Type.String(),
  sharePercent: Type.Integer(),
  earnedMicroCredits: Type.Optional(microCredits),
});
export type SiteView = Static<typeof siteView>;

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

export const hello = Type.Object({ protocol: Type.Integer(), contributor: contributorId, secret, consent: consentId, device }, closed);
export type Hello = Static<typeof hello>;

const token = Type.String({ pattern: '^[A-Za-z0-9_-]{40,400}$' });

export const workRequest = Type.Object({ leasesMax: Type.Integer({ minimum: 0, maximum: limits.leasesPerContributorMax }) }, closed);
export type WorkRequest = Static<typeof workRequest>;

export const handIn = Type.Object(
  {
    token,
    parts: partMask,
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

export const giveBack = Type.Object({ tokens: Type.Array(token, { maxItems: limits.leasesPerContributorMax }) }, closed);
export type GiveBack = Static<typeof giveBack>;

export const watchRequest = Type.Object({ job: jobId }, closed);
export type WatchRequest = Static<typeof watchRequest>;
