import type { MessagePort } from 'node:worker_threads';
import type { Shape } from '../../shared/commitment.ts';
import type { Evidence, JobContext, PartMask, TileRef } from '../../shared/model.ts';
import type { AcceptedResult, Preparation, Verified, VerifyKeys } from '../../shared/workload.ts';
import type { Sample } from '../core/draw.ts';
import type { Proof } from './evidence.ts';

/** What the coordinator's main thread asks of its worker threads. Workloads' heavy faces run nowhere else. */
export interface JobHandle {
  readonly workload: string;
  readonly job: JobContext;
  /** Files of the packed inputs, read by the thread itself. */
  readonly inputs: readonly { readonly name: string; readonly path: string }[];
}

/** Elements of one tile, and what is claimed for each: `elementWords` u32 in the sample's order. */
interface Claims extends JobHandle {
  readonly at: TileRef;
  readonly sample: Sample;
  readonly claims: Uint8Array;
  /** Wrong elements that settle it. */
  readonly enough: number;
}

export interface Question {
  prepare: { readonly workload: string; readonly params: unknown; readonly files: Readonly<Record<string, Uint8Array>> };
  /** Does the opening lead to the root, and add up to the result? */
  opening: {
    readonly shape: Shape;
    readonly salt: Uint8Array;
    readonly root: Uint8Array;
    readonly result: Uint8Array;
    readonly opening: Uint8Array;
    readonly sample: Sample;
  };
  recompute: Claims;
  /** `values`: what an auditor found, laid out as the claims. */
  compare: Claims & { readonly values: Uint8Array };
  verify: JobHandle & { readonly at: TileRef; readonly result: Uint8Array; readonly keys: VerifyKeys };
  /** Of an accepted result: `AuditCheck.passesWanted`. */
  measure: { readonly workload: string; readonly job: JobContext; readonly at: TileRef; readonly parts: PartMask; readonly result: Uint8Array };
  /** Results come one at a time through the port, in the order of their tiles, and pieces of the file leave through it: `Desk`. */
  assemble: { readonly workload: string; readonly job: JobContext; readonly output: string; readonly desk: MessagePort };
}

export interface Answer {
  prepare: Preparation<unknown>;
  opening: Proof;
  recompute: Omit<Evidence, 'by'>;
  /** The CPU time of the referee counts once, with the result. `apart`: elements where the two are further apart than the tolerance. */
  compare: { readonly result: Omit<Evidence, 'by'>; readonly auditor: Omit<Evidence, 'by'>; readonly apart: number };
  verify: Verified & { readonly cpuMs: number };
  measure: number;
  assemble: null;
}

export type Kind = keyof Question;

export type ToThread = { [K in Kind]: { readonly kind: K; readonly question: Question[K] } }[Kind];

export type FromThread =
  | { readonly ok: true; readonly answer: Answer[Kind] }
  | { readonly ok: false; readonly message: string; readonly field?: string | undefined; readonly limit?: string | undefined };

/** A sign of life: the question may take its whole time anew. */
export interface Alive {
  readonly alive: true;
}

/** What passes over the port of `assemble`, one question at a time: the next result, or null behind the last; or a piece of the file, which is written when the answer comes. */
export type DeskQuestion = { readonly next: true } | { readonly piece: Uint8Array };
export type DeskAnswer = AcceptedResult | null;
