import { MIB } from '../../shared/limits.ts';

/** Caps on a model, checked before anything of that size is built; the unit is the last word of the name. */
export const sceneLimits = {
  /** Triangles of all meshes together; a mesh that is placed as instances counts once. */
  trianglesMax: 2 ** 20,
  /** Placed meshes, and their transforms over all frames together. */
  instancesMax: 100_000,
  transformsMax: 1_000_000,
  lightsMax: 1000,
  camerasMax: 1000,
  animationsMax: 10_000,
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
  imageEdgePixelsMax: 8192,
  /** Decoded RGBA8 of all images together. */
  texelBytesMax: 512 * MIB,
  /** |x|, |y|, |z| of a vertex: the square of a cross product of two edges must stay below the largest f32, 3.4e38. */
  coordinateMax: 1e9,
  /** Linear radiance of an emissive surface: a sample may hold 2^14 times the exposure, which is at most 2^12. */
  radianceMax: 1e7,
  /** Candela or lux of a punctual light: a millimetre away that is 1e15, and its square still below the largest f32. */
  intensityMax: 1e9,
  /** |u|, |v| of a texture coordinate: f32 has 24 bits, and some must be left for the place inside the texture. */
  uvMax: 1e6,
  /** Bytes of all meshopt streams together once decoded. */
  meshoptBytesMax: 256 * MIB,
  environmentWidthPixelsMax: 8192,
  environmentHeightPixelsMax: 4096,
  environmentFileBytesMax: 64 * MIB,
} as const;

/** Of a camera that is ordered. */
export const viewLimits = {
  fieldOfViewDegreesMin: 1,
  fieldOfViewDegreesMax: 170,
} as const;
