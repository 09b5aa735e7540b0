import type { Sizes } from './variants.testing.ts';

/** Ways to hand in something wrong: each changes a block of `rows` x `columns` in place. `random` in [0, 1). */
type Corruption<T> = (values: T, sizes: Pick<Sizes, 'rows' | 'columns'>, random: () => number) => void;

const below = (random: () => number, limit: number): number => Math.floor(random() * limit);

function rootMeanSquare(values: Float32Array | Int32Array): number {
  let sum = 0;
  for (const value of values) sum += value ** 2;
  return Math.sqrt(sum / values.length);
}

function swapRows(values: Float32Array | Int32Array, { rows, columns }: Pick<Sizes, 'rows' | 'columns'>, random: () => number): void {
  const first = below(random, rows);
  const second = (first + 1 + below(random, rows - 1)) % rows;
  const kept = values.slice(first * columns, (first + 1) * columns);
  values.copyWithin(first * columns, second * columns, (second + 1) * columns);
  values.set(kept, second * columns);
}

function swapColumns(values: Float32Array | Int32Array, { rows, columns }: Pick<Sizes, 'rows' | 'columns'>, random: () => number): void {
  const first = below(random, columns);
  const second = (first + 1 + below(random, columns - 1)) % columns;
  for (let row = 0; row < rows; row++) {
    const [left, right] = [row * columns + first, row * columns + second];
    [values[left], values[right]] = [values[right]!, values[left]!];
  }
}

function zeroTile(values: Float32Array | Int32Array, { rows, columns }: Pick<Sizes, 'rows' | 'columns'>, random: () => number): void {
  const [height, width] = [Math.ceil(rows / 2), Math.ceil(columns / 2)];
  const [top, left] = [below(random, rows - height + 1), below(random, columns - width + 1)];
  for (let row = top; row < top + height; row++) values.fill(0, row * columns + left, row * columns + left + width);
}

export const everyCorruption: Readonly<Record<string, Corruption<Float32Array | Int32Array>>> = {
  sign_flip: (values, _, random) => {
    let at = below(random, values.length);
    while (values[at] === 0) at = below(random, values.length);
    values[at]! *= -1;
  },
  rows_swapped: swapRows,
  columns_swapped: swapColumns,
  zeroed_tile: zeroTile,
  all_zero: (values) => values.fill(0),
};

/** One entry off by a twentieth of its row's root mean square. */
export const fivePercent: Corruption<Float32Array> = (values, { columns }, random) => {
  const at = below(random, values.length);
  const row = Math.floor(at / columns);
  values[at]! += (random() < 0.5 ? -0.05 : 0.05) * rootMeanSquare(values.subarray(row * columns, (row + 1) * columns));
};

/** One entry off by a prime, 2^31 - 1 or a small one, or by 1: what other checks compute modulo. */
export const offByPrime: Corruption<Int32Array> = (values, _, random) => {
  const at = below(random, values.length);
  const prime = [2 ** 31 - 1, 65_521, 1][below(random, 3)]!;
  values[at] = values[at]! >= 0 ? values[at]! - prime : values[at]! + prime;
};
