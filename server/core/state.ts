import type { KeyObject } from 'node:crypto';
import type { MicroCredits } from '../../shared/credits.ts';
import type { LeaseBody } from '../../shared/formats.ts';
import type {
  BlobHash,
  ContributorId,
  ElementRef,
  Evidence,
  GroupId,
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
import type { AcceptedView, ErrorCode, Preferences } from '../../shared/schemas.ts';
import type { TileGrid, Verified, VerifyKeys, WorkloadSpec } from '../../shared/workload.ts';
import type { Agreement, JobSummary, StoredJob, StoredResult, Vesting, Write } from '../store/store.ts';
import type { Measurements } from './adaptive.ts';
import type { TileBlocks } from './blocks.ts';
import type { Stragglers } from './copies.ts';
import type { Sample } from './draw.ts';
import type { Pace } from './endgame.ts';
import type { FairQueue, Turn } from './fair.ts';
import type { Standing } from './reputation.ts';
import type { SiteBook } from './sites.ts';
import type { Lateness } from './sizing.ts';
import type { Traffic } from './traffic.ts';

/** A secret as bytes, or as the key object that Node uses without parsing the bytes again for every tile. */
export type MacKey = KeyObject | Uint8Array;

/** Everything the coordinator knows in memory. Rebuilt from the store at a start; leases, audits and questions alone are forgotten. */
export interface State {
  readonly config: CoreConfig;
  readonly jobs: Map<JobId, Job>;
  /** Whose turn it is: of the jobs that pay, and of the gallery. */
  readonly queue: FairQueue<Job>;
  readonly galleryQueue: FairQueue<Job>;
  /** Open jobs by their owner and by their group. */
  readonly jobsOf: Map<OwnerId | GroupId, Set<Job>>;
  /** What jobs pay for a unit lately, a geometric mean; 0 before any was ordered. */
  usualRate: number;
  readonly contributors: Map<ContributorId, Contributor>;
  /** Every site that a contributor came by. */
  readonly sites: Map<SiteId, SiteBook>;
  /** Those that are connected, in no order: auditors are drawn from it. */
  readonly connected: Contributor[];
  /** Of these, the operator's own. */
  readonly trusted: Set<Contributor>;
  /** How many contributors of a group's members are connected; groups without any are left out. */
  readonly membersHere: Map<GroupId, number>;
  /** Those that wait for work. */
  readonly idle: Set<ContributorId>;
  /** By lease key. */
  readonly leases: Map<string, ActiveLease>;
  stragglers: Stragglers;
  /** By token. */
  readonly audits: Map<string, ActiveAudit>;
  /** Results that are committed and not decided yet. */
  readonly pending: Map<ResultId, PendingResult>;
  /** Check requests without an answer. */
  checksInFlight: number;
  /** Leases granted since the start: distinguishes two grants of one tile, also of a job that was extended meanwhile. */
  attempts: number;
  /** Elements accepted of anybody, and lost to those without a record: newcomers, and liars, whose record a proven lie has ended. Both decay. */
  achieved: number;
  wastedByUnproven: number;
  balanceAtMs: number;
  /** When the next newcomer may be tried although too much was wasted. */
  nextTrialAtMs: number;
  /** Why the operator has paused the network: nothing is leased. Null while it runs. */
  halted: string | null;
  readonly traffic: Traffic;
}

export interface CoreConfig {
  /** The first one seals leases; those sealed with the others are opened as well. */
  readonly leaseKeys: readonly MacKey[];
  readonly drawKey: MacKey;
  readonly epoch: number;
  readonly spec: (workload: string) => WorkloadSpec | undefined;
  /** Everybody knows everybody: contributors behind one address may check each other. */
  readonly privateSwarm: boolean;
  /** How long a newcomer's pay can be voided. */
  readonly vestingMsMax: number;
  /** Pay in credits vests no earlier than this, however long a record is. */
  readonly holdbackMs: number;
}

/** Tiles of a job that one coordinator sees to, all passes of them, where several share the job. */
export interface Block {
  readonly number: number;
  readonly first: number;
  readonly count: number;
  /** Of what is held for auditors, its share; and what they were paid of it so far. */
  readonly checksHeld: MicroCredits;
  readonly checksPaid: MicroCredits;
}

export interface Job {
  readonly stored: StoredJob;
  /** What this coordinator has claimed of it; null: the whole job is here, and ends here. */
  readonly share: Block[] | null;
  /** Of what is held for auditors, what may be spent here. */
  readonly checksHeld: MicroCredits;
  readonly spec: WorkloadSpec;
  /** `recordNameOf`. */
  readonly record: string;
  /** `requesterTag`. */
  readonly requester: string;
  readonly context: JobContext;
  readonly grid: TileGrid;
  /** Micro-units, a mean over its tiles. */
  readonly unitsPerPart: number;
  readonly blocks: TileBlocks;
  /** Passes that may be left out on tiles that are good enough, in their order; empty when none. */
  readonly adaptivePasses: readonly number[];
  /** What accepted results say about how many of them their tiles need. */
  readonly measurements: Measurements;
  /** What a contributor has to download; identical inputs count once. */
  readonly inputBytes: number;
  /** Contributors that have shown, by a result or an audit, that they have the inputs. */
  readonly fetchedBy: Set<ContributorId>;
  /** Of the whole job, wherever they are. */
  readonly partsPlanned: number;
  /** Of what is here, counted in parts, without those that are waived: it goes down, and up again when an accepted result is taken back. */
  readonly partsTotal: number;
  partsAccepted: number;
  /** Percent of the last milestone that was written. */
  milestone: number;
  partsChecking: number;
  partsLeased: number;
  paid: MicroCredits;
  /** Of `paid`, what went to auditors; and what is promised to audits under way. */
  paidForAudits: MicroCredits;
  promisedForAudits: MicroCredits;
  /** Elements recomputed. */
  readonly elements: { cpu: number; trusted: number; contributor: number };
  refuted: number;
  revoked: number;
  /** Sum over the accepted parts of the error bound of their result. */
  errorSum: number;
  /** Committed results of this job without a verdict. */
  undecided: number;
  readonly contributors: Set<ContributorId>;
  /** Its place in the queue. */
  readonly turn: Turn<Job>;
  /** What is out of it. */
  readonly leases: Set<ActiveLease>;
  /** Hand-ins seen, by `handInKey`: a repeated one is the same row. */
  readonly handedIn: Map<string, { readonly id: ResultId; readonly hash: BlobHash }>;
  /** Questions that trusted contributors take as they come. */
  readonly trustedQuestions: Question[];
  /** Cancelled: no more leases; ends when what was handed in is decided. */
  closing: boolean;
  /** Its requester wants a pause: no more leases until it is resumed. */
  paused: boolean;
  /** Accepted parts a second, decaying over 20 s. */
  rate: number;
  rateAtMs: number;
  /** The latest, for `endgame.ts`. */
  pace: Pace | null;
}

export interface Contributor {
  readonly id: ContributorId;
  owner: OwnerId;
  readonly site: SiteId | null;
  /** Where it connects from, as a keyed hash of the address; null in a private swarm. */
  readonly network: string | null;
  /**
   * What it says it computes with: `vendor/architecture/backend`; null until one that was read back from the store says hello.
   * Agreement is counted by it. Nothing may be decided by it: anybody can say anything.
   */
  readonly deviceClass: string | null;
  /** The operator's own: believed. */
  readonly trusted: boolean;
  /** Lies on the operator's order; nothing of it is ever accepted. */
  readonly drill: boolean;
  readonly kinds: ReadonlySet<string>;
  /** Private swarms that its owner is in. */
  groups: ReadonlySet<GroupId>;
  /** Of what it may do, what it wants to do. */
  preferences: Preferences;
  /** It takes no work and no audits of jobs whose inputs are larger. */
  downloadBytesMax: number;
  connected: boolean;
  /** Its place in `State.connected`. */
  place: number;
  leftMs: number;
  /** When it came; and of its earlier stays, as long as it is remembered, how many there were and how long all of them took. */
  sinceMs: number;
  stays: number;
  stayedMs: number;
  readonly leases: Map<string, ActiveLease>;
  /** Audits it was drawn for and has not been given yet. */
  questions: Question[];
  /** Elements handed in and not decided. */
  undecided: number;
  /** Micro-units a millisecond; 0 while unknown. */
  speed: number;
  readonly lateness: Lateness;
  /** How often it gave back what it was granted, fading with what it hands in. */
  refused: number;
  lastHandInMs: number;
  /** When it last wanted work. */
  askedMs: number;
  /** Leases that ran out without a result and results that were not opened, since the last one that was accepted, and until when it gets no other lease. */
  expired: number;
  restUntilMs: number;
  /** By the job's `record`. */
  readonly standings: Map<string, Standing>;
  /** Accepted results whose pay may still be voided, oldest first. */
  readonly vesting: VestingResult[];
}

/** An accepted result whose pay may still be voided. */
export type VestingResult = StoredResult & { readonly vesting: Vesting };

export interface ActiveLease {
  readonly key: string;
  readonly token: string;
  readonly job: JobId;
  readonly at: TileRef;
  /** Parts not handed in yet. */
  parts: PartMask;
  readonly contributor: ContributorId;
  readonly grantedMs: number;
  deadlineMs: number;
  readonly unitsPerPart: MicroUnits;
  readonly elementsPerPart: number;
  /** Time allowed for the download before it can begin. */
  readonly fetchMs: number;
  /** Another lease of the same parts, where there is one, and whether this is the later of the two. */
  twin: ActiveLease | null;
  readonly isCopy: boolean;
}

/** Elements of one result, [from, to) of its sample, to be recomputed by one auditor. */
export interface Question {
  readonly result: ResultId;
  readonly from: number;
  readonly to: number;
  /** How often it was put to a contributor. */
  readonly tries: number;
  readonly askedMs: number;
}

/** Questions of one job, asked of one contributor at once. */
export interface ActiveAudit {
  readonly token: string;
  readonly job: JobId;
  readonly contributor: ContributorId;
  readonly questions: readonly Question[];
  readonly elements: readonly ElementRef[];
  readonly microCredits: MicroCredits;
  readonly deadlineMs: number;
}

/** A committed result on its way to a verdict. */
export interface PendingResult {
  readonly stored: StoredResult;
  /** `opening`: the contributor has not opened it yet · `proof`: a thread verifies the opening · `audit`: questions are out, or a thread verifies the whole of it. */
  stage: 'opening' | 'proof' | 'audit';
  /** A second, larger draw after a first one that found something nobody could explain. */
  round: DrawRound;
  sample: Sample;
  /** What it claims for the sample: `elementWords` u32 each. Empty until it is proven to be what was committed. */
  claims: Uint8Array;
  readonly evidence: Evidence[];
  /** The class of its contributor's device at the hand-in; null for a result that was read back from the store. */
  readonly authorClass: string | null;
  /** Answers between known device classes, to be counted if it is accepted. */
  readonly agreements: Agreement[];
  /** Questions without an answer. */
  open: number;
  /** Entries of the sample that were put to somebody so far: the first few alone, the rest when they were right. */
  asked: number;
  sinceMs: number;
  retries: number;
}

export type DrawRound = 'first' | 'second';

export type CheckRequest =
  /** Does the opening lead to the commitment, and add up to the total? */
  | { readonly kind: 'opening'; readonly round: DrawRound; readonly result: StoredResult; readonly sample: Sample }
  /** Look at the whole result, on the coordinator's CPU; nothing is drawn. */
  | { readonly kind: 'verify'; readonly round: DrawRound; readonly result: StoredResult; readonly sample: Sample; readonly keys: VerifyKeys }
  /** Recompute on the coordinator's CPU. `enough`: wrong elements that settle it; nothing more need be looked at. */
  | {
      readonly kind: 'recompute';
      readonly round: DrawRound;
      readonly result: StoredResult;
      readonly question: Question;
      readonly sample: Sample;
      readonly claims: Uint8Array;
      readonly enough: number;
    }
  /** Compare with what an auditor found; where they differ the CPU is the referee of both. */
  | {
      readonly kind: 'compare';
      readonly round: DrawRound;
      readonly result: StoredResult;
      readonly question: Question;
      readonly sample: Sample;
      readonly claims: Uint8Array;
      readonly enough: number;
      readonly values: Uint8Array;
      readonly auditor: ContributorId;
    };

export type CheckOutcome =
  | { readonly kind: 'opened'; readonly claims: Uint8Array }
  /** Not what was committed, or not what the total says. */
  | { readonly kind: 'mismatch'; readonly message: string }
  | ({ readonly kind: 'verified'; readonly cpuMs: number } & Verified)
  | { readonly kind: 'recomputed'; readonly evidence: Omit<Evidence, 'by'> }
  /** `apart`: elements where the two are further apart than the tolerance, whoever of them is right. */
  | { readonly kind: 'compared'; readonly result: Omit<Evidence, 'by'>; readonly auditor: Omit<Evidence, 'by'>; readonly apart: number }
  | { readonly kind: 'failed'; readonly message: string };

export type Joining = Pick<Contributor, 'id' | 'owner' | 'site' | 'network' | 'deviceClass' | 'trusted' | 'drill' | 'kinds' | 'downloadBytesMax'> & {
  /** Its standings as stored, by workload. */
  readonly standings: ReadonlyMap<string, Standing>;
  /** None when it is left out. */
  readonly groups?: ReadonlySet<GroupId>;
  /** It takes everything when it is left out. */
  readonly preferences?: Preferences;
};

export type Command =
  /** A new job, one read back, or one that was extended. `paid`: what it has paid so far, 0 for a new one; `refuted`: results of it that were proven wrong. */
  | {
      readonly type: 'openJob';
      readonly job: StoredJob;
      readonly results: readonly StoredResult[];
      readonly paid: MicroCredits;
      readonly refuted?: number;
    }
  /** A job that several coordinators share, to begin with nothing of it; then `claimBlocks` brings what is to be done here, with its results so far. */
  | { readonly type: 'joinJob'; readonly job: StoredJob }
  | { readonly type: 'claimBlocks'; readonly job: JobId; readonly blocks: readonly Block[]; readonly results: readonly StoredResult[] }
  /** A shared job has ended, or was extended and begins anew: what is still under way of it, and in the second case what vests, is nobody's here any more. */
  | { readonly type: 'leaveJob'; readonly job: JobId; readonly anew: boolean }
  /** Another coordinator knows more of this contributor: `proven`, that it lied. */
  | { readonly type: 'heard'; readonly contributor: ContributorId; readonly standings: ReadonlyMap<string, Standing>; readonly proven: boolean }
  /** Read back at a start: accepted results whose pay is vesting. Their contributors have joined before. */
  | { readonly type: 'restoreVesting'; readonly results: readonly StoredResult[] }
  | { readonly type: 'cancelJob'; readonly job: JobId }
  | { readonly type: 'pauseJob'; readonly job: JobId; readonly paused: boolean }
  | { readonly type: 'join'; readonly contributor: Joining }
  /** Before contributors of that site join. One that is known goes on as it is. */
  | { readonly type: 'openSite'; readonly site: SiteId; readonly book: SiteBook }
  | { readonly type: 'leave'; readonly contributor: ContributorId }
  /** `downloadBytesMax`: what it takes from now on, when that has changed. */
  | { readonly type: 'requestWork'; readonly contributor: ContributorId; readonly leasesMax: number; readonly downloadBytesMax?: number | undefined }
  | {
      readonly type: 'handIn';
      readonly id: ResultId;
      readonly lease: LeaseBody;
      readonly salt: Uint8Array;
      readonly root: Uint8Array;
      readonly parts: PartMask;
      readonly hash: BlobHash;
      readonly sizeBytes: number;
      readonly inline: Uint8Array | null;
      readonly computeMs: number;
    }
  | {
      readonly type: 'open';
      readonly contributor: ContributorId;
      readonly result: ResultId;
      readonly hash: BlobHash;
      readonly inline: Uint8Array | null;
    }
  | { readonly type: 'answer'; readonly contributor: ContributorId; readonly token: string; readonly values: Uint8Array }
  | { readonly type: 'giveBack'; readonly contributor: ContributorId; readonly tokens: readonly string[]; readonly unopened: readonly ResultId[] }
  | { readonly type: 'checked'; readonly request: CheckRequest; readonly outcome: CheckOutcome }
  /** `passesWanted` of an accepted result; null when it could not be computed. */
  | { readonly type: 'measured'; readonly result: StoredResult; readonly passesWanted: number | null }
  /** All groups that an owner is in now. */
  | { readonly type: 'setGroups'; readonly owner: OwnerId; readonly groups: readonly GroupId[] }
  | { readonly type: 'prefer'; readonly contributor: ContributorId; readonly preferences: Preferences }
  | { readonly type: 'changeOwner'; readonly from: OwnerId; readonly to: OwnerId }
  /** Whose contributors and sites these are has had his data deleted, and is `owner` now; `jobs`: his, of which pay vests. */
  | {
      readonly type: 'forgetOwner';
      readonly owner: OwnerId;
      readonly contributors: readonly ContributorId[];
      readonly sites: readonly SiteId[];
      readonly jobs: readonly JobId[];
    }
  /** The operator pauses the network, or with null lets it go on. */
  | { readonly type: 'halt'; readonly reason: string | null }
  /** The operator ends a suspension. */
  | { readonly type: 'pardon'; readonly contributor: ContributorId }
  /** `vestsMax`: results whose pay vests now; the next tick goes on with those that are left. All when it is left out. */
  | { readonly type: 'tick'; readonly vestsMax?: number };

/** How much an accepted result is: `tiles` as a share of one, because a tile may come in parts. */
export interface WorkAmount {
  readonly tiles: number;
  readonly microUnits: number;
  readonly elements: number;
}

export type Event =
  | { readonly type: 'write'; readonly write: Write }
  | { readonly type: 'refused'; readonly code: ErrorCode; readonly message: string; readonly field?: string; readonly limit?: string }
  | { readonly type: 'leased'; readonly leases: readonly ActiveLease[]; readonly audits: readonly ActiveAudit[]; readonly retryMs: number | null }
  /** `open`: elements that the contributor must open now; empty when nothing is looked at. */
  | { readonly type: 'stored'; readonly result: ResultId; readonly open: readonly number[] }
  | { readonly type: 'openWanted'; readonly contributor: ContributorId; readonly result: ResultId; readonly open: readonly number[] }
  | { readonly type: 'checkRequested'; readonly request: CheckRequest }
  /** Of an accepted result: after how many passes is its tile good enough? */
  | { readonly type: 'measureRequested'; readonly result: StoredResult }
  | {
      readonly type: 'verdict';
      readonly contributor: ContributorId;
      readonly owner: OwnerId;
      readonly job: JobId;
      readonly at: TileRef;
      readonly parts: PartMask;
      readonly state: Exclude<ResultState, 'committed'>;
      readonly microCredits: MicroCredits;
      readonly voided: MicroCredits;
      readonly reason: string;
    }
  | { readonly type: 'leasesVoided'; readonly contributor: ContributorId; readonly tokens: readonly string[]; readonly reason: string }
  | { readonly type: 'workAvailable'; readonly contributors: readonly ContributorId[] }
  | { readonly type: 'tileLeased'; readonly job: JobId; readonly at: TileRef; readonly parts: PartMask }
  | { readonly type: 'tileChecking'; readonly job: JobId; readonly at: TileRef; readonly parts: PartMask }
  | { readonly type: 'tileAccepted'; readonly job: JobId; readonly result: AcceptedView; readonly amount: WorkAmount; readonly atMs: number }
  | { readonly type: 'tileRevoked'; readonly job: JobId; readonly result: ResultId; readonly at: TileRef; readonly parts: PartMask; readonly atMs: number }
  | { readonly type: 'tileRefuted'; readonly job: JobId; readonly at: TileRef; readonly parts: PartMask; readonly drill: boolean }
  | { readonly type: 'jobEnded'; readonly job: JobId; readonly summary: JobSummary };

/** Cryptographic in the coordinator, seeded in a simulation. */
export type RandomBytes = (length: number) => Uint8Array;
