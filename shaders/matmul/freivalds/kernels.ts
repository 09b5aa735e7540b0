import { readFileSync } from 'node:fs';
import wabt from 'wabt';

/**
 * The inner loops (freivalds.wat), on one memory. Pointers are byte addresses, `stride` counts bytes from line to line, `n` elements of a
 * line; x are f32 or i32, vectors f64 or i64, padded with zeros to a multiple of eight. Everything but `combine` adds to what is there.
 */
export interface Kernels {
  readonly memory: WebAssembly.Memory;
  /** Lines are rows i: yu[i] += x_i . u, yv[i] += x_i . v, q[i] += (x_i * x_i) . w. Summed in f64. */
  dots(x: number, stride: number, rows: number, n: number, u: number, v: number, w: number, yu: number, yv: number, q: number): void;
  /** Lines are columns j: yu += u[j] x_j, yv += v[j] x_j, q += w[j] x_j * x_j. Summed in f64. */
  axpys(x: number, stride: number, lines: number, n: number, u: number, v: number, w: number, yu: number, yv: number, q: number): void;
  /** The same with u, v, w of f32: sums of sixteen in f32 are added up in f64, twice as fast. */
  fastDots(x: number, stride: number, rows: number, n: number, u: number, v: number, w: number, yu: number, yv: number, q: number): void;
  fastAxpys(x: number, stride: number, lines: number, n: number, u: number, v: number, w: number, yu: number, yv: number, q: number): void;
  /** out = sum over `count` bases of factor times base, n rounded up to eight. */
  combine(bases: number, stride: number, count: number, factors: number, n: number, out: number): void;
  /** y[i] += x_i . v modulo 2^64, where v = low + 2^32 high: i32 both, `low` signed. */
  wholeDots(x: number, stride: number, rows: number, n: number, low: number, high: number, y: number): void;
  /** y += v[j] x_j modulo 2^64. */
  wholeAxpys(x: number, stride: number, lines: number, n: number, low: number, high: number, y: number): void;
  /** The halves of the sum over `count` bases of factor times base modulo 2^64. */
  wholeCombine(bases: number, stride: number, count: number, factors: number, n: number, low: number, high: number): void;
  /** i8 to i32, n rounded up to sixteen. */
  widen(x: number, n: number, out: number): void;
}

const PAGE_BYTES = 65_536;
export const PAGES_MAX = 65_536;

/** Assembled once a thread: 50 ms, nearly all of it loading wabt. */
const assembler = await wabt();
const text = assembler.parseWat('freivalds.wat', readFileSync(new URL('./freivalds.wat', import.meta.url), 'utf8'), { simd: true, relaxed_simd: true });
const compiled = new WebAssembly.Module(new Uint8Array(text.toBinary({}).buffer));
text.destroy();

/** Its own memory, freed with it. */
export function instantiate(): Kernels {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: PAGES_MAX });
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  return { memory, ...exports } as unknown as Kernels;
}

/** A place in memory: where it starts and how many elements it has. */
export class Space {
  readonly kernels: Kernels;
  #top = 64;

  constructor(kernels: Kernels) {
    this.kernels = kernels;
  }

  get bytes(): number {
    return this.#top;
  }

  /** Zeroed bytes, at a multiple of 64. Throws `RangeError` when four GiB do not suffice. */
  take(bytes: number): number {
    const at = this.#top;
    const top = at + Math.ceil(bytes / 64) * 64;
    const { memory } = this.kernels;
    // Kernels read up to one vector past an end.
    const missing = top + 64 - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
    this.#top = top;
    return at;
  }

  /** Eight bytes an element, padded. */
  takeVector(length: number): number {
    return this.take(paddedBytes(length));
  }

  f64 = (at: number, length: number): Float64Array<ArrayBuffer> => new Float64Array(this.kernels.memory.buffer, at, length);
  i64 = (at: number, length: number): BigInt64Array<ArrayBuffer> => new BigInt64Array(this.kernels.memory.buffer, at, length);
  f32 = (at: number, length: number): Float32Array<ArrayBuffer> => new Float32Array(this.kernels.memory.buffer, at, length);
  i32 = (at: number, length: number): Int32Array<ArrayBuffer> => new Int32Array(this.kernels.memory.buffer, at, length);
  i8 = (at: number, length: number): Int8Array<ArrayBuffer> => new Int8Array(this.kernels.memory.buffer, at, length);
}

/** Bytes of a vector of f64 or i64 with its padding. */
export const paddedBytes = (length: number): number => Math.ceil(length / 8) * 64;
