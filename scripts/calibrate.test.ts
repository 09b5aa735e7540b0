import { expect, test } from 'vitest';
import { table } from './calibrate.ts';

const measured = { device: 'A device', rounds: 3, atMs: 1, software: false };

test('the table tells how long a unit takes, and against that of the first', () => {
  const rows = table([
    { id: 'one', sample: 'small', measured: { ...measured, microUnitsPerSecond: 500_000, spread: 0.25 } },
    { id: 'another', sample: 'x', measured: { ...measured, microUnitsPerSecond: 125_000, spread: 0 } },
  ]).split('\n');
  expect(rows).toEqual([
    'workload  sample  micro-units/s  spread  s a unit  relative',
    'one       small         500,000    25 %         2         1',
    'another   x             125,000     0 %         8         4',
  ]);
});
