import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { everyCorruption, fivePercent, offByPrime } from './corruptions.testing.ts';
import { narrow } from './exact.ts';
import { createChecker } from './freivalds.ts';
import { plainKernels } from './kernels.testing.ts';
import { instantiate } from './kernels.ts';
import { arrayOperand, type Elements, type Operand } from './operand.ts';
import type { Block, Product } from './product.ts';
import { entries, generator, halved, type Kind, keyOf, multiplied, orders, type Sizes } from './variants.testing.ts';

const jobKey = keyOf(99);
type Lines = Operand['lines'];

/** Row-major values as an operand with either kind of lines, at an offset in something larger. */
function operandOf(values: Elements, rows: number, columns: number, lines: Lines): Operand {
  const [count, length] = lines === 'rows' ? [rows, columns] : [columns, rows];
  const stride = length + 3;
  const stored = new (values.constructor as new (length: number) => Elements)(5 + count * stride).fill(77);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      stored[5 + (lines === 'rows' ? row * stride + column : column * stride + row)] = values[row * columns + column]!;
  return arrayOperand(stored, { rows, columns, lines, offset: 5, stride });
}

const whole = ({ rows, columns }: Sizes, values: Float32Array | Int32Array): Block => ({
  rows: { first: 0, count: rows },
  columns: { first: 0, count: columns },
  values,
});

interface Case {
  readonly sizes: Sizes;
  readonly product: Product;
  readonly values: Float32Array | Int32Array;
}

function floatCase(sizes: Sizes, seed: number, { left = 'rows', right = 'rows', kind = 'normal' }: { left?: Lines; right?: Lines; kind?: Kind } = {}): Case {
  const random = generator(seed);
  const { rows, inner, columns } = sizes;
  const [a, b] = [entries(kind, rows * inner, random), entries(kind, inner * columns, random)];
  const product: Product = { a: operandOf(a, rows, inner, left), b: operandOf(b, inner, columns, right), output: 'f32' };
  return { sizes, product, values: multiplied(a, b, sizes, orders[seed % orders.length]!) };
}

function wholeCase(sizes: Sizes, seed: number, { left = 'rows', right = 'rows' }: { left?: Lines; right?: Lines } = {}): Case {
  const random = generator(seed);
  const { rows, inner, columns } = sizes;
  const make = (length: number): Int8Array => Int8Array.from({ length }, () => random() * 256 - 128);
  const [a, b] = [make(rows * inner), make(inner * columns)];
  const values = new Int32Array(rows * columns);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) for (let k = 0; k < inner; k++) values[i * columns + j]! += a[i * inner + k]! * b[k * columns + j]!;
  return { sizes, product: { a: operandOf(a, rows, inner, left), b: operandOf(b, inner, columns, right), output: 'i32' }, values };
}

const lines = fc.constantFrom<Lines>('rows', 'columns');
const shapes = fc.record({ rows: fc.integer({ min: 1, max: 9 }), inner: fc.integer({ min: 1, max: 150 }), columns: fc.integer({ min: 1, max: 150 }) });
const seeds = fc.integer({ min: 0, max: 2 ** 31 });

describe('honest blocks', () => {
  test('of floats of any shape, order and layout are right, and one flipped sign is not', () => {
    fc.assert(
      fc.property(shapes, seeds, lines, lines, fc.constantFrom<Kind>('normal', 'positive', 'wide', 'shifted'), (sizes, seed, left, right, kind) => {
        const { product, values } = floatCase(sizes, seed, { left, right, kind });
        const checker = createChecker(product, jobKey);
        expect(checker.check(whole(sizes, values), keyOf(seed))).toMatchObject({ rows: sizes.rows, failed: 0, excused: 0, wrong: [] });
        const at = seed % values.length;
        values[at]! *= -1;
        // The wrong entry may be far below its row's others, where all that counts is the row.
        const row = Math.floor(at / sizes.columns);
        const rest = (values as Float32Array).subarray(row * sizes.columns, (row + 1) * sizes.columns).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        if (Math.abs(values[at]!) > 0.01 * rest && kind !== 'wide') expect(checker.check(whole(sizes, values), keyOf(seed + 1)).wrong).toEqual([row]);
      }),
      { numRuns: 60 },
    );
  });
  test('of integers are right, and any other value of one entry is not', () => {
    fc.assert(
      fc.property(
        shapes,
        seeds,
        lines,
        lines,
        fc.integer().filter((by) => by !== 0),
        (sizes, seed, left, right, by) => {
          const { product, values } = wholeCase(sizes, seed, { left, right });
          const checker = createChecker(product, jobKey);
          expect(checker.check(whole(sizes, values), keyOf(seed))).toEqual({ rows: sizes.rows, failed: 0, excused: 0, wrong: [], worst: 0 });
          const at = seed % values.length;
          values[at]! += by;
          expect(checker.check(whole(sizes, values), keyOf(seed + 1))).toMatchObject({ failed: 1, wrong: [Math.floor(at / sizes.columns)], worst: Infinity });
        },
      ),
      { numRuns: 60 },
    );
  });
  test('are right at offsets of a larger C, with alpha, beta, C0 and bias', () => {
    for (const output of ['f32', 'i32'] as const) {
      const { sizes, product, values } = (output === 'f32' ? floatCase : wholeCase)({ rows: 21, inner: 40, columns: 90 }, 5);
      const random = generator(6);
      const make = (length: number) => (output === 'f32' ? Float32Array.from({ length }, random) : Int32Array.from({ length }, () => random() * 1e4 - 5e3));
      const [before, bias] = [make(values.length), make(sizes.columns)];
      const [alpha, beta] = output === 'f32' ? [0.3, -2] : [1, 1];
      for (const order of ['rows', 'columns'] as const) {
        const c0 = operandOf(before, sizes.rows, sizes.columns, order);
        const checker = createChecker({ ...product, alpha, beta, c0, bias }, jobKey);
        const part = { rows: { first: 4, count: 13 }, columns: { first: 17, count: 66 } };
        const block = new (values.constructor as typeof Float32Array)(13 * 66);
        for (let i = 0; i < 13; i++)
          for (let j = 0; j < 66; j++) {
            const at = (4 + i) * sizes.columns + 17 + j;
            block[i * 66 + j] = alpha * values[at]! + beta * before[at]! + bias[17 + j]!;
          }
        expect(checker.check({ ...part, values: block }, keyOf(1)).wrong, output).toEqual([]);
        block[5 * 66 + 3]! += output === 'f32' ? 0.01 : 1;
        expect(checker.check({ ...part, values: block }, keyOf(2)).wrong, output).toEqual([5]);
        expect(narrow({ ...product, alpha, beta, c0, bias }, { ...part, values: block }, 5).wrong).toEqual([{ first: 3, count: 1 }]);
      }
    }
  });
  test('of i32 operands are right up to the ends of the range', () => {
    const a = new Int32Array([2 ** 30, 1, -(2 ** 30), 2]);
    const product: Product = { a: operandOf(a, 2, 2, 'rows'), b: operandOf(new Int32Array([1, -2, 5, 0]), 2, 2, 'columns'), output: 'i32' };
    const values = new Int32Array([2 ** 30 + 5, -(2 ** 31), -(2 ** 30) + 10, 2 ** 31]);
    // 2^31 wrapped: such a job is refused before, and here it is wrong.
    expect(createChecker(product, jobKey).check(whole({ rows: 2, inner: 2, columns: 2 }, values), keyOf(1)).wrong).toEqual([1]);
  });
  test('of f16 are right, and of f16 sold as f32 are not', () => {
    const { sizes, product, values } = floatCase({ rows: 8, inner: 64, columns: 64 }, 3);
    const block = whole(sizes, (values as Float32Array).map(halved));
    expect(createChecker({ ...product, output: 'f16' }, jobKey).check(block, keyOf(1)).wrong).toEqual([]);
    expect(createChecker(product, jobKey).check(block, keyOf(1)).wrong).toHaveLength(8);
  });
  test('of constant matrices are excused, whose roundings all go the same way', () => {
    const sizes = { rows: 12, inner: 1024, columns: 40 };
    const [a, b] = [new Float32Array(12 * 1024).fill(0.1), new Float32Array(1024 * 40).fill(0.1)];
    const checker = createChecker({ a: operandOf(a, 12, 1024, 'rows'), b: operandOf(b, 1024, 40, 'columns'), output: 'f32' }, jobKey);
    const values = multiplied(a, b, sizes, orders[0]!);
    const verdicts = Array.from({ length: 10 }, (_, seed) => checker.check(whole(sizes, values), keyOf(seed)));
    expect(verdicts.every(({ failed }) => failed === 0)).toBe(true);
    expect(verdicts.some(({ excused }) => excused > 0)).toBe(true);
    expect(
      checker.check(
        whole(
          sizes,
          values.map((x) => x * 1.001),
        ),
        keyOf(1),
      ).failed,
    ).toBeGreaterThan(0);
  });
});

describe('wrong blocks', () => {
  const sizes = { rows: 16, inner: 64, columns: 64 };
  test.each(Object.entries({ ...everyCorruption, five_percent: fivePercent }))('of floats: %s', (_, corrupt) => {
    const { product, values } = floatCase(sizes, 1);
    const checker = createChecker(product, jobKey);
    const random = generator(2);
    for (let n = 0; n < 100; n++) {
      const block = (values as Float32Array).slice();
      corrupt(block, sizes, random);
      expect(checker.check(whole(sizes, block), keyOf(n)).failed).toBeGreaterThan(0);
    }
  });
  test.each(Object.entries({ ...everyCorruption, off_by_prime: offByPrime }))('of integers: %s', (_, corrupt) => {
    const { product, values } = wholeCase(sizes, 1);
    const checker = createChecker(product, jobKey);
    const random = generator(2);
    for (let n = 0; n < 100; n++) {
      const block = (values as Int32Array).slice();
      corrupt(block, sizes, random);
      expect(checker.check(whole(sizes, block), keyOf(n)).failed).toBeGreaterThan(0);
    }
  });
  test('one wrong entry among thousands', () => {
    const wide = { rows: 2, inner: 64, columns: 8192 };
    const { product, values } = floatCase(wide, 1);
    const checker = createChecker(product, jobKey);
    const random = generator(2);
    for (let n = 0; n < 50; n++) {
      const block = (values as Float32Array).slice();
      fivePercent(block, wide, random);
      expect(checker.check(whole(wide, block), keyOf(n)).failed).toBe(1);
    }
  });
  test('work in f16 sold as f32', () => {
    const { rows, inner, columns } = sizes;
    const random = generator(4);
    const [a, b] = [entries('normal', rows * inner, random), entries('normal', inner * columns, random)];
    const product: Product = { a: operandOf(a, rows, inner, 'rows'), b: operandOf(b, inner, columns, 'rows'), output: 'f32' };
    const checker = createChecker(product, jobKey);
    expect(checker.check(whole(sizes, multiplied(a.map(halved), b.map(halved), sizes, orders[0]!)), keyOf(1)).failed).toBeGreaterThan(8);
    expect(checker.check(whole(sizes, multiplied(a, b, sizes, orders[0]!, halved)), keyOf(1)).failed).toBeGreaterThan(8);
  });
  test('values that are no finite numbers', () => {
    const { product, values } = floatCase(sizes, 1);
    const checker = createChecker(product, jobKey);
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      const block = (values as Float32Array).slice();
      block[70] = value;
      expect(checker.check(whole(sizes, block), keyOf(1))).toMatchObject({ wrong: [1], worst: Infinity });
      expect(narrow(product, whole(sizes, block), 1)).toEqual({ looked: 64, wrong: [{ first: 6, count: 1 }], largest: Infinity });
    }
  });
});

describe('ends of the range', () => {
  const sizes = { rows: 3, inner: 20, columns: 24 };
  function scaled(left: number, right: number): Case {
    const random = generator(8);
    const a = entries('normal', 60, random).map((x, at) => (at < 20 ? 0 : x * left));
    const b = entries('normal', 480, random).map((x) => x * right);
    return { sizes, product: { a: operandOf(a, 3, 20, 'rows'), b: operandOf(b, 20, 24, 'rows'), output: 'f32' }, values: multiplied(a, b, sizes, orders[0]!) };
  }
  test.each([
    [1e18, 1e18],
    [1e-15, 1e-15],
    [1e-30, 1e30],
    [1, 1e-30],
    [1e28, 1e-30],
  ])('operands of %d and %d', (left, right) => {
    const { product, values } = scaled(left, right);
    const checker = createChecker(product, jobKey);
    expect(checker.check(whole(sizes, values), keyOf(1)).failed).toBe(0);
    const block = (values as Float32Array).slice();
    block[30]! *= 1.01;
    expect(checker.check(whole(sizes, block), keyOf(2)).wrong).toEqual([1]);
    // Where op(A) is zero, C is.
    block.set(values);
    block[5] = block[30]! * 1e-6;
    expect(checker.check(whole(sizes, block), keyOf(2)).wrong).toEqual([0]);
  });
  test('columns of op(A) that undo rows of op(B)', () => {
    const random = generator(9);
    const a = entries('normal', 60, random).map((x, at) => x * 10 ** (at % 20 < 10 ? 15 : -15));
    const b = entries('normal', 480, random).map((x, at) => x * 10 ** (at < 240 ? -15 : 15));
    const checker = createChecker({ a: operandOf(a, 3, 20, 'rows'), b: operandOf(b, 20, 24, 'rows'), output: 'f32' }, jobKey);
    const values = multiplied(a, b, sizes, orders[0]!);
    expect(checker.check(whole(sizes, values), keyOf(1)).failed).toBe(0);
    values[30]! *= 1.01;
    expect(checker.check(whole(sizes, values), keyOf(1)).wrong).toEqual([1]);
  });
  test('subnormals may be flushed', () => {
    const { product, values } = scaled(1e-20, 1e-20);
    expect(createChecker(product, jobKey).check(whole(sizes, new Float32Array(values.length)), keyOf(1)).failed).toBe(0);
    const { product: small, values: larger } = scaled(1e10, 1e-40);
    expect(larger.some((x) => x !== 0)).toBe(true);
    expect(createChecker(small, jobKey).check(whole(sizes, new Float32Array(values.length)), keyOf(1)).failed).toBe(0);
  });
});

describe('the kernels', () => {
  test('agree with plain TypeScript', () => {
    fc.assert(
      fc.property(shapes, seeds, lines, lines, (sizes, seed, left, right) => {
        for (const make of [floatCase, wholeCase]) {
          const { product, values } = make(sizes, seed, { left, right });
          values[0]! += 1;
          const [fast, plain] = [instantiate(), plainKernels()].map((kernels) =>
            createChecker(product, jobKey, kernels).check(whole(sizes, values), keyOf(seed)),
          );
          expect(fast!.wrong).toEqual(plain!.wrong);
          if (fast!.worst < Infinity) expect(Math.abs(fast!.worst - plain!.worst)).toBeLessThan(0.5 + 1e-5 * plain!.worst);
        }
      }),
      { numRuns: 15 },
    );
  });
});

describe('the keys', () => {
  const { sizes, product, values } = floatCase({ rows: 4, inner: 30, columns: 40 }, 7);
  const worst = (key: Uint8Array, result: Uint8Array): number => createChecker(product, key).check(whole(sizes, values), result).worst;
  test('decide everything', () => {
    expect(worst(jobKey, keyOf(1))).toBe(worst(jobKey, keyOf(1)));
    expect(worst(jobKey, keyOf(1))).not.toBe(worst(jobKey, keyOf(2)));
    expect(worst(keyOf(1), keyOf(1))).not.toBe(worst(jobKey, keyOf(1)));
  });
  test('are of 32 bytes', () => expect(() => worst(jobKey, new Uint8Array(16))).toThrow(RangeError));
});

test('what does not fit is refused', () => {
  const { sizes, product, values } = floatCase({ rows: 4, inner: 30, columns: 40 }, 7);
  const checker = createChecker(product, jobKey);
  expect(() => checker.check({ ...whole(sizes, values), rows: { first: 1, count: 4 } }, keyOf(1))).toThrow(/matrix of 4 x 40/);
  expect(() => checker.check(whole(sizes, values.subarray(1)), keyOf(1))).toThrow(/159 values/);
  expect(() => createChecker({ ...product, output: 'i32' }, jobKey)).toThrow(/f32 in a product of i32/);
  expect(() => createChecker({ ...product, b: product.a }, jobKey)).toThrow(/4 x 30 times 4 x 30/);
  expect(() => createChecker({ ...product, c0: product.a }, jobKey)).toThrow(/C0/);
  expect(() => createChecker({ ...product, bias: new Float32Array(3) }, jobKey)).toThrow(/3 biases/);
  expect(() => arrayOperand(new Float32Array(9), { rows: 2, columns: 5, lines: 'rows' })).toThrow(/needs 10 elements, there are 9/);
});
