import { countParts } from '../../../shared/model.ts';
import { pcgHash, type Rng } from '../../../shared/rng.ts';
import type { LeaseView, Lie } from '../adversary.ts';
import { LIE_VALUE_MAX } from '../values.ts';

/** The shapes that lies come in. */

export const anyValue = (random: Rng): number => 1 + random.below(LIE_VALUE_MAX);

/** Every element. */
export const everything = (lease: LeaseView, random: Rng, value = anyValue(random)): Lie => ({
  wrong: () => true,
  value,
  size: lease.elements * countParts(lease.parts),
});

/** A share of the elements, scattered. */
export function scattered(lease: LeaseView, random: Rng, share: number, value = anyValue(random)): Lie {
  const key = random.u32();
  return {
    wrong: (part, element) => pcgHash((key ^ ((part << 20) | element)) >>> 0) < share * 2 ** 32,
    value,
    size: share * lease.elements * countParts(lease.parts),
  };
}

/** A square of `side` pixels in every part. */
export function square(lease: LeaseView, random: Rng, side: number, value = anyValue(random)): Lie {
  const width = Math.sqrt(lease.elements);
  const [left, top] = [random.below(width - side + 1), random.below(width - side + 1)];
  const inside = (at: number, from: number): boolean => at >= from && at < from + side;
  return {
    wrong: (_, element) => inside(element % width, left) && inside(Math.floor(element / width), top),
    value,
    size: side * side * countParts(lease.parts),
  };
}
