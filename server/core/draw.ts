import { type PartMask, partsOf } from '../../shared/model.ts';
import { seedOf } from '../../shared/rng.ts';

export const DIGEST_BYTES = 32;

/** Which elements of which parts of one tile are looked at: parallel arrays. */
export interface Sample {
  readonly parts: readonly number[];
  readonly elements: readonly number[];
}

/**
 * A generator keyed with 32 bytes: xoshiro128** (Blackman & Vigna, "Scrambled Linear Pseudorandom Number Generators", 2021). Every
 * word of its state is hashed from the whole key, because its first numbers depend on single words of the state.
 */
export class KeyedStream {
  readonly #state: Uint32Array;

  constructor(key: Uint8Array) {
    if (key.byteLength !== DIGEST_BYTES) throw new RangeError(`a digest has ${DIGEST_BYTES} bytes, got ${key.byteLength}`);
    const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
    const words: number[] = [];
    for (let at = 0; at < DIGEST_BYTES; at += 4) words.push(view.getUint32(at, true));
    // Four different starts under one permutation: never all zero, which would stay zero for ever.
    this.#state = new Uint32Array(4);
    for (let word = 0; word < 4; word++) this.#state[word] = seedOf(word + 1, ...words);
  }

  u32(): number {
    const s = this.#state;
    const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));
    const result = Math.imul(rotate(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotate(s[3]!, 11);
    return result;
  }

  /** Uniform integer in [0, bound), bound at most 2^32. Rejection keeps it unbiased. */
  below(bound: number): number {
    const end = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const value = this.u32();
      if (value < end) return value % bound;
    }
  }
}

/**
 * `count` different pairs of a part of `parts` and an element in [0, elements), every subset equally likely; all of them when
 * `count` is not less than there are. Equal arguments give equal samples. Floyd's algorithm (Bentley, CACM 30(9), 1987).
 */
export function drawElements(parts: PartMask, elements: number, digest: Uint8Array, count: number): Sample {
  const stream = new KeyedStream(digest);
  const order = partsOf(parts);
  const total = order.length * elements;
  const chosen = new Set<number>();
  for (let last = total - Math.min(count, total); last < total; last++) {
    const value = stream.below(last + 1);
    chosen.add(chosen.has(value) ? last : value);
  }
  const drawn = [...chosen];
  // Floyd's order is not random; a prefix of the sample must be as good a sample. Fisher and Yates.
  for (let last = drawn.length - 1; last > 0; last--) {
    const other = stream.below(last + 1);
    [drawn[last], drawn[other]] = [drawn[other]!, drawn[last]!];
  }
  return { parts: drawn.map((value) => order[Math.floor(value / elements)]!), elements: drawn.map((value) => value % elements) };
}
