/** What is multiplied, and how: C = activation(alpha op(A) op(B) + beta C0 + bias), C of m x n, k inner. */

/**
 * `f32`. `f16`: pairs in words, widened and added up in f32. `i8`: four of the inner index in a word, both operands with k along their
 * lines, added up exactly in i32. `i32`: exact while sums stay below 2^31.
 */
export type ProductType = 'f32' | 'f16' | 'i8' | 'i32';

/** WGSL in place of a buffer, with bindings of its own in group 1. */
export interface Hook {
  readonly code: string;
  readonly layout: GPUBindGroupLayout;
  /** Two hooks of one name are the same code. */
  readonly name: string;
}

export interface ProductKind {
  readonly type: ProductType;
  /** Lines of A run along m, not along k. */
  readonly transposeA: boolean;
  /** Lines of B run along k, not along n. */
  readonly transposeB: boolean;
  readonly bias: boolean;
  readonly addend: boolean;
  /** `leaky`: x, or `slope` x below 0. */
  readonly activation: 'none' | 'relu' | 'leaky';
  /**
   * Only f32, not transposed. Defines `fn loadA(row: u32, k: u32) -> vec4f`, four numbers of a row of A along k, k a multiple of four; rows
   * from m on are asked for too, and what is there is not used. A convolution is so a product whose A is never laid out.
   */
  readonly loadA?: Hook;
}

export interface ProductShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** One way to compute a product: names say `<rows>x<columns>x<k step> of <rows>x<columns>` a workgroup and a thread. */
export interface Variant {
  /** `shared`: a workgroup loads its tiles into memory of its own. `direct`: every thread reads what it needs. */
  readonly memory: 'shared' | 'direct';
  /** Threads of a workgroup, along n and m. */
  readonly threadsN: number;
  readonly threadsM: number;
  /** Of C, by one thread. Multiples of four along n; along m for `shared`, and for A that is transposed. */
  readonly perThreadM: number;
  readonly perThreadN: number;
  /** Inner numbers that are in workgroup memory at a time, a multiple of four. */
  readonly stepK: number;
  /** The next tiles are loaded while the present ones are multiplied. */
  readonly doubleBuffer: boolean;
  /** Threads of a subgroup read A together and tell each other: only `direct`, threadsM 1. */
  readonly subgroups: boolean;
  /** How whole numbers of 8 bits are multiplied: four at once, or as floats that are exact up to 2^24. */
  readonly bytes: 'dot4' | 'f32';
}

export const tileM = ({ threadsM, perThreadM }: Variant): number => threadsM * perThreadM;
export const tileN = ({ threadsN, perThreadN }: Variant): number => threadsN * perThreadN;

export const variantName = (variant: Variant): string => {
  const { memory, stepK, perThreadM, perThreadN, doubleBuffer, subgroups, bytes } = variant;
  const marks = [memory, doubleBuffer ? 'double' : '', subgroups ? 'subgroups' : '', bytes === 'f32' ? 'f32 lanes' : ''].filter((mark) => mark !== '');
  return `${tileM(variant)}x${tileN(variant)}x${stepK} of ${perThreadM}x${perThreadN}, ${marks.join(', ')}`;
};

/** Sums of so many products of bytes stay exact in floats: 1024 x 128 x 128 is 2^24. In words of four. */
export const EXACT_WORDS = 256;

/** Bytes of workgroup memory. */
export const sharedBytes = (variant: Variant): number =>
  variant.memory === 'direct' ? 0 : (tileM(variant) + tileN(variant)) * variant.stepK * 4 * (variant.doubleBuffer ? 2 : 1);
