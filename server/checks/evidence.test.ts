import { expect, test } from 'vitest';
import { commitParts, type Shape, saltOf } from '../../shared/commitment.ts';
import { encodeResult } from '../../shared/formats.ts';
import type { PartMask } from '../../shared/model.ts';
import type { Sample } from '../core/draw.ts';
import { compareSample, type Judge, proveOpening, recomputeSample } from './evidence.ts';

const shape: Shape = { parts: 0b1101 as PartMask, elements: 10, words: 2 };
const at = { pass: 1, tile: 2 };

/** Values near 2^32, so that sums need their high bytes. */
const sumOf = (part: number, element: number, word: number): number => 4_000_000_000 + 1000 * part + 10 * element + word;

const partOf = (part: number, change = 0) => ({
  part,
  bytes: new Uint8Array(Uint32Array.from({ length: 20 }, (_, place) => sumOf(part, place >> 1, place & 1) + change).buffer),
});
const parts = [partOf(0), partOf(2), partOf(3)];
const salt = saltOf('lease');
const committed = commitParts(salt, shape, parts);
const result = encodeResult(parts, shape.elements, shape.words);
const sample: Sample = { parts: [2, 0, 3, 2], elements: [9, 9, 0, 4] };

const prove = (opening: Uint8Array, own: { salt?: Uint8Array; root?: Uint8Array; result?: Uint8Array } = {}) =>
  proveOpening(shape, { salt: own.salt ?? salt, root: own.root ?? committed.root }, own.result ?? result, opening, sample);

test('an honest opening proves what is claimed for every drawn element, in order', () => {
  const proof = prove(committed.open(sample.elements));
  const claims = sample.elements.flatMap((element, index) => [0, 1].map((word) => sumOf(sample.parts[index]!, element, word)));
  expect(proof).toEqual({ ok: true, claims: new Uint8Array(Uint32Array.from(claims).buffer) });
});

test('an opening that is damaged, of other elements, under another salt or another root is no proof', () => {
  const honest = committed.open(sample.elements);
  const damaged = honest.slice();
  damaged[20]! ^= 1;
  const cases: [string, ReturnType<typeof prove>][] = [
    ['damaged', prove(damaged)],
    ['short', prove(honest.slice(0, -1))],
    ['empty', prove(new Uint8Array())],
    ['long', prove(Uint8Array.of(...honest, 0))],
    ['other elements', prove(committed.open([0, 1, 2]))],
    ['another lease', prove(honest, { salt: saltOf('another lease') })],
    ['another root', prove(honest, { root: commitParts(salt, shape, [partOf(0), partOf(2), partOf(3, 1)]).root })],
  ];
  for (const [name, proof] of cases) expect([name, proof.ok]).toEqual([name, false]);
});

test('honest columns under another total are no proof: what is opened must add up to what was handed in', () => {
  const lie = encodeResult([partOf(0), partOf(2), partOf(3, 1)], shape.elements, shape.words);
  expect(prove(committed.open(sample.elements), { result: lie })).toEqual({ ok: false, message: expect.stringContaining('do not add up to the total') });
  // One element of the total, shifted by 2^32: only the high byte differs.
  const high = result.slice();
  high[16 + 80 + 18]! += 1;
  expect(prove(committed.open(sample.elements), { result: high })).toMatchObject({ ok: false });
});

test('a result that was never valid is our own fault and no proof against anybody', () => {
  expect(() => prove(committed.open(sample.elements), { result: result.slice(1) })).toThrow('result has');
});

/** One word an element, truth 100 x element, within 5 of it is fine, and the referee explains anything ending in 7. */
const asked: number[][] = [];
const judge: Judge = {
  words: 1,
  allowed: 5,
  recompute(elements) {
    asked.push(elements.map(({ element }) => element));
    for (const element of elements) expect(element).toMatchObject(at);
    return Uint32Array.from(elements, ({ element }) => 100 * element);
  },
  distance: (_element, a, b) => Math.abs(a[0]! - b[0]!),
  explains: (_, claimed) => claimed[0]! % 10 === 7,
};
const four: Sample = { parts: [0, 0, 1, 1], elements: [1, 2, 3, 4] };
const bytes = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

test('recomputing: what differs, and what of it nothing explains', async () => {
  expect(await recomputeSample(judge, at, four, bytes(100, 205, 307, 419), 4)).toEqual({ drawn: 4, differing: 2, unexplained: 1, worst: 19 });
  expect(await recomputeSample(judge, at, four, bytes(100, 200, 300, 400), 4)).toEqual({ drawn: 4, differing: 0, unexplained: 0, worst: 0 });
});

test('comparing: where both agree nobody recomputes, where they do not both are judged', async () => {
  asked.length = 0;
  expect(await compareSample(judge, at, four, bytes(100, 200, 300, 400), bytes(103, 200, 300, 400), 4)).toEqual({
    result: { drawn: 4, differing: 0, unexplained: 0, worst: 3 },
    auditor: { drawn: 4, differing: 0, unexplained: 0, worst: 3 },
    apart: 0,
  });
  expect(asked).toEqual([]);
  // Element 2: the claim lies. Element 3: the auditor cries wolf. Element 4: a near-tie of the auditor.
  expect(await compareSample(judge, at, four, bytes(100, 999, 300, 400), bytes(100, 200, 350, 447), 4)).toEqual({
    result: { drawn: 4, differing: 1, unexplained: 1, worst: 799 },
    auditor: { drawn: 4, differing: 2, unexplained: 1, worst: 50 },
    apart: 3,
  });
  expect(asked).toEqual([[2, 3, 4]]);
});

test('values of another size are refused', async () => {
  await expect(recomputeSample(judge, at, four, bytes(1, 2, 3), 4)).rejects.toThrow('12 bytes, expected 16');
  await expect(compareSample(judge, at, four, bytes(1, 2, 3, 4), bytes(1, 2, 3), 4)).rejects.toThrow('12 bytes, expected 16');
});
