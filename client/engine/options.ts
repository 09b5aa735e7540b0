import type { PartialResult, WorkloadEntry } from '../../shared/workload.ts';
import type { EngineListeners, EngineSettings } from './api.ts';
import type { Clock } from './clock.ts';
import type { ConnectionTiming } from './connection.ts';
import type { GpuSource } from './device.ts';
import type { YieldingDeps } from './yielding.ts';

export interface EngineOptions extends EngineSettings, EngineListeners {
  readonly gpu: GpuSource;
  /** What runs the kernels, for the coordinator: `chromium-156`, `dawn-node`. */
  readonly backend: string;
  readonly workload?: (id: string) => WorkloadEntry | undefined;
  readonly clock?: Clock;
  readonly connectionTiming?: ConnectionTiming;
  readonly openGauge?: YieldingDeps['openGauge'];
  /** A drill, which needs the operator's key: changes every finished part in place. The coordinator is told, and accepts none of them. */
  readonly alter?: (part: PartialResult) => void;
}
