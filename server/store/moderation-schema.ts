import type { Generated } from 'kysely';
import type { BlobHash, JobId, OwnerId } from '../../shared/model.ts';
import type { Action, BannedContent, OperatorReport } from '../../shared/schemas.ts';

/** Tables of moderation, of the operator and of the network's figures. Part of schema.ts. */

export interface ReportsTable {
  seq: Generated<number>;
  id: string;
  job: JobId;
  reporter: OwnerId;
  reason: OperatorReport['reason'];
  text: string;
  created_ms: number;
  closed_ms: number | null;
  outcome: OperatorReport['outcome'];
}

/** What the operator has decided about a job. */
export interface JobDecisionsTable {
  job: JobId;
  hidden: number;
  taken_down_ms: number | null;
  reason: string;
}

/** Files as they were uploaded for a job. */
export interface JobUploadsTable {
  job: JobId;
  name: string;
  hash: BlobHash;
}

export interface BannedContentsTable {
  seq: Generated<number>;
  hash: BlobHash;
  kind: BannedContent['kind'];
  job: JobId | null;
  reason: string;
  at_ms: number;
}

export interface OperatorSessionsTable {
  hash: Uint8Array;
  id: string;
  expires_ms: number;
}

export interface NetworkPausesTable {
  seq: Generated<number>;
  since_ms: number;
  reason: string;
  ended_ms: number | null;
}

export interface OperatorLogTable {
  seq: Generated<number>;
  at_ms: number;
  session: string;
  action: Action;
  target: string;
  reason: string;
}

/** Sums over the samples of a span. */
export interface NetworkSamplesTable {
  span_ms: number;
  at_ms: number;
  samples: number;
  contributors: number;
  tiles: number;
  micro_units: number;
  elements: number;
  recomputed: number;
  wrong: number;
  micro_credits: bigint;
}
