import type { Static } from 'typebox';
import type { JobContext } from '../../shared/model.ts';
import type { params } from './form.ts';

/** What was ordered, and the facts that `prepare.ts` finds out about it. */

export type MatmulParams = Static<typeof params>;
export type MatmulSettings = Required<MatmulParams>;

export const defaults: MatmulSettings = {
  a: 'file',
  b: 'file',
  rows: 2048,
  inner: 2048,
  columns: 2048,
  numbers: 'f32',
  seedA: 1,
  seedB: 2,
  tensorA: '',
  tensorB: '',
  transposeA: 'no',
  transposeB: 'no',
  alpha: 1,
  beta: 1,
  activation: 'none',
  output: 'whole',
};

export const settingsOf = (given: MatmulParams): MatmulSettings => ({ ...defaults, ...given });

export type NumberType = 'f32' | 'f16' | 'i8' | 'i32';

/** What random numbers there are. */
export type SeedKind = MatmulSettings['numbers'];

/**
 * op(A) of M x K or op(B) of K x N, as it lies in its input or is made from a seed: `batches` times `lines` lines of `length` numbers. Along a line
 * runs the inner index k, or the outer one: the row of A, the column of B. Lines of small numbers are filled up to whole words.
 */
export interface Matrix {
  readonly type: NumberType;
  readonly along: 'inner' | 'outer';
  readonly lines: number;
  readonly length: number;
  /** 1 where all products share it. */
  readonly batches: number;
  /** Null: it is an input of the job. */
  readonly seed: Seeded | null;
  /** Largest magnitude. */
  readonly peak: number;
  /** Root of the mean of the squares. */
  readonly rms: number;
}

/** Number i of line l is number l x lineStep + i x step of the seed, of a kind that `Matrix.type` holds. */
export interface Seeded {
  readonly seed: number;
  readonly kind: SeedKind;
  readonly lineStep: number;
  readonly step: number;
}

export interface MatmulPrepared {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batches: number;
  /** Exact 32-bit integers, or f32. */
  readonly exact: boolean;
  readonly a: Matrix;
  readonly b: Matrix;
  /** Inputs that are added: C0 of M x N, times beta, in every batch or one for all; a bias for every column. Largest magnitudes. */
  readonly addend: { readonly batches: number; readonly peak: number } | null;
  readonly bias: { readonly peak: number } | null;
  readonly tileRows: number;
  readonly tileColumns: number;
  /** Shape of the file, without the batch. */
  readonly shape: readonly number[];
}

export type MatmulJob = JobContext<MatmulParams, MatmulPrepared>;

export const wordBytes = 4;
const typeBytes: Readonly<Record<NumberType, number>> = { f32: 4, f16: 2, i8: 1, i32: 4 };

/** Numbers in a word of a line. */
export const numbersPerWord = (type: NumberType): number => wordBytes / typeBytes[type];

/** Words from one line to the next. */
export const lineWords = ({ type, length }: Pick<Matrix, 'type' | 'length'>): number => Math.ceil(length / numbersPerWord(type));

export const matrixBytes = (matrix: Pick<Matrix, 'type' | 'length' | 'lines' | 'batches'>): number =>
  lineWords(matrix) * wordBytes * matrix.lines * matrix.batches;
