import type { MicroCredits } from '../../shared/credits.ts';
import type {
  BlobHash,
  ConsentId,
  ContributorId,
  CreditUnit,
  Evidence,
  JobId,
  JobStatus,
  OwnerId,
  PartMask,
  ResultId,
  ResultState,
  SiteId,
  TileRef,
} from '../../shared/model.ts';
import type { ChecksPolicy, JobView } from '../../shared/schemas.ts';

/**
 * The one interface between the coordinator and its database. Everything durable goes through here; a promise that
 * resolves means: on disk. SQLite today (sqlite.ts), PostgreSQL beside it later, one test suite for both.
 */
export interface Store {
  readonly jobs: JobStore;
  readonly ledger: LedgerStore;
  readonly people: PeopleStore;
  /** Applies everything in one transaction, in order, or nothing. Repeated transfers and results (same id) are ignored. */
  commit(writes: readonly Write[]): Promise<void>;
  /** A secret of this installation, made at first use and kept: `lease`, `draw`. 32 bytes. */
  secret(name: string): Promise<Uint8Array>;
  /** Counts the starts of the coordinator on this database; each call raises it by one. */
  nextEpoch(): Promise<number>;
  close(): Promise<void>;
}

/** Raised when a transfer would take an account below zero. Nothing of its transaction was kept. */
export class InsufficientCredits extends Error {
  override readonly name = 'InsufficientCredits';
  readonly needed: MicroCredits;
  readonly available: MicroCredits;

  constructor(needed: MicroCredits, available: MicroCredits) {
    super(`needs ${needed} micro-credits, ${available} available`);
    this.needed = needed;
    this.available = available;
  }
}

/** What the core decides and the store keeps. */
export type Write =
  | { readonly kind: 'result'; readonly result: StoredResult }
  | {
      readonly kind: 'verdict';
      readonly id: ResultId;
      readonly state: Exclude<ResultState, 'committed'>;
      /** Parts that became canonical, 0 for a replica or a refuted result. */
      readonly accepted: PartMask;
      readonly evidence: readonly Evidence[];
      readonly atMs: number;
    }
  | { readonly kind: 'transfer'; readonly transfer: Transfer }
  | { readonly kind: 'jobClosing'; readonly id: JobId }
  | { readonly kind: 'jobEnded'; readonly id: JobId; readonly status: Exclude<JobStatus, 'open'>; readonly atMs: number; readonly summary: JobSummary }
  | {
      readonly kind: 'reputation';
      readonly contributor: ContributorId;
      readonly accepted: number;
      readonly refuted: number;
      readonly suspendedUntilMs: number;
    };

export interface StoredJob {
  readonly id: JobId;
  readonly title: string;
  readonly workload: string;
  readonly version: number;
  readonly status: JobStatus;
  readonly visibility: 'public' | 'unlisted';
  readonly gallery: boolean;
  readonly owner: OwnerId;
  readonly seed: number;
  readonly params: unknown;
  readonly prepared: unknown;
  readonly inputs: readonly { readonly name: string; readonly hash: BlobHash; readonly bytes: number }[];
  readonly checks: ChecksPolicy;
  readonly unit: CreditUnit;
  readonly ratePerUnit: MicroCredits;
  /** Held for the tiles themselves, and for replicas. */
  readonly workHeld: MicroCredits;
  readonly checksHeld: MicroCredits;
  /** Where the hold came from, so that a refund goes back there. Sums to workHeld + checksHeld. */
  readonly heldFrom: readonly { readonly account: AccountId; readonly microCredits: MicroCredits }[];
  /** Cancelled: nothing more is leased; it ends when what was handed in is decided. */
  readonly closing: boolean;
  readonly createdMs: number;
  readonly endedMs: number | null;
  /** Figures at the end of the job; null while it is open. */
  readonly summary: JobSummary | null;
}

export type JobSummary = Pick<JobView, 'parts' | 'contributors' | 'checksDone' | 'paidMicroCredits'>;

export interface StoredResult {
  readonly id: ResultId;
  readonly job: JobId;
  readonly at: TileRef;
  /** Parts in the bytes. */
  readonly parts: PartMask;
  /** Parts it is credited for: those nobody else had handed in before (canonical when accepted), or in a replica those it confirms. */
  readonly claimed: PartMask;
  readonly epoch: number;
  readonly attempt: number;
  readonly contributor: ContributorId;
  readonly owner: OwnerId;
  readonly site: SiteId | null;
  readonly hash: BlobHash;
  readonly sizeBytes: number;
  /** The bytes of small results; null when they lie in the blob store. */
  readonly inline: Uint8Array | null;
  /** SHA-256 over the lease and the hash; with the nonce it fixes what will be checked. */
  readonly commitment: Uint8Array;
  readonly nonce: Uint8Array;
  /** Set on a replica: the result whose certainty it serves. */
  readonly replicaOf: ResultId | null;
  readonly computeMs: number;
  readonly committedMs: number;
  readonly state: ResultState;
  /** Parts that are canonical from this result. */
  readonly accepted: PartMask;
  readonly evidence: readonly Evidence[];
}

export interface JobStore {
  /** Writes the job and its hold in one transaction. Throws `InsufficientCredits`. */
  create(job: StoredJob, holds: readonly Transfer[]): Promise<void>;
  get(id: JobId): Promise<StoredJob | undefined>;
  /** Newest first. */
  list(filter: {
    readonly visibility?: 'public';
    readonly owner?: OwnerId;
    readonly status?: JobStatus;
    readonly gallery?: boolean;
    readonly limit: number;
  }): Promise<StoredJob[]>;
  countOpen(owner: OwnerId): Promise<number>;
  /** All results of a job that still matter (committed or accepted), without inline bytes, oldest first. */
  results(job: JobId): Promise<StoredResult[]>;
  result(id: ResultId): Promise<StoredResult | undefined>;
  /** Remembers an assembled file. */
  setFile(job: JobId, output: string, blob: BlobHash): Promise<void>;
  file(job: JobId, output: string): Promise<BlobHash | undefined>;
}

/**
 * Ledger: double entry, append-only. An account's balance is credits minus debits; every unit sums to zero over all
 * accounts. Accounts come into being with their first transfer. Only `operator/*` may be negative (it issues test credits).
 *
 *   <owner>/grant   test credits given to try the product; can be spent on jobs only
 *   <owner>/earned  what verified work earned
 *   site/<site>     a site's share of its visitors' earnings
 *   job/<job>       what a job holds until it is paid out or refunded
 *   operator/issuance
 */
export type AccountId = `${OwnerId}/grant` | `${OwnerId}/earned` | `site/${SiteId}` | `job/${JobId}` | 'operator/issuance';

export type TransferKind = 'grant' | 'hold' | 'pay' | 'site share' | 'refund' | 'claim';

export interface Transfer {
  /** Unique for ever: the same id is the same transfer, applied once. */
  readonly id: string;
  readonly unit: CreditUnit;
  readonly debit: AccountId;
  readonly credit: AccountId;
  /** Positive. */
  readonly microCredits: MicroCredits;
  readonly kind: TransferKind;
  readonly job: JobId | null;
  readonly at: TileRef | null;
  readonly atMs: number;
}

export interface LedgerStore {
  balance(account: AccountId, unit: CreditUnit): Promise<MicroCredits>;
  /** Newest first; `before` is the `id` of the last row of the page before. Includes the sites this owner registered. */
  statement(owner: OwnerId, page: { readonly before?: string; readonly limit: number }): Promise<readonly StatementEntry[]>;
  /** Proves the books: per unit, the sum of all balances (0) and the number of accounts whose stored balance is not the sum of their transfers (0). */
  audit(): Promise<readonly { readonly unit: CreditUnit; readonly sum: MicroCredits; readonly wrongAccounts: number; readonly transfers: number }[]>;
}

export interface StatementEntry {
  readonly transfer: Transfer;
  readonly account: 'grant' | 'earned' | 'site';
  readonly microCredits: MicroCredits;
}

export interface StoredContributor {
  readonly id: ContributorId;
  readonly secretHash: Uint8Array;
  readonly owner: OwnerId;
  readonly createdMs: number;
  readonly accepted: number;
  readonly refuted: number;
  readonly suspendedUntilMs: number;
}

export interface StoredConsent {
  readonly id: ConsentId;
  readonly contributor: ContributorId;
  readonly kinds: readonly string[];
  readonly site: SiteId | null;
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

  putChallenge(challenge: StoredChallenge): Promise<void>;
  /** Removes and returns it: a nonce works once, whatever comes of it. */
  takeChallenge(nonce: string): Promise<StoredChallenge | undefined>;
  /**
   * One transaction: the session `oldSession` ends, `newSession` begins and belongs to `wallet`; contributors, sites and jobs
   * of `device` become the wallet's; the whole earned balance of `device` moves with transfer id `claim/<nonce>`.
   */
  signIn(wallet: OwnerId, device: OwnerId, oldSession: Uint8Array, newSession: Uint8Array, expiresMs: number, nonce: string, atMs: number): Promise<void>;

  createContributor(contributor: StoredContributor): Promise<void>;
  contributor(id: ContributorId): Promise<StoredContributor | undefined>;
  /** Contributors that belong to an owner, newest first, at most 100. */
  contributorsOf(owner: OwnerId): Promise<StoredContributor[]>;

  createConsent(consent: StoredConsent): Promise<void>;
  consent(id: ConsentId): Promise<StoredConsent | undefined>;
  /** Of all contributors of an owner, newest first, at most 100. */
  consentsOf(owner: OwnerId): Promise<StoredConsent[]>;
  consentsOfContributor(id: ContributorId): Promise<StoredConsent[]>;
  revokeConsent(id: ConsentId, atMs: number): Promise<void>;

  createSite(site: StoredSite): Promise<void>;
  site(id: SiteId): Promise<StoredSite | undefined>;
  sitesOf(owner: OwnerId): Promise<StoredSite[]>;
}

/** Content-addressed bytes on disk. */
export interface BlobStore {
  /** Streams to a temporary file while hashing; fsyncs, then renames. Throws `BlobTooLarge`, or `BlobMismatch` when `expected` is given and wrong. */
  put(source: AsyncIterable<Uint8Array>, options: { readonly bytesMax: number; readonly expected?: BlobHash }): Promise<{ hash: BlobHash; bytes: number }>;
  get(hash: BlobHash): Promise<Uint8Array<ArrayBuffer> | undefined>;
  size(hash: BlobHash): Promise<number | undefined>;
  stream(hash: BlobHash): NodeJS.ReadableStream;
  /** Where worker threads read it. */
  path(hash: BlobHash): string;
}

export class BlobTooLarge extends Error {
  override readonly name = 'BlobTooLarge';
}

export class BlobMismatch extends Error {
  override readonly name = 'BlobMismatch';
}
