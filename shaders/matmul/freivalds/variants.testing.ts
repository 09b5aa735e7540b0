/** Honest f32 products as other kernels make them, and dishonest ones. */

/** How a kernel adds up the `inner` products of an entry: runs of f32 sums, which are then added in order or in pairs. */
export interface Order {
  readonly name: string;
  readonly fused?: boolean;
  readonly pairs?: boolean;
  runs(inner: number): readonly Run[];
}

interface Run {
  readonly first: number;
  readonly step: number;
  readonly count: number;
}

const pieces = (inner: number, length: number): Run[] =>
  Array.from({ length: Math.ceil(inner / length) }, (_, piece) => ({ first: piece * length, step: 1, count: Math.min(length, inner - piece * length) }));
const strided = (inner: number, lanes: number): Run[] =>
  Array.from({ length: Math.min(lanes, inner) }, (_, lane) => ({ first: lane, step: lanes, count: Math.ceil((inner - lane) / lanes) }));
const blocked = (length: number): Order => ({ name: `blocks of ${length}`, runs: (inner) => pieces(inner, length) });

export const orders: readonly Order[] = [
  { name: 'sequential', runs: (inner) => pieces(inner, inner) },
  { name: 'fused', fused: true, runs: (inner) => pieces(inner, inner) },
  { name: 'backwards', runs: (inner) => [{ first: inner - 1, step: -1, count: inner }] },
  blocked(4),
  blocked(8),
  blocked(16),
  blocked(32),
  { name: 'fused blocks of 16', fused: true, runs: (inner) => pieces(inner, 16) },
  { name: 'pairs', pairs: true, runs: (inner) => pieces(inner, 1) },
  { name: '4 lanes', pairs: true, runs: (inner) => strided(inner, 4) },
  { name: 'split in 4', runs: (inner) => pieces(inner, Math.ceil(inner / 4)) },
];

export interface Sizes {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

/** A B of row-major matrices with every operation rounded to f32. `round`: what sums are rounded to besides. */
export function multiplied(a: Float32Array, b: Float32Array, { rows, inner, columns }: Sizes, order: Order, round?: (x: number) => number): Float32Array {
  const c = new Float32Array(rows * columns);
  const runs = order.runs(inner);
  for (let i = 0; i < rows; i++) {
    /** Of runs in pairs: [how many runs, sums]. */
    const stack: [number, Float32Array][] = [];
    const total = c.subarray(i * columns, (i + 1) * columns);
    for (const run of runs) {
      const sums = summed(a.subarray(i * inner, (i + 1) * inner), b, columns, run, order.fused ?? false, round);
      if (!order.pairs) {
        for (let j = 0; j < columns; j++) total[j]! += sums[j]!;
        continue;
      }
      let top: [number, Float32Array] = [1, sums];
      while (stack.at(-1)?.[0] === top[0]) top = merged(stack.pop()!, top);
      stack.push(top);
    }
    if (order.pairs) total.set(stack.reduceRight((right, left) => merged(left, right))[1]);
  }
  return c;
}

function merged([m, left]: [number, Float32Array], [n, right]: [number, Float32Array]): [number, Float32Array] {
  for (let j = 0; j < left.length; j++) left[j]! += right[j]!;
  return [m + n, left];
}

function summed(row: Float32Array, b: Float32Array, columns: number, { first, step, count }: Run, fused: boolean, round?: (x: number) => number): Float32Array {
  const sums = new Float32Array(columns);
  for (let n = 0, k = first; n < count; n++, k += step) {
    const x = row[k]!;
    const at = k * columns;
    // A product of two f32 is exact in f64, and the sum is rounded once more on its way into f32: within a hair of fused.
    if (fused) for (let j = 0; j < columns; j++) sums[j]! += x * b[at + j]!;
    else for (let j = 0; j < columns; j++) sums[j]! += Math.fround(x * b[at + j]!);
    if (round) for (let j = 0; j < columns; j++) sums[j] = round(sums[j]!);
  }
  return sums;
}

/** Rounds to the eleven bits of f16, by Dekker's splitting; its range is left out. */
export function halved(x: number): number {
  const far = x * (2 ** 42 + 1);
  return far - (far - x);
}

/** Small generator of reproducible test data: mulberry32. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) * 2 ** -32;
  };
}

export type Kind = 'normal' | 'positive' | 'wide' | 'halves' | 'shifted';

/** Entries of test operands. `wide` spans six decades. */
export function entries(kind: Kind, count: number, random: () => number): Float32Array {
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const make: Record<Kind, () => number> = {
    normal,
    positive: random,
    wide: () => normal() * 10 ** (6 * random() - 3),
    halves: () => halved(normal()),
    shifted: () => 3 + normal(),
  };
  return Float32Array.from({ length: count }, make[kind]);
}

/** 32 bytes of a number. */
export function keyOf(number: number): Uint8Array {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setUint32(0, number, true);
  return key;
}
