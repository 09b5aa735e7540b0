import { expect, it, vi } from 'vitest';
import { ResultQueue, type WantedResult } from './result-queue.ts';

const result = (id: string, pass = 0): WantedResult => ({ id, pass, tile: 0, parts: 1 }) as unknown as WantedResult;

/** A server whose answers are given one by one. */
function slowServer() {
  const asked: { id: string; answer: (bytes?: number) => void; fail: () => void }[] = [];
  const fetch = (view: WantedResult): Promise<Uint8Array> =>
    new Promise((resolve, reject) => asked.push({ id: view.id, answer: (bytes = 1) => resolve(new Uint8Array(bytes)), fail: () => reject(new Error('lost')) }));
  return { asked, fetch };
}
const failed = (): void => undefined;
const settle = () => vi.waitFor(() => Promise.resolve());

it('keeps six fetches in flight', async () => {
  const { asked, fetch } = slowServer();
  const queue = new ResultQueue({ fetch, arrived: async () => undefined, failed });
  for (let i = 0; i < 10; i++) queue.add(result(`r${i}`));
  expect(asked).toHaveLength(6);
  asked[0]?.answer();
  await vi.waitFor(() => expect(asked).toHaveLength(7));
});

it('fetches earlier passes first', async () => {
  const { asked, fetch } = slowServer();
  const queue = new ResultQueue({ fetch, arrived: async () => undefined, failed });
  for (let i = 0; i < 6; i++) queue.add(result(`first${i}`));
  queue.add(result('late', 2));
  queue.add(result('early', 1));
  asked[0]?.answer();
  asked[1]?.answer();
  await vi.waitFor(() => expect(asked.slice(6).map(({ id }) => id)).toEqual(['early', 'late']));
});

it('waits for the painter before it fetches more', async () => {
  const { asked, fetch } = slowServer();
  let painted = (): void => undefined;
  const queue = new ResultQueue({ fetch, arrived: () => new Promise((resolve) => (painted = resolve)), failed });
  for (let i = 0; i < 7; i++) queue.add(result(`r${i}`));
  asked[0]?.answer();
  await settle();
  expect(asked).toHaveLength(6);
  painted();
  await vi.waitFor(() => expect(asked).toHaveLength(7));
});

it('tries three times, and says that it did not come', async () => {
  vi.useFakeTimers();
  const fetch = vi.fn(() => Promise.reject(new Error('lost')));
  const lost = vi.fn();
  const queue = new ResultQueue({ fetch, arrived: async () => undefined, failed: lost });
  queue.add(result('a'));
  await vi.runAllTimersAsync();
  expect(fetch).toHaveBeenCalledTimes(3);
  expect(lost).toHaveBeenCalledExactlyOnceWith(result('a'));
  queue.add(result('a'));
  expect(fetch).toHaveBeenCalledTimes(4);
  vi.useRealTimers();
});

it('stops at its budget of bytes and says so', async () => {
  const { asked, fetch } = slowServer();
  const full = vi.fn();
  const queue = new ResultQueue({ fetch, arrived: async () => undefined, failed, bytesMax: 10, full });
  for (let i = 0; i < 8; i++) queue.add(result(`r${i}`));
  asked[0]?.answer(10);
  await vi.waitFor(() => expect(full).toHaveBeenCalledOnce());
  expect(asked).toHaveLength(6);
});

it('forgets everything when closed', async () => {
  const { asked, fetch } = slowServer();
  const arrived = vi.fn(async () => undefined);
  const queue = new ResultQueue({ fetch, arrived, failed });
  for (let i = 0; i < 8; i++) queue.add(result(`r${i}`));
  queue.close();
  asked[0]?.answer();
  await settle();
  expect(arrived).not.toHaveBeenCalled();
  expect(asked).toHaveLength(6);
});
