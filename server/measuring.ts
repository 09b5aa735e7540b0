import type { JobHandle } from './checks/messages.ts';
import { fromDisk, type Pool, PoolBusy } from './checks/pool.ts';
import type { StoredResult } from './store/store.ts';

/** Results whose bytes are in memory for it at a time: after a start there may be thousands to measure. */
const MEASURED_AT_ONCE_MAX = 8;
const BUSY_MS = 1000;

export interface MeasuringDeps {
  readonly checks: Pick<Pool, 'ask'>;
  /** Undefined once the job has ended. */
  readonly handleOf: (result: StoredResult) => Omit<JobHandle, 'inputs'> | undefined;
  readonly bytesOf: (result: StoredResult) => Promise<Uint8Array>;
  /** Null: it could not be computed. */
  readonly measured: (result: StoredResult, passesWanted: number | null) => Promise<unknown>;
  readonly log: { error(fields: object, message: string): void };
}

/** Has worker threads compute what accepted results say of their tiles (`AuditCheck.passesWanted`), a few at a time. */
export class Measuring {
  readonly #deps: MeasuringDeps;
  #waiting: StoredResult[] = [];
  #running = 0;
  #closed = false;

  constructor(deps: MeasuringDeps) {
    this.#deps = deps;
  }

  ask(result: StoredResult): void {
    this.#waiting.push(result);
    this.#next();
  }

  /** Nothing more is begun, and nobody is told of what is under way. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
  }

  #next(): void {
    while (!this.#closed && this.#running < MEASURED_AT_ONCE_MAX) {
      const result = this.#waiting.shift();
      if (!result) return;
      this.#running++;
      void this.#measure(result).finally(() => {
        this.#running--;
        this.#next();
      });
    }
  }

  async #measure(result: StoredResult): Promise<void> {
    const { at, parts, job, id } = result;
    const { checks, handleOf, bytesOf, measured, log } = this.#deps;
    let passesWanted: number | null = null;
    try {
      const handle = handleOf(result);
      if (handle) {
        const bytes = await bytesOf(result);
        passesWanted = await checks.ask('measure', { workload: handle.workload, job: handle.job, at, parts, result: bytes }, fromDisk(bytes));
      }
    } catch (error) {
      if (error instanceof PoolBusy && !this.#closed) {
        await new Promise((resolve) => setTimeout(resolve, BUSY_MS).unref());
        this.#waiting.push(result);
        return;
      }
      if (!this.#closed) log.error({ job, result: id, error: String(error) }, 'a result could not be measured');
    }
    // Refused while the state is read back: then it is asked for anew.
    if (!this.#closed) await measured(result, passesWanted).catch(() => undefined);
  }
}
