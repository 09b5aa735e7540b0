/** Three numbers, for peerReference.ts alone. */
export type V3 = readonly [number, number, number];

export const add = (a: V3, b: V3): V3 => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
export const sub = (a: V3, b: V3): V3 => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const mul = (a: V3, b: V3): V3 => [a[0] * b[0], a[1] * b[1], a[2] * b[2]];
export const scale = (a: V3, by: number): V3 => [a[0] * by, a[1] * by, a[2] * by];
export const dot = (a: V3, b: V3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const cross = (a: V3, b: V3): V3 => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
export const unit = (a: V3): V3 => scale(a, 1 / Math.sqrt(dot(a, a)));
export const isBlack = (a: V3): boolean => a[0] === 0 && a[1] === 0 && a[2] === 0;

/** Two directions at right angles to a unit vector and to each other. */
export function basisOf(normal: V3): [V3, V3] {
  const tangent = unit(cross(Math.abs(normal[0]) > 0.5 ? [0, 1, 0] : [1, 0, 0], normal));
  return [tangent, cross(normal, tangent)];
}
