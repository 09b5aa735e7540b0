import { type Scene, words } from './scene.ts';
import { f32 } from './vector.ts';

/** Bits of a texture's flags, see `sceneSections.textures`. */
const WRAP_CLAMP = 1;
const WRAP_MIRROR = 2;
const NEAREST = 16;
const SRGB = 32;
/** Texel coordinates beyond it would lose their fraction long before; it keeps them inside i32. */
const COORDINATE_MAX = f32(1e9);
const BYTE_SCALE = f32(1 / 255);

const limited = (x: number): number => Math.min(Math.max(x, -COORDINATE_MAX), COORDINATE_MAX);

/** Texel index in [0, size) of any integer coordinate. */
function wrapped(index: number, size: number, mode: number): number {
  if (mode === WRAP_CLAMP) return Math.min(Math.max(index, 0), size - 1);
  const period = mode === WRAP_MIRROR ? 2 * size : size;
  const rest = ((index % period) + period) % period;
  return rest < size ? rest : period - 1 - rest;
}

const decoded = (scene: Scene, byte: number, flags: number): number => ((flags & SRGB) !== 0 ? scene.srgb[byte]! : f32(byte * BYTE_SCALE));

/**
 * Filtered red, green and blue of texture `index` at (u, v), v down from the top left, into `out`; white for -1. Bilinear between
 * texel centres unless the texture says nearest; sRGB bytes are decoded before they are mixed.
 */
export function sampleTexture(scene: Scene, index: number, u: number, v: number, out: Float32Array): void {
  out.fill(index < 0 ? 1 : 0);
  if (index < 0) return;
  const at = index * words.texture;
  const [first, width, height, flags] = [scene.textures[at]!, scene.textures[at + 1]!, scene.textures[at + 2]!, scene.textures[at + 3]!];
  const nearest = (flags & NEAREST) !== 0;
  const shift = nearest ? 0 : 0.5;
  const x = f32(limited(f32(u * width)) - shift);
  const y = f32(limited(f32(v * height)) - shift);
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const fx = nearest ? 0 : f32(x - left);
  const fy = nearest ? 0 : f32(y - top);
  for (let tap = 0; tap < (nearest ? 1 : 4); tap++) {
    const column = wrapped(left + (tap & 1), width, flags & 3);
    const row = wrapped(top + (tap >> 1), height, (flags >>> 2) & 3);
    const weight = f32((tap & 1 ? fx : f32(1 - fx)) * (tap >> 1 ? fy : f32(1 - fy)));
    const texel = scene.texels[first + row * width + column]!;
    for (let channel = 0; channel < 3; channel++) out[channel] = out[channel]! + f32(decoded(scene, (texel >>> (8 * channel)) & 255, flags) * weight);
  }
}
