import { expect, test } from 'vitest';
import { fullMask, maskOf } from '../../shared/model.ts';
import { DIGEST_BYTES, drawElements } from './draw.ts';

const digestOf = (...bytes: readonly number[]): Uint8Array => Uint8Array.from({ length: DIGEST_BYTES }, (_, index) => bytes[index] ?? 7 * index);

const pairsOf = ({ parts, elements }: ReturnType<typeof drawElements>): string[] => parts.map((part, index) => `${part}/${elements[index]}`);

test('equal arguments draw equal samples', () => {
  expect(drawElements(fullMask(4), 4096, digestOf(1), 64)).toEqual(drawElements(fullMask(4), 4096, digestOf(1), 64));
});

test('every byte of the digest matters', () => {
  const plain = pairsOf(drawElements(fullMask(4), 4096, digestOf(), 16));
  for (let byte = 0; byte < DIGEST_BYTES; byte++) {
    const changed = digestOf();
    changed[byte]! ^= 1;
    expect(pairsOf(drawElements(fullMask(4), 4096, changed, 16))).not.toEqual(plain);
  }
});

test('a zero digest draws too, and one of another length is refused', () => {
  expect(new Set(pairsOf(drawElements(fullMask(1), 1000, new Uint8Array(DIGEST_BYTES), 50))).size).toBe(50);
  expect(() => drawElements(fullMask(1), 10, new Uint8Array(31), 1)).toThrow(RangeError);
});

test('nothing is drawn twice, and only of the named parts', () => {
  const sample = drawElements(maskOf([1, 3]), 50, digestOf(2), 90);
  expect(new Set(pairsOf(sample)).size).toBe(90);
  expect(new Set(sample.parts)).toEqual(new Set([1, 3]));
  expect(Math.max(...sample.elements)).toBeLessThan(50);
});

test('a count beyond what there is draws everything once', () => {
  const sample = drawElements(maskOf([0, 2]), 9, digestOf(3), 1000);
  expect(pairsOf(sample).toSorted()).toEqual([0, 2].flatMap((part) => Array.from({ length: 9 }, (_, element) => `${part}/${element}`)).toSorted());
});

test('elements are drawn uniformly', () => {
  const [cells, perDraw, draws] = [100, 10, 2000];
  const counts = new Float64Array(cells);
  for (let draw = 0; draw < draws; draw++) {
    const sample = drawElements(fullMask(2), cells / 2, digestOf(draw & 255, draw >> 8), perDraw);
    sample.elements.forEach((element, index) => {
      counts[sample.parts[index]! * (cells / 2) + element]! += 1;
    });
  }
  const mean = (draws * perDraw) / cells;
  // Drawing without replacement makes the variance of a count smaller by 1 - perDraw / cells. 99 degrees of freedom: 99.9 % lie below 149.
  const chi2 = counts.reduce((sum, count) => sum + (count - mean) ** 2 / (mean * (1 - perDraw / cells)), 0);
  expect(chi2).toBeLessThan(149);
  expect(chi2).toBeGreaterThan(60);
});
