import type { BlobHash, ConsentId, ContributorId, JobId, PartMask, TileRef } from '../../shared/model.ts';
import type { JobBrief } from '../../shared/protocol.ts';
import type { ContributorRecord, Device, ErrorCode, Preferences } from '../../shared/schemas.ts';

/** What the engine tells its host, and what the host tells it. Plain data: all of it survives `postMessage`. */

/** Who works, and the consent it works under: both come from `POST /api/consents`. */
export interface EngineIdentity {
  readonly contributor: { readonly id: ContributorId; readonly secret: string };
  readonly consent: ConsentId;
  /** What engines of one browser have in common (net/browser-key.ts); none for hosts that are not a browser. */
  readonly browser?: string;
}

/** See the header of engine.ts for what each mode means and how it is entered and left. */
export type EngineMode = 'idle' | 'connecting' | 'working' | 'paused' | 'stopping' | 'stopped' | 'failed';

/**
 * Why an engine stands still; several may hold at once, and it goes on when none does. `owner`: the owner of the GPU said so. `busy`: the
 * engine itself has found that somebody else needs the GPU. All others are findings of the host (client/comfort).
 */
export const holdReasons = ['owner', 'hidden', 'frozen', 'battery', 'pressure', 'saveData', 'hours', 'unpaid', 'busy'] as const;
export type HoldReason = (typeof holdReasons)[number];

/** `stale`: this page is older than the coordinator, reload it. `suspended`: refused by the coordinator. `gpu`: no usable GPU, or lost for good. */
export interface EngineError {
  readonly kind: 'stale' | 'suspended' | 'gpu' | 'internal';
  /** A plain sentence for people. */
  readonly message: string;
}

export interface CurrentTile {
  readonly job: JobId;
  readonly title: string;
  /** Names who ordered the job, for `Preferences.blocked`. */
  readonly requester?: string;
  /** The group that it is a favour to; nothing is paid for it. */
  readonly group?: string;
  readonly at: TileRef;
  /** Parts of this lease that are finished, 0 to 1. */
  readonly progress: number;
  /** Pixels that the tile covers, and of which frame, null where the workload has no picture. */
  readonly region: { readonly x: number; readonly y: number; readonly width: number; readonly height: number; readonly frame: number } | null;
  /** Share of the whole job that was accepted when the coordinator last said so, 0 to 1. */
  readonly jobProgress: number;
}

export interface Snapshot {
  readonly mode: EngineMode;
  /** The coordinator answers at present. Held tiles are computed on while it does not. */
  readonly online: boolean;
  /** Why it stands still; empty unless the mode is `paused`. */
  readonly holds: readonly HoldReason[];
  /** Working, but the coordinator has nothing to do for now. */
  readonly waiting: boolean;
  /** Milliseconds until it is given work again, after leases of it ran out or a result was not opened; mostly 0. */
  readonly restMs: number;
  /** Null until a GPU was found. */
  readonly device: Device | null;
  /** Mean of the last minute, or of the time since the start while that is shorter. */
  readonly partsPerMinute: number;
  readonly current: CurrentTile | null;
  readonly tiles: {
    /** Complete with the coordinator, durable there. */
    readonly handedIn: number;
    readonly accepted: number;
    readonly refuted: number;
    /** Not judged: never opened, or taken back with others. */
    readonly discarded: number;
  };
  /** Audits answered: elements of others' results, recomputed here. */
  readonly audits: number;
  /** Decimal string of micro-credits, this contributor's total as the coordinator last said. */
  readonly earnedMicroCredits: string;
  /** Decimal string: paid for accepted results, but voided should this contributor be proven wrong soon. */
  readonly vestingMicroCredits: string;
  /** Decimal string: what verdicts have taken back since the start. */
  readonly voidedMicroCredits: string;
  /** What this contributor's word was worth when the connection was made. Null before the first welcome. */
  readonly record: ContributorRecord | null;
  /** Percent of the earnings that go to the embedding site, 0 on our own pages. */
  readonly sitePercent: number;
  /** GPU time used since the start, in milliseconds. */
  readonly busyMs: number;
  /** Percent of the GPU's time, 5 to 100. */
  readonly powerPercent: number;
  /** Set in mode `failed`. In mode `stopped` it is the reason when it was not the host that asked, such as an ended consent. */
  readonly error: EngineError | null;
  readonly reason: string | null;
}

export type TileStep =
  | { readonly step: 'begun' | 'handedIn' | 'accepted' }
  /** `voidedMicroCredits`: earnings of earlier results that were taken back with it, a decimal string. */
  | { readonly step: 'refuted' | 'discarded'; readonly reason: string; readonly voidedMicroCredits: string }
  /** Given back, taken back, or refused by the coordinator. */
  | { readonly step: 'dropped'; readonly reason: string };

/** One step in the life of a tile of this contributor, for outlines. */
export type TileFact = TileStep & { readonly job: JobBrief; readonly at: TileRef; readonly parts: PartMask };

/** A finished part, for the live picture: `encodeResult([{ part, bytes }], elements, elementWords)` is what a painter takes. */
export interface PartFact {
  readonly job: JobBrief;
  readonly at: TileRef;
  readonly part: number;
  /** The listener's own copy. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface EngineListeners {
  /** At once on a change of mode, otherwise at most ten times a second. */
  readonly onState: (snapshot: Snapshot) => void;
  readonly onTile?: (fact: TileFact) => void;
  readonly onPart?: (fact: PartFact) => void;
}

export interface EngineSettings {
  /** Origin of the coordinator, such as `https://tessera.example`. */
  readonly origin: string;
  readonly identity: EngineIdentity;
  /** Workloads that the owner of the GPU agreed to; a lease of any other is given back unseen. */
  readonly kinds: readonly string[];
  /** Percent of the GPU's time, 5 to 100. Default 100. */
  readonly powerPercent?: number;
  /** Longest dispatch in milliseconds. Default 40. */
  readonly sliceMs?: number;
  /** Jobs whose inputs are larger are not taken, in bytes. Default `limits.downloadBytesDefault`. */
  readonly downloadBytesMax?: number;
  /** What it wants of what it may do. Default: everything. */
  readonly preferences?: Preferences;
  /** Pauses by itself while somebody else needs the GPU. Default true; a software renderer has no GPU to share. */
  readonly yieldsToOthers?: boolean;
  /** Stands still from the start, for these reasons: it says who it is, and fetches nothing. */
  readonly holds?: readonly HoldReason[];
  /** The operator's key: this contributor is his own, and is believed. */
  readonly trusted?: string;
}

/** Longest dispatch of hosts without a page, in milliseconds. */
export const SLICE_MS_DEFAULT = 40;

/** The coordinator said no, for a reason that asking again does not change. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: ErrorCode;
  /** Which input was refused, where the coordinator named one. */
  readonly field: string | undefined;
  /** What would have been accepted. */
  readonly limit: string | undefined;

  constructor(code: ErrorCode, message: string, field?: string, limit?: string) {
    super(message);
    this.code = code;
    this.field = field;
    this.limit = limit;
  }
}

export interface BlobInput {
  readonly hash: BlobHash;
  readonly bytes: number;
}
