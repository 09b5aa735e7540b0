import { type Scene, words } from './scene.ts';
import { f32 } from './vector.ts';

/** Bits of a texture's flags, see `sceneSections.textures`. */
const WRAP_CLAMP = 1;
const WRAP_MIRROR = 2;
const NEAREST = 16;
const SRGB = 32;
const SECOND_SET = 64;
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

/** Weighted mean of three numbers, `stride` words apart. */
export function interpolated(from: Float32Array, at: number, stride: number, w: number, u: number, v: number): number {
  return f32(f32(f32(from[at]! * w) + f32(from[at + stride]! * u)) + f32(from[at + 2 * stride]! * v));
}

/** a x + b y + c of three numbers of a texture's transform. */
const transformed = (m: Float32Array, at: number, x: number, y: number): number => f32(f32(f32(m[at]! * x) + f32(m[at + 1]! * y)) + m[at + 2]!);

/**
 * Filtered RGBA of texture `index` at barycentric (u, v) of a triangle, into `out`; white for -1. Bilinear between texel centres unless the
 * texture says nearest; sRGB bytes are decoded before they are mixed.
 */
export function sampleTexture(scene: Scene, index: number, triangle: number, u: number, v: number, out: Float32Array): void {
  out.fill(index < 0 ? 1 : 0);
  if (index < 0) return;
  const at = index * words.texture;
  const { textureWords, textures } = scene;
  const [first, width, height, flags] = [textureWords[at]!, textureWords[at + 1]!, textureWords[at + 2]!, textureWords[at + 3]!];
  const w = f32(f32(1 - u) - v);
  const uvs = triangle * words.attribute + 6 + ((flags & SECOND_SET) !== 0 ? 6 : 0);
  const s = interpolated(scene.attributes, uvs, 2, w, u, v);
  const t = interpolated(scene.attributes, uvs + 1, 2, w, u, v);
  const nearest = (flags & NEAREST) !== 0;
  const shift = nearest ? 0 : 0.5;
  const x = f32(limited(f32(transformed(textures, at + 4, s, t) * width)) - shift);
  const y = f32(limited(f32(transformed(textures, at + 7, s, t) * height)) - shift);
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const fx = nearest ? 0 : f32(x - left);
  const fy = nearest ? 0 : f32(y - top);
  for (let tap = 0; tap < (nearest ? 1 : 4); tap++) {
    const column = wrapped(left + (tap & 1), width, flags & 3);
    const row = wrapped(top + (tap >> 1), height, (flags >>> 2) & 3);
    const weight = f32((tap & 1 ? fx : f32(1 - fx)) * (tap >> 1 ? fy : f32(1 - fy)));
    const texel = scene.texels[first + row * width + column]!;
    for (let channel = 0; channel < 3; channel++) out[channel] = out[channel]! + f32(decoded(scene, (texel >>> (8 * channel)) & 255, flags) * weight);
    out[3] = out[3]! + f32(f32((texel >>> 24) * BYTE_SCALE) * weight);
  }
}
