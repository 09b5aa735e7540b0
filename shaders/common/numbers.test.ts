import fc from 'fast-check';
import { expect, test } from 'vitest';
import { numbers } from './numbers.ts';

/** Points [first, first + count) of two dimensions of a sequence. */
function points(key: number, dimension: number, first: number, count: number): [number, number][] {
  const out = new Float32Array(2);
  return Array.from({ length: count }, (_, index) => {
    numbers(key, first + index, dimension, out);
    return [out[0]!, out[1]!];
  });
}

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const dimensions = fc.integer({ min: 0, max: 200 }).map((half) => half * 2);

/** Places of an elementary interval: 2^a columns of 2^b rows. */
const intervalsOf = (among: readonly (readonly [number, number])[], a: number, b: number): number[] =>
  among.map(([x, y]) => Math.floor(x * 2 ** a) * 2 ** b + Math.floor(y * 2 ** b));

test('any aligned block of 2^k samples has one point in every elementary interval of area 2^-k', () => {
  fc.assert(
    fc.property(u32, dimensions, fc.integer({ min: 0, max: 10 }), fc.integer({ min: 0, max: 50 }), (key, dimension, k, block) => {
      const among = points(key, dimension, block * 2 ** k, 2 ** k);
      for (let a = 0; a <= k; a++) expect(new Set(intervalsOf(among, a, k - a)).size, `${2 ** a} x ${2 ** (k - a)}`).toBe(2 ** k);
    }),
    { numRuns: 60 },
  );
});

test('the first 65,536 samples of a pixel are a net too', () => {
  const among = points(0xdecade, 8, 0, 65536);
  for (const a of [0, 5, 8, 12, 16]) expect(new Set(intervalsOf(among, a, 16 - a)).size).toBe(65536);
});

test('all are in [0, 1) with 24 bits', () => {
  fc.assert(
    fc.property(u32, dimensions, fc.integer({ min: 0, max: 65535 }), (key, dimension, index) => {
      for (const value of points(key, dimension, index, 1)[0]!) {
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThan(1);
        expect(Number.isInteger(value * 2 ** 24)).toBe(true);
      }
    }),
  );
});

test('equal arguments give equal numbers; other keys, dimensions and samples others', () => {
  const usual = points(7, 8, 0, 64);
  expect(points(7, 8, 0, 64)).toEqual(usual);
  for (const other of [points(8, 8, 0, 64), points(7, 10, 0, 64), points(7, 8, 64, 64)]) {
    const equal = usual.filter(([x, y], index) => other[index]![0] === x || other[index]![1] === y);
    expect(equal).toEqual([]);
  }
});

/** Of two lists of numbers around 1/2; 1 for equal ones, near 0 for unrelated ones. */
function correlation(a: readonly number[], b: readonly number[]): number {
  const centred = (list: readonly number[]): number[] => list.map((value) => value - 0.5);
  const dot = (x: readonly number[], y: readonly number[]): number => x.reduce((sum, value, index) => sum + value * y[index]!, 0);
  const [p, q] = [centred(a), centred(b)];
  return dot(p, q) / Math.sqrt(dot(p, p) * dot(q, q));
}

test('first samples of neighbouring keys and of neighbouring dimensions are unrelated and even', () => {
  const count = 4096;
  const firsts = (key: (index: number) => number, dimension: (index: number) => number): [number, number][] =>
    Array.from({ length: count }, (_, index) => points(key(index), dimension(index), 0, 1)[0]!);
  const keys = firsts(
    (index) => index,
    () => 8,
  );
  const next = firsts(
    (index) => index + 1,
    () => 8,
  );
  const others = firsts(
    (index) => index,
    () => 10,
  );
  const dims = firsts(
    () => 99,
    (index) => index * 2,
  );
  const bound = 4 / Math.sqrt(count);
  for (const axis of [0, 1] as const) {
    const of = (list: readonly (readonly [number, number])[]): number[] => list.map((point) => point[axis]);
    expect(Math.abs(correlation(of(keys), of(next)))).toBeLessThan(bound);
    expect(Math.abs(correlation(of(keys), of(others)))).toBeLessThan(bound);
    for (const list of [keys, dims])
      expect(Math.abs(of(list).reduce((sum, value) => sum + value, 0) / count - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / count));
  }
  expect(
    Math.abs(
      correlation(
        keys.map(([x]) => x),
        keys.map(([, y]) => y),
      ),
    ),
  ).toBeLessThan(bound);
});

test('an integral over a smooth function errs far less than with random numbers', () => {
  const f = ([x, y]: readonly [number, number]): number => Math.exp(-3 * (x - 0.3) ** 2 - 2 * (y - 0.6) ** 2);
  const cells = 600;
  let truth = 0;
  for (let i = 0; i < cells; i++) for (let j = 0; j < cells; j++) truth += f([(i + 0.5) / cells, (j + 0.5) / cells]) / cells ** 2;
  const errors = Array.from({ length: 64 }, (_, key) => points(key, 8, 0, 256).reduce((sum, point) => sum + f(point), 0) / 256 - truth);
  const rms = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
  // Random numbers: a standard deviation of 0.23 over the root of 256.
  expect(rms).toBeLessThan(0.23 / 16 / 20);
  expect(Math.abs(errors.reduce((sum, error) => sum + error, 0) / errors.length)).toBeLessThan((4 * rms) / 8);
});
