import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { WakeLock } from './wake-lock.ts';

let page: EventTarget & { visibilityState: string };
let locks: { released: boolean; release: () => Promise<void> }[];
const request = vi.fn(async () => {
  const lock = {
    released: false,
    async release() {
      lock.released = true;
    },
  };
  locks.push(lock);
  return lock;
});

beforeEach(() => {
  locks = [];
  request.mockClear();
  page = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  vi.stubGlobal('document', page);
  vi.stubGlobal('navigator', { wakeLock: { request } });
});

afterEach(() => void vi.unstubAllGlobals());

const show = async (state: string): Promise<void> => {
  page.visibilityState = state;
  if (state === 'hidden') for (const lock of locks) lock.released = true;
  page.dispatchEvent(new Event('visibilitychange'));
  await new Promise((resolve) => setTimeout(resolve));
};

it('holds while wanted, once, and lets go', async () => {
  const wake = new WakeLock();
  await Promise.all([wake.want(true), wake.want(true)]);
  expect([wake.held, request.mock.calls.length]).toEqual([true, 1]);
  await wake.close();
  expect([wake.held, locks[0]?.released]).toEqual([false, true]);
});

it('asks again when the page is back, and not while it is hidden', async () => {
  const wake = new WakeLock();
  await wake.want(true);
  await show('hidden');
  expect([wake.held, request.mock.calls.length]).toEqual([false, 1]);
  await show('visible');
  expect([wake.held, request.mock.calls.length]).toEqual([true, 2]);
  await wake.close();
  await show('hidden');
  await show('visible');
  expect(request).toHaveBeenCalledTimes(2);
});

it('lives with browsers that refuse or have none', async () => {
  request.mockRejectedValueOnce(new DOMException('battery', 'NotAllowedError'));
  const wake = new WakeLock();
  await wake.want(true);
  expect(wake.held).toBe(false);
  vi.stubGlobal('navigator', {});
  await wake.want(true);
  expect(wake.held).toBe(false);
});
