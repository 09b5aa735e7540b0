import { describe, expect, it } from 'vitest';
import { encodeResult, radiancePart } from '../../shared/formats.ts';
import { fullMask, type JobId, maskOf } from '../../shared/model.ts';
import { Rng } from '../../shared/rng.ts';
import { partsIn, pixelsOf, sampleRange, samplesOfParts } from './grid.ts';
import { noiseOf, passesWanted } from './noise.ts';
import { defaults, type RenderJob, type RenderPrepared } from './params.ts';

/** Samples of grey pixels as a part sums them up, in units of the exposure. */
function sumsOf(pixels: readonly (readonly number[])[]): number[] {
  return pixels.flatMap((samples) => {
    const light = samples.reduce((sum, value) => sum + Math.round(value * 2 ** -radiancePart.stepLog2), 0);
    const squares = samples.reduce((sum, value) => sum + Math.min(value, radiancePart.squareLuminanceMax) ** 2, 0) / radiancePart.squareStep;
    return [light, light, light, Math.round(squares)];
  });
}

const noise = (pixels: readonly (readonly number[])[], floor = 0.1): number => {
  const sums = sumsOf(pixels);
  return noiseOf((at) => sums[at]!, pixels.length, pixels[0]!.length, floor);
};

/** Light of 0 or 2 `light`, one as often as the other: its deviation is `light`. */
const coins = (light: number, samples: number): number[] => Array.from({ length: samples }, (_, at) => (at % 2 === 0 ? 0 : 2 * light));

describe('noise', () => {
  it('is the standard error of a pixel as a share of its light', () => {
    expect(noise([coins(1, 64)])).toBeCloseTo(1 / Math.sqrt(63), 4);
    expect(noise([coins(3, 64)])).toBeCloseTo(1 / Math.sqrt(63), 4);
    expect(noise([Array(64).fill(0.7)])).toBeLessThan(0.02);
  });

  it('falls with the root of the number of samples', () => {
    expect(noise([coins(1, 64)]) / noise([coins(1, 1024)])).toBeCloseTo(4, 1);
  });

  it('is the error that means really have, over many pixels', () => {
    const rng = new Rng(5);
    const unit = (): number => rng.u32() / 2 ** 32;
    // A lamp that one path in eight finds, of light 4: mean 0.5.
    const pixels = Array.from({ length: 3000 }, () => Array.from({ length: 128 }, (): number => (unit() < 1 / 8 ? 4 : 0)));
    const errors = pixels.map((samples) => samples.reduce((sum, value) => sum + value, 0) / samples.length - 0.5);
    const rms = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
    // Shares of each pixel's own light, which is sometimes too dark, come out 4 % more here.
    expect(noise(pixels) / (rms / 0.5)).toBeGreaterThan(0.98);
    expect(noise(pixels) / (rms / 0.5)).toBeLessThan(1.08);
  });

  it('takes dark pixels for as bright as the floor, and black ones for clean', () => {
    expect(noise([coins(0.01, 64)])).toBeCloseTo(0.01 / Math.sqrt(63) / 0.1, 2);
    expect(noise([coins(0.05, 64)], 0.01)).toBeCloseTo(1 / Math.sqrt(63), 1);
    expect(noise([Array(64).fill(0)])).toBe(0);
  });

  it('gives one pixel no more weight than its share, whatever its squares say', () => {
    const clean = Array.from({ length: 63 }, () => Array(64).fill(1) as number[]);
    const firefly = [...Array(63).fill(0), 1000] as number[];
    expect(noise([...clean, firefly])).toBeLessThan(1 / 64 + 0.001);
    const sums = sumsOf([...clean, Array(64).fill(1) as number[]]);
    sums[sums.length - 1] = 2 ** 40 - 1;
    expect(noiseOf((at) => sums[at]!, 64, 64, 0.1)).toBeLessThanOrEqual(1 / 64 + 0.001);
    sums[sums.length - 1] = 0;
    expect(noiseOf((at) => sums[at]!, 64, 64, 0.1)).toBeGreaterThanOrEqual(0);
  });

  it('says nothing of a single sample', () => expect(noise([[1]])).toBe(Number.POSITIVE_INFINITY));
});

describe('passes wanted', () => {
  const jobOf = (own: object): RenderJob => ({
    id: 'j_noise0000000000' as JobId,
    seed: 1,
    params: { ...defaults, width: 64, height: 64, samples: 1024, noise: 0.05, ...own },
    prepared: {} as RenderPrepared,
  });

  /** A result of these parts whose pixels are coins of this light. */
  function wanted(own: object, light: number, pass = 0, parts = [0, 1, 2, 3]): number {
    const job = jobOf(own);
    const pixels = pixelsOf(job.params, 0);
    const made = parts.map((part) => {
      const { first, end } = sampleRange(job.params, pass, part);
      return { part, bytes: new Uint8Array(Uint32Array.from(sumsOf(Array.from({ length: pixels }, () => coins(light, end - first)))).buffer) };
    });
    return passesWanted(job, { pass, tile: 0 }, maskOf(parts), encodeResult(made, pixels, radiancePart.pixelBytes / 4));
  }

  it('are the samples wanted by those of a pass', () => {
    const { params } = jobOf({});
    const perPass = samplesOfParts(params, 0) * partsIn(params, 0);
    // A deviation as large as the light: 400 samples make 5 %.
    expect(wanted({}, 1)).toBeCloseTo(400 / perPass, 1);
    expect(wanted({ noise: 0.1 }, 1)).toBeCloseTo(100 / perPass, 1);
    expect(fullMask(partsIn(params, 0))).toBe(15);
  });

  it('do not depend on which parts, of which pass, tell it', () => {
    const all = wanted({}, 1);
    for (const [pass, parts] of [
      [0, [2]],
      [1, [0, 3]],
      [3, [0, 1, 2, 3]],
    ] as const)
      expect(wanted({}, 1, pass, [...parts]) / all).toBeCloseTo(1, 1);
  });

  it('are more for dark pixels that the ordered exposure makes bright', () => {
    expect(wanted({ exposure: 3 }, 0.02) / wanted({}, 0.02)).toBeGreaterThan(20);
  });

  it('cannot be told without an order, of features, or of one sample', () => {
    expect(wanted({ noise: 0 }, 1)).toBe(Number.POSITIVE_INFINITY);
    expect(wanted({ samples: 1 }, 1, 0, [0])).toBe(Number.POSITIVE_INFINITY);
    const job = jobOf({ samples: 64, layers: 'all' });
    expect(passesWanted(job, { pass: 1, tile: 0 }, maskOf([0]), new Uint8Array())).toBe(Number.POSITIVE_INFINITY);
  });

  it('throw for bytes that are no such result', () => {
    expect(() => passesWanted(jobOf({}), { pass: 0, tile: 0 }, maskOf([0]), new Uint8Array(10))).toThrow('10 bytes');
  });
});
