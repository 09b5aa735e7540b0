import { honestScale } from './exact.ts';
import { BASES, createPanel, drawVectors, type FloatPanel, type FloatVectors, GROUPS_MAX } from './floatPanels.ts';
import { instantiate, type Kernels, Space } from './kernels.ts';
import type { Operand, Span } from './operand.ts';
import { assertBlock, type Block, type Checker, claimOf, type Product, type Verdict } from './product.ts';
import { Reader } from './tiles.ts';
import { verdictOf } from './verdict.ts';

/** Of the honest error's scale; what honest rows reach is in README.md. */
const TOLERANCE = 2;

/** Unit roundoffs, the least normal numbers, and how far a sum of independent errors may be off, in standard deviations. */
const UNIT = 2 ** -24;
const TINY = 2 ** -126;
const HALF_UNIT = 2 ** -11;
const HALF_TINY = 2 ** -14;
const SIGMAS = 6;

/** Roundings of the check itself, whose sums are of sixteen in f32. */
const OWN_ROUNDINGS = 16;
/** A row that fails is right within so many times the honest error of its operands. */
const EXCUSED_SIGMAS = 8;
/** Scaling, C0 and the bias. */
const EXTRA_ROUNDINGS = 4;
/** Sums of squares outside of this are made again in f64: f32 may have overflowed or lost something. */
const SQUARES = { least: 2 ** -90, most: 2 ** 90 } as const;

/** Three vectors, `width` bytes an entry. */
interface Vectors {
  readonly u: number;
  readonly v: number;
  readonly w: number;
  readonly width: 4 | 8;
}

/** Three sums for each row of a block, f64: with the two random vectors, and of weighted squares. */
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
  readonly #panels = new Map<string, FloatPanel>();
  readonly #vectors: FloatVectors;
  /** r and op(B) r in f32, weights of one in f64 and f32. */
  readonly #narrow: FloatVectors;
  readonly #ones: readonly [wide: number, narrow: number];
  readonly #factors: number;
  #sums: readonly [Sums, Sums, Sums] | null = null;
  #sumsRows = 0;

  constructor(product: Product, jobKey: Uint8Array, kernels: Kernels = instantiate()) {
    const { a, b } = product;
    this.#product = product;
    this.#key = jobKey;
    const space = new Space(kernels);
    this.#space = space;
    this.#reader = new Reader(space, Math.max(a.columns, a.rows));
    const pair = (length: number) => [space.takeVector(length), space.takeVector(length)] as const;
    this.#vectors = { r: pair(b.columns), br: pair(a.columns) };
    this.#narrow = { r: pair(b.columns), br: pair(a.columns) };
    this.#ones = pair(b.columns);
    this.#factors = space.takeVector(2 * GROUPS_MAX * BASES);
    space.f64(this.#ones[0], b.columns).fill(1);
    space.f32(this.#ones[1], b.columns).fill(1);
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
    const { rows, columns } = block;
    const panel = this.#panel(columns);
    drawVectors(this.#space, panel, columns, a.columns, resultKey, this.#factors, this.#vectors);
    const norm = this.#narrowVectors(panel, columns.count);
    const sums = this.#clearSums(rows.count);
    const { r, br } = this.#narrow;
    const ofB = panel.scale === null ? null : ({ u: br[0], v: br[1], w: panel.scaledSquares, width: 4 } as const);
    const wideOfB = { u: this.#vectors.br[0], v: this.#vectors.br[1], w: panel.squares, width: 8 } as const;
    this.#multiply(a, rows, { first: 0, count: a.columns }, ofB, wideOfB, panel.scale ?? 1, sums[0]);
    const ofR = { u: r[0], v: r[1], w: this.#ones[1], width: 4 } as const;
    const wideOfR = { u: this.#vectors.r[0], v: this.#vectors.r[1], w: this.#ones[0], width: 8 } as const;
    this.#multiply(claimOf(block), { first: 0, count: rows.count }, { first: 0, count: columns.count }, ofR, wideOfR, 1, sums[1]);
    if (c0 && beta !== 0) this.#multiply(c0, rows, columns, ofR, wideOfR, 1, sums[2]);
    return this.#judge(block, sums, norm);
  }

  /** sums = the operand's part times the vectors, which start at its first column: in f32 where that suffices, else in f64. */
  #multiply(operand: Operand, rows: Span, columns: Span, narrow: Vectors | null, wide: Vectors, scale: number, sums: Sums): void {
    if (narrow) {
      this.#add(operand, rows, columns, narrow, sums);
      const squares = this.#space.f64(sums.q, rows.count);
      // Not a number fails too.
      if (squares.every((q) => q >= SQUARES.least && q <= SQUARES.most)) {
        if (scale !== 1)
          for (const [at, by] of [
            [sums.u, 1 / scale],
            [sums.v, 1 / scale],
            [sums.q, 1 / scale ** 2],
          ] as const) {
            const scaled = this.#space.f64(at, rows.count);
            for (let i = 0; i < scaled.length; i++) scaled[i]! *= by;
          }
        return;
      }
      for (const at of [sums.u, sums.v, sums.q]) this.#space.f64(at, rows.count).fill(0);
    }
    this.#add(operand, rows, columns, wide, sums);
  }

  #add(operand: Operand, rows: Span, columns: Span, { u, v, w, width }: Vectors, sums: Sums): void {
    const { dots, axpys, fastDots, fastAxpys } = this.#space.kernels;
    const byRows = operand.lines === 'rows';
    const kernel = width === 4 ? (byRows ? fastDots : fastAxpys) : byRows ? dots : axpys;
    this.#reader.each(operand, rows, columns, ({ x, lines, span }) => {
      const [row, column] = byRows ? [lines, span] : [span, lines];
      const [i, j] = [8 * (row.first - rows.first), width * (column.first - columns.first)];
      kernel(x, span.count * 4, lines.count, span.count, u + j, v + j, w + j, sums.u + i, sums.v + i, sums.q + i);
    });
  }

  #judge({ rows, columns }: Block, sums: readonly [Sums, Sums, Sums], norm: number): Verdict {
    const { a, output, bias: added, alpha = 1, beta = 0 } = this.#product;
    const [ofA, ofC, ofC0] = sums.map(({ u, v, q }) => ({
      u: this.#space.f64(u, rows.count),
      v: this.#space.f64(v, rows.count),
      q: this.#space.f64(q, rows.count),
    })) as [Rows, Rows, Rows];
    const bias = this.#biasSums(columns);
    const roundings = a.columns + OWN_ROUNDINGS + (alpha !== 1 || beta !== 0 || added ? EXTRA_ROUNDINGS : 0);
    const flushed = this.#flushed(columns.count, norm);
    const ratios = new Float64Array(rows.count);
    for (let i = 0; i < rows.count; i++) {
      const du = alpha * ofA.u[i]! + beta * ofC0.u[i]! + bias.u - ofC.u[i]!;
      const dv = alpha * ofA.v[i]! + beta * ofC0.v[i]! + bias.v - ofC.v[i]!;
      const given = alpha ** 2 * ofA.q[i]! + beta ** 2 * ofC0.q[i]! + bias.q;
      const claimed = ofC.q[i]!;
      const variance = roundings * UNIT ** 2 * (given + claimed) + (output === 'f16' ? HALF_UNIT ** 2 * claimed : 0);
      const tolerance = TOLERANCE * Math.sqrt(variance) + (given > 0 ? flushed : 0);
      const difference = Math.max(Math.abs(du), Math.abs(dv));
      ratios[i] = difference === 0 ? 0 : Number.isFinite(difference) ? difference / tolerance : Infinity;
    }
    // Errors that all go one way add up to K roundings of the largest sum, where independent ones make sqrt(K).
    const factorMax = (EXCUSED_SIGMAS / TOLERANCE) * Math.sqrt(roundings);
    return verdictOf(ratios, factorMax, (row) => (EXCUSED_SIGMAS / TOLERANCE) * honestScale(this.#product, rows.first + row, columns));
  }

  /** What a device that flushes subnormals may lose of a row: every product and sum, op(A), and what is stored. op(B)'s share is in the squares. */
  #flushed(columns: number, norm: number): number {
    const { a, output, alpha = 1 } = this.#product;
    const lost = (2 * a.columns + 4) * TINY + (output === 'f16' ? HALF_TINY : 0);
    return SIGMAS * Math.sqrt(columns) * lost + Math.abs(alpha) * TINY * norm;
  }

  /** Rounds the vectors to f32, and gives the larger sum of amounts of op(B) r. */
  #narrowVectors({ scale }: FloatPanel, columns: number): number {
    const inner = this.#product.a.columns;
    let norm = 0;
    for (const which of [0, 1] as const) {
      this.#space.f32(this.#narrow.r[which], columns).set(this.#space.f64(this.#vectors.r[which], columns));
      const wide = this.#space.f64(this.#vectors.br[which], inner);
      const narrow = this.#space.f32(this.#narrow.br[which], inner);
      let sum = 0;
      for (let k = 0; k < inner; k++) {
        sum += Math.abs(wide[k]!);
        narrow[k] = wide[k]! * (scale ?? 1);
      }
      norm = Math.max(norm, sum);
    }
    return norm;
  }

  #biasSums({ first, count }: Span): { u: number; v: number; q: number } {
    const { bias } = this.#product;
    const sums = { u: 0, v: 0, q: 0 };
    if (!bias) return sums;
    const [u, v] = this.#vectors.r.map((at) => this.#space.f64(at, count)) as [Float64Array, Float64Array];
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
      // Doubled, because what was there before is not freed.
      this.#sumsRows = Math.min(2 * rows, this.#product.a.rows);
      const take = () => this.#space.takeVector(this.#sumsRows);
      const three = () => ({ u: take(), v: take(), q: take() });
      this.#sums = [three(), three(), three()];
    }
    for (const { u, v, q } of this.#sums) for (const at of [u, v, q]) this.#space.f64(at, rows).fill(0);
    return this.#sums;
  }

  #panel(columns: Span): FloatPanel {
    const name = `${columns.first}+${columns.count}`;
    let panel = this.#panels.get(name);
    if (!panel) {
      const unseen = columns.count * ((SIGMAS * TINY) / (TOLERANCE * UNIT)) ** 2;
      panel = createPanel(this.#space, this.#reader, this.#product.b, columns, this.#key, unseen);
      this.#panels.set(name, panel);
    }
    return panel;
  }
}

interface Rows {
  readonly u: Float64Array;
  readonly v: Float64Array;
  readonly q: Float64Array;
}
