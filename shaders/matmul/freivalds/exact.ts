import type { Elements, Operand, Span } from './operand.ts';
import { type Block, claimOf, type Product } from './product.ts';

/** Sums over the inner dimension for one row and some columns, in f64, of which every other is an emulated f32. */
export interface RowSums {
  /** op(A) op(B). Of integers exact, because C fits 32 bits. */
  readonly exact: Float64Array;
  /** Of the products' squares. */
  readonly squares: Float64Array;
  /** As a kernel has them that adds in order: with every product rounded, and with fused multiply-adds. */
  readonly rounded: Float32Array;
  readonly fused: Float32Array;
}

const CHUNK_ELEMENTS = 262_144;

/** Slow, about 2 ns for each product. For rows that failed. */
export function sumRow({ a, b }: Product, row: number, columns: Span): RowSums {
  const make = (length: number) => new Float64Array(length);
  const sums = { exact: make(columns.count), squares: make(columns.count), rounded: new Float32Array(columns.count), fused: new Float32Array(columns.count) };
  const left = readPart(a, { first: row, count: 1 }, { first: 0, count: a.columns });
  const height = Math.max(1, Math.floor(CHUNK_ELEMENTS / columns.count));
  for (let first = 0; first < b.rows; first += height) {
    const count = Math.min(height, b.rows - first);
    const right = readPart(b, { first, count }, columns);
    const [stepRow, stepColumn] = b.lines === 'rows' ? [columns.count, 1] : [1, count];
    for (let k = 0; k < count; k++) addProducts(sums, left[first + k]!, right, k * stepRow, stepColumn);
  }
  return sums;
}

function addProducts({ exact, squares, rounded, fused }: RowSums, x: number, right: Elements, from: number, step: number): void {
  for (let j = 0, at = from; j < exact.length; j++, at += step) {
    const product = x * right[at]!;
    exact[j]! += product;
    squares[j]! += product * product;
    rounded[j]! += Math.fround(product);
    fused[j]! += product;
  }
}

/** Rows and columns of an operand, in the order of its lines. */
function readPart(operand: Operand, rows: Span, columns: Span): Elements {
  const kinds = { f32: Float32Array, i32: Int32Array, i8: Int8Array } as const;
  const into = new kinds[operand.type](rows.count * columns.count);
  if (operand.lines === 'rows') operand.read(rows, columns, into);
  else operand.read(columns, rows, into);
  return into;
}

/** Products of a narrowing: a quarter of a second. */
const NARROW_PRODUCTS_MAX = 2 ** 27;
/** Half a unit in the last place is right; entries beyond so many of what rounding makes of a typical one are wrong. */
const ENTRY_SIGMAS = 8;

export interface Narrowed {
  /** Columns of the block that were looked at, from its first: all, but for a long inner dimension. */
  readonly looked: number;
  /** Runs of wrong columns, counted from the block's first column. */
  readonly wrong: readonly Span[];
  /** The largest amount by which an entry is off. Infinity where one is not finite. */
  readonly largest: number;
}

/** Which columns of a row that failed are wrong, by computing the row again in f64. `row` counts from the block's first. For the reason of a refusal. */
export function narrow(product: Product, block: Block, row: number): Narrowed {
  const { c0, bias, output, alpha = 1, beta = 0, a } = product;
  const looked = Math.min(block.columns.count, Math.max(1, Math.floor(NARROW_PRODUCTS_MAX / a.columns)));
  const columns = { first: block.columns.first, count: looked };
  const { exact, squares } = sumRow(product, block.rows.first + row, columns);
  const claims = readPart(claimOf(block), { first: row, count: 1 }, { first: 0, count: looked });
  const before = c0 && beta !== 0 ? readPart(c0, { first: block.rows.first + row, count: 1 }, columns) : null;
  const unit = output === 'i32' ? 0 : 2 ** -24;
  const wrong: { first: number; count: number }[] = [];
  let largest = 0;
  for (let j = 0; j < looked; j++) {
    const [kept, added] = [beta * (before?.[j] ?? 0), bias?.[columns.first + j] ?? 0];
    const truth = alpha * exact[j]! + kept + added;
    const difference = Math.abs(claims[j]! - truth);
    const scale = unit * Math.sqrt((a.columns + 4) * (alpha ** 2 * squares[j]! + truth ** 2 + kept ** 2 + added ** 2));
    const allowed = ENTRY_SIGMAS * scale + (output === 'f16' ? 2 ** -10 * Math.abs(truth) + 2 ** -14 : 0);
    if (difference <= allowed) continue;
    largest = Math.max(largest, Number.isFinite(difference) ? difference : Infinity);
    const last = wrong.at(-1);
    if (last && last.first + last.count === j) last.count++;
    else wrong.push({ first: j, count: 1 });
  }
  return { looked, wrong, largest };
}

/** Columns in which the honest error of a row is measured: so many windows, evenly spaced. */
const WINDOWS = 4;
const WINDOW_COLUMNS = 64;

/**
 * How large honest errors of a row are beside u sqrt(K (squares + (A B)^2)): about 0.2 where roundings are independent, and 10 and more where
 * they are not, as in constant matrices, where all of them go the same way. Adds in the order in which kernels do.
 */
export function honestScale(product: Product, row: number, columns: Span): number {
  const count = Math.min(WINDOW_COLUMNS, columns.count);
  let [errors, scales] = [0, 0];
  const windows = Math.min(WINDOWS, Math.ceil(columns.count / count));
  for (let window = 0; window < windows; window++) {
    const first = columns.first + Math.floor(((columns.count - count) * window) / Math.max(1, windows - 1));
    const { exact, squares, rounded, fused } = sumRow(product, row, { first, count });
    for (let j = 0; j < count; j++) {
      errors += Math.max((rounded[j]! - exact[j]!) ** 2, (fused[j]! - exact[j]!) ** 2);
      scales += product.a.columns * 2 ** -48 * (squares[j]! + exact[j]! ** 2);
    }
  }
  return scales === 0 ? 0 : Math.sqrt(errors / scales);
}
