import type { KeyObject } from 'node:crypto';
import type { MicroCredits } from '../../shared/credits.ts';
import type { LeaseBody } from '../../shared/formats.ts';
import type {
  BlobHash,
  ContributorId,
  Evidence,
  JobContext,
  JobId,
  MicroUnits,
  OwnerId,
  PartMask,
  ResultId,
  ResultState,
  SiteId,
  TileRef,
} from '../../shared/model.ts';
import type { AcceptedView, ErrorCode } from '../../shared/schemas.ts';
import type { ElementSample, TileGrid, WorkloadSpec } from '../../shared/workload.ts';
import type { JobSummary, StoredJob, StoredResult, Write } from '../store/store.ts';
import type { TileBlocks } from './blocks.ts';

/** A secret as bytes, or as the key object that Node uses without parsing the bytes again for every tile. */
export type MacKey = KeyObject | Uint8Array;

/** Everything the coordinator knows in memory. Rebuilt from the store at a start; leases alone are forgotten. */
export interface State {
  readonly config: CoreConfig;
  readonly jobs: Map<JobId, Job>;
  readonly contributors: Map<ContributorId, Contributor>;
  /** By lease key. */
  readonly leases: Map<string, ActiveLease>;
  /** Results that are committed and not decided yet. */
  readonly pending: Map<ResultId, PendingResult>;
  /** Check requests without an answer. */
  checksInFlight: number;
}

export interface CoreConfig {
  readonly leaseKey: MacKey;
  readonly drawKey: MacKey;
  readonly epoch: number;
  readonly spec: (workload: string) => WorkloadSpec | undefined;
}

export interface Job {
  readonly stored: StoredJob;
  readonly spec: WorkloadSpec;
  readonly context: JobContext;
  readonly grid: TileGrid;
  readonly blocks: TileBlocks;
  readonly inputBytes: number;
  /** Counted in parts. */
  readonly partsTotal: number;
  partsAccepted: number;
  partsChecking: number;
  partsLeased: number;
  paid: MicroCredits;
  /** Of `paid`, what went to replicas. */
  paidForReplicas: MicroCredits;
  audits: number;
  replicas: number;
  refuted: number;
  elements: number;
  readonly contributors: Set<ContributorId>;
  /** Leases granted since the start: distinguishes two grants of one tile. */
  attempt: number;
  /** Work granted so far, for fair shares between jobs. */
  granted: number;
  /** Hand-ins seen, by `handInKey`: a repeated one is the same row. */
  readonly handedIn: Map<string, { readonly id: ResultId; readonly hash: BlobHash }>;
  /** Results waiting for a second contributor. */
  readonly replicaNeeds: Map<ResultId, ReplicaNeed>;
  /** Cancelled: no more leases; ends when what was handed in is decided. */
  closing: boolean;
  /** Accepted parts a second, decaying over 20 s. */
  rate: number;
  rateAtMs: number;
}

export interface ReplicaNeed {
  readonly result: ResultId;
  readonly at: TileRef;
  /** Whoever made the result cannot confirm it, under whatever name. */
  owner: OwnerId;
  readonly sinceMs: number;
  missing: PartMask;
  /** Missing parts that are leased or being compared. */
  taken: PartMask;
}

export interface Contributor {
  readonly id: ContributorId;
  owner: OwnerId;
  readonly site: SiteId | null;
  /** Of its earnings, to the site. */
  readonly sharePercent: number;
  readonly kinds: ReadonlySet<string>;
  connected: boolean;
  leftMs: number;
  /** Waits for work. */
  idle: boolean;
  readonly leases: Map<string, ActiveLease>;
  /** Micro-units a millisecond; 0 while unknown. */
  speed: number;
  lastHandInMs: number;
  accepted: number;
  refuted: number;
  suspendedUntilMs: number;
}

export interface ActiveLease {
  readonly key: string;
  readonly token: string;
  readonly job: JobId;
  readonly at: TileRef;
  /** Parts not handed in yet. */
  parts: PartMask;
  readonly replicaOf: ResultId | null;
  readonly contributor: ContributorId;
  readonly grantedMs: number;
  deadlineMs: number;
  readonly unitsPerPart: MicroUnits;
}

/** A committed result on its way to a verdict. `stage` says whose answer it waits for. */
export interface PendingResult {
  readonly stored: StoredResult;
  stage: 'audit' | 'replica' | 'compare' | 'referee' | 'larger audit';
  readonly evidence: Evidence[];
  /** Parts that an accepted replica confirms, and parts of replicas that are being compared. */
  confirmed: PartMask;
  confirming: PartMask;
  retries: number;
}

export type CheckRequest =
  | { readonly kind: 'audit'; readonly round: 'audit' | 'larger audit'; readonly result: StoredResult; readonly digest: Uint8Array; readonly count: number }
  | { readonly kind: 'compare'; readonly result: StoredResult; readonly replica: StoredResult }
  | { readonly kind: 'referee'; readonly result: StoredResult; readonly replica: StoredResult; readonly sample: ElementSample };

export type CheckOutcome =
  | { readonly kind: 'audit'; readonly evidence: Evidence }
  | { readonly kind: 'compare'; readonly evidence: Evidence; readonly sample: ElementSample }
  | { readonly kind: 'referee'; readonly result: Evidence; readonly replica: Evidence }
  | { readonly kind: 'failed'; readonly message: string };

export type Command =
  | { readonly type: 'openJob'; readonly job: StoredJob; readonly results: readonly StoredResult[] }
  | { readonly type: 'cancelJob'; readonly job: JobId }
  | {
      readonly type: 'join';
      readonly contributor: Pick<Contributor, 'id' | 'owner' | 'site' | 'sharePercent' | 'kinds' | 'accepted' | 'refuted' | 'suspendedUntilMs'>;
    }
  | { readonly type: 'leave'; readonly contributor: ContributorId }
  | { readonly type: 'requestWork'; readonly contributor: ContributorId; readonly leasesMax: number }
  | {
      readonly type: 'handIn';
      readonly id: ResultId;
      readonly lease: LeaseBody;
      readonly parts: PartMask;
      readonly hash: BlobHash;
      readonly sizeBytes: number;
      readonly inline: Uint8Array | null;
      readonly computeMs: number;
    }
  | { readonly type: 'returnLeases'; readonly contributor: ContributorId; readonly tokens: readonly string[] }
  | { readonly type: 'checked'; readonly request: CheckRequest; readonly outcome: CheckOutcome }
  | { readonly type: 'changeOwner'; readonly from: OwnerId; readonly to: OwnerId }
  | { readonly type: 'tick' };

export type Event =
  | { readonly type: 'write'; readonly write: Write }
  | { readonly type: 'refused'; readonly code: ErrorCode; readonly message: string; readonly field?: string; readonly limit?: string }
  | { readonly type: 'leased'; readonly leases: readonly ActiveLease[]; readonly retryMs: number | null }
  | { readonly type: 'stored'; readonly result: ResultId }
  | { readonly type: 'checkRequested'; readonly request: CheckRequest }
  | {
      readonly type: 'verdict';
      readonly contributor: ContributorId;
      readonly owner: OwnerId;
      readonly job: JobId;
      readonly at: TileRef;
      readonly parts: PartMask;
      readonly state: Exclude<ResultState, 'committed'>;
      readonly microCredits: MicroCredits;
      readonly reason: string;
    }
  | { readonly type: 'leasesVoided'; readonly contributor: ContributorId; readonly tokens: readonly string[]; readonly reason: string }
  | { readonly type: 'workAvailable'; readonly contributors: readonly ContributorId[] }
  | { readonly type: 'tileLeased'; readonly job: JobId; readonly at: TileRef; readonly parts: PartMask }
  | { readonly type: 'tileAccepted'; readonly job: JobId; readonly result: AcceptedView }
  | { readonly type: 'tileRefuted'; readonly job: JobId; readonly at: TileRef; readonly parts: PartMask }
  | { readonly type: 'jobEnded'; readonly job: JobId; readonly summary: JobSummary };

/** Cryptographic in the coordinator, seeded in a simulation. */
export type RandomBytes = (length: number) => Uint8Array;
