import type { Space } from './kernels.ts';
import type { Operand, Span } from './operand.ts';

/** Part of an operand in the kernels' memory: `lines` contiguous lines of `length` f32 or i32, the first of them at `x`. */
export interface Tile {
  readonly x: number;
  /** Which lines of the operand, and which of their elements. */
  readonly lines: Span;
  readonly span: Span;
}

/** 256 KiB: two of them stay in the second-level cache beside the vectors. */
const TILE_ELEMENTS = 65_536;

/** Reads operands tile by tile into one place in memory. */
export class Reader {
  readonly #space: Space;
  readonly #tile: number;
  readonly #bytes: number;

  /** Where sums that nobody wants go. */
  readonly nowhere: number;

  /** `longest`: of the vectors of sums. */
  constructor(space: Space, longest: number) {
    this.#space = space;
    this.nowhere = space.takeVector(longest);
    this.#tile = space.take(TILE_ELEMENTS * 4);
    this.#bytes = space.take(TILE_ELEMENTS);
  }

  /** Visits every element of the given rows and columns once. i8 arrives as i32. */
  each(operand: Operand, rows: Span, columns: Span, visit: (tile: Tile) => void): void {
    const [lines, span] = operand.lines === 'rows' ? [rows, columns] : [columns, rows];
    const length = Math.min(span.count, TILE_ELEMENTS);
    const height = Math.max(1, Math.floor(TILE_ELEMENTS / length));
    for (let line = 0; line < lines.count; line += height) {
      for (let from = 0; from < span.count; from += length) {
        const tile = {
          x: this.#tile,
          lines: { first: lines.first + line, count: Math.min(height, lines.count - line) },
          span: { first: span.first + from, count: Math.min(length, span.count - from) },
        };
        this.#read(operand, tile);
        visit(tile);
      }
    }
  }

  #read(operand: Operand, { lines, span }: Tile): void {
    const count = lines.count * span.count;
    if (operand.type !== 'i8') {
      operand.read(lines, span, operand.type === 'f32' ? this.#space.f32(this.#tile, count) : this.#space.i32(this.#tile, count));
      return;
    }
    operand.read(lines, span, this.#space.i8(this.#bytes, count));
    this.#space.kernels.widen(this.#bytes, count, this.#tile);
  }
}
