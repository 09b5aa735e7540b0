import type { Vec3 } from './mesh.ts';

/** Numbers of a packed scene. */

export const bytesOf = (array: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** IEC 61966-2-1: byte value of an sRGB channel -> linear. */
export const srgbToLinear: Float32Array<ArrayBuffer> = Float32Array.from({ length: 256 }, (_, byte) => {
  const value = byte / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
});

/** Relative luminance of linear sRGB, Rec. 709. */
export const luminance = (rgb: Vec3): number => 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];

const scratch = new DataView(new ArrayBuffer(4));

/** The f32 nearest to `value` that is not above it (sign -1) or not below it (sign +1). */
export function roundOutward(value: number, sign: -1 | 1): number {
  const near = Math.fround(value);
  if (sign < 0 ? near <= value : near >= value) return near;
  if (near === 0) return sign * 2 ** -149;
  scratch.setFloat32(0, near);
  // Bit patterns of one sign are ordered like the magnitudes.
  scratch.setInt32(0, scratch.getInt32(0) + (near > 0 === sign > 0 ? 1 : -1));
  return scratch.getFloat32(0);
}

/**
 * Unit vector -> two snorm16 (x low, y high): projected on the octahedron |x| + |y| + |z| = 1, its lower half folded out.
 * Source: Cigolle et al., "A Survey of Efficient Representations for Independent Unit Vectors", JCGT 3(2), 2014.
 */
export function encodeOctahedral(x: number, y: number, z: number): number {
  const sum = Math.abs(x) + Math.abs(y) + Math.abs(z);
  let [u, v] = [x / sum, y / sum];
  if (z < 0) [u, v] = [(1 - Math.abs(v)) * (u < 0 ? -1 : 1), (1 - Math.abs(u)) * (v < 0 ? -1 : 1)];
  return ((Math.round(u * 32767) & 0xffff) | (Math.round(v * 32767) << 16)) >>> 0;
}

/** Unit tangent and the sign of its bitangent -> snorm16 x low, snorm15 y in the upper 15 bits, bit 16 set where the bitangent is negative. */
export function encodeTangent(x: number, y: number, z: number, sign: number): number {
  const sum = Math.abs(x) + Math.abs(y) + Math.abs(z) || 1;
  let [u, v] = [x / sum, y / sum];
  if (z < 0) [u, v] = [(1 - Math.abs(v)) * (u < 0 ? -1 : 1), (1 - Math.abs(u)) * (v < 0 ? -1 : 1)];
  return ((Math.round(u * 32767) & 0xffff) | (Math.round(v * 16383) << 17) | (sign < 0 ? 0x10000 : 0)) >>> 0;
}
