import { InputError } from '../../shared/workload.ts';
import { productLimits } from './limits.ts';
import type { SeedKind } from './params.ts';
import { seedFacts, seedKey, seedNumber } from './seeds.ts';

/** What a file holds or a seed stands for, before it is packed: rows x columns, `batches` times. Only `prepare.ts` and what it calls see it. */

export interface Source {
  /** The field that it came by. */
  readonly field: string;
  readonly rows: number;
  readonly columns: number;
  /** Null: a matrix, without a batch. */
  readonly batches: number | null;
  /** Whole numbers, to be multiplied exactly. */
  readonly whole: boolean;
  /** The element type its numbers are exact in, if it is a small one. */
  readonly narrow: 'f16' | 'i8' | null;
  readonly peak: number;
  readonly rms: number;
  /** Number (batch, row, column) is number batch x steps.batch + row x steps.row + column x steps.column of the file, or of the seed. */
  readonly steps: { readonly row: number; readonly column: number; readonly batch: number };
  readonly numbers: Numbers | { readonly seed: number; readonly kind: SeedKind };
}

export type Numbers = Float32Array | Float64Array | Int8Array | Uint8Array | Int32Array;

/** The same, seen with its rows as columns. */
export function transposed(source: Source): Source {
  const { rows: columns, columns: rows, steps } = source;
  return { ...source, rows, columns, steps: { ...steps, row: steps.column, column: steps.row } };
}

export function seedSource(field: string, seed: number, kind: SeedKind, rows: number, columns: number): Source {
  if (rows * columns > productLimits.seedEntriesMax)
    throw new InputError(field, `${rows} x ${columns} are ${rows * columns} random numbers.`, `at most ${productLimits.seedEntriesMax}`);
  return {
    field,
    rows,
    columns,
    batches: null,
    whole: kind === 'i8',
    narrow: kind === 'f32' ? null : kind,
    ...seedFacts[kind],
    steps: { row: columns, column: 1, batch: 0 },
    numbers: { seed, kind },
  };
}

type Shape = Pick<Source, 'rows' | 'columns' | 'batches' | 'steps'>;

/** Measures numbers. `half`: they were read from f16. Throws `InputError` for one that is not finite, or beyond f32. */
export function denseSource(field: string, shape: Shape, numbers: Numbers, half = false): Source {
  let [low, high, squares] = [0, 0, 0];
  for (let at = 0; at < numbers.length; at++) {
    const value = numbers[at]!;
    if (!(Math.abs(value) <= FLOAT_MAX)) throw new InputError(field, `Number ${at + 1} of ${numbers.length} is ${value}.`, 'finite numbers, below 3.4e38');
    if (value < low) low = value;
    if (value > high) high = value;
    squares += value * value;
  }
  const whole = !(numbers instanceof Float32Array || numbers instanceof Float64Array);
  const isByte = whole && low >= -128 && high <= 127;
  return { field, ...shape, whole, narrow: isByte ? 'i8' : half ? 'f16' : null, peak: Math.max(-low, high), rms: Math.sqrt(squares / numbers.length), numbers };
}

/** Largest finite f32. */
export const FLOAT_MAX = (2 - 2 ** -23) * 2 ** 127;

/** Reads rows one after the other, whatever they come from. */
export function rowReader({ numbers, steps, columns }: Source): (batch: number, row: number, into: Float64Array) => void {
  const key = 'seed' in numbers ? seedKey(numbers.seed) : 0;
  return (batch, row, into) => {
    let at = batch * steps.batch + row * steps.row;
    for (let column = 0; column < columns; column++, at += steps.column) into[column] = 'seed' in numbers ? seedNumber(numbers.kind, key, at) : numbers[at]!;
  };
}
