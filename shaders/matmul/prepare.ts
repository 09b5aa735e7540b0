import { InputError, type WorkloadPrepare } from '../../shared/workload.ts';
import { readMatrix, readVector } from './files.ts';
import { tileSize } from './grid.ts';
import { productLimits } from './limits.ts';
import { commonType, matrixOf, packOperand } from './pack.ts';
import { type MatmulParams, type MatmulPrepared, type MatmulSettings, type Matrix, type NumberType, numbersPerWord, settingsOf, wordBytes } from './params.ts';
import { sumOfRows, timesVectors } from './reduce.ts';
import { FLOAT_MAX, type Source, seedSource, transposed } from './source.ts';

type Files = Readonly<Record<string, Uint8Array>>;

/** What is multiplied and added, whatever it comes from. */
interface Terms {
  readonly a: Source;
  readonly b: Source;
  readonly addend: Source | null;
  readonly bias: Source | null;
}

function readSide(settings: MatmulSettings, files: Files, side: 'a' | 'b', sizes: readonly [rows: number, columns: number]): Source {
  const name = side === 'a' ? 'A' : 'B';
  const turned = settings[`transpose${name}`] === 'yes';
  const [rows, columns] = turned ? [sizes[1], sizes[0]] : sizes;
  const file = files[`matrix${name}`];
  if (settings[side] === 'file' && !file)
    throw new InputError(`matrix${name}`, `A file for matrix ${name} is needed.`, 'a .npy or .safetensors file, or random numbers');
  const source =
    settings[side] === 'file' && file
      ? readMatrix(`matrix${name}`, file, settings[`tensor${name}`])
      : seedSource(side === 'a' ? 'rows' : 'columns', settings[`seed${name}`], settings.numbers, rows, columns);
  return turned ? transposed(source) : source;
}

/** op(A) and op(B). A matrix from a seed takes its inner size from the file that it meets. */
function readSides(settings: MatmulSettings, files: Files): Pick<Terms, 'a' | 'b'> {
  const { rows, inner, columns } = settings;
  if (settings.a === 'seed' && settings.b === 'file') {
    const b = readSide(settings, files, 'b', [0, 0]);
    if (b.rows !== inner) throw new InputError('inner', `B has ${b.rows} rows, so A must have as many columns, not ${inner}.`, `${b.rows}`);
    return { a: readSide(settings, files, 'a', [rows, inner]), b };
  }
  const a = readSide(settings, files, 'a', [rows, inner]);
  const b = readSide(settings, files, 'b', [a.columns, columns]);
  if (a.columns !== b.rows)
    throw new InputError('matrixB', `A is ${a.rows} x ${a.columns} and B is ${b.rows} x ${b.columns}: they do not meet.`, `a B of ${a.columns} rows`);
  return { a, b };
}

function readTerms(settings: MatmulSettings, files: Files): Terms {
  const { a, b } = readSides(settings, files);
  const addend = files.addend ? readMatrix('addend', files.addend, '') : null;
  if (addend && (addend.rows !== a.rows || addend.columns !== b.columns))
    throw new InputError('addend', `It is ${addend.rows} x ${addend.columns}.`, `${a.rows} x ${b.columns}, as the product is`);
  const bias = files.bias ? readVector('bias', files.bias) : null;
  if (bias && bias.columns !== b.columns) throw new InputError('bias', `It has ${bias.columns} numbers.`, `${b.columns}, one for every column of the product`);
  return { a, b, addend, bias };
}

/** The product whose entries are what was ordered of C. */
function reduced({ a, b, addend, bias }: Terms, settings: MatmulSettings, files: Files): Terms {
  if (settings.output === 'whole') return { a, b, addend, bias };
  if (settings.activation !== 'none')
    throw new InputError('activation', 'Sums and products with vectors are computed without the whole product, whose entries an activation needs.', 'none');
  if (settings.output === 'columnSums')
    return { a: sumOfRows(a), b, addend: addend && sumOfRows(addend), bias: bias && sumOfRows({ ...bias, rows: a.rows, steps: { ...bias.steps, row: 0 } }) };
  const vectors = settings.output === 'vectors' ? readVectors(files, b.columns) : null;
  return { a, b: timesVectors(b, vectors), addend: addend && timesVectors(addend, vectors), bias: bias && timesVectors(bias, vectors) };
}

function readVectors(files: Files, rows: number): Source {
  if (!files.vectors) throw new InputError('vectors', 'A file with the vectors is needed for this output.', 'a .npy file');
  const vectors = readMatrix('vectors', files.vectors, '');
  if (vectors.rows !== rows || vectors.columns > productLimits.vectorsMax || vectors.batches !== null)
    throw new InputError('vectors', `It is ${vectors.rows} x ${vectors.columns}.`, `${rows} rows, and up to ${productLimits.vectorsMax} columns`);
  return vectors;
}

function sizesOf({ a, b, addend }: Terms): Pick<MatmulPrepared, 'm' | 'n' | 'k' | 'batches'> {
  const given = [a, b].filter(({ batches }) => batches !== null);
  const batches = given[0]?.batches ?? 1;
  for (const { field, batches: own } of [...given, ...(addend && addend.batches !== null ? [addend] : [])])
    if (own !== batches) throw new InputError(field, `It is a batch of ${own}, the other of ${batches}.`, 'batches of one size, or a single matrix for all');
  const sizes = { m: a.rows, n: b.columns, k: a.columns, batches };
  const { sideMax, batchesMax, resultEntriesMax } = productLimits;
  const sides = [
    [a.field, sizes.m],
    [b.field, sizes.n],
    [a.field, sizes.k],
  ] as const;
  for (const [field, side] of sides) if (side > sideMax) throw new InputError(field, `A side of ${side} is too long.`, `1 to ${sideMax}`);
  if (batches > batchesMax) throw new InputError(given[0]?.field ?? a.field, `A batch of ${batches} is too many.`, `at most ${batchesMax}`);
  if (sizes.m * sizes.n * batches > resultEntriesMax)
    throw new InputError(a.field, `The product has ${sizes.m * sizes.n * batches} entries.`, `at most ${resultEntriesMax}`);
  return sizes;
}

const INTEGER_MAX = 2 ** 31 - 1;

/** Whole numbers, added to nothing but whole numbers: every entry is exact. */
const isWhole = ({ a, b, addend, bias }: Terms, { alpha, beta, activation }: MatmulSettings): boolean =>
  (activation === 'none' || activation === 'relu') &&
  a.whole &&
  b.whole &&
  alpha === 1 &&
  (!addend || (addend.whole && (beta === 0 || beta === 1))) &&
  (bias?.whole ?? true);

/** Throws `InputError` unless 32 bits hold every entry, whatever its operands. */
function requireExact({ a, b, addend, bias }: Terms, k: number): void {
  const most = k * a.peak * b.peak + (addend?.peak ?? 0) + (bias?.peak ?? 0);
  if (most > INTEGER_MAX)
    throw new InputError(
      a.field,
      `Sums of ${k} products of numbers up to ${a.peak} and ${b.peak} may reach ${most}.`,
      `${INTEGER_MAX}; as floats they would be rounded instead`,
    );
}

/** Throws `InputError` where an entry could be more than f32 holds, though nothing that it is made of is. */
function requireFinite({ a, b, addend, bias }: Terms, k: number, { alpha, beta }: MatmulSettings): void {
  const most = Math.abs(alpha) * k * a.peak * b.peak + (addend ? Math.abs(beta) * addend.peak : 0) + (bias?.peak ?? 0);
  if (most > FLOAT_MAX)
    throw new InputError(
      a.field,
      `Sums of ${k} products of numbers up to ${a.peak} and ${b.peak} may reach ${most}.`,
      'below 3.4e38, which 32-bit floats hold',
    );
}

function shapeOf(output: MatmulSettings['output'], { m, n }: { m: number; n: number }): number[] {
  if (output === 'rowSums') return [m];
  return output === 'columnSums' ? [n] : [m, n];
}

/** Rows of an addend or a bias, as words of the product's own type. */
function packRows(source: Source, exact: boolean): Uint8Array {
  const { rows, columns, batches, peak, rms } = source;
  const matrix: Matrix = { type: exact ? 'i32' : 'f32', along: 'inner', lines: rows, length: columns, batches: batches ?? 1, seed: null, peak, rms };
  return packOperand(source, 'a', matrix);
}

/** The laptop that jobs are estimated for: what it computes, and what it uploads, in a second. */
const TYPICAL_MACS = 1e12;
const TYPICAL_BYTES = 2.5e6;

function reportOf({ a, b }: Terms, type: NumberType, { m, n, k, batches }: Pick<MatmulPrepared, 'm' | 'n' | 'k' | 'batches'>): string[] {
  const how = { i8: 'Whole numbers, exactly.', i32: 'Whole numbers, exactly.', f16: '16-bit floats, added up in 32 bits.', f32: '32-bit floats.' }[type];
  const isRounded = [a, b].some(({ numbers }) => numbers instanceof Float64Array);
  const [computing, uploading] = [(m * n * k * batches) / TYPICAL_MACS, (m * n * batches * wordBytes) / TYPICAL_BYTES];
  const seconds = (value: number): string => `${value < 0.095 ? value.toPrecision(1) : value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  return [
    `Multiplied as: ${how}${isRounded ? ' What had 64 bits is rounded to them.' : ''}`,
    ...(uploading > computing
      ? [
          `Uploading takes longer than computing: ${seconds(uploading)} at 20 Mbit/s, and ${seconds(computing)} on a laptop. Many contributors help with that; sums, or products with vectors, would need neither.`,
        ]
      : []),
  ];
}

export const prepare: WorkloadPrepare<MatmulParams, MatmulPrepared>['prepare'] = async (params, files) => {
  const settings = settingsOf(params);
  const terms = reduced(readTerms(settings, files), settings, files);
  const sizes = sizesOf(terms);
  const exact = isWhole(terms, settings);
  if (exact) requireExact(terms, sizes.k);
  else requireFinite(terms, sizes.k, settings);
  const { a: sourceA, b: sourceB, addend, bias } = terms;
  const type = commonType(sourceA, sourceB, exact);
  const [a, b] = [matrixOf(sourceA, 'a', type), matrixOf(sourceB, 'b', type)];
  const panel = ({ seed }: Matrix): number => (seed ? wordBytes / numbersPerWord(type) : 0);
  const prepared: MatmulPrepared = {
    ...sizes,
    exact,
    a,
    b,
    addend: addend && { batches: addend.batches ?? 1, peak: addend.peak },
    bias: bias && { peak: bias.peak },
    ...tileSize(sizes, { a: panel(a), b: panel(b) }),
    shape: shapeOf(settings.output, sizes),
  };
  return {
    prepared,
    inputs: {
      ...(a.seed ? {} : { a: packOperand(sourceA, 'a', a) }),
      ...(b.seed ? {} : { b: packOperand(sourceB, 'b', b) }),
      ...(addend ? { addend: packRows(addend, exact) } : {}),
      ...(bias ? { bias: packRows(bias, exact) } : {}),
    },
    report: reportOf(terms, type, sizes),
    facts: { rows: sizes.m, columns: sizes.n, inner: sizes.k, ...(sizes.batches > 1 ? { batch: sizes.batches } : {}) },
  };
};
