import { lineWords, type Matrix, wordBytes } from './params.ts';
import { seedKey, seedNumber } from './seeds.ts';

/** Lines of an operand on the CPU, whatever it comes from: what `check.ts` multiplies. */
export class Lines {
  readonly matrix: Matrix;
  readonly #numbers: Float32Array | Float16Array | Int8Array | Int32Array | null;

  /** Throws when an input is missing or has another size. */
  constructor(matrix: Matrix, bytes: Uint8Array | undefined) {
    this.matrix = matrix;
    const { type, lines, batches, seed } = matrix;
    const wanted = lineWords(matrix) * wordBytes * lines * batches;
    if (!seed && bytes?.byteLength !== wanted) throw new Error(`an operand has ${bytes?.byteLength ?? 'no'} bytes, expected ${wanted}`);
    this.#numbers = seed || !bytes ? null : viewOf(type, bytes);
  }

  /** `count` lines of a batch from `first` on, side by side, each of exactly `length` numbers. Valid until the next call. */
  read(batch: number, first: number, count: number, into: Float32Array | Int32Array): void {
    const { matrix } = this;
    const { length, seed, lines, batches } = matrix;
    const start = (batches === 1 ? 0 : batch * lines) + first;
    if (seed) {
      const key = seedKey(seed.seed);
      for (let line = 0; line < count; line++) {
        let at = (first + line) * seed.lineStep;
        for (let index = 0; index < length; index++, at += seed.step) into[line * length + index] = seedNumber(seed.kind, key, at);
      }
      return;
    }
    const numbers = this.#numbers!;
    const pitch = (lineWords(matrix) * wordBytes) / numbers.BYTES_PER_ELEMENT;
    for (let line = 0; line < count; line++) into.set(numbers.subarray((start + line) * pitch, (start + line) * pitch + length), line * length);
  }
}

/** Numbers of a type in whole words, aligned as inputs are. */
export function viewOf(type: Matrix['type'], { buffer, byteOffset, byteLength }: Uint8Array): Float32Array | Float16Array | Int8Array | Int32Array {
  if (type === 'f32') return new Float32Array(buffer, byteOffset, byteLength / 4);
  if (type === 'i32') return new Int32Array(buffer, byteOffset, byteLength / 4);
  if (type === 'i8') return new Int8Array(buffer, byteOffset, byteLength);
  return new Float16Array(buffer, byteOffset, byteLength / 2);
}
