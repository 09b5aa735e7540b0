/**
 * Seeded randomness that is the same in JavaScript and in WGSL.
 * Source: PCG-RXS-M-XS 32 as a hash, Jarzynski & Olano, "Hash Functions for GPU Rendering", JCGT 9(3), 2020.
 */

/** u32 -> u32, a permutation. */
export function pcgHash(input: number): number {
  const state = (Math.imul(input, 747796405) + 2891336453) >>> 0;
  const word = Math.imul(((state >>> ((state >>> 28) + 4)) ^ state) >>> 0, 277803737) >>> 0;
  return ((word >>> 22) ^ word) >>> 0;
}

/** Folds any number of u32 into one: h = pcg(h ^ value), starting at 0. */
export function seedOf(...values: readonly number[]): number {
  let hash = 0;
  for (const value of values) hash = pcgHash((hash ^ value) >>> 0);
  return hash;
}

/** A stream of u32 and of floats in [0, 1) from one seed: a counter hashed with the seed. */
export class Rng {
  readonly #seed: number;
  #counter = 0;

  constructor(seed: number) {
    this.#seed = pcgHash(seed >>> 0);
  }

  u32(): number {
    this.#counter = (this.#counter + 1) >>> 0;
    return pcgHash((this.#seed ^ Math.imul(this.#counter, 0x9e3779b9)) >>> 0);
  }

  /** Uniform in [0, 1) with 24 bits, so that it is exact as f32. */
  unit(): number {
    return (this.u32() >>> 8) / 0x1000000;
  }

  /** Uniform integer in [0, bound). Rejection keeps it unbiased. */
  below(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 0x1_0000_0000) throw new RangeError(`bound must be 1 to 2^32, got ${bound}`);
    const limit = 0x1_0000_0000 - (0x1_0000_0000 % bound);
    for (;;) {
      const value = this.u32();
      if (value < limit) return value % bound;
    }
  }
}
