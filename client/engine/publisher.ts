import type { EngineMode } from './api.ts';

const PUBLISH_MS_MIN = 100;

/** Tells the host what has changed: at once when the mode did, otherwise at most every 100 ms. */
export class Publisher {
  readonly #mode: () => EngineMode;
  readonly #send: () => void;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #published: EngineMode = 'idle';

  constructor(mode: () => EngineMode, send: () => void) {
    this.#mode = mode;
    this.#send = send;
  }

  changed(): void {
    if (this.#mode() !== this.#published) this.#publish();
    // Answers that come after the end change nothing that anybody looks at.
    else if (this.#published !== 'stopped' && this.#published !== 'failed') this.#timer ??= setTimeout(() => this.#publish(), PUBLISH_MS_MIN);
  }

  #publish(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#published = this.#mode();
    this.#send();
  }
}
