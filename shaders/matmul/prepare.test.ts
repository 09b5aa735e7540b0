import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../shared/formats.ts';
import { npyHeader } from '../common/tensors/npy.ts';
import { safetensorsOf } from '../common/tensors/tensors.testing.ts';
import { operandOf } from './operand.ts';
import { type MatmulParams, type Matrix, settingsOf } from './params.ts';
import { prepare } from './prepare.ts';

type Rows = readonly (readonly number[])[];

const typed = { f32: Float32Array, f64: Float64Array, i8: Int8Array, i32: Int32Array, u8: Uint8Array, f16: Float16Array } as const;

function npy(type: keyof typeof typed, rows: Rows, shape: readonly number[] = [rows.length, rows[0]!.length]): Uint8Array {
  return concatBytes(npyHeader(type, shape), new Uint8Array(typed[type].from(rows.flat()).buffer));
}

/** The same array in the other order of its indices. */
function fortran(type: keyof typeof typed, rows: Rows): Uint8Array {
  const file = npy(
    type,
    rows[0]!.map((_, column) => rows.map((row) => row[column]!)),
    [rows.length, rows[0]!.length],
  );
  const text = Buffer.from(file.subarray(0, 128)).toString('latin1').replace('False', 'True ');
  return concatBytes(
    Uint8Array.from(text, (char) => char.charCodeAt(0)),
    file.subarray(128),
  );
}

const files: MatmulParams = { a: 'file', b: 'file' };
const small: Rows = [
  [1, 2, 3],
  [4, 5, 6],
];
const tall: Rows = [
  [1, -1],
  [2, 0.5],
  [-3, 4],
];

/** op(A) or op(B) as rows, from what contributors get. */
function rowsOf(matrix: Matrix, side: 'a' | 'b', input: Uint8Array | undefined, batch = 0): number[][] {
  const operand = operandOf(matrix, side, input, batch);
  const into = new Float32Array(matrix.lines * matrix.length);
  operand.read({ first: 0, count: matrix.lines }, { first: 0, count: matrix.length }, into);
  const all = Array.from({ length: matrix.lines }, (_, at) => [...into.subarray(at * matrix.length, (at + 1) * matrix.length)]);
  return operand.lines === 'rows' ? all : transposed(all);
}

async function prepared(params: MatmulParams, given: Record<string, Uint8Array>) {
  const { prepared: facts, inputs, report } = await prepare(params, given);
  return { facts, report, a: rowsOf(facts.a, 'a', inputs.a), b: rowsOf(facts.b, 'b', inputs.b), inputs };
}

const transposed = (rows: Rows): number[][] => rows[0]!.map((_, column) => rows.map((row) => row[column]!));

describe('operands', () => {
  it('come out the same in both orders, transposed or not, and of every type', async () => {
    for (const type of ['f32', 'f64', 'f16'] as const) {
      for (const write of [npy, fortran]) {
        const plain = await prepared(files, { matrixA: write(type, small), matrixB: write(type, tall) });
        expect(plain).toMatchObject({ a: small, b: tall, facts: { m: 2, n: 2, k: 3, batches: 1, exact: false } });
        const turned = await prepared(
          { ...files, transposeA: 'yes', transposeB: 'yes' },
          { matrixA: write(type, transposed(small)), matrixB: write(type, transposed(tall)) },
        );
        expect(turned).toMatchObject({ a: small, b: tall });
      }
    }
  });

  it('of whole numbers are multiplied exactly: in bytes along the inner index, or in 32 bits', async () => {
    const bytes = await prepared(files, { matrixA: npy('i32', small), matrixB: fortran('i8', [[1], [-128], [127]]) });
    expect(bytes).toMatchObject({
      a: small,
      b: [[1], [-128], [127]],
      facts: { exact: true, a: { type: 'i8', along: 'inner' }, b: { type: 'i8', along: 'inner' } },
    });
    const words = await prepared(files, { matrixA: npy('i32', [[1000, 2]]), matrixB: npy('u8', [[200], [3]]) });
    expect(words).toMatchObject({ a: [[1000, 2]], b: [[200], [3]], facts: { exact: true, a: { type: 'i32' } } });
  });

  it('become floats where anything is a fraction', async () => {
    expect(await prepared(files, { matrixA: npy('i8', small), matrixB: npy('f32', tall) })).toMatchObject({ facts: { exact: false, a: { type: 'f32' } } });
    expect(await prepared({ ...files, alpha: 2 }, { matrixA: npy('i8', small), matrixB: npy('i8', transposed(small)) })).toMatchObject({
      facts: { exact: false },
    });
    const [a, b] = [npy('f16', small), npy('f16', tall)];
    expect(await prepared(files, { matrixA: a, matrixB: b })).toMatchObject({ facts: { a: { type: 'f16' }, b: { type: 'f16' } } });
    expect(await prepared(files, { matrixA: a, matrixB: npy('f32', tall) })).toMatchObject({ facts: { a: { type: 'f32' }, b: { type: 'f32' } } });
  });

  it('from .safetensors are found by their name', async () => {
    const data = new Uint8Array(Float32Array.from(tall.flat()).buffer);
    const file = safetensorsOf({ w: { dtype: 'F32', shape: [3, 2], data_offsets: [0, 24] } }, data);
    expect(await prepared({ ...files, tensorB: 'w' }, { matrixA: npy('f32', small), matrixB: file })).toMatchObject({ b: tall });
  });

  it('from seeds need no input, are the same again, and meet files', async () => {
    const seeds: MatmulParams = { a: 'seed', b: 'seed', rows: 5, inner: 7, columns: 3, numbers: 'i8', seedA: 4 };
    const one = await prepared(seeds, {});
    expect(Object.keys(one.inputs)).toEqual([]);
    expect(one.facts).toMatchObject({ m: 5, n: 3, k: 7, exact: true });
    const again = await prepared({ ...seeds, seedB: 4, rows: 7, inner: 5 }, {});
    expect(again.a).not.toEqual(one.a);
    // Transposed it is the same matrix with rows as columns.
    const turned = await prepared({ ...seeds, transposeA: 'yes', rows: 7, inner: 5, columns: 3 }, {});
    expect(turned.a).toEqual(transposed((await prepared({ ...seeds, rows: 5, inner: 7 }, {})).a));
    const met = await prepared({ ...files, a: 'seed', rows: 4, inner: 3 }, { matrixB: npy('f32', tall) });
    expect(met).toMatchObject({ facts: { m: 4, k: 3, exact: false } });
    expect(met.a.flat().every((value) => value >= -1 && value < 1)).toBe(true);
    expect(await prepared({ ...files, b: 'seed', columns: 9 }, { matrixA: npy('f32', small) })).toMatchObject({ facts: { n: 9, k: 3 } });
  });

  it('may be batches, or one for all of a batch', async () => {
    const batch = npy('f32', [...small, ...small.map((row) => row.map((value) => 10 * value))], [2, 2, 3]);
    const { prepared: facts, inputs } = await prepare(files, { matrixA: batch, matrixB: npy('f32', tall) });
    expect(facts).toMatchObject({ batches: 2, a: { batches: 2 }, b: { batches: 1 } });
    expect(rowsOf(facts.a, 'a', inputs.a, 1)[0]).toEqual([10, 20, 30]);
    expect(rowsOf(facts.b, 'b', inputs.b, 1)).toEqual(tall);
  });
});

describe('outputs that are small', () => {
  const product = small.map((row) => [0, 1].map((column) => row.reduce((sum, value, k) => sum + value * tall[k]![column]!, 0)));
  const given = { matrixA: npy('f32', small), matrixB: npy('f32', tall) };
  const productOf = ({ a, b }: { a: number[][]; b: number[][] }): number[][] =>
    a.map((row) => b[0]!.map((_, column) => row.reduce((sum, value, k) => sum + value * b[k]![column]!, 0)));

  it('are small products', async () => {
    const sums = await prepared({ ...files, output: 'rowSums' }, given);
    expect(productOf(sums)).toEqual(product.map(([x, y]) => [x! + y!]));
    expect(sums.facts.shape).toEqual([2]);
    const columns = await prepared({ ...files, output: 'columnSums' }, { ...given, bias: npy('f32', [[1, 2]]) });
    expect(productOf(columns)).toEqual([[product[0]![0]! + product[1]![0]!, product[0]![1]! + product[1]![1]!]]);
    expect(new Float32Array(columns.inputs.bias!.buffer)).toEqual(Float32Array.of(2, 4));
    const vectors = await prepared(
      { ...files, output: 'vectors' },
      {
        ...given,
        vectors: npy('f32', [
          [1, 0, 2],
          [0, 1, -1],
        ]),
      },
    );
    expect(productOf(vectors)).toEqual(product.map(([x, y]) => [x, y, 2 * x! - y!]));
  });

  it('stay exact', async () => {
    const sums = await prepared(
      { ...files, output: 'rowSums' },
      {
        matrixA: npy('i8', small),
        matrixB: npy('i8', [
          [100, 100],
          [100, 100],
          [1, 1],
        ]),
      },
    );
    expect(sums).toMatchObject({ facts: { exact: true, b: { type: 'i32' } }, b: [[200], [200], [2]] });
  });
});

describe('what cannot be', () => {
  const [a, b] = [npy('f32', small), npy('f32', tall)];
  const cases: readonly (readonly [string, Partial<MatmulParams>, Record<string, Uint8Array>, string, string, string])[] = [
    ['no file', {}, { matrixB: b }, 'matrixA', 'is needed', '.npy'],
    ['sides that do not meet', {}, { matrixA: a, matrixB: a }, 'matrixB', 'A is 2 x 3 and B is 2 x 3', 'a B of 3 rows'],
    ['a seed of another size than its file', { a: 'seed', rows: 2, inner: 4 }, { matrixB: b }, 'inner', 'B has 3 rows', '3'],
    ['infinity', {}, { matrixA: npy('f32', [[1, Number.POSITIVE_INFINITY, 3]]), matrixB: b }, 'matrixA', 'Number 2 of 3 is Infinity', 'finite'],
    ['not a number', {}, { matrixA: npy('f64', [[1, 2, Number.NaN]]), matrixB: b }, 'matrixA', 'Number 3 of 3 is NaN', 'finite'],
    ['beyond f32', {}, { matrixA: npy('f64', [[1e39, 2, 3]]), matrixB: b }, 'matrixA', 'is 1e+39', '3.4e38'],
    [
      'whole numbers that 32 bits cannot add up',
      {},
      { matrixA: npy('i32', [[50_000, 1, 1]]), matrixB: npy('i32', [[50_000], [1], [1]]) },
      'matrixA',
      'may reach 7500000000',
      '2147483647',
    ],
    ['whole numbers that floats do not hold', {}, { matrixA: npy('i32', [[2 ** 25, 1, 1]]), matrixB: b }, 'matrixA', 'up to 33554432', '16777216'],
    [
      'floats whose sums are infinite',
      {},
      { matrixA: npy('f32', [[1e30, 1, 1]]), matrixB: npy('f32', [[1e30], [1], [1]]) },
      'matrixA',
      'may reach 3',
      '3.4e38',
    ],
    ['four dimensions', {}, { matrixA: npy('f32', small, [1, 1, 2, 3]), matrixB: b }, 'matrixA', '4 dimensions', 'two, or three'],
    ['nothing in it', {}, { matrixA: npyHeader('f32', [0, 3]), matrixB: b }, 'matrixA', 'empty: 0 x 3', 'one number'],
    [
      'batches of two sizes',
      {},
      { matrixA: npy('f32', small, [2, 1, 3]), matrixB: npy('f32', [...tall, ...tall, ...tall], [3, 3, 2]) },
      'matrixB',
      'batch of 3, the other of 2',
      'one size',
    ],
    ['an addend of another size', {}, { matrixA: a, matrixB: b, addend: b }, 'addend', 'It is 3 x 2', '2 x 2'],
    ['a bias of another size', {}, { matrixA: a, matrixB: b, bias: npy('f32', [[1, 2, 3]]) }, 'bias', 'has 3 numbers', '2, one for every column'],
    ['sums of an activation', { output: 'rowSums', activation: 'relu' }, { matrixA: a, matrixB: b }, 'activation', 'activation needs', 'none'],
    ['no vectors', { output: 'vectors' }, { matrixA: a, matrixB: b }, 'vectors', 'is needed', '.npy'],
    ['vectors of another size', { output: 'vectors' }, { matrixA: a, matrixB: b, vectors: b }, 'vectors', 'It is 3 x 2', '2 rows'],
    ['too many random numbers', { a: 'seed', b: 'seed', rows: 2 ** 20, inner: 2 ** 20, columns: 1 }, {}, 'rows', '1099511627776 random numbers', '4294967296'],
    ['a result of too many entries', { a: 'seed', b: 'seed', rows: 2 ** 20, inner: 1, columns: 2 ** 20 }, {}, 'rows', '1099511627776 entries', '4294967296'],
    [
      'sums that take too long',
      { a: 'seed', b: 'seed', rows: 4, inner: 2 ** 16, columns: 2 ** 16, output: 'vectors' },
      { vectors: npyHeader('f32', [65536, 3]) },
      'vectors',
      'An array of 65536 x 3',
      'bytes',
    ],
  ];
  it.each(cases)('%s is refused, with the numbers', async (_, params, given, field, message, limit) => {
    await expect(prepare({ ...files, ...params }, given)).rejects.toMatchObject({
      name: 'InputError',
      field,
      message: expect.stringContaining(message),
      limit: expect.stringContaining(limit),
    });
  });

  it('a whole product that takes longer to upload than to compute says so', async () => {
    const seeds: MatmulParams = { a: 'seed', b: 'seed', rows: 4096, inner: 64, columns: 4096 };
    expect((await prepare(seeds, {})).report[1]).toMatch(/^Uploading takes longer than computing: 27 s at 20 Mbit\/s, and 0.001 s/);
    expect((await prepare({ ...seeds, output: 'rowSums' }, {})).report[1]).toMatch(/^Uploading takes longer/);
    expect(settingsOf(seeds)).toMatchObject({ alpha: 1, output: 'whole' });
  });
});
