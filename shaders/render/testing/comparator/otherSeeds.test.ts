import { expect, test } from 'vitest';
import { areaUnderCurve } from './otherSeeds.ts';

test('the area under the curve is the chance that a lie stands out', () => {
  expect(areaUnderCurve([1, 2, 3], [4, 5])).toBe(1);
  expect(areaUnderCurve([4, 5], [1, 2, 3])).toBe(0);
  expect(areaUnderCurve([1, 2], [1, 2])).toBe(0.5);
  expect(areaUnderCurve([1, 3], [2, 4])).toBe(0.75);
});
