/**
 * One engine at a time in a browser: two would fight for one GPU. The lock reaches as far as the browser's storage partition, that is
 * the tabs and frames of one site; between sites the coordinator decides.
 */
export const ENGINE_LOCK = 'tessera engine';

/** In frames on other sites `navigator.locks.request` may never answer at all: Chromium 156. There whoever works answers by a channel. */
const ANSWER_MS_MAX = 1000;
/** Who is told to step aside hands in what it has before it lets go, in three and a half seconds at most. One that does not loses the lock. */
const STEP_ASIDE_MS_MAX = 4000;
type Word = 'who works?' | 'I do' | 'step aside';

export interface HoldOptions {
  /** Takes the place of whoever works, who hears of it through `lost`. */
  readonly steal?: boolean;
  /** Somebody else works in this one's place. */
  readonly lost?: () => void;
}

/**
 * `held`: until `signal` is aborted. `taken`: another tab or frame works. `unknown`: the browser has no locks, forbids them here, or did
 * not answer within a second, and nobody said that he works; a lock that is granted later is held all the same. Never rejects.
 */
export function holdEngine(name: string, signal: AbortSignal, { steal = false, lost }: HoldOptions = {}): Promise<'held' | 'taken' | 'unknown'> {
  const { promise, resolve } = Promise.withResolvers<'held' | 'taken' | 'unknown'>();
  const deadline = setTimeout(() => resolve('unknown'), steal && 'locks' in navigator ? STEP_ASIDE_MS_MAX + ANSWER_MS_MAX : ANSWER_MS_MAX);
  const channel = openChannel(name);
  const say = (word: Word): void => channel?.postMessage(word);
  let works = false;
  channel?.addEventListener('message', ({ data }: MessageEvent<Word>) => {
    if (data === 'who works?' && works) say('I do');
    if (data === 'I do' && !works && !steal) resolve('taken');
    if (data === 'step aside' && works) {
      works = false;
      lost?.();
    }
  });
  say(steal ? 'step aside' : 'who works?');
  void requestLock(name, signal, steal, resolve).catch(() => undefined);
  return promise
    .then((answer) => {
      works = answer !== 'taken' && !signal.aborted;
      if (works) signal.addEventListener('abort', () => channel?.close(), { once: true });
      else channel?.close();
      return answer;
    })
    .finally(() => clearTimeout(deadline));
}

async function requestLock(name: string, signal: AbortSignal, steal: boolean, resolve: (answer: 'held' | 'taken') => void): Promise<void> {
  let granted = false;
  const hold = (lock: Lock | null): Promise<void> | undefined => {
    granted = true;
    resolve(lock ? 'held' : 'taken');
    if (!lock || signal.aborted) return undefined;
    return new Promise<void>((release) => signal.addEventListener('abort', () => release(), { once: true }));
  };
  try {
    await navigator.locks?.request(name, steal ? { signal: AbortSignal.timeout(STEP_ASIDE_MS_MAX) } : { ifAvailable: true }, hold);
  } catch {
    // The other has not let go in time. Or a SecurityError, by rejection or exception: the channel may still know.
    if (steal && !granted) await navigator.locks.request(name, { steal }, hold).catch(() => undefined);
  }
}

function openChannel(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(name);
  } catch {
    return undefined;
  }
}
