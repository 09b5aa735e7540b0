import { draw, purposes } from './draws.ts';
import { instantiate, type Kernels, paddedBytes, Space } from './kernels.ts';
import type { Operand, Span } from './operand.ts';
import { assertBlock, type Block, type Checker, claimOf, type Product, type Verdict } from './product.ts';
import { Reader, type Tile } from './tiles.ts';
import { verdictOf } from './verdict.ts';

/** Honest rows stay under 1.1 in units of u sqrt(K) |...|, see README.md. */
const TOLERANCE = 2;

/** Unit roundoffs, the least normal numbers, and how far a sum of independent errors may be off, in standard deviations. */
const UNIT = 2 ** -24;
const TINY = 2 ** -126;
const HALF_UNIT = 2 ** -11;
const HALF_TINY = 2 ** -14;
const SIGMAS = 6;

/** Groups of columns with factors of their own: 16 signs and 8 angles are fresh in every block. */
const GROUPS_MAX = 8;
/** Secret vectors: a sign, and that sign times two numbers in [-1, 1). */
const BASES = 3;
/** How far the two numbers move an entry of r from 1: r is within 1 +- SPREAD sqrt(2), up to its sign. */
const SPREAD = 0.35;

interface Panel {
  readonly groups: readonly Span[];
  /** The bases, `stride` bytes apart. */
  readonly bases: number;
  readonly stride: number;
  /** op(B) times each group's bases: `inner` numbers, `innerStride` bytes apart; and the squares of op(B)'s rows. */
  readonly products: number;
  readonly squares: number;
}

/** Three sums for each row of a block: with the two random vectors, and of weighted squares. */
interface Sums {
  readonly u: number;
  readonly v: number;
  readonly q: number;
}

/** The check of products in floats, see README.md. */
export class FloatChecker implements Checker {
  readonly #product: Product;
  readonly #key: Uint8Array;
  readonly #space: Space;
  readonly #reader: Reader;
  readonly #panels = new Map<string, Panel>();
  readonly #innerStride: number;
  /** What a check works with: r and op(B) r, twice each; ones and zeros; factors; sums of op(A), of C and of C0. */
  readonly #r: readonly [number, number];
  readonly #br: readonly [number, number];
  readonly #ones: number;
  readonly #zeros: number;
  readonly #factors: number;
  #sums: readonly [Sums, Sums, Sums] | null = null;
  #sumsRows = 0;

  constructor(product: Product, jobKey: Uint8Array, kernels: Kernels = instantiate()) {
    const { a, b } = product;
    this.#product = product;
    this.#key = jobKey;
    this.#space = new Space(kernels);
    this.#reader = new Reader(this.#space);
    const longest = Math.max(a.columns, b.columns);
    this.#innerStride = paddedBytes(a.columns);
    this.#r = [this.#space.takeVector(b.columns), this.#space.takeVector(b.columns)];
    this.#br = [this.#space.takeVector(a.columns), this.#space.takeVector(a.columns)];
    this.#ones = this.#space.takeVector(longest);
    this.#zeros = this.#space.takeVector(longest);
    this.#factors = this.#space.takeVector(2 * GROUPS_MAX * BASES);
    this.#space.f64(this.#ones, longest).fill(1);
  }

  get bytes(): number {
    return this.#space.bytes;
  }

  prepare(columns: Span): void {
    this.#panel(columns);
  }

  check(block: Block, resultKey: Uint8Array): Verdict {
    assertBlock(this.#product, block);
    const { a, c0, beta = 0 } = this.#product;
    const panel = this.#panel(block.columns);
    this.#drawVectors(panel, block.columns, resultKey);
    const [ofA, ofC, ofC0] = this.#clearSums(block.rows.count);
    const [u, v] = this.#r;
    const { count } = block.columns;
    this.#multiply(a, block.rows, { first: 0, count: a.columns }, [this.#br[0], this.#br[1], panel.squares], ofA);
    this.#multiply(claimOf(block), { first: 0, count: block.rows.count }, { first: 0, count }, [u, v, this.#ones], ofC);
    if (c0 && beta !== 0) this.#multiply(c0, block.rows, block.columns, [u, v, this.#ones], ofC0);
    return this.#judge(block, ofA, ofC, ofC0);
  }

  /** sums += the operand's part times the vectors, which start at the part's first column. */
  #multiply(operand: Operand, rows: Span, columns: Span, [u, v, w]: readonly [number, number, number], sums: Sums): void {
    const { kernels } = this.#space;
    this.#reader.each(operand, rows, columns, ({ x, lines, span }) => {
      const [row, column] = operand.lines === 'rows' ? [lines, span] : [span, lines];
      const [i, j] = [8 * (row.first - rows.first), 8 * (column.first - columns.first)];
      const kernel = operand.lines === 'rows' ? kernels.dots : kernels.axpys;
      kernel(x, span.count * 4, lines.count, span.count, u + j, v + j, w + j, sums.u + i, sums.v + i, sums.q + i);
    });
  }

  #judge(block: Block, ofA: Sums, ofC: Sums, ofC0: Sums): Verdict {
    const { a, output, alpha = 1, beta = 0 } = this.#product;
    const { rows, columns } = block;
    const views = [ofA, ofC, ofC0].map(({ u, v, q }) => [u, v, q].map((at) => this.#space.f64(at, rows.count)));
    const [[au, av, aq], [cu, cv, cq], [zu, zv, zq]] = views as [Float64Array[], Float64Array[], Float64Array[]];
    const bias = this.#biasSums(columns);
    const inner = a.columns;
    // Scaling, C0 and the bias round a few times more.
    const roundings = alpha !== 1 || beta !== 0 || this.#product.bias ? inner + 4 : inner;
    const flushed = this.#flushed(columns.count);
    return verdictOf(rows.count, (i) => {
      const du = alpha * au![i]! + beta * zu![i]! + bias.u - cu![i]!;
      const dv = alpha * av![i]! + beta * zv![i]! + bias.v - cv![i]!;
      const given = alpha ** 2 * aq![i]! + beta ** 2 * zq![i]! + bias.q;
      const variance = roundings * UNIT ** 2 * (given + cq![i]!) + (output === 'f16' ? HALF_UNIT ** 2 * cq![i]! : 0);
      const tolerance = TOLERANCE * Math.sqrt(variance) + (given > 0 ? flushed : 0);
      const difference = Math.max(Math.abs(du), Math.abs(dv));
      return difference === 0 ? 0 : Number.isFinite(difference) ? difference / tolerance : Infinity;
    });
  }

  /** What a device that flushes subnormals may lose of a row: every product and sum, op(A) and what is stored. op(B)'s share is in the squares. */
  #flushed(columns: number): number {
    const { a, output, alpha = 1 } = this.#product;
    const lost = (2 * a.columns + 4) * TINY + (output === 'f16' ? HALF_TINY : 0);
    const norms = this.#br.map((at) => this.#space.f64(at, a.columns).reduce((sum, x) => sum + Math.abs(x), 0));
    return SIGMAS * Math.sqrt(columns) * lost + Math.abs(alpha) * TINY * Math.max(...norms);
  }

  #biasSums({ first, count }: Span): { u: number; v: number; q: number } {
    const { bias } = this.#product;
    const sums = { u: 0, v: 0, q: 0 };
    if (!bias) return sums;
    const [u, v] = this.#r.map((at) => this.#space.f64(at, count)) as [Float64Array, Float64Array];
    for (let j = 0; j < count; j++) {
      const x = bias[first + j]!;
      sums.u += x * u[j]!;
      sums.v += x * v[j]!;
      sums.q += x * x;
    }
    return sums;
  }

  #clearSums(rows: number): readonly [Sums, Sums, Sums] {
    if (!this.#sums || this.#sumsRows < rows) {
      const take = () => this.#space.takeVector(rows);
      this.#sums = [
        { u: take(), v: take(), q: take() },
        { u: take(), v: take(), q: take() },
        { u: take(), v: take(), q: take() },
      ];
      this.#sumsRows = rows;
    }
    for (const { u, v, q } of this.#sums) for (const at of [u, v, q]) this.#space.f64(at, rows).fill(0);
    return this.#sums;
  }

  /** r, twice, and op(B) r: each group's bases with a fresh sign, and with a fresh angle between the two. */
  #drawVectors({ groups, bases, stride, products }: Panel, columns: Span, resultKey: Uint8Array): void {
    const { kernels } = this.#space;
    const drawn = new Uint32Array(draw(resultKey, purposes.floatFactors, columns.first, columns.count, groups.length * 8));
    const count = groups.length * BASES;
    const factors = this.#space.f64(this.#factors, 2 * count);
    for (let g = 0; g < groups.length; g++) {
      const angle = drawn[2 * g]! * 2 ** -32 * 2 * Math.PI;
      const [x, y] = [SPREAD * Math.cos(angle), SPREAD * Math.sin(angle)];
      const [s, t] = [drawn[2 * g + 1]! & 1 ? 1 : -1, drawn[2 * g + 1]! & 2 ? 1 : -1];
      factors.set([s, s * x, s * y], g * BASES);
      factors.set([t, -t * y, t * x], count + g * BASES);
    }
    for (const which of [0, 1] as const) {
      const from = this.#factors + 8 * which * count;
      groups.forEach(({ first, count: length }, g) => {
        kernels.combine(bases + 8 * first, stride, BASES, from + 8 * BASES * g, length, this.#r[which] + 8 * first);
      });
      kernels.combine(products, this.#innerStride, count, from, this.#product.a.columns, this.#br[which]);
    }
  }

  #panel(columns: Span): Panel {
    const name = `${columns.first}+${columns.count}`;
    const known = this.#panels.get(name);
    if (known) return known;
    // Multiples of eight, so that what `combine` rounds up to stays in the group.
    const width = 8 * Math.ceil(columns.count / (8 * GROUPS_MAX));
    const groups: Span[] = [];
    for (let first = 0; first < columns.count; first += width) groups.push({ first, count: Math.min(width, columns.count - first) });
    const stride = paddedBytes(columns.count);
    const panel: Panel = {
      groups,
      stride,
      bases: this.#space.take(BASES * stride),
      products: this.#space.take(groups.length * BASES * this.#innerStride),
      squares: this.#space.take(this.#innerStride),
    };
    this.#drawBases(panel, columns);
    this.#multiplyBases(panel, columns);
    const squares = this.#space.f64(panel.squares, this.#product.a.columns);
    // Rows that are not zero may have subnormals, which a device may flush.
    const flushed = columns.count * ((SIGMAS * TINY) / (TOLERANCE * UNIT)) ** 2;
    for (let k = 0; k < squares.length; k++) if (squares[k]! > 0) squares[k]! += flushed;
    this.#panels.set(name, panel);
    return panel;
  }

  #drawBases({ bases, stride }: Panel, { first, count }: Span): void {
    const drawn = new Int32Array(draw(this.#key, purposes.floatBases, first, count, count * 12));
    const [signs, ones, twos] = [0, 1, 2].map((b) => this.#space.f64(bases + b * stride, count)) as [Float64Array, Float64Array, Float64Array];
    for (let j = 0; j < count; j++) {
      signs[j] = drawn[3 * j]! < 0 ? -1 : 1;
      ones[j] = signs[j]! * drawn[3 * j + 1]! * 2 ** -31;
      twos[j] = signs[j]! * drawn[3 * j + 2]! * 2 ** -31;
    }
  }

  #multiplyBases({ groups, bases, stride, products, squares }: Panel, columns: Span): void {
    const { b } = this.#product;
    const { kernels } = this.#space;
    const nowhere = this.#space.take(this.#innerStride);
    const visit = ({ x, lines, span }: Tile): void => {
      const [row, column] = b.lines === 'rows' ? [lines, span] : [span, lines];
      groups.forEach((group, g) => {
        const from = Math.max(group.first, column.first - columns.first);
        const count = Math.min(group.first + group.count, column.first - columns.first + column.count) - from;
        if (count <= 0) return;
        const skipped = from - (column.first - columns.first);
        const at = (base: number): number => bases + base * stride + 8 * from;
        const out = (base: number): number => products + (g * BASES + base) * this.#innerStride + 8 * row.first;
        const call = (w: number, q: number, u: number, v: number, yu: number, yv: number): void =>
          b.lines === 'rows'
            ? kernels.dots(x + 4 * skipped, span.count * 4, lines.count, count, u, v, w, yu, yv, q)
            : kernels.axpys(x + 4 * skipped * span.count, span.count * 4, count, span.count, u, v, w, yu, yv, q);
        call(this.#ones, squares + 8 * row.first, at(0), at(1), out(0), out(1));
        call(this.#zeros, nowhere, at(2), this.#zeros, out(2), nowhere);
      });
    };
    this.#reader.each(b, { first: 0, count: b.rows }, columns, visit);
  }
}
