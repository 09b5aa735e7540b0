import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { PartMask, ResultId } from '../../shared/model.ts';
import type { ResultTable } from '../../shared/workload.ts';
import type { KnownResult } from '../ui/mosaic/results.svelte.ts';
import { ResultRows, ROWS } from './result-rows.svelte.ts';

/** Ten rows a tile. */
const table: ResultTable = {
  columns: ['Input', 'Label'],
  total: 100_000,
  rows: ({ tile }, _parts, bytes) => {
    if (bytes.length === 0) throw new RangeError('no rows');
    return Array.from({ length: 10 }, (_, row) => ({ index: tile * 10 + row, cells: [`input ${tile * 10 + row}`, `label ${bytes[0]}`] }));
  },
};

let accepted: KnownResult[];
let fetched: string[];
let content: (id: string) => Uint8Array;
beforeEach(() => {
  vi.useFakeTimers();
  [accepted, fetched, content] = [[], [], () => Uint8Array.of(7)];
});
afterEach(() => void vi.useRealTimers());

const result = (tile: number, id = `r_${tile}`): KnownResult =>
  ({ id: id as ResultId, pass: 0, tile, parts: 1 as PartMask, contributor: 'a', drawn: 0, errorBound: 0 }) satisfies KnownResult;
const open = () =>
  new ResultRows(table, {
    results: () => accepted,
    fetch: async (id) => {
      fetched.push(id);
      return content(id);
    },
  });
async function hears(rows: ResultRows, ...results: KnownResult[]): Promise<void> {
  accepted.push(...results);
  rows.follow();
  await vi.advanceTimersByTimeAsync(1000);
}
const indexes = (rows: ResultRows): number[] => rows.shown.map(({ index }) => index);

it('rows stand in the order of the table, however they come', async () => {
  const rows = open();
  await hears(rows, result(1));
  expect([indexes(rows)[0], rows.shown.length, rows.hasMore]).toEqual([10, 10, false]);
  await hears(rows, result(0));
  expect([indexes(rows).slice(0, 2), rows.shown[0]?.cells]).toEqual([
    [0, 1],
    ['input 0', 'label 7'],
  ]);
});

it('fetches what is looked at and nothing else', async () => {
  const rows = open();
  await hears(rows, ...Array.from({ length: 1000 }, (_, tile) => result(tile)));
  const first = fetched.length;
  expect(first).toBeLessThanOrEqual(4);
  expect([rows.shown.length, rows.hasMore]).toEqual([ROWS, true]);
  rows.turn(1);
  await vi.advanceTimersByTimeAsync(1000);
  expect(indexes(rows)).toEqual(Array.from({ length: ROWS }, (_, at) => ROWS + at));
  expect(fetched.length).toBeLessThanOrEqual(first + 4);
  expect(new Set(fetched).size).toBe(fetched.length);
});

it('a result of an earlier tile comes into the page that it belongs to', async () => {
  const rows = open();
  await hears(rows, result(0), result(2), result(3), result(4));
  expect(indexes(rows).at(-1)).toBe(34);
  await hears(rows, result(1), result(900));
  expect(indexes(rows)).toEqual(Array.from({ length: ROWS }, (_, at) => at));
  expect(fetched).not.toContain('r_900');
});

it('rows of what was taken back go, and come back when it was computed again', async () => {
  const rows = open();
  await hears(rows, result(0), result(1));
  accepted = accepted.filter(({ id }) => id !== 'r_0');
  await hears(rows);
  expect(indexes(rows)[0]).toBe(10);
  content = () => Uint8Array.of(8);
  await hears(rows, result(0, 'r_again'));
  expect(rows.shown[0]).toMatchObject({ index: 0, cells: ['input 0', 'label 8'] });
});

it('what cannot be fetched or read is left out', async () => {
  const rows = open();
  content = (id) => {
    if (id === 'r_0') throw new Error('gone');
    return id === 'r_1' ? new Uint8Array(0) : Uint8Array.of(7);
  };
  await hears(rows, result(0), result(1), result(2));
  expect([indexes(rows)[0], rows.busy, fetched]).toEqual([20, false, ['r_0', 'r_1', 'r_2']]);
});

it('a page that is left fetches nothing more', async () => {
  const rows = open();
  accepted.push(result(0));
  rows.follow();
  rows.close();
  await vi.advanceTimersByTimeAsync(1000);
  expect(fetched).toEqual([]);
});
