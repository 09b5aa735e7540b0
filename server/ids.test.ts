import { randomBytes } from 'node:crypto';
import { Value } from 'typebox/value';
import { expect, test } from 'vitest';
import { resultId } from '../shared/schemas.ts';
import { newResultId } from './ids.ts';

test('ids of results sort by their time, and those of one millisecond differ', () => {
  const times = [0, 1, 63, 64, 4095, 4096, 1_700_000_000_000, 1_700_000_000_001, 2 ** 48 - 1];
  const ids = times.map((atMs) => newResultId(randomBytes, atMs));
  expect(ids.toSorted()).toEqual(ids);
  for (const id of ids) expect(Value.Check(resultId, id)).toBe(true);
  expect(new Set(Array.from({ length: 1000 }, () => newResultId(randomBytes, 5))).size).toBe(1000);
});
