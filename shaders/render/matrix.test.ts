import fc from 'fast-check';
import { expect, test } from 'vitest';
import { invert, isIdentity, isMirrored } from './matrix.ts';
import { identityMatrix, type Matrix } from './mesh.ts';

const product = (a: Matrix, b: Matrix): number[] =>
  Array.from({ length: 16 }, (_, at) => [0, 1, 2, 3].reduce((sum, k) => sum + a[k * 4 + (at & 3)]! * b[(at & ~3) + k]!, 0));

/** Turned about x, then z, then stretched, then moved. */
function placed(turns: readonly number[], sizes: readonly number[], at: readonly number[]): Matrix {
  const [cx, sx, cz, sz] = [Math.cos(turns[0]!), Math.sin(turns[0]!), Math.cos(turns[1]!), Math.sin(turns[1]!)];
  const columns = [
    [cz, sz, 0],
    [-sz * cx, cz * cx, sx],
    [sz * sx, -cz * sx, cx],
  ];
  return Float64Array.from([...columns.flatMap((column, index) => [...column.map((value) => value * sizes[index]!), 0]), ...at, 1]);
}

const sizes = fc.array(fc.oneof(fc.double({ min: 1e-3, max: 1e3, noNaN: true }), fc.double({ min: -1e3, max: -1e-3, noNaN: true })), {
  minLength: 3,
  maxLength: 3,
});
const three = (size: number) => fc.array(fc.double({ min: -size, max: size, noNaN: true }), { minLength: 3, maxLength: 3 });

test('a matrix times its inverse is none, whatever its sizes', () => {
  fc.assert(
    fc.property(three(7), sizes, three(1e4), (turns, stretch, at) => {
      const matrix = placed(turns, stretch, at);
      const inverse = invert(matrix);
      expect(inverse).not.toBeNull();
      const both = product(matrix, inverse!);
      // What is moved by 10 km and shrunk to a millimetre has lost seven digits.
      for (let at16 = 0; at16 < 16; at16++) expect(Math.abs(both[at16]! - (at16 % 5 === 0 ? 1 : 0))).toBeLessThan(1e-8 * (at16 < 12 ? 1 : 1e4));
      expect([...inverse!.subarray(0, 16)].filter((_, index) => index % 4 === 3)).toEqual([0, 0, 0, 1]);
    }),
  );
});

test('an odd number of negative sizes mirrors', () => {
  fc.assert(
    fc.property(three(7), sizes, (turns, stretch) => {
      expect(isMirrored(placed(turns, stretch, [0, 0, 0]))).toBe(stretch.filter((size) => size < 0).length % 2 === 1);
    }),
  );
});

test('what flattens space, or nearly, has no inverse', () => {
  for (const stretch of [
    [1, 0, 1],
    [0, 0, 0],
    [1, Number.NaN, 1],
    [Infinity, 1, 1],
    [1e-120, 1e-120, 1e-120],
  ])
    expect(invert(placed([0.3, 0.4], stretch, [1, 2, 3])), String(stretch)).toBeNull();
  const sheared = Float64Array.of(1, 0, 0, 0, 1, 1e-8, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);
  expect(invert(sheared)).toBeNull();
  // Small is not flat.
  expect(invert(placed([0.3, 0.4], [1e-6, 1e-6, 1e-6], [1, 2, 3]))).not.toBeNull();
});

test('only the identity is it', () => {
  expect(isIdentity(identityMatrix())).toBe(true);
  for (let at = 0; at < 15; at++) {
    const other = identityMatrix();
    other[at] = other[at]! + 1e-9;
    expect(isIdentity(other)).toBe(false);
  }
});
