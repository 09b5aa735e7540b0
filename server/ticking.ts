import type { Command, Event } from './core/state.ts';

const TICK_MS = 500;
/** Results whose pay vests in one commit: what was accepted within a second vests together, and thousands of them would keep everybody waiting. */
const VESTS_MAX = 256;

/** The core's sense of time: ticks until nothing more is due, again and again. Where a tick fails, the next one does what it should have done. */
export class Ticking {
  readonly #dispatch: (command: Command & { type: 'tick' }) => Promise<readonly Event[]>;
  readonly #timer = setInterval(() => void this.#tick().catch(() => undefined), TICK_MS);
  #isUnderWay = false;

  constructor(dispatch: (command: Command & { type: 'tick' }) => Promise<readonly Event[]>) {
    this.#dispatch = dispatch;
  }

  async #tick(): Promise<void> {
    if (this.#isUnderWay) return;
    this.#isUnderWay = true;
    try {
      for (let vested = VESTS_MAX; vested >= VESTS_MAX; ) {
        const events = await this.#dispatch({ type: 'tick', vestsMax: VESTS_MAX });
        vested = events.filter((event) => event.type === 'write' && event.write.kind === 'settled').length;
      }
    } finally {
      this.#isUnderWay = false;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
