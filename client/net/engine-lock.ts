/**
 * One engine at a time in a browser: two would fight for one GPU. The lock reaches as far as the browser's storage partition, that is
 * the tabs and frames of one site; between sites the coordinator decides.
 */
export const ENGINE_LOCK = 'tessera engine';

/** In frames on other sites `navigator.locks.request` may never answer at all. */
const ANSWER_MS_MAX = 1000;

/**
 * `held`: until `signal` is aborted. `taken`: another tab or frame holds it. `unknown`: the browser has no locks, forbids them here, or did
 * not answer within a second; one that is granted later is held all the same, so that others see it. Never rejects.
 */
export function holdEngine(name: string, signal: AbortSignal): Promise<'held' | 'taken' | 'unknown'> {
  const { promise, resolve } = Promise.withResolvers<'held' | 'taken' | 'unknown'>();
  if (!('locks' in navigator)) return Promise.resolve('unknown');
  const deadline = setTimeout(() => resolve('unknown'), ANSWER_MS_MAX);
  const hold = (lock: Lock | null): Promise<void> | undefined => {
    resolve(lock ? 'held' : 'taken');
    if (!lock || signal.aborted) return undefined;
    return new Promise<void>((release) => signal.addEventListener('abort', () => release(), { once: true }));
  };
  try {
    // A SecurityError comes as a rejection, in some browsers as an exception.
    navigator.locks.request(name, { ifAvailable: true }, hold).catch(() => resolve('unknown'));
  } catch {
    resolve('unknown');
  }
  return promise.finally(() => clearTimeout(deadline));
}
