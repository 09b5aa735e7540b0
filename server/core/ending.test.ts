import { expect, it } from 'vitest';
import { countParts, type JobId } from '../../shared/model.ts';
import type { ShareFigures } from '../store/store.ts';
import { figuresOf, figuresOfBlocks } from './ending.ts';
import { Desk, storedJob } from './testing.ts';

const id = 'j_shared000000000' as JobId;
const block = (number: number, first: number, count: number) => ({ number, first, count, checksHeld: 1000n, checksPaid: 0n });
const blocks = [block(3, 6, 2), block(0, 0, 1), block(7, 20, 10)];

/** A contributor has done so many leases of a job with two passes, of which these blocks are here. */
function deskAfter(leases: number): Desk {
  const desk = new Desk({ params: { tiles: 1 } });
  desk.do({ type: 'cancelJob', job: storedJob.id });
  desk.do({ type: 'joinJob', job: { ...storedJob, id, params: { passes: 2, tiles: 40 } } });
  desk.do({ type: 'claimBlocks', job: id, blocks, results: [] });
  const a = desk.join('a');
  for (let count = 0; count < leases; count++) {
    const [lease] = desk.ask(a, 1).leases;
    desk.now += 1000 * countParts(lease!.parts);
    desk.open(a, desk.handIn(lease!.token).result);
    desk.answer();
  }
  return desk;
}

it('figures of the blocks of a share come to those of the share', () => {
  for (const leases of [1, 2, 5, 9, 14]) {
    const job = deskAfter(leases).state.jobs.get(id)!;
    const whole = figuresOf(job);
    expect(whole.parts.accepted).toBeGreaterThan(0);
    const each = figuresOfBlocks(job);
    expect(each.map(({ number }) => number)).toEqual([3, 0, 7]);
    const sum = (of: (figures: ShareFigures) => number): number => each.reduce((total, { figures }) => total + (figures ? of(figures) : 0), 0);
    expect(sum(({ parts }) => parts.accepted)).toBe(whole.parts.accepted);
    expect(sum(({ checks }) => checks.cpu)).toBe(whole.checks.cpu);
    expect(sum(({ errorSum }) => errorSum)).toBeCloseTo(whole.errorSum, 12);
    for (const [index, { count }] of blocks.entries()) expect(each[index]!.figures?.parts.accepted ?? 0).toBeLessThanOrEqual(count * 2 * 4);
  }
});

it('blocks that nothing was done of have none', () => {
  expect(figuresOfBlocks(deskAfter(0).state.jobs.get(id)!).map(({ figures }) => figures)).toEqual([null, null, null]);
});
