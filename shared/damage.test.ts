import { expect, it } from 'vitest';
import { damageOf } from './damage.ts';

const of = (...rows: string[]): { wrong: number; patch: number } =>
  damageOf(
    Uint8Array.from(rows.join(''), (char) => (char === '#' ? 1 : 0)),
    rows[0]!.length,
  );

it('counts wrong elements and the largest patch that is connected over edges', () => {
  expect(of('....', '....')).toEqual({ wrong: 0, patch: 0 });
  expect(of('##..', '.#.#', '#..#')).toEqual({ wrong: 6, patch: 3 });
  expect(of('#.#', '.#.', '#.#')).toEqual({ wrong: 5, patch: 1 });
  // The end of a row and the beginning of the next one are far apart.
  expect(of('...#', '#...')).toEqual({ wrong: 2, patch: 1 });
  expect(of('####', '####')).toEqual({ wrong: 8, patch: 8 });
});
