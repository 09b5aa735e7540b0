import type { HdrImage } from '../hdr.ts';

/** An environment map for a preview: small enough for any GPU, in half floats. */
export interface PreviewEnvironment {
  readonly width: number;
  readonly height: number;
  /** Linear RGBA of binary16, rows from the top. */
  readonly halves: Uint16Array<ArrayBuffer>;
}

/** Four of what three.js filters an environment to. */
const WIDTH_MAX = 1024;
const HALF_MAX = 65504;
const HALF_ONE = 0x3c00;

const bits = new Float32Array(1);
const word = new Uint32Array(bits.buffer);

/** The next binary16 towards zero of a number that is not negative. */
export function halfOf(value: number): number {
  bits[0] = Math.min(value, HALF_MAX);
  const exponent = (word[0]! >>> 23) - 112;
  return exponent <= 0 ? Math.floor(bits[0] * 2 ** 24) : (exponent << 10) | ((word[0]! >>> 13) & 0x3ff);
}

/** Means over squares of pixels, as large as it takes. */
export function shrink({ width, height, pixels }: HdrImage): PreviewEnvironment {
  const edge = Math.ceil(width / WIDTH_MAX);
  const [wide, high] = [Math.max(1, Math.floor(width / edge)), Math.max(1, Math.floor(height / edge))];
  const halves = new Uint16Array(wide * high * 4).fill(HALF_ONE);
  for (let row = 0; row < high; row++)
    for (let column = 0; column < wide; column++)
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let y = 0; y < edge; y++)
          for (let x = 0; x < edge; x++) sum += pixels[(Math.min(row * edge + y, height - 1) * width + Math.min(column * edge + x, width - 1)) * 3 + channel]!;
        halves[(row * wide + column) * 4 + channel] = halfOf(sum / edge ** 2);
      }
  return { width: wide, height: high, halves };
}
