import { expect, test } from 'vitest';
import { MINUTE_MS } from '../shared/limits.ts';
import { IdleMemory, thisProcess } from './idle-memory.ts';

const MB = 2 ** 20;

test('what a burst took is given back after two quiet seconds, when it is worth it, and not again for minutes', () => {
  const process = {
    busy: 0,
    heap: 60 * MB,
    busyShare: () => process.busy,
    heapBytes: () => process.heap,
    collect() {
      process.heap -= 100 * MB;
    },
  };
  const memory = new IdleMemory(process);
  const heapAt = (nowMs: number, busy: number): number => {
    process.busy = busy;
    memory.look(nowMs);
    return process.heap / MB;
  };
  for (const second of [1, 2, 3]) expect(heapAt(second * 1000, 0.01)).toBe(60);

  process.heap = 240 * MB;
  expect(heapAt(4000, 0.9)).toBe(240);
  expect(heapAt(5000, 0.1)).toBe(240);
  expect(heapAt(6000, 0.9)).toBe(240);
  expect(heapAt(7000, 0.1)).toBe(240);
  expect(heapAt(8000, 0.1)).toBe(140);

  process.heap = 203 * MB;
  expect(heapAt(8000 + 6 * MINUTE_MS, 0.1)).toBe(203);
  process.heap = 300 * MB;
  expect(heapAt(8000 + 4 * MINUTE_MS, 0.1)).toBe(300);
  expect(heapAt(8000 + 6 * MINUTE_MS, 0.1)).toBe(200);
});

test('V8 gives back what is not alive any more', () => {
  const process = thisProcess();
  const burst = { objects: Array.from({ length: 1_000_000 }, (_, index) => ({ index, text: `${index}` })) };
  expect(burst.objects).toHaveLength(1_000_000);
  const most = process.heapBytes();
  burst.objects = [];
  process.collect();
  expect(process.heapBytes()).toBeLessThan(most - 32 * MB);
  expect(process.busyShare()).toBeGreaterThanOrEqual(0);
});
