import { pcgHash } from '../../shared/rng.ts';

/**
 * Low-discrepancy numbers: shuffled and scrambled Sobol points, two dimensions at a time; bit by bit those of numbers.wgsl.
 * Any aligned block of 2^k samples of a sequence is a (0, k, 2)-net in every pair of dimensions.
 * Source: Burley, "Practical Hash-based Owen Scrambling", JCGT 9(4), 2020; the hash is N. Vegdahl's, "Building a Better LK Hash", 2021.
 */

function reverseBits(bits: number): number {
  let x = bits;
  x = ((x >>> 1) & 0x55555555) | ((x & 0x55555555) << 1);
  x = ((x >>> 2) & 0x33333333) | ((x & 0x33333333) << 2);
  x = ((x >>> 4) & 0x0f0f0f0f) | ((x & 0x0f0f0f0f) << 4);
  x = ((x >>> 8) & 0x00ff00ff) | ((x & 0x00ff00ff) << 8);
  return ((x >>> 16) | (x << 16)) >>> 0;
}

/** Owen scrambling of a number whose lowest bit is the first binary digit. */
function scrambled(digits: number, seed: number): number {
  let x = digits;
  x ^= Math.imul(x, 0x3d20adea);
  x = (x + seed) | 0;
  x = Math.imul(x, (seed >>> 16) | 1);
  x ^= Math.imul(x, 0x05526c56);
  x ^= Math.imul(x, 0x53a22864);
  return x >>> 0;
}

/** The second Sobol dimension of point `n`, lowest bit first: its generator is Pascal's triangle modulo 2, a sum over supersets of bits. */
function pascal(n: number): number {
  let x = n;
  x ^= (x >>> 1) & 0x55555555;
  x ^= (x >>> 2) & 0x33333333;
  x ^= (x >>> 4) & 0x0f0f0f0f;
  x ^= (x >>> 8) & 0x00ff00ff;
  x ^= x >>> 16;
  return x >>> 0;
}

const fraction = (bits: number): number => (bits >>> 8) * 2 ** -24;

/** Numbers `dimension` and `dimension` + 1 of sample `index` of the sequence `key`, each in [0, 1) and exact as f32, into `out`. */
export function numbers(key: number, index: number, dimension: number, out: Float32Array): void {
  const seed = pcgHash((key ^ dimension) >>> 0);
  const n = reverseBits(scrambled(reverseBits(index), seed));
  out[0] = fraction(reverseBits(scrambled(n, pcgHash((seed ^ 1) >>> 0))));
  out[1] = fraction(reverseBits(scrambled(pascal(n), pcgHash((seed ^ 2) >>> 0))));
}
