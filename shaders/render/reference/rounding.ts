import { pcgHash } from '../../../shared/rng.ts';
import { f32, type Vector } from './vector.ts';

/**
 * The reference as another device would compute it. Plain, every operation is rounded to the nearest f32. As a variant, what the kernel
 * computes with divisions, roots and sums of products is pushed by up to `REACH`, each time by another random share of it.
 *
 * WGSL allows `/` 2.5 units in the last place and `sqrt` 2, and products may be fused: together 4.5 units, 5.4e-7, for a normalised
 * vector. An honest device that tips a decision is therefore within half of what is tried here, and a variant tips that decision too
 * with probability 1/4 or more.
 */
const REACH = 2 ** -20;

let variant = 0;
let drawn = 0;

/** From here on the reference rounds as variant `next`, any u32; 0 is the plain one. */
export function roundAs(next: number): void {
  variant = next;
  drawn = 0;
}

/** Whether every operation is rounded to the nearest now. */
export const rounded = (): boolean => variant === 0;

/** Uniform in [-REACH, REACH). */
function share(): number {
  drawn = (drawn + 1) >>> 0;
  return (pcgHash((variant ^ Math.imul(drawn, 0x9e3779b9)) >>> 0) * 2 ** -31 - 1) * REACH;
}

/** A number by a share of itself. */
export const pushed = (x: number): number => (variant === 0 ? x : f32(x + x * share()));

/** A number by a share of `size`: of what was added up to it, where little may be left. */
export const pushedBy = (x: number, size: number): number => (variant === 0 ? x : f32(x + size * share()));

/** Every component by a share of itself. */
export function pushEach(v: Vector): void {
  if (variant === 0) return;
  for (let axis = 0; axis < 3; axis++) v[axis] = v[axis]! * (1 + share());
}

/** Every component by a share of `size`. */
export function pushAll(v: Vector, size: number): void {
  if (variant === 0) return;
  for (let axis = 0; axis < 3; axis++) v[axis] = v[axis]! + size * share();
}
