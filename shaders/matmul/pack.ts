import { InputError } from '../../shared/workload.ts';
import { productLimits } from './limits.ts';
import { viewOf } from './operand.ts';
import { lineWords, type Matrix, matrixBytes, type NumberType } from './params.ts';
import type { Source } from './source.ts';

/** How a source becomes an operand: the type that both operands have, which index runs along a line, and its bytes. */

/** Floats of 2^24 hold every whole number up to it. */
const EXACT_FLOAT_MAX = 2 ** 24;

/** The type that two matrices are multiplied in. Throws `InputError` where whole numbers would lose digits. */
export function commonType(a: Source, b: Source, exact: boolean): NumberType {
  if (exact) return a.narrow === 'i8' && b.narrow === 'i8' ? 'i8' : 'i32';
  if (a.narrow === 'f16' && b.narrow === 'f16') return 'f16';
  for (const { field, whole, peak } of [a, b])
    if (whole && peak > EXACT_FLOAT_MAX)
      throw new InputError(
        field,
        `It has whole numbers up to ${peak}, which floats do not hold, and something else here has fractions.`,
        `up to ${EXACT_FLOAT_MAX}`,
      );
  return 'f32';
}

/** Rows of A lie along K, those of B along N. Bytes are multiplied four at a time along K, so there lines run along K whatever the file does. */
function directionOf(source: Source, side: 'a' | 'b', type: NumberType): Matrix['along'] {
  if (type === 'i8') return 'inner';
  const isRowwise = source.steps.column === 1 || source.steps.row !== 1;
  return (side === 'a') === isRowwise ? 'inner' : 'outer';
}

/** op(A) as M x K, or op(B) as K x N. Throws `InputError` when contributors' devices could not bind it. */
export function matrixOf(source: Source, side: 'a' | 'b', type: NumberType): Matrix {
  const { rows, columns, batches, steps, numbers, peak, rms, field } = source;
  const along = directionOf(source, side, type);
  const linesAreRows = (side === 'a') === (along === 'inner');
  const [lines, length] = linesAreRows ? [rows, columns] : [columns, rows];
  const seed = 'seed' in numbers ? { ...numbers, lineStep: linesAreRows ? steps.row : steps.column, step: linesAreRows ? steps.column : steps.row } : null;
  const matrix: Matrix = { type, along, lines, length, batches: batches ?? 1, seed, peak, rms };
  const bytes = seed ? 0 : matrixBytes(matrix);
  if (bytes > productLimits.packedBytesMax)
    throw new InputError(field, `As numbers of type ${type} it takes ${bytes} bytes on every device.`, `at most ${productLimits.packedBytesMax} bytes`);
  return matrix;
}

/** The input of an operand that comes from a file: its lines, each filled up to whole words. */
export function packOperand({ numbers, steps }: Source, side: 'a' | 'b', matrix: Matrix): Uint8Array {
  if ('seed' in numbers) throw new Error('a seed needs no bytes');
  const { type, along, lines, length, batches } = matrix;
  const linesAreRows = (side === 'a') === (along === 'inner');
  const [lineStep, step] = linesAreRows ? [steps.row, steps.column] : [steps.column, steps.row];
  const bytes = new Uint8Array(matrixBytes(matrix));
  const out = viewOf(type, bytes);
  const pitch = (lineWords(matrix) * 4) / out.BYTES_PER_ELEMENT;
  for (let line = 0; line < lines * batches; line++) {
    let at = Math.floor(line / lines) * steps.batch + (line % lines) * lineStep;
    const first = line * pitch;
    for (let index = 0; index < length; index++, at += step) out[first + index] = numbers[at]!;
  }
  return bytes;
}
