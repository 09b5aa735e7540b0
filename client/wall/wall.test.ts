import { expect, test } from 'vitest';
import type { JobId, PartMask, ResultId } from '../../shared/model.ts';
import type { JobView, OperatorContributor } from '../../shared/schemas.ts';
import type { WorkloadSpec } from '../../shared/workload.ts';
import type { LiveJob } from '../ui/mosaic/live-job.svelte.ts';
import { Results } from '../ui/mosaic/results.svelte.ts';
import { billOf } from './bill.ts';
import { colourOf } from './colours.ts';
import { Fleet } from './fleet.svelte.ts';

test('neighbouring colours are far apart, and none is red', () => {
  const hues = Array.from({ length: 22 }, (_, index) => Number(/ (\d+)\)$/.exec(colourOf(index))?.[1]));
  for (const [index, hue] of hues.slice(1).entries()) {
    const apart = Math.abs(hue - hues[index]!);
    expect(Math.min(apart, 360 - apart), `${hues[index]} and ${hue}`).toBeGreaterThanOrEqual(60);
  }
  expect(hues.filter((hue) => hue > 0 && hue < 55)).toEqual([]);
  expect(new Set(Array.from({ length: 33 }, (_, index) => colourOf(index))).size).toBe(33);
});

test('the bill: units at the job’s rate, checks as a share of what was accepted, the rent of as many seconds', () => {
  // Two tiles of 100 and 60 values a part.
  const spec = { elements: (_: unknown, { tile }: { tile: number }) => (tile === 0 ? 100 : 60) } as unknown as WorkloadSpec;
  const job = {
    grid: { passes: 1, tiles: 2 },
    parts: { total: 10, accepted: 10 },
    checksDone: { cpu: 3, trusted: 0, contributor: 5 },
    paidMicroCredits: '36000000',
    rateMicroCredits: '2000000',
  } as unknown as JobView;
  const bill = billOf(job, spec, 4);
  expect(bill).toEqual({ units: 18, checked: 8, checkedShare: 0.01, checkingUnits: 0.18, rentedUsd: 0.02 });
  expect(billOf({ ...job, parts: { ...job.parts, accepted: 0 } }, spec, 4).checkedShare).toBe(0);
});

const row = (alias: string, over: Partial<OperatorContributor> = {}): OperatorContributor =>
  ({ alias, online: true, drill: false, device: `${alias}’s`, ...over }) as OperatorContributor;

test('the fleet: who is here, what each has made, how fast of late, and whose a tile is', () => {
  const results = new Results();
  const add = (contributor: string, pass: number, tile: number, parts: number): void =>
    void results.add({ id: `r_${pass}_${tile}` as ResultId, pass, tile, parts: parts as PartMask, contributor, drawn: 0, errorBound: 0 });
  const fleet = new Fleet({ id: 'j_' as JobId, results } as unknown as LiveJob);
  add('ann', 0, 0, 3);
  add('bob', 0, 1, 1);
  fleet.look(0, [row('ann'), row('cat'), row('liar', { drill: true }), row('away', { online: false })]);
  expect(fleet.members.map(({ alias, isHere, parts, partsPerMinute }) => [alias, isHere, parts, partsPerMinute])).toEqual([
    ['ann', true, 2, 0],
    ['bob', false, 1, 0],
    ['cat', true, 0, 0],
  ]);
  // A later pass of bob's over ann's tile.
  add('bob', 1, 0, 7);
  fleet.look(15_000, [row('ann')]);
  const [bob, ann] = fleet.members;
  expect([bob?.alias, bob?.parts, bob?.partsPerMinute, ann?.partsPerMinute]).toEqual(['bob', 4, 12, 0]);
  expect(fleet.made).toEqual([{ colour: bob?.colour, tiles: [0, 1] }]);
  // Speeds are of the last half minute.
  fleet.look(60_000, []);
  fleet.look(70_000, []);
  expect(fleet.members.map(({ partsPerMinute }) => partsPerMinute)).toEqual([0, 0]);
});
