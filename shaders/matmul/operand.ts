import type { Elements, Operand, Span } from './freivalds/operand.ts';
import { lineWords, type MatmulJob, type Matrix, wordBytes } from './params.ts';
import { seedKey, seedNumber } from './seeds.ts';

/** An operand on the CPU, whatever it comes from: what `check.ts` multiplies with. */

/** One batch of op(A) or op(B). Throws when the input is missing or has another size. */
export function operandOf(matrix: Matrix, side: 'a' | 'b', input: Uint8Array | undefined, batch: number): Operand {
  const { along, lines, length, type } = matrix;
  const areRows = (side === 'a') === (along === 'inner');
  return {
    rows: areRows ? lines : length,
    columns: areRows ? length : lines,
    lines: areRows ? 'rows' : 'columns',
    type: type === 'f16' ? 'f32' : type,
    read: matrix.seed ? seedReader(matrix.seed) : inputReader(matrix, input, batch),
  };
}

function seedReader({ seed, kind, lineStep, step }: NonNullable<Matrix['seed']>): Operand['read'] {
  const key = seedKey(seed);
  return (lines, span, into) => {
    for (let line = 0; line < lines.count; line++) {
      let at = (lines.first + line) * lineStep + span.first * step;
      const first = line * span.count;
      for (let index = 0; index < span.count; index++, at += step) into[first + index] = seedNumber(kind, key, at);
    }
  };
}

function inputReader(matrix: Matrix, input: Uint8Array | undefined, batch: number): Operand['read'] {
  const { type, lines, batches } = matrix;
  const pitchBytes = lineWords(matrix) * wordBytes;
  const wanted = pitchBytes * lines * batches;
  if (input?.byteLength !== wanted) throw new Error(`an operand has ${input?.byteLength ?? 'no'} bytes, expected ${wanted}`);
  const numbers = viewOf(type, input);
  const pitch = pitchBytes / numbers.BYTES_PER_ELEMENT;
  const start = batches === 1 ? 0 : batch * lines;
  return (wantedLines: Span, span: Span, into: Elements) => {
    for (let line = 0; line < wantedLines.count; line++) {
      const from = (start + wantedLines.first + line) * pitch + span.first;
      into.set(numbers.subarray(from, from + span.count), line * span.count);
    }
  };
}

/** Numbers of a type in whole words, aligned as inputs are. */
export function viewOf(type: Matrix['type'], { buffer, byteOffset, byteLength }: Uint8Array): Float32Array | Float16Array | Int8Array | Int32Array {
  if (type === 'f32') return new Float32Array(buffer, byteOffset, byteLength / 4);
  if (type === 'i32') return new Int32Array(buffer, byteOffset, byteLength / 4);
  if (type === 'i8') return new Int8Array(buffer, byteOffset, byteLength);
  return new Float16Array(buffer, byteOffset, byteLength / 2);
}

export type Inputs = Readonly<Record<string, Uint8Array>>;

/** Everything that a batch's product is made of. */
export interface Terms {
  readonly a: Operand;
  readonly b: Operand;
  readonly addend: Operand | null;
  readonly bias: Float32Array | Int32Array | null;
}

/** Throws when an input is missing or has another size. */
export function termsOf({ prepared }: MatmulJob, inputs: Inputs, batch: number): Terms {
  const { a, b, m, n, exact, addend, bias } = prepared;
  const added: Matrix | null = addend && {
    type: exact ? 'i32' : 'f32',
    along: 'inner',
    lines: m,
    length: n,
    batches: addend.batches,
    seed: null,
    peak: addend.peak,
    rms: 0,
  };
  return {
    a: operandOf(a, 'a', inputs.a, batch),
    b: operandOf(b, 'b', inputs.b, batch),
    addend: added && operandOf(added, 'a', inputs.addend, batch),
    bias: bias && numbersOf(inputs.bias, n, exact),
  };
}

function numbersOf(bytes: Uint8Array | undefined, count: number, exact: boolean): Float32Array | Int32Array {
  if (bytes?.byteLength !== count * wordBytes) throw new Error(`the bias has ${bytes?.byteLength ?? 'no'} bytes, expected ${count * wordBytes}`);
  return exact ? new Int32Array(bytes.buffer, bytes.byteOffset, count) : new Float32Array(bytes.buffer, bytes.byteOffset, count);
}
