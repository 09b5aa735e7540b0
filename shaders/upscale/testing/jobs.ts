import type { JobId } from '../../../shared/model.ts';
import { Rng } from '../../../shared/rng.ts';
import { RGB, type Scale } from '../network.ts';
import type { UpscaleJob } from '../params.ts';

/** A picture with edges, gradients and noise, made by code: RGB, a byte each. */
export function testPixels(width: number, height: number): Uint8Array<ArrayBuffer> {
  const random = new Rng(3);
  const pixels = new Uint8Array(width * height * RGB);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const stripe = (x + 2 * y) % 11 < 5 ? 190 : 25;
      const noise = x > width / 2 ? random.below(60) : 0;
      pixels.set([Math.min(255, stripe + noise), Math.round((255 * x) / width), y % 7 === 0 ? 255 : Math.round((200 * y) / height)], (y * width + x) * RGB);
    }
  return pixels;
}

export const testJob = (scale: Scale, width: number, height: number): UpscaleJob => ({
  id: 'j_test_test_test_te' as JobId,
  seed: 1,
  params: { scale: String(scale) as UpscaleJob['params']['scale'] },
  prepared: { width, height, cpuMacsPerMs: 1e6 },
});
