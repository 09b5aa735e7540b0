import type { WorkloadEntry } from '../shared/workload.ts';
import { entry as infer } from './infer/entry.ts';
import { entry as matmul } from './matmul/entry.ts';
import { entry as render } from './render/entry.ts';
import { entry as upscale } from './upscale/entry.ts';

/** The explicit list of workloads, the main one first. A new one is a folder beside `render/`, an import and its name here. */
const entries = { render, matmul, infer, upscale };

export type WorkloadId = keyof typeof entries;

export const workloadIds = Object.keys(entries) as WorkloadId[];

/** The entry of a workload, or undefined for an unknown name: ids come from outside. */
export function workload(id: string): WorkloadEntry | undefined {
  return Object.hasOwn(entries, id) ? (entries[id as WorkloadId] as unknown as WorkloadEntry) : undefined;
}
