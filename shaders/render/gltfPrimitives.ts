import type { Gltf, GltfPrimitive } from './gltfSchema.ts';

/** Primitive modes of glTF 2.0 that are made of triangles. */
export const TRIANGLES = 4;
export const STRIP = 5;
export const FAN = 6;

export const trianglesOf = (mode: number, corners: number): number => {
  if (mode === TRIANGLES) return Math.floor(corners / 3);
  return mode === STRIP || mode === FAN ? Math.max(0, corners - 2) : 0;
};

/** Triangles of one primitive, 0 where it has no positions or is not made of triangles. */
export function triangleCount(gltf: Gltf, { mode = TRIANGLES, attributes, indices }: GltfPrimitive): number {
  if (attributes.POSITION === undefined) return 0;
  return trianglesOf(mode!, gltf.accessors![indices ?? attributes.POSITION]!.count);
}
