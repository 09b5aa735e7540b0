/**
 * f32 arithmetic for the reference. Every operation is rounded to f32 right away, as a GPU without fused operations does it:
 * rounding the f64 result of + - * / and sqrt of f32 values gives exactly the f32 result (53 >= 2 * 24 + 2 bits).
 * Vectors are preallocated registers, because the inner loops must not allocate.
 */
export type Vector = Float32Array;

export const f32 = Math.fround;
export const vector = (): Vector => new Float32Array(3);

export const dot = (a: Vector, b: Vector): number => f32(f32(f32(a[0]! * b[0]!) + f32(a[1]! * b[1]!)) + f32(a[2]! * b[2]!));

export function set(out: Vector, x: number, y: number, z: number): void {
  out[0] = x;
  out[1] = y;
  out[2] = z;
}

export function load(out: Vector, from: Float32Array, at: number): void {
  out[0] = from[at]!;
  out[1] = from[at + 1]!;
  out[2] = from[at + 2]!;
}

export function negate(out: Vector): void {
  out[0] = -out[0]!;
  out[1] = -out[1]!;
  out[2] = -out[2]!;
}

export function cross(out: Vector, a: Vector, b: Vector): void {
  const x = f32(f32(a[1]! * b[2]!) - f32(a[2]! * b[1]!));
  const y = f32(f32(a[2]! * b[0]!) - f32(a[0]! * b[2]!));
  const z = f32(f32(a[0]! * b[1]!) - f32(a[1]! * b[0]!));
  set(out, x, y, z);
}

export function scale(out: Vector, a: Vector, factor: number): void {
  out[0] = a[0]! * factor;
  out[1] = a[1]! * factor;
  out[2] = a[2]! * factor;
}

export function normalize(out: Vector, a: Vector): void {
  scale(out, a, f32(1 / f32(Math.sqrt(dot(a, a)))));
}

/** out = a + b * factor */
export function addScaled(out: Vector, a: Vector, b: Vector, factor: number): void {
  out[0] = a[0]! + f32(b[0]! * factor);
  out[1] = a[1]! + f32(b[1]! * factor);
  out[2] = a[2]! + f32(b[2]! * factor);
}

/** out = (a * x + b * y) + c * z */
export function combine(out: Vector, a: Vector, x: number, b: Vector, y: number, c: Vector, z: number): void {
  const r = f32(f32(a[0]! * x) + f32(b[0]! * y)) + f32(c[0]! * z);
  const s = f32(f32(a[1]! * x) + f32(b[1]! * y)) + f32(c[1]! * z);
  const t = f32(f32(a[2]! * x) + f32(b[2]! * y)) + f32(c[2]! * z);
  set(out, r, s, t);
}

export const largest = (a: Vector): number => Math.max(Math.abs(a[0]!), Math.abs(a[1]!), Math.abs(a[2]!));

/** Product of a vector with the three numbers at `rows[at]`. */
export const rowDot = (rows: Float32Array, at: number, a: Vector): number =>
  f32(f32(f32(rows[at]! * a[0]!) + f32(rows[at + 1]! * a[1]!)) + f32(rows[at + 2]! * a[2]!));

/** The same of a point: with the fourth number added. */
export const rowPoint = (rows: Float32Array, at: number, a: Vector): number => f32(rowDot(rows, at, a) + rows[at + 3]!);

export const luminance = (c: Vector): number => f32(f32(f32(f32(0.2126) * c[0]!) + f32(f32(0.7152) * c[1]!)) + f32(f32(0.0722) * c[2]!));
