// The hash of shared/rng.ts: PCG-RXS-M-XS 32, Jarzynski & Olano, JCGT 9(3), 2020.
fn pcgHash(input: u32) -> u32 {
  let state = input * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}

// The generator of a key: the number of dimension d is seedOf(..., d) of shared/rng.ts, its upper 24 bits as a fraction in [0, 1).
fn unitNumber(key: u32, dimension: u32) -> f32 {
  return f32(pcgHash(key ^ dimension) >> 8u) * 0x1p-24f;
}
