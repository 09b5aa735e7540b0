import { decodeResult, radiancePart, type Total } from '../../shared/formats.ts';
import { type PartMask, partsOf, type TileRef } from '../../shared/model.ts';
import { isFeaturePass, passesOfSamples, pixelsOf, sampleRange } from './grid.ts';
import { type RenderJob, settingsOf } from './params.ts';

/**
 * Ordered noise. Of a tile of P pixels with n samples each it is the mean over the pixels of
 *
 *   e = min(1, s / max(Y, F)),   s = sqrt(V / n),   V = n / (n - 1) * max(0, Q - Y^2)
 *
 * Y: mean luminance of the pixel's samples (Rec. 709: 0.2126 R + 0.7152 G + 0.0722 B), Q: mean of their squares, V: their variance
 * (Bessel), s: the standard error of Y. All in units of E = 2^quantumLog2, the scene's exposure. F: the floor below. So 0.05 means that
 * a pixel is off by 5 % of its light, on average over the tile. s falls with 1 / sqrt(n), so what is wanted are n (noise / ordered)^2 samples.
 *
 * - Relative, because eyes and tone curves are; but only down to F = 0.1 of the exposure, less the ordered stops: a pixel that is shown nearly
 *   black needs no clean shade, and without a floor it would want the most samples of all. Cycles and Dammertz, Hanika, Keller and Lensch
 *   ("A Hierarchical Automatic Stopping Condition for Monte Carlo Global Illumination", WSCG 2010) divide by the root of the light instead, which
 *   has the same purpose but is no share of anything.
 * - The mean of the pixels' errors, as in the latter, not the root of their mean square: one firefly, or one pixel that lies about its squares,
 *   would rule a mean square. Here a pixel adds at most 1 / P. The bound of 1 takes nothing from honest pixels: samples are not negative, so
 *   Q <= n Y^2, which makes s <= Y.
 * - Samples are drawn with low discrepancy and V is their variance as if they were independent: the real error of the mean is smaller (nearly
 *   n^-3/4 instead of n^-1/2 where a pixel is smooth), so a tile gets at least what was ordered. Feature passes have no noise and are never asked.
 */

/** Share of the exposure below which noise counts as if a pixel were that bright. */
const FLOOR_SHARE = 0.1;

const luminanceOf = (r: number, g: number, b: number): number => 0.2126 * r + 0.7152 * g + 0.0722 * b;

/**
 * The noise of `pixels` light elements of `samples` samples each, as defined above: 0 to 1. `floor` in units of the exposure, positive. Infinity
 * for fewer than two samples, which say nothing of their variance.
 */
export function noiseOf(total: Total, pixels: number, samples: number, floor: number): number {
  if (samples < 2) return Number.POSITIVE_INFINITY;
  const words = radiancePart.pixelBytes / 4;
  const step = 2 ** radiancePart.stepLog2 / samples;
  let sum = 0;
  for (let pixel = 0; pixel < pixels; pixel++) {
    const at = pixel * words;
    const light = luminanceOf(total(at), total(at + 1), total(at + 2)) * step;
    const squares = (total(at + 3) * radiancePart.squareStep) / samples;
    const variance = Math.max(0, squares - light * light) * (samples / (samples - 1));
    sum += Math.min(1, Math.sqrt(variance / samples) / Math.max(light, floor));
  }
  return sum / pixels;
}

/**
 * After how many passes a tile has no more than the ordered noise, by one result of it: a fraction, at least 0. Infinity where that cannot be
 * told. Throws `FormatError` for bytes that are no such result.
 */
export function passesWanted(job: RenderJob, at: TileRef, parts: PartMask, result: Uint8Array): number {
  const { params } = job;
  const { noise, exposure } = settingsOf(params);
  if (noise <= 0 || isFeaturePass(params, at.pass)) return Number.POSITIVE_INFINITY;
  const pixels = pixelsOf(params, at.tile);
  const total = decodeResult(result, parts, pixels, radiancePart.pixelBytes / 4);
  const samples = partsOf(parts).reduce((sum, part) => {
    const { first, end } = sampleRange(params, at.pass, part);
    return sum + end - first;
  }, 0);
  const found = noiseOf(total, pixels, samples, FLOOR_SHARE * 2 ** -exposure);
  return passesOfSamples(params, samples * (found / noise) ** 2);
}
