import { describe, expect, test } from 'vitest';
import { type Defect, FaultyDatabase } from './database.testing.ts';
import { type Run, simulate } from './simulate.testing.ts';

/** One seed alone, with all that happens: `SEED=17 npx vitest run --project unit server/faults`. */
const only = process.env.SEED;
const SEEDS = only === undefined ? Array.from({ length: 1000 }, (_, index) => index + 1) : [Number(only)];
const RUN_MS_MAX = 600_000;
const TOLD_MAX = 3;

async function withDatabase<T>(run: (database: FaultyDatabase) => Promise<T>, defect?: Defect): Promise<T> {
  const database = await FaultyDatabase.open(defect);
  try {
    return await run(database);
  } finally {
    database.close();
  }
}

const told = ({ seed, wrong, events }: Run): string =>
  [`SEED=${seed} npx vitest run --project unit server/faults`, ...wrong, 'What happened last, by milliseconds:', ...events].join('\n');

test(
  'after kills, pauses, restarts of the database and bad lines everything is there, once',
  () =>
    withDatabase(async (database) => {
      const failed: Run[] = [];
      const sums = new Map<string, number>();
      for (const seed of SEEDS) {
        const run = await simulate(database, seed);
        if (run.wrong.length > 0) failed.push(run);
        for (const [name, count] of Object.entries({ acknowledged: run.acknowledged, ...run.tally })) sums.set(name, (sums.get(name) ?? 0) + count);
        if (only !== undefined) console.log(told(run));
      }
      expect(failed.slice(0, TOLD_MAX).map(told).join('\n\n'), `${failed.length} of ${SEEDS.length} seeds`).toBe('');
      // A thousand worlds in which nothing goes wrong would prove nothing.
      if (only === undefined) for (const [name, count] of sums) expect(count, name).toBeGreaterThan(100);
      console.log(Object.fromEntries(sums));
    }),
  RUN_MS_MAX,
);

test('the same seed is the same run, event by event', () =>
  withDatabase(async (database) => {
    const seeds = [3, 12, 53];
    const hashesOf = async (): Promise<string[]> => {
      const hashes: string[] = [];
      for (const seed of seeds) hashes.push((await simulate(database, seed)).hash);
      return hashes;
    };
    const hashes = await hashesOf();
    expect(await hashesOf()).toEqual(hashes);
    expect(new Set(hashes).size).toBe(seeds.length);
  }));

/** Statements of the real store, each taken away by a defect. */
const FENCES = [
  [/^select "fenced" from "coordinators" where "epoch" = \?.*$/, 'select 0 as "fenced" where ? > 0'],
  [/^(update "coordinators" set "alive_until_ms" .* where "epoch" = \? and )"fenced" = \?$/, '$1? = 0'],
] as const;
const NOBODYS = /^(select "job", "number", "first".* from "blocks" where "job" = \? and )"owner" is null/;
const DEFECT_SEEDS = 60;

describe('it is found', () => {
  const defects: readonly (readonly [name: string, defect: Defect, finding: RegExp])[] = [
    [
      'when a coordinator that was taken for dead goes on',
      { rewrite: (statement) => FENCES.reduce((text, [from, to]) => text.replace(from, to), statement) },
      /accepted and paid twice/,
    ],
    ['when two coordinators may have the same tiles', { rewrite: (statement) => statement.replace(NOBODYS, '$11 = 1') }, /accepted and paid twice/],
    ['when the database loses what it said that it keeps', { forgets: 0.02 }, /was acknowledged and is lost/],
  ];
  test.each(defects)(
    '%s',
    (_, defect, finding) =>
      withDatabase(async (database) => {
        const found: string[] = [];
        for (let seed = 1; seed <= DEFECT_SEEDS && !found.some((text) => finding.test(text)); seed++) found.push(...(await simulate(database, seed)).wrong);
        expect(found.join('\n')).toMatch(finding);
      }, defect),
    RUN_MS_MAX,
  );
});
