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
  readonly accepted: number;
  readonly mode: string;
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
let fromMs = performance.now();
engine.start();

parentPort?.on('message', () => {
  const nowMs = performance.now();
  const { tiles, mode, error } = engine.snapshot;
  if (error) throw new Error(error.message);
  parentPort?.postMessage({ busyShare: gpu.busyShare(fromMs, nowMs), tiles: tiles.handedIn, accepted: tiles.accepted, mode } satisfies RoundReport);
  fromMs = nowMs;
});
