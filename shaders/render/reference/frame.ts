import { combine, dot, f32, set, type Vector, vector } from './vector.ts';

/** Local coordinates about a normal, and circles. */

const TWO_PI_QUARTER = Math.PI / 2;
/** Taylor coefficients of sin and cos of (pi/2) x; |x| <= 1/2 leaves an error below 2^-24. */
const SIN = [1, 3, 5, 7, 9].map((power, index) => f32(((index % 2 ? -1 : 1) * TWO_PI_QUARTER ** power) / factorial(power)));
const COS = [0, 2, 4, 6, 8].map((power, index) => f32(((index % 2 ? -1 : 1) * TWO_PI_QUARTER ** power) / factorial(power)));

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1);
}

const polynomial = (c: readonly number[], x: number): number => f32(c[0]! + f32(x * f32(c[1]! + f32(x * f32(c[2]! + f32(x * f32(c[3]! + f32(x * c[4]!))))))));

/** (cos, sin) of 2 pi u. Built-in sin and cos differ between GPUs, a polynomial does not. */
export function turn(u: number, out: Float32Array): void {
  const quarters = f32(u * 4);
  const quadrant = Math.floor(f32(quarters + 0.5));
  const rest = f32(quarters - quadrant);
  const square = f32(rest * rest);
  const sin = f32(rest * polynomial(SIN, square));
  const cos = polynomial(COS, square);
  const swap = (quadrant & 1) === 1;
  const [x, y] = [swap ? sin : cos, swap ? cos : sin];
  out[0] = quadrant === 1 || quadrant === 2 ? -x : x;
  out[1] = quadrant === 2 || quadrant === 3 ? -y : y;
}

/** An orthonormal basis with a given third axis. Duff et al., "Building an Orthonormal Basis, Revisited", JCGT 6(1), 2017. */
export class Frame {
  readonly #tangent = vector();
  readonly #bitangent = vector();
  readonly #normal = vector();

  around(n: Vector): void {
    const [x, y, z] = [n[0]!, n[1]!, n[2]!];
    const sign = z >= 0 ? 1 : -1;
    const a = f32(-1 / f32(sign + z));
    const b = f32(f32(x * y) * a);
    set(this.#tangent, 1 + sign * f32(f32(x * x) * a), sign * b, -sign * x);
    set(this.#bitangent, b, sign + f32(f32(y * y) * a), -y);
    this.#normal.set(n);
  }

  toLocal(out: Vector, world: Vector): void {
    set(out, dot(world, this.#tangent), dot(world, this.#bitangent), dot(world, this.#normal));
  }

  toWorld(out: Vector, local: Vector): void {
    combine(out, this.#tangent, local[0]!, this.#bitangent, local[1]!, this.#normal, local[2]!);
  }
}
