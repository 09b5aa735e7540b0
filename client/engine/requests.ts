import type { Work } from '../../shared/protocol.ts';
import type { Bell, Clock } from './clock.ts';
import type { Connection } from './connection.ts';
import type { HandIns } from './handin.ts';
import type { Leases } from './leases.ts';
import type { Lookahead } from './lookahead.ts';
import type { Pace } from './pace.ts';

/** The coordinator grants what keeps us busy for a few seconds; when it granted nothing without saying why, it is asked again after this. */
const ASK_AGAIN_MS = 250;
/** When all that was granted had to be given back. */
const UNDOABLE_MS = 5000;
/** After a reconnect results go first; one that will not arrive holds up nothing for longer. */
const CATCH_UP_MS_MAX = 10_000;

export interface RequestDeps {
  readonly connection: Pick<Connection, 'call'>;
  readonly clock: Clock;
  readonly pace: Pace;
  readonly leases: Leases;
  readonly lookahead: Pick<Lookahead, 'tiles'>;
  readonly handIns: Pick<HandIns, 'delivered'>;
  /** Rung whenever there may be something to ask for. */
  readonly bell: Bell;
  readonly signal: AbortSignal;
  /** Told with every request: it may have changed. */
  readonly downloadBytesMax: () => number;
  /** Takes what came for an `ask`. Returns how many of the leases can be done. */
  readonly take: (work: Work, asked: number) => number;
}

/** When to ask for work, and for how much (`Lookahead`). Hand-ins ask as they go; this asks when nothing is left to begin, so that the next tile is prepared while one runs. */
export class WorkRequests {
  readonly #deps: RequestDeps;
  #quiet = new AbortController();
  /** Results that the coordinator, perhaps a restarted one, has not seen are delivered before it is asked: it would grant the same tiles again. */
  #isCatchingUp = false;
  #connections = 0;
  /** The coordinator said that there is something, perhaps audits, which come whether leases are wanted or not. */
  #isCalled = false;

  constructor(deps: RequestDeps) {
    this.#deps = deps;
  }

  /** Reserves room for the leases that the next message asks for. */
  ask(): number {
    const { pace, leases, lookahead, signal } = this.#deps;
    return this.#isCatchingUp || pace.paused || signal.aborted ? 0 : leases.reserve(lookahead.tiles);
  }

  /** Takes back an `ask` that got no answer. */
  unask(asked: number): void {
    if (asked === 0) return;
    this.#deps.leases.unreserve(asked);
    this.#deps.bell.notify();
  }

  /** There is work again. */
  available(): void {
    this.#isCalled = true;
    this.#quiet.abort(new Error('there is work again'));
    this.#deps.bell.notify();
  }

  offline(): void {
    this.#connections++;
    this.#isCatchingUp = true;
  }

  /** After every (re)connect. */
  async welcomed(): Promise<void> {
    const { handIns, clock, signal, bell } = this.#deps;
    const connection = ++this.#connections;
    const over = new AbortController();
    const late = clock.sleep(CATCH_UP_MS_MAX, AbortSignal.any([signal, over.signal])).catch(() => undefined);
    const delivered = handIns.delivered(AbortSignal.any([signal, over.signal])).catch(() => undefined);
    await Promise.race([delivered, late]);
    over.abort(new Error('caught up'));
    if (connection !== this.#connections) return;
    this.#isCatchingUp = false;
    bell.notify();
  }

  /** Rejects when the signal aborts, or with `Refused`. */
  async run(): Promise<never> {
    const { connection, clock, pace, bell, signal, take, downloadBytesMax } = this.#deps;
    for (;;) {
      const asked = this.#isHungry() ? this.ask() : 0;
      // While paused nothing is fetched: the call is remembered until then.
      const isCalled = this.#isCalled && !pace.paused;
      if (isCalled) this.#isCalled = false;
      if (asked === 0 && !isCalled) {
        await bell.wait(signal);
        continue;
      }
      this.#quiet = new AbortController();
      const answer = await connection.call('work', () => ({ leasesMax: this.#isCatchingUp ? 0 : asked, downloadBytesMax: downloadBytesMax() }), signal);
      if (take(answer, asked) > 0 || asked === 0) continue;
      const againMs = answer.retryMs ?? (answer.leases.length > 0 ? UNDOABLE_MS : ASK_AGAIN_MS);
      await clock.sleep(againMs * (0.75 + Math.random() / 2), AbortSignal.any([signal, this.#quiet.signal])).catch(() => signal.throwIfAborted());
    }
  }

  #isHungry(): boolean {
    const { leases } = this.#deps;
    return leases.queue.length === 0 && leases.asked === 0;
  }
}
