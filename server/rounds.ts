import { setTimeout as pause } from 'node:timers/promises';

export interface RoundsOptions {
  /** True when a round is over. */
  readonly step: () => Promise<boolean>;
  /** Between two steps: the rest of the process has most of the time. */
  readonly breathMs: number;
  /** From the end of one round to the next, also of one in which a step failed. */
  readonly roundMs: number;
  readonly failed: (error: unknown) => void;
}

/** Work of the background: a step at a time, round after round, until it is closed. */
export class Rounds {
  readonly #options: RoundsOptions;
  readonly #closing = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when no step is under way any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const { step, breathMs, roundMs, failed } = this.#options;
    while (!signal.aborted) {
      const isRound = await step().catch((error: unknown) => {
        failed(error);
        return true;
      });
      await pause(isRound ? roundMs : breathMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}
