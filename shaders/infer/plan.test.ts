import { expect, it } from 'vitest';
import { MIB } from '../../shared/limits.ts';
import { groupAt, inputsOf, piecesOf, placeOf } from './grid.ts';
import { GroupSize } from './groupSize.ts';
import { modelLimits } from './limits.ts';
import { batchMaxOf, perTileOf, requireFeasible } from './plan.ts';
import { spec } from './spec.ts';
import { arraysJob, imagesJob } from './testing/jobs.ts';

const memory = { weights: 100 * MIB, largestWeight: 10 * MIB, largest: MIB, alive: 4 * MIB };
const anatomy = { multiplications: 1e9, values: 1e6, memory };

it('models that no usual GPU or referee can take are refused with the numbers', () => {
  requireFeasible(anatomy);
  const cases = [
    [{ ...anatomy, multiplications: 3e10 }, '30000000000 times', modelLimits.multiplicationsMax],
    [{ ...anatomy, memory: { ...memory, largest: 200 * MIB } }, `${200 * MIB} bytes`, modelLimits.tensorBytesMax],
    [{ ...anatomy, memory: { ...memory, alive: 700 * MIB } }, `${800 * MIB} bytes`, modelLimits.memoryBytesMax],
  ] as const;
  for (const [each, message, limit] of cases)
    expect(() => requireFeasible(each)).toThrow(expect.objectContaining({ message: expect.stringContaining(message), limit: `at most ${limit}` }));
});

it('as many inputs go together as their tensors leave room for', () => {
  const light = { ...anatomy, multiplications: 1e8 };
  expect(batchMaxOf(light)).toBe(32);
  expect(batchMaxOf(anatomy)).toBe(4);
  expect(batchMaxOf({ ...light, memory: { ...memory, largest: 20 * MIB } })).toBe(4);
  expect(batchMaxOf({ ...light, memory: { ...memory, alive: 400 * MIB } })).toBe(1);
});

it('a tile is small enough for a slow GPU, for a result, and for several contributors', () => {
  const { params, prepared } = arraysJob().job;
  const perTile = (more: object): number => perTileOf(params, { ...prepared, count: 1e5, ...more });
  expect(perTile({ work: { multiplications: 1e3, values: 1 } })).toBe(512);
  expect(perTile({ work: { multiplications: 1e9, values: 1 } })).toBe(50);
  expect(perTile({ work: { multiplications: 2e10, values: 1 } })).toBe(2);
  expect(perTile({ output: { name: 'y', shape: [1_000_000] } })).toBe(2);
  expect(perTile({ count: 40 })).toBe(3);
});

it('every input is in one tile, and every element in one place', () => {
  const { job } = imagesJob(7);
  const cut = { ...job, prepared: { ...job.prepared, perTile: 3 } };
  expect(spec.split(cut.params, cut.prepared)).toEqual({ passes: 1, tiles: 3 });
  expect([0, 1, 2].map((tile) => inputsOf(cut.prepared, { pass: 0, tile }))).toEqual([
    { first: 0, end: 3 },
    { first: 3, end: 6 },
    { first: 6, end: 7 },
  ]);
  expect(piecesOf(cut)).toEqual({ pieces: 3, words: 5462 });
  expect(spec.elements(cut, { pass: 0, tile: 2 })).toBe(3);
  expect(placeOf(cut, { pass: 0, tile: 1, part: 0, element: 7 })).toEqual({ input: 5, piece: 1 });
  for (const wrong of [{ pass: 1 }, { tile: 3 }, { part: 1 }, { element: 9 }, { element: -1 }, { element: 0.5 }])
    expect(() => placeOf(cut, { pass: 0, tile: 0, part: 0, element: 0, ...wrong })).toThrow(RangeError);
});

it('groups are powers of two that begin at multiples of their size', () => {
  const groups = (count: number, size: number): number[] => {
    const made: number[] = [];
    for (let next = 10; next < 10 + count; next += made.at(-1)!) made.push(groupAt(10, next, 10 + count, size));
    return made;
  };
  expect(groups(7, 4)).toEqual([4, 2, 1]);
  expect(groups(7, 1)).toEqual([1, 1, 1, 1, 1, 1, 1]);
  expect(groups(16, 32)).toEqual([16]);
  // A size that grows on the way waits until it may begin.
  expect([groupAt(10, 11, 20, 4), groupAt(10, 12, 20, 4), groupAt(10, 14, 20, 4)]).toEqual([1, 2, 4]);
});

it('calls grow and shrink by what was seen, and not by what compiling took', () => {
  const group = new GroupSize(8);
  const sizes: number[] = [];
  const call = (msPerInput: number): void => {
    group.report(group.size, group.size * msPerInput, 10);
    sizes.push(group.size);
  };
  for (let each = 0; each < 8; each++) call(1);
  expect(sizes).toEqual([1, 2, 2, 4, 4, 8, 8, 8]);
  group.report(8, 11, 10);
  expect(group.size).toBe(4);
});

it('what a tile costs follows its inputs', () => {
  const { job } = arraysJob(8);
  const whole = spec.work({ ...job, prepared: { ...job.prepared, perTile: 8 } }, { pass: 0, tile: 0 });
  expect(spec.work({ ...job, prepared: { ...job.prepared, perTile: 4 } }, { pass: 0, tile: 0 }) * 2).toBeCloseTo(whole, -1);
});
