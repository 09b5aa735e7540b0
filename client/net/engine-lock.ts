/** Name of the lock that the one engine of a storage partition holds: the tabs and frames of one site. Between sites the coordinator decides. */
export const ENGINE_LOCK = 'tessera engine';

/** In frames of other sites a browser may never answer a request for a lock. */
const ANSWER_MS_MAX = 1000;

/** `unknown`: the browser does not tell; the coordinator sees to it that one engine of a device works. */
export type Holding = 'held' | 'taken' | 'unknown';

export interface HoldOptions {
  /** Takes it from whoever holds it, who hears of it through `lost`. */
  readonly steal?: boolean;
  /** Somebody else has taken it. */
  readonly lost?: () => void;
}

/** Holds the lock of this name, within this storage partition, until the signal aborts. Never rejects. */
export function holdEngine(name: string, signal: AbortSignal, { steal = false, lost }: HoldOptions = {}): Promise<Holding> {
  const { locks } = navigator as { locks?: LockManager };
  if (!locks) return Promise.resolve('unknown');
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve('unknown'), ANSWER_MS_MAX);
    let isHeld = false;
    const answer = (holding: Holding): void => {
      clearTimeout(late);
      resolve(holding);
    };
    const granted = async (lock: Lock | null): Promise<void> => {
      answer(lock ? 'held' : 'taken');
      isHeld = lock !== null;
      if (lock && !signal.aborted) await new Promise<void>((over) => signal.addEventListener('abort', () => over(), { once: true }));
    };
    const ended = (): void => {
      answer('unknown');
      if (isHeld && !signal.aborted) lost?.();
    };
    try {
      // A SecurityError comes as a rejection, in some browsers as an exception.
      locks.request(name, steal ? { steal } : { ifAvailable: true }, granted).catch(ended);
    } catch {
      ended();
    }
  });
}
