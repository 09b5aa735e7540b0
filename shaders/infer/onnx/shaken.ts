import { Rng } from '../../../shared/rng.ts';
import { type Model, readModel } from './model.ts';
import { takesInstructions } from './operators.ts';

/** Relative: eight units of the last place of f32. Sums over thousands of products lose as much. */
const SHARE = 2 ** -20;

/** Weights that are numbers to compute with, rather than sizes, exponents or bounds. */
function* computedWith({ weights, nodes }: Model): Generator<Uint8Array> {
  const instructions = new Set(nodes.flatMap(({ operator, inputs }) => (takesInstructions.has(operator) ? inputs : [])));
  for (const { name, isFloat, bytes } of weights.values()) if (isFloat && !instructions.has(name)) yield* bytes;
}

/**
 * The model with every weight off by at most eight units of its last place, at random. Rounding does to a layer what that does to its weights
 * (backward error), so how far its output moves is how far honest devices may lie apart.
 */
export function shaken(bytes: Uint8Array, seed: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  const rng = new Rng(seed);
  for (const view of computedWith(readModel(copy))) shake(new DataView(view.buffer, view.byteOffset, view.byteLength), rng);
  return copy;
}

function shake(view: DataView, rng: Rng): void {
  for (let at = 0; at + 4 <= view.byteLength; at += 4) view.setFloat32(at, view.getFloat32(at, true) * (1 + SHARE * (2 * rng.unit() - 1)), true);
}

/** The same of values that are fed. */
export function shakeValues(values: Float32Array, seed: number): void {
  shake(new DataView(values.buffer, values.byteOffset, values.byteLength), new Rng(seed));
}
