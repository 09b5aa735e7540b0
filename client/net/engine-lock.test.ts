import { afterEach, expect, it, vi } from 'vitest';
import { holdEngine } from './engine-lock.ts';

afterEach(() => vi.unstubAllGlobals());

const none = (): AbortSignal => new AbortController().signal;

it('has one holder until it lets go', async () => {
  const first = new AbortController();
  expect(await holdEngine('a', first.signal)).toBe('held');
  expect(await holdEngine('a', none())).toBe('taken');
  expect(await holdEngine('b', none())).toBe('held');
  first.abort();
  await vi.waitFor(async () => expect(await holdEngine('a', none())).toBe('held'));
});

it('can be taken over, and the one before hears of it', async () => {
  const lost = vi.fn();
  expect(await holdEngine('c', none(), { lost })).toBe('held');
  expect(await holdEngine('c', none(), { steal: true })).toBe('held');
  await vi.waitFor(() => expect(lost).toHaveBeenCalledOnce());
});

it.each([
  ['has no locks', {}],
  ['forbids them here', { locks: { request: () => Promise.reject(new DOMException('no', 'SecurityError')) } }],
  ['never answers', { locks: { request: () => new Promise(() => undefined) } }],
])('does not know where the browser %s', async (_what, navigator) => {
  vi.stubGlobal('navigator', navigator);
  expect(await holdEngine('d', none())).toBe('unknown');
});
