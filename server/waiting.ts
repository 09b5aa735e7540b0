import { limits } from '../shared/limits.ts';
import { atCap } from './caps.ts';
import type { Command, Event } from './core/state.ts';

/** The database refused a commit; the command had no effect. */
export class CommitFailed extends Error {
  override readonly name: string = 'CommitFailed';
}

/** Too much waits for its commit already; the command had no effect. */
export class Overloaded extends CommitFailed {
  override readonly name = 'Overloaded';
}

/** What may be refused while too much waits: its sender repeats it. All else finishes what was begun. */
const refusable: ReadonlySet<Command['type']> = new Set(['join', 'requestWork', 'handIn', 'open', 'answer', 'prefer']);

const bytesOf = (command: Command): number => {
  if (command.type === 'answer') return command.values.byteLength;
  return command.type === 'handIn' || command.type === 'open' ? (command.inline?.byteLength ?? 0) : 0;
};

/** What is committed as one: the events of a command, or writes alone. Call `done` or `failed`, once. */
export interface Batched {
  readonly events: readonly Event[];
  done(): void;
  failed(error: CommitFailed): void;
}

/** Commands whose commit has not ended, and the bytes they brought. */
export class Waiting {
  commands = 0;
  bytes = 0;
  #next: Batched[] = [];

  /** Undefined: the command may be taken. Counts the cap that was hit. */
  refusalOf({ type }: Command): Overloaded | undefined {
    if (!refusable.has(type)) return undefined;
    const refusal = (): Overloaded => new Overloaded('Too much waits to be stored; try again.');
    if (this.commands >= limits.commandsWaitingMax) return atCap('commandsWaitingMax', refusal());
    return this.bytes >= limits.commandsWaitingBytesMax ? atCap('commandsWaitingBytesMax', refusal()) : undefined;
  }

  get isEmpty(): boolean {
    return this.#next.length === 0;
  }

  /** Resolves with the events when they are committed. `command`: what brought them, null for writes alone. */
  add(events: readonly Event[], command: Command | null): Promise<readonly Event[]> {
    const bytes = command ? bytesOf(command) : 0;
    const count = (by: 1 | -1): void => {
      if (command) this.commands += by;
      this.bytes += by * bytes;
    };
    count(1);
    return new Promise((resolve, reject) => {
      const done = (): void => {
        count(-1);
        resolve(events);
      };
      const failed = (error: CommitFailed): void => {
        count(-1);
        reject(error);
      };
      this.#next.push({ events, done, failed });
    });
  }

  /** Those that came first, at most so many. */
  take(most = Number.POSITIVE_INFINITY): Batched[] {
    return this.#next.splice(0, most);
  }
}

/** The wait after the second failure in a row doubles from the first of these to the other; one failure alone delays nobody. */
const REST_MS_FIRST = 250;
const REST_MS_MAX = 5000;

/** How long a store that failed so often before is left alone. Ends early when the signal aborts. */
export function restAfter(failures: number, signal: AbortSignal): Promise<void> {
  if (failures === 0 || signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.min(REST_MS_MAX, REST_MS_FIRST * 2 ** (failures - 1)));
  const ended = (): void => {
    clearTimeout(timer);
    resolve();
  };
  signal.addEventListener('abort', ended, { once: true });
  return promise.finally(() => signal.removeEventListener('abort', ended));
}
