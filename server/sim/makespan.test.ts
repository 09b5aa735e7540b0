import { expect, it } from 'vitest';
import { runDay, runMakespan } from './makespan.ts';

it('does most of what a small network could, and starves nobody', () => {
  const options = { seed: 3, present: 40, jobs: 8, idealMs: 90_000 };
  const { actualMs, idealMs, ...report } = runMakespan(options);
  expect(idealMs).toBeGreaterThan(80_000);
  expect(actualMs).toBeGreaterThan(idealMs);
  expect(idealMs / actualMs).toBeGreaterThan(0.75);
  expect(report).toMatchObject({ starved: 0 });
  expect(runMakespan(options)).toMatchObject({ actualMs, idealMs });
});

it('goes through a day of comers and goers with every job done', () => {
  expect(runDay({ seed: 3, sessions: 300, jobs: 5, load: 0.02 })).toMatchObject({ starved: 0 });
});
