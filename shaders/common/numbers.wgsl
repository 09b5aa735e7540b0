// Low-discrepancy numbers: shuffled and scrambled Sobol points, two dimensions at a time. numbers.ts mirrors it.
// Burley, "Practical Hash-based Owen Scrambling", JCGT 9(4), 2020; the hash is N. Vegdahl's, "Building a Better LK Hash", 2021.

// Owen scrambling of a number whose lowest bit is the first binary digit.
fn scrambled(digits: u32, seed: u32) -> u32 {
  var x = digits;
  x ^= x * 0x3d20adeau;
  x += seed;
  x *= (seed >> 16u) | 1u;
  x ^= x * 0x05526c56u;
  x ^= x * 0x53a22864u;
  return x;
}

// The second Sobol dimension of point `n`, lowest bit first: its generator is Pascal's triangle modulo 2, a sum over supersets of bits.
fn pascal(n: u32) -> u32 {
  var x = n;
  x ^= (x >> 1u) & 0x55555555u;
  x ^= (x >> 2u) & 0x33333333u;
  x ^= (x >> 4u) & 0x0f0f0f0fu;
  x ^= (x >> 8u) & 0x00ff00ffu;
  x ^= x >> 16u;
  return x;
}

fn fraction(bits: u32) -> f32 {
  return f32(bits >> 8u) * 0x1p-24f;
}

// Numbers `dimension` and `dimension` + 1 of sample `index` of the sequence `key`, each in [0, 1).
fn numbers(key: u32, index: u32, dimension: u32) -> vec2f {
  let seed = pcgHash(key ^ dimension);
  let n = reverseBits(scrambled(reverseBits(index), seed));
  let first = scrambled(n, pcgHash(seed ^ 1u));
  let second = scrambled(pascal(n), pcgHash(seed ^ 2u));
  return vec2f(fraction(reverseBits(first)), fraction(reverseBits(second)));
}
