import type { MessagePort } from 'node:worker_threads';
import type { Evidence, JobContext, PartMask, TileRef } from '../../shared/model.ts';
import type { AcceptedResult, ElementSample, Preparation } from '../../shared/workload.ts';

/** What the coordinator's main thread asks of its worker threads. Workloads' heavy faces run nowhere else. */
export interface JobHandle {
  readonly workload: string;
  readonly job: JobContext;
  /** Files of the packed inputs, read by the thread itself. */
  readonly inputs: readonly { readonly name: string; readonly path: string }[];
}

export interface Question {
  prepare: { readonly workload: string; readonly params: unknown; readonly files: Readonly<Record<string, Uint8Array>> };
  audit: JobHandle & { readonly at: TileRef; readonly parts: PartMask; readonly result: Uint8Array; readonly digest: Uint8Array; readonly count: number };
  compare: JobHandle & { readonly at: TileRef; readonly result: Uint8Array; readonly replica: Uint8Array; readonly most: number };
  referee: JobHandle & { readonly at: TileRef; readonly result: Uint8Array; readonly replica: Uint8Array; readonly sample: ElementSample };
  /** Results come one at a time through the port: post `next`, receive an `AcceptedResult` or null. */
  assemble: { readonly workload: string; readonly job: JobContext; readonly output: string; readonly source: MessagePort };
}

export interface Answer {
  prepare: Preparation<unknown>;
  audit: Evidence;
  compare: { readonly evidence: Evidence; readonly sample: ElementSample };
  referee: { readonly result: Evidence; readonly replica: Evidence };
  assemble: Uint8Array;
}

export type Kind = keyof Question;

export type ToThread = { [K in Kind]: { readonly kind: K; readonly question: Question[K] } }[Kind];

export type FromThread =
  | { readonly ok: true; readonly answer: Answer[Kind] }
  | { readonly ok: false; readonly message: string; readonly field?: string | undefined; readonly limit?: string | undefined };

export type SourceMessage = AcceptedResult | null;
