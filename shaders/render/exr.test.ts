import parseExr from 'parse-exr';
import { expect, test } from 'vitest';
import { Rng } from '../../shared/rng.ts';
import { encodeExr } from './exr.ts';

/** Read back by an independent reader, the one of three.js. It returns rows from the bottom. */
function roundTrip(width: number, height: number, rgb: Float32Array): { width: number; height: number; rgb: Float32Array } {
  const read = parseExr(encodeExr(width, height, rgb).buffer, 1015);
  const channels = read.data.length / (read.width * read.height);
  const out = new Float32Array(read.width * read.height * 3);
  for (let y = 0; y < read.height; y++)
    for (let x = 0; x < read.width; x++)
      for (let channel = 0; channel < 3; channel++)
        out[(y * read.width + x) * 3 + channel] = read.data[((read.height - 1 - y) * read.width + x) * channels + channel]!;
  return { width: read.width, height: read.height, rgb: out };
}

test('compressible pictures survive exactly, whatever their last block', () => {
  for (const [width, height] of [
    [1, 1],
    [33, 16],
    [7, 35],
  ] as const) {
    const rgb = Float32Array.from({ length: width * height * 3 }, (_, index) => Math.floor(index / 9) / 64);
    expect(roundTrip(width, height, rgb)).toEqual({ width, height, rgb });
  }
});

test('noise, which does not compress, survives too', () => {
  const rng = new Rng(5);
  const bits = Uint32Array.from({ length: 40 * 20 * 3 }, () => (rng.u32() & 0x007fffff) | ((64 + rng.below(126)) << 23));
  const rgb = new Float32Array(bits.buffer);
  expect(roundTrip(40, 20, rgb).rgb).toEqual(rgb);
});
