import type { ApiKeyId, BlobHash, GroupId, JobStatus, OwnerId, QuoteId } from '../../shared/model.ts';
import type { Claim } from './idempotency.ts';

/** How a job came in. */
export interface JobOrder {
  /** The API key that it counts for. */
  readonly apiKey?: ApiKeyId | null;
  /** The request, when it can be sent again. */
  readonly claim?: Claim | null;
  /** Most jobs that its owner may have open, with this one. */
  readonly openMax?: number;
  /** What was uploaded for it, by field. */
  readonly files?: Readonly<Record<string, BlobHash>>;
  /** Used up with it. */
  readonly quote?: QuoteId | null;
}

export interface JobPageFilter {
  readonly visibility?: 'public';
  readonly owner?: OwnerId;
  readonly status?: JobStatus;
  /** Of a group those that this member may see. */
  readonly group?: GroupId;
  readonly member?: OwnerId;
  readonly beforeSeq: number;
  readonly limit: number;
}

export interface ResultPageFilter {
  readonly afterSeq: number;
  readonly limit: number;
}

/** Raised when an owner has as many open jobs as it may. Nothing of the transaction was kept. */
export class TooManyOpen extends Error {
  override readonly name = 'TooManyOpen';
}
