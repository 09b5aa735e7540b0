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

  /** To be called with every state of the engine. */
  is(online: boolean): void {
    if (!online) {
      this.#timer ??= setTimeout(() => {
        this.#isTold = true;
        this.#note(`No connection to ${this.#origin}. Trying again until there is one; finished work is kept.`);
      }, TOLD_AFTER_MS);
      return;
    }
    this.end();
    if (this.#isTold) this.#note('Connected.');
    this.#isTold = false;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
