import { describe, expect, test } from 'vitest';
import type { Defect } from './database.testing.ts';
import { RUN_MS_MAX, withDatabase } from './runs.testing.ts';
import { simulate } from './simulate.testing.ts';

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
const PACKED = /^(select "seq", "first_tile", "last_tile" from "result_packs" where )/;
/** How far is looked, from a seed that is not far from one that shows it. */
const DEFECT_SEEDS = 400;

describe('it is found', () => {
  const defects: readonly (readonly [name: string, from: number, defect: Defect, finding: RegExp])[] = [
    [
      'when a coordinator that was taken for dead goes on',
      72,
      { rewrite: (statement) => FENCES.reduce((text, [from, to]) => text.replace(from, to), statement) },
      /accepted and paid twice|parts are accepted, and/,
    ],
    ['when two coordinators may have the same tiles', 3, { rewrite: (statement) => statement.replace(NOBODYS, '$11 = 1') }, /accepted and paid twice/],
    [
      'when nobody is told what is packed of the tiles that he claims',
      5,
      { rewrite: (statement) => statement.replace(PACKED, '$11 = 0 and ') },
      /accepted and paid twice/,
    ],
    ['when the database loses what it said that it keeps', 4, { forgets: 0.02 }, /was acknowledged and is lost/],
  ];
  test.each(defects)(
    '%s',
    (_, from, defect, finding) =>
      withDatabase(async (database) => {
        const found: string[] = [];
        for (let seed = from; seed < from + DEFECT_SEEDS && !found.some((text) => finding.test(text)); seed++)
          found.push(...(await simulate(database, seed)).wrong);
        expect(found.join('\n')).toMatch(finding);
      }, defect),
    RUN_MS_MAX,
  );
});
