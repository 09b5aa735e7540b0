import { performance } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MINUTE_MS, SECOND_MS } from '../shared/limits.ts';

/** Below this share of its time the event loop is quiet. */
const QUIET_SHARE = 0.2;
const QUIET_SECONDS = 2;
/** Not for less than this beyond what stayed last time, and not more often than this: it stops the process for some 200 ms a 100 MB of live heap. */
const SPARE_BYTES = 64 * 2 ** 20;
const REST_MS = 5 * MINUTE_MS;

/** What is measured of the process, and done to it. */
export interface Process {
  /** Share of the time since it was asked last that the event loop was busy. */
  busyShare(): number;
  /** What V8 has of the system. */
  heapBytes(): number;
  /** Gives back to it whatever is not alive. */
  collect(): void;
}

/**
 * Gives the memory that a burst took back to the system once the process is quiet, as Java's G1 does (JEP 346): V8 keeps its heap as large as it was,
 * while anything at all goes on. Ten thousand contributors that have come back leave 170 MB behind.
 */
export class IdleMemory {
  readonly #process: Process;
  #timer: NodeJS.Timeout | undefined;
  #quietSeconds = 0;
  #restUntilMs = 0;
  #keptBytes: number;

  constructor(process: Process = thisProcess()) {
    this.#process = process;
    this.#keptBytes = process.heapBytes();
  }

  start(): void {
    this.#timer = setInterval(() => this.look(performance.now()), SECOND_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Once a second. */
  look(nowMs: number): void {
    this.#quietSeconds = this.#process.busyShare() < QUIET_SHARE ? this.#quietSeconds + 1 : 0;
    const spare = this.#process.heapBytes() - this.#keptBytes;
    if (this.#quietSeconds < QUIET_SECONDS || spare < SPARE_BYTES || nowMs < this.#restUntilMs) return;
    this.#restUntilMs = nowMs + REST_MS;
    this.#process.collect();
    this.#keptBytes = this.#process.heapBytes();
  }
}

/** V8 shows its collector in contexts that are made after the flag is set. */
export function thisProcess(): Process {
  let last = performance.eventLoopUtilization();
  let collect: ((options: object) => void) | undefined;
  return {
    busyShare() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    heapBytes: () => getHeapStatistics().total_heap_size,
    collect() {
      setFlagsFromString('--expose-gc');
      collect ??= runInNewContext('gc') as (options: object) => void;
      collect({ type: 'major', flavor: 'last-resort' });
    },
  };
}
