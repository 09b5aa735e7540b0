import { expect } from 'vitest';
import { type Defect, FaultyDatabase } from './database.testing.ts';
import { type Run, simulate } from './simulate.testing.ts';

/** For a machine that does much else. */
export const RUN_MS_MAX = 600_000;
const TOLD_MAX = 3;

/** One seed alone, with all that happens last: `SEED=17 npx vitest run --project unit server/faults`. */
const only = process.env.SEED;

export async function withDatabase<T>(run: (database: FaultyDatabase) => Promise<T>, defect?: Defect): Promise<T> {
  const database = await FaultyDatabase.open(defect);
  try {
    return await run(database);
  } finally {
    database.close();
  }
}

const told = ({ seed, wrong, events }: Run): string =>
  [`SEED=${seed} npx vitest run --project unit server/faults`, ...wrong, 'What happened last, by milliseconds:', ...events].join('\n');

/** Runs these seeds, and expects that nothing is wrong, and that enough happened: worlds in which nothing goes wrong would prove nothing. */
export const expectAllRight = (from: number, to: number): Promise<void> =>
  withDatabase(async (database) => {
    const seeds = only === undefined ? Array.from({ length: to - from + 1 }, (_, index) => from + index) : [Number(only)];
    const failed: Run[] = [];
    const sums = new Map<string, number>();
    for (const seed of seeds) {
      const run = await simulate(database, seed);
      if (run.wrong.length > 0) failed.push(run);
      for (const [name, count] of Object.entries({ acknowledged: run.acknowledged, ...run.tally })) sums.set(name, (sums.get(name) ?? 0) + count);
      if (only !== undefined) console.log(told(run));
    }
    expect(failed.slice(0, TOLD_MAX).map(told).join('\n\n'), `${failed.length} of ${seeds.length} seeds`).toBe('');
    if (only === undefined) for (const [name, count] of sums) expect(count, name).toBeGreaterThan(0);
  });
