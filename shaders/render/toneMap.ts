import { agx } from './agx.ts';
import { type RenderParams, settingsOf } from './params.ts';

/** Linear 0 to 1 to sRGB 0 to 1 (IEC 61966-2-1). What is brighter or darker is clipped. */
export function encodeSrgb(linear: number): number {
  if (linear >= 1) return 1;
  return linear <= 0.0031308 ? 12.92 * Math.max(linear, 0) : 1.055 * linear ** (1 / 2.4) - 0.055;
}

/** Replaces linear radiance, 1 is white, by sRGB values, 0 to 1. */
export type ToneMap = (rgb: Float64Array) => void;

/** As the job orders it, but for what `other` says. Pages and picture files use nothing else, so they show the same. */
export function toneMapOf(params: RenderParams, other: Partial<Pick<RenderParams, 'toneMap' | 'exposure'>> = {}): ToneMap {
  const { toneMap, exposure } = { ...settingsOf(params), ...other };
  const gain = 2 ** exposure;
  return (rgb) => {
    for (let at = 0; at < 3; at++) rgb[at] = rgb[at]! * gain;
    if (toneMap === 'agx') agx(rgb);
    for (let at = 0; at < 3; at++) rgb[at] = encodeSrgb(rgb[at]!);
  };
}
