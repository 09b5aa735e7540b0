import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import type { EngineIdentity } from '../api.ts';
import { createEngine } from '../engine.ts';
import { SimulatedGpu, type SimulatedWork, simulatedWorkload } from './simulated.ts';

/** One contributor of `engine.bench.ts`, on a thread of its own as on a machine of its own: the real engine and a simulated GPU. */
export interface ContributorData {
  readonly origin: string;
  readonly identity: EngineIdentity;
  readonly work: SimulatedWork;
}

/** What the GPU did in a round. */
export interface RoundReport {
  readonly busyShare: number;
  readonly tiles: number;
  /** Of this thread, 99th percentile: what the machine, rather than the engine, kept waiting. */
  readonly lateMs: number;
}

const { origin, identity, work } = workerData as ContributorData;
const gpu = new SimulatedGpu();
const entry = simulatedWorkload(work, gpu);
const engine = createEngine({
  origin,
  identity,
  kinds: [work.id],
  gpu: gpu.source,
  backend: 'bench',
  workload: () => entry,
  yieldsToOthers: false,
  onState: () => undefined,
});
const SAMPLE_MS = 5;
const late = monitorEventLoopDelay({ resolution: SAMPLE_MS });
late.enable();
let fromMs = performance.now();
engine.start();

parentPort?.on('message', () => {
  const nowMs = performance.now();
  const { tiles, error } = engine.snapshot;
  if (error) throw new Error(error.message);
  const lateMs = Math.max(0, late.percentile(99) / 1e6 - SAMPLE_MS);
  parentPort?.postMessage({ busyShare: gpu.busyShare(fromMs, nowMs), tiles: tiles.handedIn, lateMs } satisfies RoundReport);
  fromMs = nowMs;
  late.reset();
});
