import type { Command, Event } from './core/state.ts';

const TICK_MS = 500;
/** Results whose pay vests in one commit: what was accepted within a second vests together, and thousands of them would keep everybody waiting. */
const VESTS_MAX = 256;

/** The core's sense of time: a tick every half second, whatever became of those before; and where more pay is due than vests in one commit, others behind it. */
export class Ticking {
  readonly #dispatch: (command: Command & { type: 'tick' }) => Promise<readonly Event[]>;
  readonly #timer = setInterval(() => void this.#tick().catch(() => undefined), TICK_MS);
  #isVesting = false;

  constructor(dispatch: (command: Command & { type: 'tick' }) => Promise<readonly Event[]>) {
    this.#dispatch = dispatch;
  }

  async #tick(): Promise<void> {
    const isFirst = !this.#isVesting;
    this.#isVesting ||= isFirst;
    try {
      let isMore = await this.#vest();
      while (isFirst && isMore) isMore = await this.#vest();
    } finally {
      if (isFirst) this.#isVesting = false;
    }
  }

  /** Returns whether more may be due. */
  async #vest(): Promise<boolean> {
    const events = await this.#dispatch({ type: 'tick', vestsMax: VESTS_MAX });
    return events.filter((event) => event.type === 'write' && event.write.kind === 'settled').length >= VESTS_MAX;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
