import { draw, purposes } from './draws.ts';
import { instantiate, type Kernels, paddedBytes, Space } from './kernels.ts';
import { arrayOperand, type Operand, type Span } from './operand.ts';
import { assertBlock, type Block, type Checker, claimOf, type Product, type Verdict } from './product.ts';
import { Reader } from './tiles.ts';
import { verdictOf } from './verdict.ts';

/** Secret vectors, combined with fresh factors for every block. */
const BASES = 4;

interface Panel {
  /** The bases, `stride` bytes apart, and op(B) times each, `innerStride` bytes apart: 64 bits an entry. */
  readonly bases: number;
  readonly stride: number;
  readonly products: number;
}

/** A vector of 64-bit numbers in two halves, as the kernels take it. */
interface Halves {
  readonly low: number;
  readonly high: number;
}

/** The check of products of integers, modulo 2^64, see README.md. */
export class WholeChecker implements Checker {
  readonly #product: Product;
  readonly #key: Uint8Array;
  readonly #space: Space;
  readonly #reader: Reader;
  readonly #panels = new Map<string, Panel>();
  readonly #innerStride: number;
  readonly #r: Halves;
  readonly #br: Halves;
  readonly #factors: number;
  /** Halves of the bases of the panel that is being made. */
  readonly #halves: number;
  #sums: readonly [number, number, number] | null = null;
  #sumsRows = 0;

  constructor(product: Product, jobKey: Uint8Array, kernels: Kernels = instantiate()) {
    const { a, b } = product;
    this.#product = product;
    this.#key = jobKey;
    this.#space = new Space(kernels);
    this.#reader = new Reader(this.#space, 1);
    this.#innerStride = paddedBytes(a.columns);
    this.#r = { low: this.#space.takeVector(b.columns), high: this.#space.takeVector(b.columns) };
    this.#br = { low: this.#space.takeVector(a.columns), high: this.#space.takeVector(a.columns) };
    this.#factors = this.#space.takeVector(BASES);
    this.#halves = this.#space.take(BASES * paddedBytes(b.columns));
  }

  get bytes(): number {
    return this.#space.bytes;
  }

  prepare(columns: Span): void {
    this.#panel(columns);
  }

  check(block: Block, resultKey: Uint8Array): Verdict {
    assertBlock(this.#product, block);
    const { a, c0, bias, alpha = 1, beta = 0 } = this.#product;
    const { rows, columns } = block;
    const panel = this.#panel(columns);
    this.#drawVectors(panel, columns, resultKey);
    const [ofA, ofC, ofC0] = this.#clearSums(rows.count);
    this.#multiply(a, rows, { first: 0, count: a.columns }, this.#br, ofA);
    this.#multiply(claimOf(block), { first: 0, count: rows.count }, { first: 0, count: columns.count }, this.#r, ofC);
    if (c0 && beta !== 0) this.#multiply(c0, rows, columns, this.#r, ofC0);
    const [products, claims, before] = [ofA, ofC, ofC0].map((at) => this.#space.i64(at, rows.count)) as [BigInt64Array, BigInt64Array, BigInt64Array];
    const [scale, keep] = [BigInt(alpha), BigInt(beta)];
    const added = bias ? this.#dotBias(bias as Int32Array, columns) : 0n;
    const ratios = new Float64Array(rows.count);
    for (let i = 0; i < rows.count; i++) {
      const difference = scale * products[i]! + keep * before[i]! + added - claims[i]!;
      ratios[i] = BigInt.asIntN(64, difference) === 0n ? 0 : Infinity;
    }
    return verdictOf(ratios);
  }

  #dotBias(bias: Int32Array, columns: Span): bigint {
    const sums = this.#space.i64(this.#reader.nowhere, 1);
    sums[0] = 0n;
    const row = arrayOperand(bias, { rows: 1, columns: bias.length, lines: 'rows' });
    this.#multiply(row, { first: 0, count: 1 }, columns, this.#r, this.#reader.nowhere);
    return sums[0]!;
  }

  #multiply(operand: Operand, rows: Span, columns: Span, { low, high }: Halves, sums: number): void {
    const { kernels } = this.#space;
    this.#reader.each(operand, rows, columns, ({ x, lines, span }) => {
      const [row, column] = operand.lines === 'rows' ? [lines, span] : [span, lines];
      const j = 4 * (column.first - columns.first);
      const kernel = operand.lines === 'rows' ? kernels.wholeDots : kernels.wholeAxpys;
      kernel(x, span.count * 4, lines.count, span.count, low + j, high + j, sums + 8 * (row.first - rows.first));
    });
  }

  #clearSums(rows: number): readonly [number, number, number] {
    if (!this.#sums || this.#sumsRows < rows) {
      // Doubled, because what was there before is not freed.
      this.#sumsRows = Math.min(2 * rows, this.#product.a.rows);
      const take = () => this.#space.takeVector(this.#sumsRows);
      this.#sums = [take(), take(), take()];
    }
    for (const at of this.#sums) this.#space.i64(at, rows).fill(0n);
    return this.#sums;
  }

  #drawVectors({ bases, stride, products }: Panel, { first, count }: Span, resultKey: Uint8Array): void {
    const { kernels } = this.#space;
    const factors = new BigInt64Array(draw(resultKey, purposes.wholeFactors, first, count, BASES * 8));
    // Odd, so that the combination is as evenly distributed as a base.
    factors[0]! |= 1n;
    this.#space.i64(this.#factors, BASES).set(factors);
    kernels.wholeCombine(bases, stride, BASES, this.#factors, count, this.#r.low, this.#r.high);
    kernels.wholeCombine(products, this.#innerStride, BASES, this.#factors, this.#product.a.columns, this.#br.low, this.#br.high);
  }

  #panel(columns: Span): Panel {
    const name = `${columns.first}+${columns.count}`;
    const known = this.#panels.get(name);
    if (known) return known;
    const stride = paddedBytes(columns.count);
    const panel = { stride, bases: this.#space.take(BASES * stride), products: this.#space.take(BASES * this.#innerStride) };
    const drawn = new BigInt64Array(draw(this.#key, purposes.wholeBases, columns.first, columns.count, BASES * columns.count * 8));
    for (let base = 0; base < BASES; base++)
      this.#space.i64(panel.bases + base * stride, columns.count).set(drawn.subarray(base * columns.count, (base + 1) * columns.count));
    this.#multiplyBases(panel, columns);
    this.#panels.set(name, panel);
    return panel;
  }

  #multiplyBases({ bases, stride, products }: Panel, columns: Span): void {
    const { b } = this.#product;
    const { kernels } = this.#space;
    const half = paddedBytes(columns.count) / 2;
    const halves = Array.from({ length: BASES }, (_, base) => {
      const at = { low: this.#halves + 2 * base * half, high: this.#halves + (2 * base + 1) * half };
      this.#space.i64(this.#factors, 1)[0] = 1n;
      kernels.wholeCombine(bases + base * stride, stride, 1, this.#factors, columns.count, at.low, at.high);
      return at;
    });
    this.#reader.each(b, { first: 0, count: b.rows }, columns, ({ x, lines, span }) => {
      const [row, column] = b.lines === 'rows' ? [lines, span] : [span, lines];
      const j = 4 * (column.first - columns.first);
      const kernel = b.lines === 'rows' ? kernels.wholeDots : kernels.wholeAxpys;
      halves.forEach(({ low, high }, base) => {
        kernel(x, span.count * 4, lines.count, span.count, low + j, high + j, products + base * this.#innerStride + 8 * row.first);
      });
    });
  }
}
