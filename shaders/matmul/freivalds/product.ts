import { arrayOperand, type Operand, type Span } from './operand.ts';

/** C = alpha op(A) op(B) + beta C0 + bias: `a` is rows x inner, `b` inner x columns, `bias` one number a column. */
export interface Product {
  readonly a: Operand;
  readonly b: Operand;
  /** What C was rounded to; f16 comes to the check widened. Only products of which no entry, and no sum on the way, can leave its range. */
  readonly output: 'f32' | 'f16' | 'i32';
  /** 1 unless given; for integers an integer. */
  readonly alpha?: number;
  readonly beta?: number;
  readonly c0?: Operand;
  readonly bias?: Float32Array | Int32Array;
}

/** What a contributor claims: a block of C, row by row. */
export interface Block {
  readonly rows: Span;
  readonly columns: Span;
  readonly values: Float32Array | Int32Array;
}

export interface Verdict {
  /** Rows checked: all of the block's. */
  readonly rows: number;
  /** Rows that are wrong. */
  readonly failed: number;
  /** Rows beyond their tolerance that are right, because honest errors of such operands are larger. */
  readonly excused: number;
  /** The first of them, counted from the block's first row, at most `WRONG_ROWS_MAX`. */
  readonly wrong: readonly number[];
  /** The largest difference over its tolerance, 1 where rows are excused: above 1 is wrong, Infinity where it is not finite. Of integers 0 or Infinity. */
  readonly worst: number;
}

export const WRONG_ROWS_MAX = 64;

/** Checks blocks of one product. Holds secrets: one job, one thread. */
export interface Checker {
  /** Computes what is kept for these columns of C, reading all their columns of op(B) once. `check` does it where it has not been done. */
  prepare(columns: Span): void;
  /**
   * `resultKey`: 32 bytes that nobody could know before the block was committed to, and that are used for no other block. Throws
   * `RangeError` for a block outside C or with another number of values.
   */
  check(block: Block, resultKey: Uint8Array): Verdict;
  /** Memory held. */
  readonly bytes: number;
}

/** The claim, read like an operand. */
export const claimOf = ({ rows, columns, values }: Block): Operand => arrayOperand(values, { rows: rows.count, columns: columns.count, lines: 'rows' });

export function assertBlock({ a, b }: Product, { rows, columns, values }: Block): void {
  const inside = rows.first >= 0 && columns.first >= 0 && rows.first + rows.count <= a.rows && columns.first + columns.count <= b.columns;
  if (!inside || rows.count < 1 || columns.count < 1)
    throw new RangeError(`rows ${rows.first}+${rows.count}, columns ${columns.first}+${columns.count} of a matrix of ${a.rows} x ${b.columns}`);
  if (values.length !== rows.count * columns.count) throw new RangeError(`a block of ${rows.count} x ${columns.count} has ${values.length} values`);
}

export function assertProduct({ a, b, c0, bias, output }: Product): void {
  if (a.columns !== b.rows || a.columns < 1) throw new RangeError(`${a.rows} x ${a.columns} times ${b.rows} x ${b.columns}`);
  if (c0 && (c0.rows !== a.rows || c0.columns !== b.columns)) throw new RangeError(`C0 is ${c0.rows} x ${c0.columns}`);
  if (bias && bias.length !== b.columns) throw new RangeError(`${bias.length} biases for ${b.columns} columns`);
  const whole = output === 'i32';
  for (const operand of [a, b, ...(c0 ? [c0] : [])]) if ((operand.type === 'f32') === whole) throw new RangeError(`${operand.type} in a product of ${output}`);
  if (bias && bias instanceof Int32Array !== whole) throw new RangeError('biases are of the type of C');
}
