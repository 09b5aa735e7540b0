import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { holdEngine } from './engine-lock.ts';

type Callback = (lock: object | null) => Promise<void> | undefined;
type Request = (name: string, options: LockOptions, callback: Callback) => Promise<unknown>;

function withLocks(request: Request | undefined): void {
  vi.stubGlobal('navigator', request ? { locks: { request } } : {});
}

/** As browsers do it: one holder a name, until what its callback returned has settled. */
function browserLocks(): Request {
  const held = new Set<string>();
  return async (name, _options, callback) => {
    if (held.has(name)) return callback(null);
    held.add(name);
    await callback({ name });
    held.delete(name);
  };
}

/** Channels as browsers have them: everybody of that name hears it but who said it. */
const open = new Set<Channel>();
class Channel extends EventTarget {
  readonly name: string;
  constructor(name: string) {
    super();
    this.name = name;
    open.add(this);
  }
  postMessage(data: unknown): void {
    for (const other of open) if (other !== this && other.name === this.name) queueMicrotask(() => other.dispatchEvent(new MessageEvent('message', { data })));
  }
  close(): void {
    open.delete(this);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  open.clear();
  vi.stubGlobal('BroadcastChannel', Channel);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('the first holds it until it lets go; others are told', async () => {
  withLocks(browserLocks());
  const first = new AbortController();
  expect(await holdEngine('a', first.signal)).toBe('held');
  expect(await holdEngine('a', new AbortController().signal)).toBe('taken');
  expect(await holdEngine('b', new AbortController().signal)).toBe('held');
  first.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect(await holdEngine('a', new AbortController().signal)).toBe('held');
});

test('who has let go before it was granted holds nothing', async () => {
  withLocks(browserLocks());
  await holdEngine('a', AbortSignal.abort());
  await vi.advanceTimersByTimeAsync(0);
  expect(await holdEngine('a', new AbortController().signal)).toBe('held');
});

test('a browser that never answers is not waited for longer than a second; what it grants later is held', async () => {
  let grant: Callback | undefined;
  withLocks((_name, _options, callback) => {
    grant = callback;
    return new Promise(() => undefined);
  });
  const abort = new AbortController();
  let answer: string | undefined;
  void holdEngine('a', abort.signal).then((it) => (answer = it));
  await vi.advanceTimersByTimeAsync(999);
  expect(answer).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  expect(answer).toBe('unknown');
  let released = false;
  void grant?.({})?.then(() => (released = true));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(released).toBe(false);
  abort.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect(released).toBe(true);
});

test.each<[string, Request | undefined]>([
  ['has no locks', undefined],
  ['rejects', () => Promise.reject(new DOMException('no', 'SecurityError'))],
  [
    'throws',
    () => {
      throw new DOMException('no', 'SecurityError');
    },
  ],
])('a browser that %s: unknown, but who works says so', async (_what, request) => {
  withLocks(request);
  const first = new AbortController();
  const answer = async (signal: AbortSignal) => {
    const asked = holdEngine('a', signal);
    await vi.advanceTimersByTimeAsync(1000);
    return asked;
  };
  expect(await answer(first.signal)).toBe('unknown');
  expect(await answer(new AbortController().signal)).toBe('taken');
  first.abort();
  expect(open.size).toBe(0);
  vi.stubGlobal('BroadcastChannel', undefined);
  expect(await answer(new AbortController().signal)).toBe('unknown');
});

test('who steps aside lets go when it has handed in; one that does not loses the lock', async () => {
  const asked: LockOptions[] = [];
  const waiting: Callback[] = [];
  withLocks(async (_name, options, callback) => {
    asked.push(options);
    if (!options.signal) return callback({});
    waiting.push(callback);
    return new Promise((_, reject) => options.signal?.addEventListener('abort', () => reject(options.signal?.reason)));
  });
  const polite = holdEngine('a', new AbortController().signal, { steal: true });
  await vi.advanceTimersByTimeAsync(3000);
  void waiting[0]?.({});
  expect(await polite).toBe('held');
  const impolite = holdEngine('a', new AbortController().signal, { steal: true });
  // Its time is up.
  asked.at(-1)?.signal?.dispatchEvent(new Event('abort'));
  expect(await impolite).toBe('held');
  expect(asked.map(({ steal }) => steal === true)).toEqual([false, false, true]);
});

test('who is told to step aside hears of it, once; the other works in his place', async () => {
  withLocks(undefined);
  const lost = vi.fn();
  const first = holdEngine('a', new AbortController().signal, { lost });
  await vi.advanceTimersByTimeAsync(1000);
  expect(await first).toBe('unknown');
  const second = holdEngine('a', new AbortController().signal, { steal: true });
  await vi.advanceTimersByTimeAsync(1000);
  expect(await second).toBe('unknown');
  expect(lost).toHaveBeenCalledOnce();
  expect(await holdEngine('a', new AbortController().signal)).toBe('taken');
});
