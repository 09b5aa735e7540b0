import type { Slider, SliderWay } from '../../shared/workload.ts';
import { type RenderParams, settingsOf } from './params.ts';

/** The two questions of an order: how good, and how large. */

const SAMPLE_STOPS = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096];
const NOISE_STOPS = [0.2, 0.15, 0.1, 0.07, 0.05, 0.035, 0.025, 0.02, 0.015, 0.01];
/** Of the longer edge, in pixels. */
const EDGE_STOPS = [160, 240, 320, 480, 640, 960, 1280, 1920, 2560, 3840, 5120, 8192];
const EDGE_MIN = 16;
const SAMPLES_MAX = 65536;

const count = new Intl.NumberFormat('en');

const bySamples: SliderWay<RenderParams> = {
  label: 'Samples',
  help: 'The same number of paths for every pixel. Four times as many halve the noise.',
  stops: SAMPLE_STOPS,
  read: (params) => (settingsOf(params).noise > 0 ? null : params.samples),
  write: (_, samples) => ({ samples, noise: 0 }),
  say: ({ samples }) => `${count.format(samples)} ${samples === 1 ? 'sample' : 'samples'} a pixel`,
};

/**
 * The error of a mean falls with the root of the samples, and of one path it is mostly about as large as the light itself: 1 / noise^2 of
 * them are the most that may be needed, to the next power of two.
 */
const samplesFor = (noise: number): number => Math.min(SAMPLES_MAX, 2 ** Math.ceil(Math.log2(1 / noise ** 2) - 1e-9));

const byNoise: SliderWay<RenderParams> = {
  label: 'Noise',
  help: 'Each tile runs until its pixels are this good. The price covers the most it may take; what is left comes back.',
  stops: NOISE_STOPS,
  read: (params) => settingsOf(params).noise || null,
  write: (_, noise) => ({ noise, samples: samplesFor(noise) }),
  say: (params) => `${Number((settingsOf(params).noise * 100).toPrecision(3))} % noise, at most ${count.format(params.samples)} samples a pixel`,
};

/**
 * The simplest ratio, short edge to long, whose picture of this size is the one that is ordered: 640 x 427 is 2 to 3. So a picture that
 * was made small keeps its shape when it grows again.
 */
function ratioOf(long: number, short: number): number {
  for (let denominator = 1; denominator <= long; denominator++) {
    const numerator = Math.round((short * denominator) / long);
    if (numerator > 0 && Math.round((long * numerator) / denominator) === short) return numerator / denominator;
  }
  return short / long;
}

const bySize: SliderWay<RenderParams> = {
  label: 'Size',
  help: 'Twice as wide and high costs four times as much.',
  stops: EDGE_STOPS,
  read: ({ width, height }) => Math.max(width, height),
  write({ width, height }, long) {
    const short = Math.max(EDGE_MIN, Math.round(long * ratioOf(Math.max(width, height), Math.min(width, height))));
    return width >= height ? { width: long, height: short } : { width: short, height: long };
  },
  say: ({ width, height }) => `${width} × ${height} px`,
};

export const sliders: readonly Slider<RenderParams>[] = [
  { name: 'quality', label: 'Quality', ways: [bySamples, byNoise] },
  { name: 'size', label: 'Size', ways: [bySize] },
];
