import { pcgHash } from '../../shared/rng.ts';
import type { SeedKind } from './params.ts';

/** Numbers that need not be sent: number i of a seed is made of hash(i ^ hash(seed)), the same bits on every device. */

export const seedKey = (seed: number): number => pcgHash(seed >>> 0);

/**
 * f32: uniform in [-1, 1) in steps of 2^-23. f16: in steps of 2^-10, exact in f16. i8: -128 to 127. As seeds.wgsl makes them.
 */
export function seedNumber(kind: SeedKind, key: number, index: number): number {
  const hash = pcgHash((index ^ key) >>> 0);
  if (kind === 'f32') return ((hash >>> 8) - 2 ** 23) * 2 ** -23;
  if (kind === 'f16') return ((hash >>> 21) - 2 ** 10) * 2 ** -10;
  return (hash >>> 24) - 128;
}

/** Largest magnitude, and root of the mean of the squares. */
export const seedFacts: Readonly<Record<SeedKind, { readonly peak: number; readonly rms: number }>> = {
  f32: { peak: 1, rms: Math.sqrt(1 / 3) },
  f16: { peak: 1, rms: Math.sqrt(1 / 3) },
  i8: { peak: 128, rms: Math.sqrt((256 ** 2 - 1) / 12 + 0.25) },
};
