import { Rng, seedOf } from '../../../shared/rng.ts';

/** Small pictures of shapes in any colours, places, sizes and turns, drawn by this code: something to learn, and to be asked about. */

type Inside = (x: number, y: number) => boolean;

/** A polygon whose corners lie on two circles in turn, around the origin. */
function corners(count: number, inner: number): Inside {
  const edge = Math.PI / count;
  return (x, y) => {
    const around = Math.abs(((Math.atan2(y, x) % (2 * edge)) + 3 * edge) % (2 * edge)) - edge;
    // The straight line from the outer corner at angle 0 to the inner one at angle `edge`.
    const [px, py] = [Math.hypot(x, y) * Math.cos(around), Math.abs(Math.hypot(x, y) * Math.sin(around))];
    const [ix, iy] = [inner * Math.cos(edge), inner * Math.sin(edge)];
    return (ix - 1) * py - iy * (px - 1) >= 0;
  };
}

/** Inside a square from -1 to 1, about as large as it is. */
const shapes: Readonly<Record<string, Inside>> = {
  circle: (x, y) => Math.hypot(x, y) < 0.9,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.75,
  triangle: corners(3, Math.cos(Math.PI / 3)),
  star: corners(5, 0.42),
  cross: (x, y) => Math.min(Math.abs(x), Math.abs(y)) < 0.26 && Math.max(Math.abs(x), Math.abs(y)) < 0.92,
  ring: (x, y) => Math.hypot(x, y) < 0.92 && Math.hypot(x, y) > 0.55,
  crescent: (x, y) => Math.hypot(x, y) < 0.92 && Math.hypot(x - 0.45, y) > 0.68,
  bar: (x, y) => Math.abs(x) < 0.95 && Math.abs(y) < 0.24,
};

export const shapeNames: readonly string[] = Object.keys(shapes);

/** Points of a pixel along each side that are asked. */
const POINTS = 3;
/** By so much, of 1, a shape is lighter than what is behind it, at least. */
const LIGHTER_MIN = 0.2;

type Colour = readonly [number, number, number];

const colour = (rng: Rng): Colour => [rng.unit(), rng.unit(), rng.unit()];
const luma = ([red, green, blue]: Colour): number => 0.299 * red + 0.587 * green + 0.114 * blue;

/** Two colours of a background, and a lighter one. */
function colours(rng: Rng): readonly [Colour, Colour, Colour] {
  for (;;) {
    const [from, to, own] = [colour(rng), colour(rng), colour(rng)];
    if (luma(own) > Math.max(luma(from), luma(to)) + LIGHTER_MIN) return [from, to, own];
  }
}

/** RGB, rows from the top. Shape `index` of `shapeNames`; another `number` is another picture of it. */
export function drawShape(index: number, number: number, edge: number): Uint8Array<ArrayBuffer> {
  const rng = new Rng(seedOf(index, number));
  const inside = shapes[shapeNames[index]!]!;
  const [from, to, own] = colours(rng);
  const size = 0.45 + 0.4 * rng.unit();
  const turn = 2 * Math.PI * rng.unit();
  const [left, top] = [(1 - size) * (2 * rng.unit() - 1), (1 - size) * (2 * rng.unit() - 1)];
  const noise = 0.12 * rng.unit();
  const out = new Uint8Array(edge * edge * 3);
  for (let pixel = 0; pixel < edge * edge; pixel++) {
    let share = 0;
    for (let point = 0; point < POINTS * POINTS; point++) {
      const x = (2 * ((pixel % edge) + ((point % POINTS) + 0.5) / POINTS)) / edge - 1 - left;
      const y = (2 * (Math.floor(pixel / edge) + (Math.floor(point / POINTS) + 0.5) / POINTS)) / edge - 1 - top;
      if (inside((x * Math.cos(turn) + y * Math.sin(turn)) / size, (y * Math.cos(turn) - x * Math.sin(turn)) / size)) share += 1 / (POINTS * POINTS);
    }
    const down = Math.floor(pixel / edge) / edge;
    for (let channel = 0; channel < 3; channel++) {
      const back = from[channel]! + down * (to[channel]! - from[channel]!);
      const value = back + share * (own[channel]! - back) + noise * (rng.unit() - 0.5);
      out[3 * pixel + channel] = Math.round(255 * Math.min(1, Math.max(0, value)));
    }
  }
  return out;
}
