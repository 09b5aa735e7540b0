import { MIB } from '../../shared/limits.ts';

/** Caps on a model, checked before anything of that size is built; the unit is the last word of the name. */
export const sceneLimits = {
  trianglesMax: 1_000_000,
  nodesMax: 100_000,
  nodeDepthMax: 256,
  meshesMax: 100_000,
  primitivesMax: 100_000,
  materialsMax: 10_000,
  texturesMax: 256,
  accessorsMax: 200_000,
  bufferViewsMax: 200_000,
  jsonBytesMax: 32 * MIB,
  /** Numbers in all accessors together once decoded: several accessors may name the same bytes. A million separate triangles need 24 million. */
  accessorNumbersMax: 64 * 1024 * 1024,
  imageEdgePixelsMax: 4096,
  /** Decoded RGBA8 of all images together. */
  texelBytesMax: 128 * MIB,
  /** |x|, |y|, |z| of a vertex: the square of a cross product of two edges must stay below the largest f32, 3.4e38. */
  coordinateMax: 1e9,
  /** Linear radiance of an emissive surface: a sample may hold 2^14 times the exposure, which is at most 2^12. */
  radianceMax: 1e7,
} as const;
