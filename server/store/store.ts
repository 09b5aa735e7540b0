import type { MicroCredits } from '../../shared/credits.ts';
import type {
  BlobHash,
  ConsentId,
  ContributorId,
  CreditUnit,
  Evidence,
  GroupId,
  GroupMode,
  JobId,
  JobStatus,
  OwnerId,
  PartMask,
  ResultId,
  ResultState,
  SiteId,
  TileRef,
} from '../../shared/model.ts';
import type { ChecksPolicy, JobPromise, JobView, Visibility } from '../../shared/schemas.ts';
import type { Standing } from '../core/reputation.ts';
import type { ApiKeyStore } from './api-keys.ts';
import type { ErasureStore } from './erasure.ts';
import type { GroupStore } from './group-store.ts';
import type { IdempotencyStore } from './idempotency.ts';
import type { KeyStore } from './keys.ts';
import type { AccountId, LedgerStore, Transfer } from './ledger-store.ts';
import type { LifecycleStore } from './lifecycle.ts';
import type { ModerationStore } from './moderation.ts';
import type { MoneyStore } from './money.ts';
import type { NetworkStore } from './network.ts';
import type { JobOrder, JobPageFilter, ResultPageFilter } from './orders.ts';
import type { PackStore } from './packs.ts';
import type { PriceStore } from './prices.ts';
import type { QuoteStore } from './quotes.ts';
import type { ShareFigures, SharingStore } from './sharing-store.ts';
import type { WebhookStore } from './webhooks.ts';

export { BlobMismatch, type BlobStore, BlobsUnavailable, BlobTooLarge, isPassing } from './blob-store.ts';
export type { GroupStore, StoredGroup, StoredInvite, StoredMember } from './group-store.ts';
export {
  type AccountId,
  type AccountSums,
  AlreadyEnded,
  type BooksOfUnit,
  InsufficientCredits,
  type LedgerLook,
  type LedgerPlace,
  type LedgerStore,
  type PostedTransfer,
  type StatementEntry,
  type StoredAccount,
  type Transfer,
  type TransferKind,
} from './ledger-store.ts';

export type { JobEnd, ShareFigures } from './sharing-store.ts';

/** The one interface between the coordinator and its database. A promise that resolves means: on disk. One test suite for every database. */
export interface Store {
  readonly jobs: JobStore;
  readonly ledger: LedgerStore;
  readonly people: PeopleStore;
  readonly groups: GroupStore;
  readonly packs: PackStore;
  readonly lifecycle: LifecycleStore;
  readonly erasure: ErasureStore;
  readonly moderation: ModerationStore;
  readonly network: NetworkStore;
  readonly webhooks: WebhookStore;
  readonly money: MoneyStore;
  readonly apiKeys: ApiKeyStore;
  readonly quotes: QuoteStore;
  readonly prices: PriceStore;
  readonly idempotency: IdempotencyStore;
  readonly sharing: SharingStore;
  /** Those that can be rotated. */
  readonly keys: KeyStore;
  /** Applies everything in one transaction, in order, or nothing. Repeated transfers and results (same id, not packed) are ignored. `epoch`, where coordinators share the database: only while it lasts, else throws `Fenced`. */
  commit(writes: readonly Write[], epoch?: number): Promise<void>;
  /** A secret of this installation, made at first use and kept: `draw`, `network`. 32 bytes. See `keys` for those that have versions. */
  secret(name: string): Promise<Uint8Array>;
  /** Counts the starts of the coordinator on this database; each call raises it by one. */
  nextEpoch(): Promise<number>;
  /** Pairs of device classes, those compared most first. */
  agreements(limit: number): Promise<Agreement[]>;
  close(): Promise<void>;
}

/** What the core decides and the store keeps. */
export type Write =
  | { readonly kind: 'result'; readonly result: StoredResult }
  | {
      readonly kind: 'verdict';
      readonly id: ResultId;
      readonly state: Exclude<ResultState, 'committed'>;
      /** Bound on the expected share of its elements that are wrong, when accepted. */
      readonly errorBound: number;
      /** Set when it is accepted and earned something. */
      readonly vesting: Vesting | null;
      readonly evidence: readonly Evidence[];
      readonly atMs: number;
    }
  /** An opening of a committed result. */
  | { readonly kind: 'opening'; readonly id: ResultId; readonly opening: Opening }
  /** What an accepted result says about how many adaptive passes its tile needs. */
  | { readonly kind: 'measured'; readonly id: ResultId; readonly passesWanted: number }
  /** The result waits for a larger opening. */
  | { readonly kind: 'secondDraw'; readonly id: ResultId; readonly evidence: readonly Evidence[]; readonly drawn: number }
  | { readonly kind: 'transfer'; readonly transfer: Transfer }
  /** Its pay has vested, or was voided. */
  | { readonly kind: 'settled'; readonly id: ResultId }
  | { readonly kind: 'jobClosing'; readonly id: JobId }
  | { readonly kind: 'jobPaused'; readonly id: JobId; readonly paused: boolean }
  /** So much of it is accepted for the first time. */
  | { readonly kind: 'jobProgress'; readonly id: JobId; readonly percent: number; readonly atMs: number; readonly parts: JobSummary['parts'] }
  | { readonly kind: 'jobEnded'; readonly id: JobId; readonly status: Exclude<JobStatus, 'open'>; readonly atMs: number; readonly summary: JobSummary }
  | {
      readonly kind: 'standing';
      readonly contributor: ContributorId;
      readonly workload: string;
      readonly standing: Standing;
    }
  /** These blocks, all that this coordinator knows to have of a shared job, are done; and of what is closed, something is not done any more. */
  | { readonly kind: 'shareClosed'; readonly id: JobId; readonly blocks: readonly number[]; readonly figures: ShareFigures }
  | { readonly kind: 'shareReopened'; readonly id: JobId }
  /** These blocks of it are anybody's: nobody here takes it on. */
  | { readonly kind: 'shareReleased'; readonly id: JobId; readonly blocks: readonly { readonly number: number; readonly figures: ShareFigures | null }[] }
  /** It was proven to lie: other coordinators have to know, also if this one dies over it. */
  | { readonly kind: 'proven'; readonly contributor: ContributorId }
  /** Adds to what is known of a pair of device classes. */
  | { readonly kind: 'agreement'; readonly agreement: Agreement };

/**
 * How well two device classes agree, counted over accepted results (one that is taken back later stays counted). A measurement
 * of tolerances; whoever wants can claim any class, so nothing is decided by it.
 */
export interface Agreement {
  readonly workload: string;
  /** Class of the device that handed the values in. */
  readonly author: string;
  /** Class of the device that computed them again; `cpu` is the coordinator. */
  readonly auditor: string;
  /** Elements compared. */
  readonly drawn: number;
  /** Of those, elements where the two are further apart than the tolerance. */
  readonly differing: number;
  /** Of those, elements where the author's value has no explanation. */
  readonly unexplained: number;
}

export interface StoredJob {
  readonly id: JobId;
  readonly title: string;
  readonly workload: string;
  readonly version: number;
  readonly status: JobStatus;
  readonly visibility: Visibility;
  readonly gallery: boolean;
  /** Null: everybody may do it alike. */
  readonly group: { readonly id: GroupId; readonly mode: GroupMode } | null;
  readonly owner: OwnerId;
  readonly seed: number;
  readonly params: unknown;
  readonly prepared: unknown;
  readonly inputs: readonly { readonly name: string; readonly hash: BlobHash; readonly bytes: number }[];
  readonly checks: ChecksPolicy;
  readonly unit: CreditUnit;
  readonly ratePerUnit: MicroCredits;
  /** The entry of the price book that the rate is from; null: ordered before there was one, or for nothing. */
  readonly priceVersion: number | null;
  /** Held for the tiles themselves, and for auditors. */
  readonly workHeld: MicroCredits;
  readonly checksHeld: MicroCredits;
  /** Where the hold came from, so that a refund goes back there. Sums to workHeld + checksHeld. */
  readonly heldFrom: readonly { readonly account: AccountId; readonly microCredits: MicroCredits }[];
  /** Cancelled: nothing more is leased; it ends when what was handed in is decided. */
  readonly closing: boolean;
  readonly createdMs: number;
  readonly endedMs: number | null;
  /** Figures at its latest end; null before there was one. */
  readonly summary: JobSummary | null;
  readonly paused: boolean;
  /** How often it was extended. */
  readonly extensions: number;
  /** Since when its bytes are gone; null: they are here. */
  readonly deletedMs: number | null;
  /** What its quote said; null without one. */
  readonly promise: JobPromise | null;
}

export type JobSummary = Pick<JobView, 'parts' | 'contributors' | 'checksDone' | 'paidMicroCredits'>;

/** Where the bytes of an opening are: here, or in the blob store under their hash. */
export interface Opening {
  readonly hash: BlobHash;
  readonly inline: Uint8Array | null;
}

/** Once nothing changes it any more it is packed (`packs.ts`): then salt, root, commitment and nonce are empty, and there is no opening. */
export interface StoredResult {
  readonly id: ResultId;
  readonly job: JobId;
  readonly at: TileRef;
  /** The parts that its bytes are the total of; canonical together when it is accepted. */
  readonly parts: PartMask;
  readonly epoch: number;
  readonly attempt: number;
  readonly contributor: ContributorId;
  readonly owner: OwnerId;
  readonly site: SiteId | null;
  readonly hash: BlobHash;
  readonly sizeBytes: number;
  /** The bytes of small results; null when they lie in the blob store. */
  readonly inline: Uint8Array | null;
  /** `commitParts` over the parts, with the salt of the lease. */
  readonly salt: Uint8Array;
  readonly root: Uint8Array;
  /** SHA-256 over the lease, the hash and the root; with the nonce it fixes what will be checked. */
  readonly commitment: Uint8Array;
  readonly nonce: Uint8Array;
  /** Elements drawn of it in the present round. */
  readonly drawn: number;
  readonly round: 'first' | 'second';
  /** The latest, of the present round; null until it came. */
  readonly opening: Opening | null;
  readonly computeMs: number;
  readonly committedMs: number;
  readonly state: ResultState;
  readonly evidence: readonly Evidence[];
  readonly errorBound: number;
  readonly decidedMs: number | null;
  /** Pay that has not vested: how much of it, and when it does. Null before a verdict and after it has vested or was voided. */
  readonly vesting: Vesting | null;
  /** Made by an operator's drill. */
  readonly drill: boolean;
  /** `AuditCheck.passesWanted` of an accepted result, which may be Infinity; null until it was measured, and where nothing is adaptive. */
  readonly passesWanted: number | null;
}

export interface Vesting {
  readonly unit: CreditUnit;
  readonly microCredits: MicroCredits;
  readonly vestsAtMs: number;
  /** Where it goes back to when it is voided after the job's end. */
  readonly refundTo: AccountId;
}

export interface JobStore {
  /** Writes the job, its hold, what it needs and how it was ordered in one transaction. Throws `InsufficientCredits`, `BudgetExceeded`, `TooManyOpen` or `QuoteUsed`. */
  create(job: StoredJob, holds: readonly Transfer[], order?: JobOrder): Promise<void>;
  get(id: JobId): Promise<StoredJob | undefined>;
  /** Newest first; with a visibility, those whose bytes are here. */
  list(filter: {
    readonly visibility?: 'public';
    readonly owner?: OwnerId;
    readonly status?: JobStatus;
    readonly gallery?: boolean;
    readonly group?: GroupId;
    readonly limit: number;
  }): Promise<StoredJob[]>;
  /** The same a page at a time: those older than `beforeSeq`; `nextSeq` is null at the end. */
  page(filter: JobPageFilter): Promise<{ readonly jobs: readonly StoredJob[]; readonly nextSeq: number | null }>;
  countOpen(owner: OwnerId): Promise<number>;
  /** All results of a job that still matter (committed or accepted), without inline bytes, oldest first. */
  results(job: JobId): Promise<StoredResult[]>;
  /** How many results of a job were proven wrong. */
  countRefuted(job: JobId): Promise<number>;
  /** Accepted ones alone, in the order in which they were committed, from `afterSeq` (exclusive) on. */
  acceptedPage(job: JobId, page: ResultPageFilter): Promise<{ readonly results: readonly StoredResult[]; readonly nextSeq: number | null }>;
  result(id: ResultId): Promise<StoredResult | undefined>;
  /** Of one contributor in whatever state, without inline bytes, newest first. */
  resultsOf(contributor: ContributorId, limit: number): Promise<StoredResult[]>;
  /**
   * Of these contributors in whatever state, without inline bytes, newest first, those older than `before`. Undefined when `before` is
   * no result of theirs.
   */
  resultsPage(contributors: readonly ContributorId[], page: { readonly before?: ResultId; readonly limit: number }): Promise<StoredResult[] | undefined>;
  /** Accepted results of any job whose pay is vesting, without inline bytes, oldest first. */
  vesting(): Promise<StoredResult[]>;
  /**
   * Remembers an assembled file, and when its bytes were put, unless the job was extended more often than that, opened again or deleted meanwhile.
   * Returns whether it did.
   */
  setFile(job: JobId, output: string, blob: BlobHash, extensions: number, madeMs: number): Promise<boolean>;
  file(job: JobId, output: string): Promise<BlobHash | undefined>;
}

export interface StoredContributor {
  readonly id: ContributorId;
  readonly secretHash: Uint8Array;
  readonly owner: OwnerId;
  readonly createdMs: number;
}

export interface StoredConsent {
  readonly id: ConsentId;
  readonly contributor: ContributorId;
  readonly kinds: readonly string[];
  readonly site: SiteId | null;
  /** Most of the GPU's time that may be used under it. */
  readonly powerPercent: number;
  readonly grantedMs: number;
  readonly expiresMs: number;
  readonly revokedMs: number | null;
}

export interface StoredSite {
  readonly id: SiteId;
  readonly owner: OwnerId;
  readonly name: string;
  readonly origin: string;
  readonly sharePercent: number;
  readonly createdMs: number;
  /** What the domain shows to prove that it is its owner's. */
  readonly token: string;
  readonly provenMs: number | null;
  /** Since when its owner wants no help; null: it is on. */
  readonly switchedOffMs: number | null;
  /** Keyed hash of the network that it was registered from; null in a private swarm. */
  readonly network: string | null;
}

/** What a site's visitors have done so far. */
export interface SiteFigures {
  /** Contributors that agreed on it. */
  readonly visitors: number;
  /** Accepted results. */
  readonly tiles: number;
  readonly vestingMicroCredits: MicroCredits;
}

export interface StoredChallenge {
  readonly nonce: string;
  readonly address: string;
  readonly text: string;
  readonly sessionHash: Uint8Array;
  readonly expiresMs: number;
}

export interface PeopleStore {
  /** Makes a device owner with its session, and gives the grant (a transfer), in one transaction. */
  createDevice(owner: OwnerId, sessionHash: Uint8Array, expiresMs: number, grant: Transfer | null): Promise<void>;
  sessionOwner(sessionHash: Uint8Array, nowMs: number): Promise<OwnerId | undefined>;
  endSession(sessionHash: Uint8Array): Promise<void>;
  /** Ends all sessions of an owner and answers with their hashes. */
  endSessionsOf(owner: OwnerId): Promise<Uint8Array[]>;

  putChallenge(challenge: StoredChallenge): Promise<void>;
  /** Removes and returns it: a nonce works once, whatever comes of it. */
  takeChallenge(nonce: string): Promise<StoredChallenge | undefined>;
  /**
   * One transaction: the session `oldSession` ends, `newSession` begins and belongs to `wallet`; contributors, sites, webhooks, jobs,
   * groups and memberships of `device` become the wallet's; the whole earned balance of `device` moves with transfer id `claim/<nonce>`.
   */
  signIn(wallet: OwnerId, device: OwnerId, oldSession: Uint8Array, newSession: Uint8Array, expiresMs: number, nonce: string, atMs: number): Promise<void>;

  createContributor(contributor: StoredContributor): Promise<void>;
  contributor(id: ContributorId): Promise<StoredContributor | undefined>;
  /** Contributors that belong to an owner, newest first, at most 100. */
  contributorsOf(owner: OwnerId): Promise<StoredContributor[]>;

  /** By workload. */
  standings(contributor: ContributorId): Promise<ReadonlyMap<string, Standing>>;

  createConsent(consent: StoredConsent): Promise<void>;
  consent(id: ConsentId): Promise<StoredConsent | undefined>;
  /** Of all contributors of an owner, newest first, at most 100. */
  consentsOf(owner: OwnerId): Promise<StoredConsent[]>;
  consentsOfContributor(id: ContributorId): Promise<StoredConsent[]>;
  revokeConsent(id: ConsentId, atMs: number): Promise<void>;

  createSite(site: StoredSite): Promise<void>;
  site(id: SiteId): Promise<StoredSite | undefined>;
  sitesOf(owner: OwnerId): Promise<StoredSite[]>;
  proveSite(id: SiteId, atMs: number): Promise<void>;
  /** `offMs` null switches it on. */
  switchSite(id: SiteId, offMs: number | null): Promise<void>;
  /** `vestingMicroCredits` is the pay of its visitors that has not vested, of which the site gets its share. */
  siteFigures(id: SiteId): Promise<SiteFigures>;
}
