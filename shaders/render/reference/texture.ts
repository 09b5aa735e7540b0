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
 * Filtered red, green and blue of texture `index` at (u, v), v down from the top left, into `out`. Bilinear between texel centres
 * unless the texture says nearest; sRGB bytes are decoded before they are mixed.
 */
export function sampleTexture(scene: Scene, index: number, u: number, v: number, out: Float32Array): void {
  const at = index * words.texture;
  const [first, width, height, flags] = [scene.textures[at]!, scene.textures[at + 1]!, scene.textures[at + 2]!, scene.textures[at + 3]!];
  const [wrapS, wrapT] = [flags & 3, (flags >>> 2) & 3];
  const x = limited(f32(u * width));
  const y = limited(f32(v * height));
  if ((flags & NEAREST) !== 0) {
    const texel = scene.texels[first + wrapped(Math.floor(y), height, wrapT) * width + wrapped(Math.floor(x), width, wrapS)]!;
    for (let channel = 0; channel < 3; channel++) out[channel] = decoded(scene, (texel >>> (8 * channel)) & 255, flags);
    return;
  }
  const [left, top] = [f32(x - 0.5), f32(y - 0.5)];
  const [column, row] = [Math.floor(left), Math.floor(top)];
  const [fx, fy] = [f32(left - column), f32(top - row)];
  const [gx, gy] = [f32(1 - fx), f32(1 - fy)];
  const x0 = wrapped(column, width, wrapS);
  const x1 = wrapped(column + 1, width, wrapS);
  const row0 = first + wrapped(row, height, wrapT) * width;
  const row1 = first + wrapped(row + 1, height, wrapT) * width;
  const [a, b, c, d] = [scene.texels[row0 + x0]!, scene.texels[row0 + x1]!, scene.texels[row1 + x0]!, scene.texels[row1 + x1]!];
  for (let channel = 0; channel < 3; channel++) {
    const shift = 8 * channel;
    const upper = f32(f32(decoded(scene, (a >>> shift) & 255, flags) * gx) + f32(decoded(scene, (b >>> shift) & 255, flags) * fx));
    const lower = f32(f32(decoded(scene, (c >>> shift) & 255, flags) * gx) + f32(decoded(scene, (d >>> shift) & 255, flags) * fx));
    out[channel] = f32(upper * gy) + f32(lower * fy);
  }
}
