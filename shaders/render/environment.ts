import type { Vec3 } from './mesh.ts';

/**
 * Environment maps for the kernel: resampled once to an octahedral square, which needs no sine to read, with a table to draw directions by.
 * Clarberg, "Fast Equal-Area Mapping of the (Hemi)Sphere using SIMD", JGT 13(3), 2008, has the idea; this is the plain octahedron.
 */

/** Equirectangular: direction (x, y, z) lies at u = 1/2 + atan2(x, -z) / 2 pi, v = acos(y) / pi from the top. */
export interface Equirect {
  readonly width: number;
  readonly height: number;
  /** Linear RGB, rows from the top. */
  readonly pixels: Float32Array;
}

export interface PackedEnvironment {
  /** Texels of an edge. */
  readonly edge: number;
  /** RGB9E5, red in the low bits, to be multiplied by `scale`. */
  readonly texels: Uint32Array<ArrayBuffer>;
  readonly scale: number;
  /** As section `environmentCdf` has it. */
  readonly cdf: Float32Array<ArrayBuffer>;
  /** Integral of the luminance over all directions, `scale` included. */
  readonly flux: number;
}

const EDGE_MIN = 16;
const EDGE_MAX = 2048;
/** Largest number of RGB9E5. */
const SHARED_MAX = (511 / 512) * 2 ** 16;

const luminanceOf = (r: number, g: number, b: number): number => 0.2126 * r + 0.7152 * g + 0.0722 * b;

/** As many texels as the map has over the horizon's half turn; more would only be smoother. */
function edgeFor(width: number): number {
  let edge = EDGE_MIN;
  while (edge < EDGE_MAX && edge * 2 < width) edge *= 2;
  return edge;
}

/** `degrees`: turns the map about the vertical, counter-clockwise seen from above. */
export function packEnvironment(map: Equirect, degrees: number): PackedEnvironment {
  const edge = edgeFor(map.width);
  const radiance = resample(map, edge, (degrees * Math.PI) / 180);
  const most = radiance.reduce((max, value) => Math.max(max, value), 0);
  const scale = most > SHARED_MAX ? most / SHARED_MAX : 1;
  const texels = new Uint32Array(edge * edge);
  for (let at = 0; at < texels.length; at++) texels[at] = encodeShared(radiance[at * 3]! / scale, radiance[at * 3 + 1]! / scale, radiance[at * 3 + 2]! / scale);
  return { edge, texels, scale, ...distribution(radiance, edge) };
}

/** Unit direction of octahedral coordinates in [-1, 1], y up, and the sum of its components' sizes. */
function directionOf(px: number, pz: number): { direction: Vec3; sum: number } {
  const y = 1 - Math.abs(px) - Math.abs(pz);
  const [x, z] = y < 0 ? [(1 - Math.abs(pz)) * (px < 0 ? -1 : 1), (1 - Math.abs(px)) * (pz < 0 ? -1 : 1)] : [px, pz];
  const length = Math.hypot(x, y, z);
  return { direction: [x / length, y / length, z / length], sum: 1 / length };
}

/** Means over the texels, of as many bilinear readings as the map has pixels there, at least four. */
function resample(map: Equirect, edge: number, angle: number): Float32Array {
  const out = new Float32Array(edge * edge * 3);
  const taps = Math.min(8, Math.max(2, Math.ceil(map.width / (2 * edge))));
  const color = new Float64Array(3);
  for (let row = 0; row < edge; row++) {
    for (let column = 0; column < edge; column++) {
      color.fill(0);
      for (let tap = 0; tap < taps * taps; tap++) {
        const px = (2 * (column + ((tap % taps) + 0.5) / taps)) / edge - 1;
        const pz = (2 * (row + (Math.floor(tap / taps) + 0.5) / taps)) / edge - 1;
        const [x, y, z] = directionOf(px, pz).direction;
        addBilinear(map, 0.5 + (Math.atan2(x, -z) + angle) / (2 * Math.PI), Math.acos(Math.min(Math.max(y, -1), 1)) / Math.PI, color);
      }
      for (let channel = 0; channel < 3; channel++) out[(row * edge + column) * 3 + channel] = color[channel]! / taps ** 2;
    }
  }
  return out;
}

function addBilinear({ width, height, pixels }: Equirect, u: number, v: number, out: Float64Array): void {
  const x = (u - Math.floor(u)) * width - 0.5;
  const y = Math.min(Math.max(v * height - 0.5, 0), height - 1);
  const [left, top] = [Math.floor(x), Math.floor(y)];
  for (let tap = 0; tap < 4; tap++) {
    const column = (left + (tap & 1) + width) % width;
    const row = Math.min(top + (tap >> 1), height - 1);
    const weight = (tap & 1 ? x - left : 1 - (x - left)) * (tap >> 1 ? y - top : 1 - (y - top));
    for (let channel = 0; channel < 3; channel++) out[channel]! += pixels[(row * width + column) * 3 + channel]! * weight;
  }
}

/** Shared exponent, EXT_texture_shared_exponent: three mantissas of 9 bits times 2^(exponent - 24). */
export function encodeShared(r: number, g: number, b: number): number {
  const most = Math.max(r, g, b);
  if (!(most > 0)) return 0;
  let exponent = Math.max(-16, Math.floor(Math.log2(most))) + 16;
  if (Math.round(most * 2 ** (24 - exponent)) > 511) exponent++;
  const mantissa = (value: number): number => Math.min(511, Math.round(Math.max(value, 0) * 2 ** (24 - exponent)));
  return (mantissa(r) | (mantissa(g) << 9) | (mantissa(b) << 18) | (exponent << 27)) >>> 0;
}

/**
 * Texels are drawn by their luminance times solid angle. Their neighbours' light counts too, because radiance is read bilinearly: what is
 * never drawn must be dark.
 */
function distribution(radiance: Float32Array, edge: number): { cdf: Float32Array<ArrayBuffer>; flux: number } {
  const bright = (column: number, row: number): number => {
    const c = Math.min(Math.max(column, 0), edge - 1);
    const r = Math.min(Math.max(row, 0), edge - 1);
    const at = (r * edge + c) * 3;
    return luminanceOf(radiance[at]!, radiance[at + 1]!, radiance[at + 2]!);
  };
  const cdf = new Float32Array(edge * edge + edge);
  const rows = new Float64Array(edge);
  let flux = 0;
  for (let row = 0; row < edge; row++) {
    const weights = new Float64Array(edge);
    let sum = 0;
    for (let column = 0; column < edge; column++) {
      const { sum: size } = directionOf((2 * (column + 0.5)) / edge - 1, (2 * (row + 0.5)) / edge - 1);
      const solidAngle = (4 * size ** 3) / edge ** 2;
      flux += bright(column, row) * solidAngle;
      let around = 0;
      for (let tap = 0; tap < 9; tap++) around += bright(column - 1 + (tap % 3), row - 1 + Math.floor(tap / 3)) * TENT[tap]!;
      sum += around * solidAngle;
      weights[column] = sum;
    }
    cumulate(cdf.subarray(row * edge, (row + 1) * edge), weights, sum);
    rows[row] = (row > 0 ? rows[row - 1]! : 0) + sum;
  }
  cumulate(cdf.subarray(edge * edge), rows, rows[edge - 1]!);
  return { cdf, flux };
}

/** What a bilinear reading anywhere in a texel weighs its neighbours with, on average. */
const TENT = [1, 6, 1, 6, 36, 6, 1, 6, 1].map((weight) => weight / 64);

/** Cumulative probabilities that end with exactly 1; even ones where there is nothing. */
function cumulate(out: Float32Array, sums: Float64Array, total: number): void {
  for (let index = 0; index < out.length; index++) out[index] = total > 0 ? sums[index]! / total : (index + 1) / out.length;
  // Whatever rounds to 1 before the last that has any weight is as good as the last.
  out[out.length - 1] = 1;
}
