import type { Snapshot } from '../engine/api.ts';

/** A connection that comes back at once is no news: a coordinator was restarted, or another one took over. */
const TOLD_AFTER_MS = 5000;

/** Says when there has been no connection for a while, and when there is one again; the engine itself goes on trying and keeps what is finished. */
export class ConnectionNews {
  readonly #origin: string;
  readonly #note: (line: string) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isTold = false;

  constructor(origin: string, note: (line: string) => void) {
    this.#origin = origin;
    this.#note = note;
  }

  /** To be called with every state of the engine. Who pauses or stops need not be connected. */
  is({ mode, online }: Pick<Snapshot, 'mode' | 'online'>): void {
    const isWanted = mode === 'connecting' || mode === 'working';
    if (isWanted && !online) {
      this.#timer ??= setTimeout(() => {
        this.#isTold = true;
        this.#note(`No connection to ${this.#origin}. Trying again until there is one; finished work is kept.`);
      }, TOLD_AFTER_MS);
      return;
    }
    this.end();
    if (!this.#isTold || !online) return;
    this.#isTold = false;
    this.#note('Connected.');
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
