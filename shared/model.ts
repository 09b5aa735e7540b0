/** The nouns of the system. Branded ids keep a job id from being used as a blob hash. */
declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

export type JobId = Brand<string, 'JobId'>;
export type ContributorId = Brand<string, 'ContributorId'>;
export type ResultId = Brand<string, 'ResultId'>;
export type ConsentId = Brand<string, 'ConsentId'>;
export type SiteId = Brand<string, 'SiteId'>;
/** By which a program acts for an owner: `tk_<16>`; the key itself is `<id>_<secret>`. */
export type ApiKeyId = Brand<string, 'ApiKeyId'>;
/** Of a price and a promise: `q_<16>`. */
export type QuoteId = Brand<string, 'QuoteId'>;
/** A private swarm. */
export type GroupId = Brand<string, 'GroupId'>;
/**
 * Who owns balances: `device:<id>` (a browser without a wallet) or `wallet:<base58 address>`. `gone:<id>`: whoever has had his data deleted; nobody can
 * be that, and the id tells nothing.
 */
export type OwnerId = Brand<string, 'OwnerId'>;
/** SHA-256 of the bytes, 64 lower-case hex digits. */
export type BlobHash = Brand<string, 'BlobHash'>;

/** Millionths of a work unit. One work unit is one second of the reference GPU (shaders/README.md). Integer. */
export type MicroUnits = Brand<number, 'MicroUnits'>;

/**
 * A set of parts of one tile: bit i stands for part i, at most `limits.partsPerTileMax` of them.
 * A part is a separately summed range of a tile (a range of samples); the smallest thing that is leased again.
 */
export type PartMask = Brand<number, 'PartMask'>;

/** Where in a job: pass p covers a fixed range (of samples), tile t a fixed region. */
export interface TileRef {
  readonly pass: number;
  readonly tile: number;
}

/** What every face of a workload is told about a job. `prepared` is small JSON; big inputs travel as blobs. */
export interface JobContext<Params = unknown, Prepared = unknown> {
  readonly id: JobId;
  /** Seed of every random choice inside the job, u32. */
  readonly seed: number;
  readonly params: Params;
  readonly prepared: Prepared;
}

export type JobStatus = 'open' | 'done' | 'cancelled';

/** `committed`: stored and acknowledged, evidence still missing. */
export type ResultState = 'committed' | 'accepted' | 'refuted' | 'discarded';

/** `only`: nobody but members gets or sees it, and it costs nothing. `first`: members before others, who are paid as ever. */
export type GroupMode = 'first' | 'only';

/** Test credits and credits never mix: no transfer has accounts of two units. */
export type CreditUnit = 'test' | 'credit';
/** What an account counts. Tokens are base units of the operator's token on its chain; nothing is ever moved from one unit into another. */
export type LedgerUnit = CreditUnit | 'token';

export type Verdict = Exclude<ResultState, 'committed'>;

/** One checkable element of a job: element `element` of part `part` of a tile. */
export interface ElementRef extends TileRef {
  readonly part: number;
  readonly element: number;
}

/** Who recomputed elements: the coordinator's CPU, the operator's trusted contributors, or contributors drawn at random. */
export type Auditor = 'cpu' | 'trusted' | 'contributor';

/** What recomputing elements of a result found. Numbers only: whether they are good enough is the verifier's business. */
export interface Evidence {
  readonly by: Auditor;
  /** Elements recomputed. */
  readonly drawn: number;
  /** Elements further apart than the workload's tolerance. */
  readonly differing: number;
  /** Of those, elements where no near-tie explains it: wrong ones. */
  readonly unexplained: number;
  /** Largest distance seen, in the workload's tolerance unit. */
  readonly worst: number;
  /** Of the coordinator's own CPU. */
  readonly cpuMs: number;
}

export const maskOf = (parts: readonly number[]): PartMask => parts.reduce((mask, part) => mask | (1 << part), 0) as PartMask;
export const fullMask = (count: number): PartMask => (2 ** count - 1) as PartMask;
export const hasPart = (mask: PartMask, part: number): boolean => (mask & (1 << part)) !== 0;
export const withoutParts = (mask: PartMask, gone: PartMask): PartMask => (mask & ~gone) as PartMask;

/** Ascending part indices of a mask. */
export function partsOf(mask: PartMask): number[] {
  const parts: number[] = [];
  for (let part = 0; mask >>> part !== 0; part++) if (hasPart(mask, part)) parts.push(part);
  return parts;
}

export function countParts(mask: PartMask): number {
  let count = 0;
  for (let rest: number = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
