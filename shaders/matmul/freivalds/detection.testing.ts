import { everyCorruption, fivePercent, offByPrime } from './corruptions.testing.ts';
import { createChecker } from './freivalds.ts';
import { arrayOperand } from './operand.ts';
import type { Block, Checker } from './product.ts';
import { entries, generator, halved, type Kind, keyOf, multiplied, orders, type Sizes } from './variants.testing.ts';

/** How many wrong blocks pass, and how many right ones do not. Blocks are cut from larger products, with keys of their own. */

export const INNERS = [64, 1024, 4096] as const;
const TRIALS = 10_000;
const WIDE_TRIALS = 300;
const POOL = { rows: 64, columns: 128 } as const;
export const BLOCK = { rows: 16, columns: 64 } as const;
export const WIDE = { rows: 8, columns: 8192 } as const;

type Values = Float32Array | Int32Array;
const kinds: readonly Kind[] = ['normal', 'positive', 'wide', 'halves', 'shifted'];

interface Pool {
  readonly checker: Checker;
  readonly values: Values;
  readonly sizes: Sizes;
}

/** A block at random rows, of one of the pool's panels, with values of its own. */
function cut({ values, sizes }: Pool, random: () => number): Block {
  const { rows, columns } = BLOCK;
  const first = Math.floor(random() * (sizes.rows - rows + 1));
  const panel = columns * Math.floor(random() * (sizes.columns / columns));
  const block = new (values.constructor as new (length: number) => Values)(rows * columns);
  for (let i = 0; i < rows; i++) block.set(values.subarray((first + i) * sizes.columns + panel, (first + i) * sizes.columns + panel + columns), i * columns);
  return { rows: { first, count: rows }, columns: { first: panel, count: columns }, values: block };
}

interface Operands {
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly sizes: Sizes;
  readonly checker: Checker;
}

function operands(kind: Kind, sizes: Sizes, seed: number): Operands {
  const random = generator(seed);
  const { rows, inner, columns } = sizes;
  const [a, b] = [entries(kind, rows * inner, random), entries(kind, inner * columns, random)];
  const product = {
    a: arrayOperand(a, { rows, columns: inner, lines: 'rows' }),
    b: arrayOperand(b, { rows: inner, columns, lines: 'rows' }),
    output: 'f32',
  } as const;
  return { a, b, sizes, checker: createChecker(product, keyOf(seed)) };
}

function wholePool(sizes: Sizes): Pool {
  const random = generator(sizes.inner);
  const { rows, inner, columns } = sizes;
  const make = (length: number) => Int8Array.from({ length }, () => random() * 256 - 128);
  const [a, b] = [make(rows * inner), make(inner * columns)];
  const values = new Int32Array(rows * columns);
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < inner; k++) for (let j = 0; j < columns; j++) values[i * columns + j]! += a[i * inner + k]! * b[k * columns + j]!;
  const product = {
    a: arrayOperand(a, { rows, columns: inner, lines: 'rows' }),
    b: arrayOperand(b, { rows: inner, columns, lines: 'rows' }),
    output: 'i32',
  } as const;
  return { checker: createChecker(product, keyOf(inner)), values, sizes };
}

/** Each trial has a result key that no other has. */
let keys = 0;
const passes = ({ checker }: Pool, block: Block) => checker.check(block, keyOf(++keys));

function missed(pool: Pool, corrupt: (values: never, sizes: { rows: number; columns: number }, random: () => number) => void, random: () => number): number {
  let count = 0;
  for (let n = 0; n < TRIALS; n++) {
    const block = cut(pool, random);
    corrupt(block.values as never, BLOCK, random);
    if (passes(pool, block).failed === 0) count++;
  }
  return count;
}

export function detectAll(progress: (line: string) => void): Record<string, number> {
  const figures: Record<string, number> = { missed: 0, false_rejects: 0, honest_worst: 0 };
  for (const inner of INNERS) {
    const random = generator(inner);
    const add = (name: string, count: number): void => {
      figures[`missed_${name}_k${inner}`] = count;
      figures.missed! += count;
    };
    const normal = operands('normal', { ...POOL, inner }, inner);
    const pool = { checker: normal.checker, sizes: normal.sizes, values: multiplied(normal.a, normal.b, normal.sizes, orders[1]!) };
    for (const [name, corrupt] of Object.entries({ ...everyCorruption, five_percent: fivePercent })) add(`f32_${name}`, missed(pool, corrupt, random));
    const low = { ...pool, values: multiplied(normal.a.map(halved), normal.b.map(halved), normal.sizes, orders[1]!) };
    add(
      'f32_f16_operands',
      missed(low, () => {}, random),
    );
    add(
      'f32_f16_sums',
      missed({ ...pool, values: multiplied(normal.a, normal.b, normal.sizes, orders[1]!, halved) }, () => {}, random),
    );
    const integers = wholePool({ ...POOL, inner });
    for (const [name, corrupt] of Object.entries({ ...everyCorruption, off_by_prime: offByPrime })) add(`int8_${name}`, missed(integers, corrupt, random));
    progress(`K ${inner}: ${figures.missed} wrong blocks passed so far`);
    Object.assign(figures, honest(inner, integers, random));
    figures.false_rejects! += figures[`false_rejects_k${inner}`]!;
    figures.honest_worst = Math.max(figures.honest_worst!, figures[`honest_worst_k${inner}`]!);
    progress(`K ${inner}: ${figures.false_rejects} right blocks failed so far, worst ${figures.honest_worst!.toFixed(3)}`);
    add('f32_wide_five_percent', wide(inner));
  }
  return { ...figures, ...positiveInHalves() };
}

/** Every order of summation with every kind of operand, and integers. */
function honest(inner: number, integers: Pool, random: () => number): Record<string, number> {
  let [rejects, worst, excused] = [0, 0, 0];
  const each = Math.ceil(TRIALS / (kinds.length * orders.length));
  for (const kind of kinds) {
    const given = operands(kind, { ...POOL, inner }, inner + kind.length);
    for (const order of orders) {
      const pool = { checker: given.checker, sizes: given.sizes, values: multiplied(given.a, given.b, given.sizes, order) };
      for (let n = 0; n < each; n++) {
        const verdict = passes(pool, cut(pool, random));
        if (verdict.failed > 0) rejects++;
        if (verdict.excused > 0) excused++;
        worst = Math.max(worst, verdict.worst);
      }
    }
  }
  for (let n = 0; n < TRIALS; n++) if (passes(integers, cut(integers, random)).failed > 0) rejects++;
  return { [`false_rejects_k${inner}`]: rejects, [`honest_worst_k${inner}`]: worst, [`excused_k${inner}`]: excused };
}

/** One entry of 8192 off by a twentieth of its row's root mean square. */
function wide(inner: number): number {
  const given = operands('normal', { ...WIDE, inner }, inner + 1);
  const values = multiplied(given.a, given.b, given.sizes, orders[1]!);
  const random = generator(inner + 2);
  let count = 0;
  for (let n = 0; n < WIDE_TRIALS; n++) {
    const block = values.slice();
    fivePercent(block, WIDE, random);
    const claim = { rows: { first: 0, count: WIDE.rows }, columns: { first: 0, count: WIDE.columns }, values: block };
    if (given.checker.check(claim, keyOf(++keys)).failed === 0) count++;
  }
  return count;
}

/** Where it is hardest: the sums are far larger than what rounding the operands to f16 does to them. No part of `missed`. */
function positiveInHalves(): Record<string, number> {
  const inner = 4096;
  const given = operands('positive', { ...POOL, inner }, 7);
  const pool = { checker: given.checker, sizes: given.sizes, values: multiplied(given.a.map(halved), given.b.map(halved), given.sizes, orders[1]!) };
  const random = generator(7);
  let count = 0;
  for (let n = 0; n < 1000; n++) if (passes(pool, cut(pool, random)).failed === 0) count++;
  return { missed_of_1000_positive_f16_operands_k4096: count };
}
