import { SECOND_MS } from '../../shared/limits.ts';
import { api } from '../net/api.ts';

const LOOK_EVERY_MS = 5 * SECOND_MS;

/** Why the operator has paused the network, null while it runs: asked for while nothing is given out, which may have this reason. */
export class PauseWatch {
  #reason = $state<string | null>(null);

  get reason(): string | null {
    return this.#reason;
  }

  /** Looks every few seconds until the returned function is called. */
  watch(): () => void {
    let closed = false;
    let timer: ReturnType<typeof setTimeout>;
    const look = async (): Promise<void> => {
      // Without the past.
      const found = await api.network(Date.now()).catch(() => null);
      if (closed) return;
      if (found) this.#reason = found.now.paused;
      timer = setTimeout(() => void look(), LOOK_EVERY_MS);
    };
    void look();
    return () => {
      closed = true;
      this.#reason = null;
      clearTimeout(timer);
    };
  }
}
