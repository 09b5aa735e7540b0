import { concatBytes } from '../../../shared/formats.ts';
import { npyHeader } from '../../common/tensors/npy.ts';

/** A picture from few numbers: a sum of standing waves in two directions, whose matrix is the product of two narrow ones. */

const SIDE = 768;
const WAVES = 96;
/** Turns of the longest wave across the picture; the golden ratio keeps the others from repeating it. */
const TURNS = (1 + Math.sqrt(5)) / 2;

function npy(rows: number, columns: number, value: (row: number, column: number) => number): Uint8Array {
  const numbers = Float32Array.from({ length: rows * columns }, (_, at) => value(Math.floor(at / columns), at % columns));
  return concatBytes(npyHeader('f32', [rows, columns]), new Uint8Array(numbers.buffer));
}

const wave = (at: number, k: number, phase: number): number => Math.cos(2 * Math.PI * TURNS * Math.sqrt(k + 1) * (at / SIDE) + phase * k) / Math.sqrt(k + 3);

export const waves = (): { matrixA: Uint8Array; matrixB: Uint8Array } => ({
  matrixA: npy(SIDE, WAVES, (at, k) => wave(at, k, 2.4)),
  matrixB: npy(WAVES, SIDE, (k, at) => wave(at, k, 1)),
});
